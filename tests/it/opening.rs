//! How a client opens a socket: where to, in which dialect, and with what to show.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use crate::server::Place;

/// What browsers encode in a path.
const IN_PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#').add(b'"').add(b'<').add(b'>');

/// A wire protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// y-websocket.
    Yjs,
    /// Hocuspocus.
    Hocuspocus,
}

pub const DIALECTS: [Dialect; 2] = [Dialect::Yjs, Dialect::Hocuspocus];

/// How a socket is to be opened.
#[derive(Debug, Clone)]
pub struct Opening {
    pub place: Place,
    pub dialect: Dialect,
    pub name: String,
    pub cookie: String,
    /// Nothing stands for the server's own.
    pub origin: Option<String>,
    pub token: String,
    pub client: Option<u64>,
    pub presence: Option<Value>,
    pub receive_buffer: Option<u32>,
    pub bytes_only: bool,
    /// Whom a proxy in front names as the one who asks.
    pub forwarded_for: String,
}

impl Opening {
    pub fn new(place: Place, dialect: Dialect, name: String) -> Self {
        Self {
            place,
            dialect,
            name,
            cookie: String::new(),
            origin: None,
            token: String::new(),
            client: None,
            presence: None,
            receive_buffer: None,
            bytes_only: false,
            forwarded_for: String::new(),
        }
    }

    /// With a cookie; an empty one is none.
    pub fn cookie(mut self, cookie: &str) -> Self {
        cookie.clone_into(&mut self.cookie);
        self
    }

    /// From a page of this origin; an empty one is none.
    pub fn origin(mut self, origin: &str) -> Self {
        self.origin = Some(origin.to_owned());
        self
    }

    /// With a token, in the query or in the frame, and without a cookie.
    pub fn token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self.cookie("")
    }

    /// Under this clientID instead of a random one.
    pub fn client(mut self, client: u64) -> Self {
        self.client = Some(client);
        self
    }

    /// Announcing this presence at once.
    pub fn presence(mut self, state: Value) -> Self {
        self.presence = Some(state);
        self
    }

    /// With a system buffer of this many bytes for what was not read yet.
    pub fn receive_buffer(mut self, bytes: u32) -> Self {
        self.receive_buffer = Some(bytes);
        self
    }

    /// Without reading what comes: it would end this process.
    pub fn bytes_only(mut self) -> Self {
        self.bytes_only = true;
        self
    }

    /// By a proxy that names this address as the one who asks.
    pub fn forwarded_for(mut self, address: &str) -> Self {
        address.clone_into(&mut self.forwarded_for);
        self
    }

    /// The upgrade as a browser sends it.
    pub fn request(&self) -> Request {
        let address = self.place.address();
        let url = match self.dialect {
            Dialect::Yjs => {
                let token = if self.token.is_empty() { String::new() } else { format!("?token={}", self.token) };
                format!("ws://{address}/yjs/{}{token}", utf8_percent_encode(&self.name, IN_PATH))
            }
            Dialect::Hocuspocus => format!("ws://{address}/hocuspocus"),
        };
        let mut request = url.into_client_request().unwrap();
        let origin = self.origin.clone().unwrap_or_else(|| format!("http://{address}"));
        for (name, value) in [("cookie", &self.cookie), ("origin", &origin), ("x-forwarded-for", &self.forwarded_for)] {
            if !value.is_empty() {
                request.headers_mut().insert(name, value.parse().unwrap());
            }
        }
        request
    }
}
