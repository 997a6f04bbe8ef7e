//! Where sockets are opened. Who asks for one goes past the layers of HTTP, which are for answers and cost a crowd that
//! comes back more than its sockets do; who is refused is told through them.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, Uri, Version};
use bytes::Bytes;
use metrics::{Counter, Gauge};
use parking_lot::Mutex;
use percent_encoding::percent_decode_str;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::admission::Admissions;
use super::connection::Connection;
use super::dialect::Dialect;
use super::handshake::{self, Handshake};
use super::inflow::Inflow;
use super::wire::Wire;
use crate::address::ClientAddress;
use crate::auth::{self, Caller};
use crate::door::Visit;
use crate::drain::Drain;
use crate::error::{Error, Result};
use crate::limits;
use crate::meters;
use crate::state::AppState;

/// A request for a socket, at an address where there are some.
#[derive(Debug)]
pub struct Asked {
    dialect: Result<Dialect>,
    token: Option<String>,
    handshake: Handshake,
}

impl Asked {
    /// What a request asks for; `None` when that is no socket of ours.
    #[must_use]
    pub fn of<B>(request: &Request<B>) -> Option<Self> {
        let dialect = dialect_of(request.uri().path())?;
        // What older versions ask is to be ignored (RFC 9110, 7.8).
        if request.version() != Version::HTTP_11 {
            return None;
        }
        let handshake = Handshake::of(request.method(), request.headers())?;
        Some(Self { dialect, token: token_of(request.uri()), handshake })
    }
}

/// The dialect that is spoken at an address. A name is taken from the path as it was sent, so that one with encoded slashes
/// reads like one with plain ones.
fn dialect_of(path: &str) -> Option<Result<Dialect>> {
    if matches!(path, "/hocuspocus" | "/hocuspocus/") {
        return Some(Ok(Dialect::Hocuspocus));
    }
    let name = path.strip_prefix("/yjs/")?;
    name.split_once('/').filter(|(project, document)| !project.is_empty() && !document.is_empty())?;
    let name = percent_decode_str(name).decode_utf8();
    Some(match name {
        Ok(name) => Ok(Dialect::Yjs(name.into_owned())),
        Err(_) => Err(Error::invalid("bad_path", "a path is text in UTF-8")),
    })
}

/// The token that an address brings.
fn token_of(uri: &Uri) -> Option<String> {
    let mut pairs = form_urlencoded::parse(uri.query()?.as_bytes());
    pairs.find(|(name, _)| name == "token").map(|(_, token)| token.into_owned())
}

/// Where sockets are opened.
#[derive(Debug)]
pub struct Entrance {
    state: AppState,
    admissions: Admissions,
    yjs: Counted,
    hocuspocus: Counted,
}

/// The sockets of one dialect.
#[derive(Debug)]
struct Counted {
    open: Gauge,
    opened: Counter,
}

impl Entrance {
    /// Nobody has come yet.
    #[must_use]
    pub fn new(state: AppState) -> Self {
        let counted = |dialect| Counted {
            open: state.meters.gauge("coterie_sockets", &[("dialect", dialect)]),
            opened: state.meters.counter("coterie_sockets_opened_total", &[("dialect", dialect)]),
        };
        let (yjs, hocuspocus) = (counted("yjs"), counted("hocuspocus"));
        Self { state, admissions: Admissions::default(), yjs, hocuspocus }
    }

    /// Agrees to a socket, which begins once the answer is written. It counts by the `visit` of its connection, or where that
    /// is a proxy's, by one of its own from an address.
    ///
    /// # Errors
    /// When the address has too many, a token cannot be looked up, or the request is malformed. Who may not join what they
    /// ask for is told on the socket.
    pub async fn open(
        &self,
        asked: Asked,
        headers: &HeaderMap,
        from: ClientAddress,
        visit: Option<Arc<Visit>>,
    ) -> Result<(Response<Body>, Box<Opening>)> {
        let Asked { dialect, token, handshake } = asked;
        let dialect = dialect?;
        let state = &self.state;
        let full = || Error::RateLimited { retry_after: limits::ADMISSION_TIME.as_secs() };
        let visit = match visit {
            Some(visit) => visit,
            None => Arc::new(state.door.visit(from).ok_or_else(full)?),
        };
        let caller = match &token {
            Some(token) => self.admissions.by_token(state, token).await?,
            None => auth::authenticate_socket(state, headers).await?.map(Arc::new),
        };
        let Counted { open, opened } = match dialect {
            Dialect::Yjs(_) => &self.yjs,
            Dialect::Hocuspocus => &self.hocuspocus,
        };
        opened.increment(1);
        let counted = meters::Open::new(open);
        let (state, admissions) = (state.clone(), self.admissions.clone());
        Ok((handshake.agree(), Box::new(Opening { state, admissions, dialect, caller, visit, counted })))
    }
}

/// A socket that was agreed to.
#[derive(Debug)]
pub struct Opening {
    pub(super) state: AppState,
    pub(super) admissions: Admissions,
    pub(super) dialect: Dialect,
    /// Who opens it, by its cookie or query.
    pub(super) caller: Option<Arc<Caller>>,
    /// Counts it as its address's while it lasts.
    pub(super) visit: Arc<Visit>,
    /// Counts it as open while it lasts.
    pub(super) counted: meters::Open,
}

impl Opening {
    /// Begins the socket on the stream of its request, after what was `read` of it already.
    pub async fn on(self: Box<Self>, stream: Drain<TcpStream>, read: Bytes) -> Box<Connection> {
        let stream = Inflow::new(stream, read, self.state.large_frames.clone());
        let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(handshake::config())).await;
        Box::new(Connection::new(*self, Wire::new(socket)))
    }
}

/// Why there is no socket, on its way through the layers of HTTP.
#[derive(Debug, Clone)]
pub struct Refused(Arc<Mutex<Option<Error>>>);

impl Refused {
    /// The error, for the first who asks.
    pub(super) fn why(&self) -> Option<Error> {
        self.0.lock().take()
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self(Arc::new(Mutex::new(Some(error))))
    }
}
