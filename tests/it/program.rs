//! The binary as a process of its own, to be killed.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::engines::Database;
use crate::server::Place;

/// The server's binary, which is its workers' too.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_coterie");

/// A running `coterie serve`. Dropped, it is killed.
#[derive(Debug)]
pub struct Program {
    child: Child,
    pub place: Place,
}

impl Program {
    /// Starts it on a database, and waits until it listens.
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, &[]).await
    }

    /// As [`Program::start`], with more settings.
    pub async fn start_with(database: &Database, settings: &[(&str, &str)]) -> Self {
        let (child, address) = run(database, settings).await;
        Self { child, place: Place::new(address) }
    }

    /// Starts it again after [`Program::kill`], somewhere else.
    pub async fn start_again(&mut self, database: &Database) {
        let (child, address) = run(database, &[]).await;
        self.child = child;
        self.place.move_to(address);
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its resident memory now, in bytes.
    pub fn memory(&self) -> usize {
        self.status("VmRSS:") * 1024
    }

    /// The most that was, in bytes.
    pub fn peak_memory(&self) -> usize {
        self.status("VmHWM:") * 1024
    }

    /// Its threads.
    pub fn threads(&self) -> usize {
        self.status("Threads:")
    }

    fn status(&self, what: &str) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn run(database: &Database, settings: &[(&str, &str)]) -> (Child, SocketAddr) {
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env_clear()
        .env("DATABASE_URL", &database.url)
        .env("COTERIE_DATA_DIR", database.folder.path())
        .env("RUST_LOG", "off")
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.stdout.take().unwrap();
    let said = tokio::task::spawn_blocking(move || {
        let mut said = String::new();
        BufReader::new(output).read_line(&mut said).map(|_| said)
    });
    let said = said.await.unwrap().unwrap();
    let port: u16 = said.trim().rsplit_once(':').expect("it says where it listens").1.parse().unwrap();
    (child, ([127, 0, 0, 1], port).into())
}
