//! Accepting connections and reading requests from them. What `axum::serve` lacks: a bound on how long a head may take
//! and on how many connections wait for one, and the address that a request came from.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::address::{self, ClientAddress};
use crate::door::{Turn, Uncounted};
use crate::drain::{Drain, Pace};
use crate::limits;
use crate::state::AppState;

/// Accepts connections and serves their requests until stopped, and then waits until those under way are answered.
pub async fn run(listener: TcpListener, app: Router, state: AppState, stop: CancellationToken) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(most_connections()));
    while let Some(place) = stop.run_until_cancelled(places.clone().acquire_owned()).await {
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        match accepted {
            Ok((stream, peer)) => {
                let serving = serve(stream, peer, app.clone(), state.clone(), stop.clone());
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
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

/// Serves one connection. It is read only when it is its turn among those of its address that have not asked anything.
async fn serve(stream: TcpStream, peer: SocketAddr, app: Router, state: AppState, stop: CancellationToken) {
    let deadline = Instant::now() + limits::HEAD_TIME;
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection goes on with Nagle's delay");
    }
    // A trusted proxy speaks for many; whom it speaks for is counted where they open a socket.
    let visit = if state.config.trusted_proxies.has(peer.ip()) {
        None
    } else {
        let Some(visit) = state.door.visit(ClientAddress::new(peer.ip())) else { return };
        Some(visit)
    };
    let turn = match &visit {
        None => None,
        Some(visit) => match timeout_at(deadline, visit.silent_turn()).await {
            Ok(turn) => turn,
            Err(_) => return,
        },
    };
    let heard = Arc::new(Heard::new(turn));
    let uncounted = visit.is_none().then_some(Uncounted);
    let service = service_fn({
        let (heard, state) = (heard.clone(), state.clone());
        move |mut request: Request<Incoming>| {
            heard.now();
            if let Some(uncounted) = uncounted {
                request.extensions_mut().insert(uncounted);
            }
            answer(request, peer, app.clone(), &state)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEAD_TIME)
        .max_buf_size(limits::HEAD_BYTES)
        .serve_connection(TokioIo::new(Drain::new(stream, Pace::default())), service)
        .with_upgrades();
    tokio::pin!(connection);
    let mut stopping = false;
    loop {
        tokio::select! {
            ended = &mut connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
                return;
            }
            // Asked before the wait as well as after it: a request is heard while this waits.
            () = sleep_until(deadline), if !heard.is_so() => {
                if !heard.is_so() {
                    return;
                }
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Answers a request, noting where it came from.
fn answer(
    request: Request<Incoming>,
    peer: SocketAddr,
    app: Router,
    state: &AppState,
) -> impl Future<Output = Result<axum::response::Response, std::convert::Infallible>> + use<> {
    let from = ClientAddress::of(peer.ip(), request.headers(), &state.config.trusted_proxies);
    if from.is_local() && address::is_forwarded(request.headers()) {
        state.warn_of_untrusted_proxy();
    }
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(from);
    app.oneshot(request)
}

/// Whether a connection has asked anything yet; until then it holds a turn.
struct Heard {
    turn: Mutex<Option<Turn>>,
    heard: AtomicBool,
}

impl Heard {
    fn new(turn: Option<Turn>) -> Self {
        Self { turn: Mutex::new(turn), heard: AtomicBool::new(false) }
    }

    fn now(&self) {
        if !self.heard.swap(true, Ordering::Relaxed) {
            self.turn.lock().take();
        }
    }

    fn is_so(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}
