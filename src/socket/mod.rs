//! Sockets: how they are opened, who may join what, and the loop of one.
//!
//! A refusal is told after the upgrade, by a close code: browsers hide a refused upgrade from their page, which would
//! try again for ever.

mod admission;
mod calm;
mod connection;
mod deadlines;
mod dialect;
mod inflow;
mod look;
mod news;
mod pace;
mod slot;
mod unsent;
mod upgrade;
mod wire;

use std::sync::Arc;

use axum::extract::{OriginalUri, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

use crate::address::ClientAddress;
use crate::auth;
use crate::error::{Error, Result};
use crate::limits;
use crate::state::AppState;
use admission::Admissions;
use connection::{Connection, Opening};
use dialect::Dialect;

pub use inflow::Inflow;
pub use upgrade::Upgrade;

/// The addresses of the dialects.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/yjs/{project}/{*document}", get(yjs))
        .route("/hocuspocus", get(hocuspocus))
        .route("/hocuspocus/", get(hocuspocus))
        .layer(Extension(Admissions::default()))
}

#[derive(Debug, Deserialize)]
struct Credentials {
    token: Option<String>,
}

async fn yjs(
    State(state): State<AppState>,
    Extension(admissions): Extension<Admissions>,
    OriginalUri(uri): OriginalUri,
    Query(credentials): Query<Credentials>,
    headers: HeaderMap,
    address: ClientAddress,
    upgrade: Upgrade,
) -> Result<Response> {
    // From the path as it was sent, so that a name with encoded slashes reads like one with plain ones.
    let path = uri.path().trim_start_matches("/yjs/");
    let name =
        percent_decode_str(path).decode_utf8().map_err(|_| Error::invalid("bad_path", "a path is text in UTF-8"))?;
    let name = name.into_owned();
    open(state, admissions, &headers, credentials, address, upgrade, Dialect::Yjs(name)).await
}

async fn hocuspocus(
    State(state): State<AppState>,
    Extension(admissions): Extension<Admissions>,
    Query(credentials): Query<Credentials>,
    headers: HeaderMap,
    address: ClientAddress,
    upgrade: Upgrade,
) -> Result<Response> {
    open(state, admissions, &headers, credentials, address, upgrade, Dialect::Hocuspocus).await
}

async fn open(
    state: AppState,
    admissions: Admissions,
    headers: &HeaderMap,
    credentials: Credentials,
    address: ClientAddress,
    upgrade: Upgrade,
    dialect: Dialect,
) -> Result<Response> {
    let retry_after = limits::ADMISSION_TIME.as_secs();
    let visit = state.door.visit(address).ok_or(Error::RateLimited { retry_after })?;
    let caller = match &credentials.token {
        Some(token) => admissions.by_token(&state, token).await?,
        None => auth::authenticate_socket(&state, headers).await?.map(Arc::new),
    };
    let tracker = state.sockets.clone();
    let kind = match dialect {
        Dialect::Yjs(_) => "yjs",
        Dialect::Hocuspocus => "hocuspocus",
    };
    let counted = state.meters.open("coterie_sockets", &[("dialect", kind)]);
    let large_frames = state.large_frames.clone();
    // A future holds twice what it is handed and keeps, so what is large is handed over in boxes.
    let opening = Box::new(Opening { state, admissions, dialect, caller, visit, counted });
    Ok(upgrade
        .accept(large_frames, move |wire| tracker.track_future(Box::new(Connection::new(*opening, wire)).serve())))
}
