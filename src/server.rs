//! One server: made from a configuration, given a listener, shut down. Making is not listening, so tests run the very
//! same object on a free port, two at a time if they like.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::config::Config;
use crate::db::Db;
use crate::github::Github;
use crate::ids::DocumentId;
use crate::meters::Meters;
use crate::model::Models;
use crate::quota::Quotas;
use crate::replica::Replicas;
use crate::room::Rooms;
use crate::state::AppState;
use crate::{
    accept, assistant, audit, auth, compaction, document, feed, limits, once, project, quota, rights, router, session,
};

/// A server that does not listen yet.
#[derive(Debug)]
pub struct Server {
    state: AppState,
    /// Documents that rooms report as due for folding.
    to_fold: mpsc::Receiver<DocumentId>,
    /// The last change of rights when the server was made.
    rights_seen: i64,
}

/// A server that listens. Dropped without [`Running::shutdown`], it stops accepting and asks its sockets to close, but
/// nobody waits for them.
#[derive(Debug)]
pub struct Running {
    state: AppState,
    address: SocketAddr,
    /// Ends the accepting, and after it the connections that wait for a request.
    stop: CancellationToken,
    accepting: JoinHandle<()>,
    background: [JoinHandle<()>; 9],
    _on_drop: [DropGuard; 2],
}

impl Server {
    /// Connects the database, brings it up to date, and builds the state.
    ///
    /// # Errors
    /// A database that is unreachable, unsafe or from a newer version; the message says what to do.
    pub async fn new(config: Config) -> anyhow::Result<Self> {
        let db = Db::connect(&config.database_url).await?;
        let (full_tails, to_fold) = mpsc::channel(limits::FOLD_QUEUE);
        let meters = Arc::new(Meters::new());
        let quotas = Quotas::new(db.clone(), config.document_bytes);
        let rooms = Rooms::new(db.clone(), quotas, config.room_bytes, full_tails, &meters);
        let replicas = Replicas::new(db.clone(), config.program.clone(), config.worker_bytes);
        let github = config.github.clone().map(Github::new).transpose().context("cannot prepare for GitHub")?;
        let models = Models::new(&config.ai.models)?;
        let rights_seen = rights::head(&db).await.context("cannot read the database")?;
        Ok(Self { state: AppState::new(config, db, rooms, replicas, models, github, meters), to_fold, rights_seen })
    }

    /// A listener on an address, as a server wants it.
    ///
    /// # Errors
    /// When the address cannot be listened on; the message says which and what to do.
    pub fn listener(address: SocketAddr) -> anyhow::Result<TcpListener> {
        let bind = || -> std::io::Result<TcpListener> {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            // A restart must not wait for the connections of the process before; not needed for a free port.
            socket.set_reuse_address(true)?;
            // What is accepted has these from here.
            socket.set_send_buffer_size(limits::SEND_BUFFER)?;
            socket.set_tcp_nodelay(true)?;
            socket.bind(&address.into())?;
            socket.listen(limits::LISTEN_BACKLOG)?;
            socket.set_nonblocking(true)?;
            TcpListener::from_std(socket.into())
        };
        bind()
            .with_context(|| format!("cannot listen on {address}; choose another COTERIE_LISTEN or stop what is there"))
    }

    /// The state, for who wants to look inside.
    #[must_use]
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Serves the listener's connections until shut down.
    ///
    /// # Errors
    /// When the listener has no address, which an open one has.
    pub fn start(self, listener: TcpListener) -> anyhow::Result<Running> {
        let state = self.state;
        let address = listener.local_addr().context("the listener is not open")?;
        state.listens_on(address);
        if address.ip().is_unspecified() && state.config.public_url.is_none() {
            tracing::warn!("browsers on other machines can only read: set COTERIE_PUBLIC_URL to the address they open");
        }
        let stop = CancellationToken::new();
        let app = router::app(state.clone());
        let accepting = tokio::spawn(accept::run(listener, app, state.clone(), stop.clone()));
        let rooms = state.rooms.clone();
        let tell = move |document, head, folded| rooms.folded(document, head, folded);
        let folding =
            compaction::run(state.db.clone(), state.replicas.clone(), self.to_fold, tell, state.shutdown.clone());
        let polling = feed::run(state.feed.clone());
        let looking = rights::run(state.db.clone(), state.rights.clone(), self.rights_seen, state.shutdown.clone());
        let background = [
            tokio::spawn(sweep(state.clone())),
            tokio::spawn(folding),
            tokio::spawn(polling),
            tokio::spawn(looking),
            tokio::spawn(tidy(state.clone())),
            tokio::spawn(session::run(state.sessions.clone())),
            tokio::spawn(assistant::run(state.clone())),
            tokio::spawn(quota::run(state.rooms.quotas().clone(), state.shutdown.clone())),
            tokio::spawn(document::sweep::run(state.db.clone(), state.rooms.quotas().clone(), state.shutdown.clone())),
        ];
        let _on_drop = [stop.clone().drop_guard(), state.shutdown.clone().drop_guard()];
        Ok(Running { state, address, stop, accepting, background, _on_drop })
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The state, for who wants to look inside.
    #[must_use]
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// Accepts no more, lets requests end, has sockets closed, commits what is in flight, and closes the database; all
    /// within [`limits::SHUTDOWN_DEADLINE`]. What was acknowledged is committed already, whatever is cut short here.
    pub async fn shutdown(mut self) {
        let deadline = Instant::now() + limits::SHUTDOWN_DEADLINE;
        // Connections may take half of the time, so that rooms and the database have the other half.
        let halfway = Instant::now() + limits::SHUTDOWN_DEADLINE / 2;
        self.stop.cancel();
        self.state.shutdown.cancel();
        if timeout_at(halfway, &mut self.accepting).await.is_err() {
            tracing::warn!(connections = self.state.door.open(), "some connections did not end in time");
            self.accepting.abort();
        }
        let storage = async {
            self.state.rooms.shutdown().await;
            for task in &mut self.background {
                let _ = task.await;
            }
            self.state.db.close().await;
        };
        if timeout_at(deadline, storage).await.is_err() {
            tracing::warn!("rooms or the database did not end in time");
        }
    }
}

/// Removes logins, keys, tokens and what else has ended, at the start and then every hour, until the server stops.
async fn sweep(state: AppState) {
    loop {
        match auth::sweep(&state.db).await {
            Ok(gone) => tracing::debug!(gone, "ended logins, keys and tokens are removed"),
            Err(error) => tracing::warn!(%error, "ended logins, keys and tokens could not be removed"),
        }
        if let Err(error) = project::sweep(&state.db).await {
            tracing::warn!(%error, "projects that were deleted long ago could not be removed");
        }
        if let Err(error) = once::sweep(&state.db).await {
            tracing::warn!(%error, "answers that were kept for their keys could not be removed");
        }
        if let Err(error) = assistant::sweep(&state.db).await {
            tracing::warn!(%error, "old runs of the assistant could not be removed");
        }
        if let Err(error) = audit::sweep(&state.db).await {
            tracing::warn!(%error, "old entries of the audit log could not be removed");
        }
        if let Err(error) = rights::sweep(&state.db).await {
            tracing::warn!(%error, "old changes of rights could not be removed");
        }
        tokio::select! {
            () = sleep(limits::SWEEP_INTERVAL) => {}
            () = state.shutdown.cancelled() => return,
        }
    }
}

/// Keeps small what measuring and counting gather, and gives memory back, until the server stops.
async fn tidy(state: AppState) {
    let forget = async {
        loop {
            sleep(limits::RATES_SWEEP).await;
            state.rates.forget();
        }
    };
    // The allocator gives back what has been free for a while when something large is freed, and an idle server frees nothing.
    let give_back = async {
        loop {
            sleep(limits::GIVE_BACK).await;
            drop(black_box(Vec::<u8>::with_capacity(limits::LARGE_FOR_THE_ALLOCATOR)));
        }
    };
    tokio::select! {
        () = state.meters.upkeep() => {}
        () = forget => {}
        () = give_back => {}
        () = state.shutdown.cancelled() => {}
    }
}
