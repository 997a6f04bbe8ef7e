//! A Postgres cluster of a test's own, which may be killed: with all durability settings as they come.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

/// How long a start, recovery included, may take.
const START: Duration = Duration::from_secs(60);

pub(super) struct Cluster {
    folder: TempDir,
    port: u16,
    postmaster: Option<Child>,
}

impl Cluster {
    /// Makes a cluster with an empty database, and starts it.
    pub(super) async fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("coterie-pg-").tempdir().expect("a folder");
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        let data = folder.path().join("data");
        let mut initdb = as_postgres("initdb");
        run(initdb
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data));
        let port = free_port();
        let mut cluster = Self { folder, port, postmaster: None };
        cluster.run().await;
        let mut connection = cluster.connect("postgres").await.expect("a connection");
        sqlx::query("create database coterie").execute(&mut connection).await.expect("a database");
        cluster
    }

    /// Where a server finds the database.
    pub(super) fn url(&self) -> String {
        url(self.port, "coterie")
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Where a program of Postgres is.
    pub(super) fn program(name: &str) -> PathBuf {
        folder_of_programs().join(name)
    }

    /// The command that runs it, and its arguments.
    pub(super) fn command(&self) -> Command {
        let mut command = as_postgres("postgres");
        command
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-p", &self.port.to_string(), "-h", "127.0.0.1", "-k"])
            .arg(self.folder.path())
            .args(["-c", "max_connections=40", "-c", "shared_buffers=16MB"]);
        command
    }

    /// Starts its processes, and waits until it takes connections.
    pub(super) async fn run(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("a log file");
        let child =
            self.command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("Postgres starts");
        self.postmaster = Some(child);
        self.ready().await;
    }

    /// Waits until it takes connections.
    pub(super) async fn ready(&self) {
        let began = Instant::now();
        while self.connect("postgres").await.is_err() {
            if began.elapsed() > START {
                panic!("Postgres does not start: {}", std::fs::read_to_string(self.log()).unwrap_or_default());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn connect(&self, database: &str) -> sqlx::Result<PgConnection> {
        PgConnection::connect(&url(self.port, database)).await
    }

    /// Runs statements that answer nothing.
    pub(super) async fn execute(&self, statement: &'static str) {
        let mut connection = self.connect("coterie").await.expect("a connection");
        sqlx::query(statement).execute(&mut connection).await.expect("a statement");
    }

    /// `kill -9` of all its processes at once.
    pub(super) fn kill(&mut self) {
        let Some(mut postmaster) = self.postmaster.take() else { return };
        let mut pids = children(postmaster.id());
        pids.insert(0, postmaster.id());
        signal("-KILL", &pids);
        postmaster.wait().expect("a child can be waited for");
        let began = Instant::now();
        while pids.iter().any(|pid| is_alive(*pid)) {
            assert!(began.elapsed() < START, "a process of Postgres outlives kill -9");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to processes, of which some may be gone.
pub(super) fn signal(signal: &str, pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    let _ = Command::new("kill").arg(signal).args(pids).stderr(Stdio::null()).status();
}

/// The processes whose parent is this one.
pub(super) fn children(of: u32) -> Vec<u32> {
    let all = std::fs::read_dir("/proc").expect("/proc").flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(_, parent)| parent == of)).collect()
}

fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != "Z")
}

/// State and parent of a process.
fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.to_owned(), fields.next()?.parse().ok()?))
}

fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A program of Postgres. It refuses to run as root, so root runs it as the user that Debian's package makes.
fn as_postgres(program: &str) -> Command {
    let program = folder_of_programs().join(program);
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    command
}

fn folder_of_programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(|path| version(path));
    if let Some(folder) = newest.map(|newest| newest.join("bin")).filter(|folder| folder.join("initdb").exists()) {
        return folder;
    }
    match Command::new("pg_config").arg("--bindir").output() {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().into(),
        _ => panic!("Postgres is missing; install it: apt-get install postgresql"),
    }
}

fn run(command: &mut Command) {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == ErrorKind::NotFound => panic!("{command:?} is missing; install it"),
        Err(error) => panic!("{command:?}: {error}"),
    };
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
