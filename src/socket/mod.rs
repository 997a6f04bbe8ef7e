//! Sockets: how they are opened, who may join what, and the loop of one.
//!
//! A refusal is told after the upgrade, by a close code: browsers hide a refused upgrade from their page, which would
//! try again for ever.

mod admission;
mod connection;
mod dialect;
mod slot;

use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{OriginalUri, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::auth;
use crate::error::Result;
use crate::limits;
use crate::state::AppState;
use connection::Connection;
use dialect::Dialect;

/// The addresses of the dialects.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/yjs/{project}/{*document}", get(yjs))
        .route("/hocuspocus", get(hocuspocus))
        .route("/hocuspocus/", get(hocuspocus))
}

#[derive(Debug, Deserialize)]
struct Credentials {
    token: Option<String>,
}

async fn yjs(
    State(state): State<AppState>,
    OriginalUri(uri): OriginalUri,
    Query(credentials): Query<Credentials>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response> {
    // From the path as it was sent, so that a name with encoded slashes reads like one with plain ones.
    let path = uri.path().trim_start_matches("/yjs/");
    let name = percent_decode_str(path).decode_utf8_lossy().into_owned();
    open(state, &headers, credentials, upgrade, Dialect::Yjs(name)).await
}

async fn hocuspocus(
    State(state): State<AppState>,
    Query(credentials): Query<Credentials>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response> {
    open(state, &headers, credentials, upgrade, Dialect::Hocuspocus).await
}

async fn open(
    state: AppState,
    headers: &HeaderMap,
    credentials: Credentials,
    mut upgrade: WebSocketUpgrade,
    dialect: Dialect,
) -> Result<Response> {
    let caller = match &credentials.token {
        Some(token) => auth::by_token(&state.db, token).await?,
        None => auth::authenticate_socket(&state, headers).await?,
    };
    // A browser that offers subprotocols gives up unless one of them is chosen.
    let first = upgrade.requested_protocols().next().cloned();
    if let Some(first) = first {
        upgrade.set_selected_protocol(first);
    }
    let tracker = state.sockets.clone();
    Ok(upgrade
        .read_buffer_size(limits::SOCKET_READ_BUFFER)
        .write_buffer_size(limits::SOCKET_WRITE_BUFFER)
        .max_write_buffer_size(limits::SOCKET_WRITE_BUFFER_MAX)
        .max_message_size(limits::FRAME_BYTES)
        .max_frame_size(limits::FRAME_BYTES)
        .on_upgrade(move |socket| tracker.track_future(Connection::new(state, socket, dialect, caller).serve())))
}
