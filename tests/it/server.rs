//! The real server, in this process, on a free port and a database of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use coterie::config::Config;
use coterie::db::Db;
use coterie::rate::Rate;
use coterie::server::{Running, Server};
use coterie::state::AppState;
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::engines::{Database, Engine};

/// How long a condition may take to come true.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. Dropped, it stops without being waited for; see [`TestServer::shutdown`].
#[derive(Debug)]
pub struct TestServer {
    running: Option<Running>,
    place: Place,
    config: Config,
    // After the server, which is to let go of it first.
    pub database: Database,
}

/// Where a server is, also after it was restarted elsewhere.
#[derive(Debug, Clone)]
pub struct Place(Arc<Mutex<SocketAddr>>);

impl Place {
    /// A server that is not restarted, or that this process does not run.
    pub fn new(address: SocketAddr) -> Self {
        Self(Arc::new(Mutex::new(address)))
    }

    /// Says where it was started again.
    pub fn move_to(&self, address: SocketAddr) {
        *self.0.lock() = address;
    }

    /// Where the server listens now.
    pub fn address(&self) -> SocketAddr {
        *self.0.lock()
    }
}

impl TestServer {
    /// A server on a fresh database.
    pub async fn start(engine: Engine) -> Self {
        Self::on(Database::create(engine).await).await
    }

    /// A server on this database.
    pub async fn on(database: Database) -> Self {
        Self::with(Self::config(&database), database).await
    }

    /// The settings of a server on this database.
    pub fn config(database: &Database) -> Config {
        let mut config = Config::local(database.folder.path().to_owned(), database.url.clone());
        // Workers are the server's own binary, which this one is not.
        config.program = env!("CARGO_BIN_EXE_coterie").into();
        // Tests ask more often than people.
        config.rates.user = Rate::new((10_000, 100_000));
        config.rates.project = Rate::new((10_000, 100_000));
        config.sockets_per_user = 10_000;
        config
    }

    /// A server with these settings; `database` is kept as long as it runs.
    pub async fn with(config: Config, database: Database) -> Self {
        let running = run(&config).await;
        Self { place: Place::new(running.address()), running: Some(running), config, database }
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Its inside.
    pub fn state(&self) -> &AppState {
        self.running.as_ref().expect("the server was not stopped").state()
    }

    /// Its database.
    pub fn db(&self) -> &Db {
        &self.state().db
    }

    /// What its rooms did, by the name of the counter.
    pub fn tally(&self, name: &str) -> u64 {
        let counters = self.state().rooms.tally().read();
        counters.iter().find(|(counter, _)| *counter == name).unwrap_or_else(|| panic!("no counter {name}")).1
    }

    /// What `coterie doctor` would find.
    pub async fn db_findings(&self) -> Vec<String> {
        let report = coterie::doctor::examine(self.db()).await.unwrap();
        report.findings.iter().map(ToString::to_string).collect()
    }

    /// Stops it as a signal would.
    pub async fn shutdown(&mut self) {
        self.running.take().expect("the server was not stopped").shutdown().await;
    }

    /// Starts it again on the same database after [`TestServer::shutdown`].
    pub async fn start_again(&mut self) {
        let running = run(&self.config).await;
        self.place.move_to(running.address());
        self.running = Some(running);
    }

    /// Stops it as a signal would, and starts it again on the same database.
    pub async fn restart(&mut self) {
        self.shutdown().await;
        self.start_again().await;
    }

    /// Waits until a counter of its rooms has reached a number.
    pub async fn until_tally(&self, name: &str, least: u64) {
        until(&format!("{name} reaches {least}"), async || self.tally(name) >= least).await;
    }
}

async fn run(config: &Config) -> Running {
    let listener = Server::listener(config.listen).unwrap();
    Server::new(config.clone()).await.unwrap().start(listener).unwrap()
}

/// Waits until a condition is true that nothing announces.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition().await {
        assert!(Instant::now() < deadline, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
