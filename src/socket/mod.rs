//! Sockets: how they are opened, who may join what, and the loop of one.
//!
//! A refusal is told after the upgrade, by a close code: browsers hide a refused upgrade from their page, which would
//! try again for ever.

mod admission;
mod calm;
mod connection;
mod deadlines;
mod dialect;
mod entrance;
mod handshake;
mod inflow;
mod join;
mod look;
mod news;
mod pace;
mod packed;
mod slot;
mod unsent;
mod wire;

use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error as WebSocketError;

use crate::drain::{Drain, Pace};
use crate::error::Error;
use crate::state::AppState;

pub use connection::Connection;
pub use entrance::{Asked, Entrance, Opening, Refused};
pub use inflow::Inflow;

/// What is answered over HTTP at the addresses of the dialects: to those who ask for no socket, or get none.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/yjs/{project}/{*document}", get(no_socket))
        .route("/hocuspocus", get(no_socket))
        .route("/hocuspocus/", get(no_socket))
}

async fn no_socket(refused: Option<Extension<Refused>>) -> Error {
    let why = refused.and_then(|Extension(refused)| refused.why());
    why.unwrap_or_else(|| Error::invalid("not_a_socket", "this address takes WebSockets (version 13) only"))
}

/// A WebSocket on a stream that was just accepted, with the settings of every other and nothing of what is said on them.
///
/// # Errors
/// When the other side does not ask for one.
pub async fn bare(stream: TcpStream) -> Result<WebSocketStream<Inflow>, WebSocketError> {
    let large = Arc::new(Semaphore::new(1));
    let mut stream = Inflow::new(Drain::new(stream, Pace::default()), Bytes::new(), large);
    stream.admit();
    // The library's own frames are not bounded by what it holds of ours.
    let config = handshake::config().max_write_buffer_size(usize::MAX);
    tokio_tungstenite::accept_async_with_config(stream, Some(config)).await
}
