//! Accepting connections and reading requests from them. What `axum::serve` lacks: a bound on how long a head may take
//! and on how many connections wait for one, and the address that a request came from.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, Parts};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::address::{self, ClientAddress};
use crate::door::{Turn, Uncounted, Visit};
use crate::drain::{Drain, Pace};
use crate::limits;
use crate::socket::{Asked, Connection, Entrance, Opening, Refused};
use crate::state::AppState;

/// Accepts connections and serves their requests until stopped, and then waits until those under way are answered and the
/// sockets have said goodbye.
pub async fn run(listener: TcpListener, app: Router, state: AppState, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let house = Arc::new(House { app, entrance: Entrance::new(state.clone()), state });
    let places = Arc::new(Semaphore::new(most_connections()));
    while let Some(Ok(place)) = stop.run_until_cancelled(places.clone().acquire_owned()).await {
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        match accepted {
            Ok((stream, peer)) => {
                // In boxes: what reads requests takes some room, which a socket does not keep, and a task that is small is
                // made quicker.
                let conversation = Box::pin(converse(stream, peer, house.clone(), stop.clone()));
                connections.spawn(serve(conversation, place));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Such as too many open files: nothing is gained by asking again at once.
                tracing::error!(%error, "cannot accept connections");
                sleep(limits::ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// How many connections the process may have open beside its files, workers and database.
fn most_connections() -> usize {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let files = files.and_then(|files| usize::try_from(files).ok()).unwrap_or(limits::CONNECTIONS);
    files.saturating_sub(limits::FILES_KEPT).clamp(limits::FILES_KEPT, limits::CONNECTIONS)
}

fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionRefused | ConnectionAborted | ConnectionReset)
}

/// Serves one connection: its requests, and the socket that one of them may make of it.
async fn serve(conversation: Pin<Box<impl Future<Output = Option<Box<Connection>>>>>, place: OwnedSemaphorePermit) {
    if let Some(socket) = conversation.await {
        Box::pin(socket.serve()).await;
    }
    drop(place);
}

/// Reads requests and answers them, until there are no more or one of them has made a socket of the connection. It is read only
/// when it is its turn among those of its address that have not asked anything.
async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    house: Arc<House>,
    stop: CancellationToken,
) -> Option<Box<Connection>> {
    let deadline = Instant::now() + limits::HEAD_TIME;
    let state = &house.state;
    // A trusted proxy speaks for many; whom it speaks for is counted where they open a socket.
    let is_proxy = state.config.trusted_proxies.has(peer.ip());
    let visit = if is_proxy { None } else { Some(Arc::new(state.door.visit(ClientAddress::new(peer.ip()))?)) };
    let turn = match &visit {
        None => None,
        Some(visit) => timeout_at(deadline, visit.silent_turn()).await.ok()?,
    };
    let visitor = Arc::new(Visitor { visit, turn: Mutex::new(turn), ..Visitor::default() });
    let service = service_fn({
        let (visitor, house) = (visitor.clone(), house.clone());
        move |request| {
            visitor.hear();
            answer(request, peer, house.clone(), visitor.clone())
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_TIME)
        .max_buf_size(limits::HEAD_BYTES)
        .serve_connection(TokioIo::new(Drain::new(stream, Pace::default())), service);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                    return None;
                }
                break;
            }
            // Asked before the wait as well as after it: a request is heard while this waits.
            () = sleep_until(deadline), if !visitor.was_heard() => {
                if !visitor.was_heard() {
                    return None;
                }
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    }
    let opening = visitor.opening.lock().take()?;
    // Without a socket it is shut down by now; for one it is as it was when the answer had been written.
    let Parts { io, read_buf, .. } = connection.into_parts();
    Some(opening.on(io.into_inner(), read_buf).await)
}

/// Answers a request, noting where it came from. One that asks for a socket goes past all that only HTTP needs.
async fn answer(
    mut request: Request<Incoming>,
    peer: SocketAddr,
    house: Arc<House>,
    visitor: Arc<Visitor>,
) -> Result<Response<Body>, Infallible> {
    let state = &house.state;
    let from = ClientAddress::of(peer.ip(), request.headers(), &state.config.trusted_proxies);
    if from.is_local() && address::is_forwarded(request.headers()) {
        state.warn_of_untrusted_proxy();
    }
    if let Some(asked) = Asked::of(&request) {
        match house.entrance.open(asked, request.headers(), from, visitor.visit.clone()).await {
            Ok((response, opening)) => {
                *visitor.opening.lock() = Some(opening);
                return Ok(response);
            }
            // Told as every error over HTTP is.
            Err(error) => drop(request.extensions_mut().insert(Refused::from(error))),
        }
    }
    request.extensions_mut().insert(from);
    if visitor.visit.is_none() {
        request.extensions_mut().insert(Uncounted);
    }
    house.app.clone().oneshot(request.map(Body::new)).await
}

/// What all connections share.
struct House {
    app: Router,
    entrance: Entrance,
    state: AppState,
}

/// Who is at the other end of a connection.
#[derive(Default)]
struct Visitor {
    /// Counts the connection as its address's, unless that is a proxy's.
    visit: Option<Arc<Visit>>,
    /// Held until something is asked.
    turn: Mutex<Option<Turn>>,
    heard: AtomicBool,
    /// The socket that was agreed to.
    opening: Mutex<Option<Box<Opening>>>,
}

impl Visitor {
    fn hear(&self) {
        if !self.heard.swap(true, Ordering::Relaxed) {
            self.turn.lock().take();
        }
    }

    fn was_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}
