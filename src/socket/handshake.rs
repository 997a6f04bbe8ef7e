//! The handshake of a WebSocket. Not axum's, whose socket hides the stream below it and with it how much has come of a
//! frame that is not complete.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::limits;

/// What a request to become a WebSocket says.
#[derive(Debug)]
pub(super) struct Handshake {
    key: HeaderValue,
    protocol: Option<HeaderValue>,
}

impl Handshake {
    /// Reads a request; `None` when it does not ask for a WebSocket (version 13).
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        let asks = method == Method::GET
            && names(headers, header::CONNECTION, "upgrade")
            && names(headers, header::UPGRADE, "websocket")
            && names(headers, header::SEC_WEBSOCKET_VERSION, "13");
        let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks)?.clone();
        // A browser that offers subprotocols gives up unless one of them is chosen.
        let protocol = headers
            .get(header::SEC_WEBSOCKET_PROTOCOL)
            .and_then(|offered| offered.as_bytes().split(|&byte| byte == b',').next())
            .and_then(|first| HeaderValue::from_bytes(first.trim_ascii()).ok());
        Some(Self { key, protocol })
    }

    /// The answer that makes a WebSocket of the connection.
    pub(super) fn agree(self) -> Response<Body> {
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

/// The settings of a WebSocket.
pub(super) fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(limits::SOCKET_READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(limits::SOCKET_WRITE_BUFFER)
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
