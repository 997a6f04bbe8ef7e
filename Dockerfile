# The studio, the server, and a small image that holds just the binary.

FROM node:22-bookworm-slim AS studio
WORKDIR /build/client-sdk
COPY client-sdk/package.json client-sdk/package-lock.json client-sdk/.npmrc ./
RUN npm ci
COPY client-sdk ./
RUN npm run build

FROM rust:1.95-bookworm AS server
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY migrations migrations
COPY src src
COPY --from=studio /build/client-sdk/app/dist client-sdk/app/dist
# The manifest names the test target; the image needs none of its code.
RUN mkdir -p tests/it && touch tests/it/main.rs && cargo build --release --locked --bin coterie

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/coterie coterie
COPY --from=server /build/target/release/coterie /usr/local/bin/coterie
USER coterie
ENV COTERIE_LISTEN=0.0.0.0:3000 COTERIE_DATA_DIR=/var/lib/coterie/data
VOLUME /var/lib/coterie
EXPOSE 3000
STOPSIGNAL SIGTERM
ENTRYPOINT ["coterie"]
