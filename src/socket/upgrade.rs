//! The handshake of a WebSocket. Not axum's, whose socket hides the stream below it and with it how much has come of a
//! frame that is not complete.

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::sync::Semaphore;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::inflow::{Inflow, Large};
use super::wire::Wire;
use crate::error::{Error, Result};
use crate::limits;

/// A request to become a WebSocket.
#[derive(Debug)]
pub struct Upgrade {
    key: HeaderValue,
    protocol: Option<HeaderValue>,
    on_upgrade: OnUpgrade,
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let headers = &parts.headers;
        let asks = parts.method == Method::GET
            && names(headers, header::CONNECTION, "upgrade")
            && names(headers, header::UPGRADE, "websocket")
            && names(headers, header::SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks).cloned();
        // A browser that offers subprotocols gives up unless one of them is chosen.
        let protocol = headers
            .get(header::SEC_WEBSOCKET_PROTOCOL)
            .and_then(|offered| offered.as_bytes().split(|&byte| byte == b',').next())
            .and_then(|first| HeaderValue::from_bytes(first.trim_ascii()).ok());
        match (key, parts.extensions.remove::<OnUpgrade>()) {
            (Some(key), Some(on_upgrade)) => Ok(Self { key, protocol, on_upgrade }),
            _ => Err(Error::invalid("not_a_socket", "this address takes WebSockets (version 13) only")),
        }
    }
}

impl Upgrade {
    /// Agrees, and serves the socket once it is one.
    pub(super) fn accept<F>(self, large: Large, serve: impl FnOnce(Wire) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        self.upgrade(large, move |socket| serve(Wire::new(socket)))
    }

    /// Agrees, and hands over the bare socket: with the settings of every other, and nothing of what is said on them.
    pub fn accept_bare<F>(self, serve: impl FnOnce(WebSocketStream<Inflow>) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        self.upgrade(Large::new(Semaphore::new(1)), move |mut socket| {
            socket.get_mut().admit();
            serve(socket)
        })
    }

    fn upgrade<F>(self, large: Large, serve: impl FnOnce(WebSocketStream<Inflow>) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let on_upgrade = self.on_upgrade;
        tokio::spawn(async move {
            // Who has gone meanwhile needs no word.
            let Ok(upgraded) = on_upgrade.await else { return };
            let stream = Inflow::new(TokioIo::new(upgraded), large);
            serve(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config())).await).await;
        });
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        if let Ok(accept) = derive_accept_key(self.key.as_bytes()).parse() {
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        }
        if let Some(protocol) = self.protocol {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
        }
        response
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(limits::SOCKET_READ_BUFFER)
        .write_buffer_size(limits::SOCKET_WRITE_BUFFER)
        .max_write_buffer_size(limits::SOCKET_WRITE_BUFFER_MAX)
        .max_message_size(Some(limits::FRAME_BYTES))
        .max_frame_size(Some(limits::FRAME_BYTES))
}

/// Whether a header's list has a word.
fn names(headers: &HeaderMap, name: HeaderName, word: &str) -> bool {
    let has = |line: &HeaderValue| {
        line.to_str().is_ok_and(|line| line.split(',').any(|entry| entry.trim().eq_ignore_ascii_case(word)))
    };
    headers.get_all(name).iter().any(has)
}
