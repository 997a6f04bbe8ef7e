//! The server's system calls, watched: a kill loses nothing that the kernel already has, so it cannot show that a sync
//! is missing. A trace can.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::time::timeout;

use super::cluster::{Cluster, children, signal};
use super::edits::{self, typed_text};
use super::order::{Finding, Mark, Store, check, marked};
use super::say;
use super::server::{Project, Server, set_up};
use super::trace::{Call, OPTIONS, parse};
use super::wire::{Dialect, Line, Said};
use crate::engines::{Database, Engine};

/// Edits of a run; each is acknowledged to one and shown to two.
const EDITS: u32 = 300;
/// Edits under way at once: enough for batches, and few enough for a row that no database compresses or parts.
const WINDOW: usize = 16;
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn sqlite_syncs_its_log_before_anyone_is_told() {
    let database = Database::create(Engine::Sqlite).await;
    let folder = database.folder.path();
    let traced = Traced::start(strace(folder), &database.url, folder).await;
    let project = Project::create(traced.server.address, 1).await;
    type_marked(traced.server.address, &project, 0..EDITS).await;
    let (calls, port) = traced.stop();
    let finding = check(&calls, Store::Sqlite, port);
    assert_complete(&finding, EDITS);
    assert!(finding.faults.is_empty(), "{:#?}", finding.faults);
    let syncs = finding.syncs;

    // The same trace without its syncs must be found wrong; and without any single one, what stood on that one. Some
    // cover no edit: those of the start, and of the project's own rows.
    let is_sync = |call: &Call| call.is_sync() && call.target.ends_with("-wal");
    let faults_when = |kept: &dyn Fn(&Call) -> bool| {
        let kept: Vec<Call> = calls.iter().filter(|call| kept(call)).cloned().collect();
        check(&kept, Store::Sqlite, port).faults.len()
    };
    let found = faults_when(&|call| !is_sync(call));
    assert_eq!(found, finding.acked + finding.shown);
    let found_each: usize =
        calls.iter().filter(|call| is_sync(call)).map(|one| faults_when(&|call: &Call| call != one)).sum();
    assert!(found_each > found / 2, "{found_each} of {found}");

    say(&format!(
        "durability, SQLite traced: {} acknowledgements and {} frames to peers, each after one of {syncs} syncs that \
         covers it; without them {found} faults are found, with each left out in turn {found_each}",
        finding.acked, finding.shown,
    ));
}

#[tokio::test]
async fn postgres_syncs_its_log_before_anyone_is_told() {
    const CARELESS: u32 = 60;
    let mut cluster = Cluster::start().await;
    cluster.kill();
    let folder = TempDir::new().unwrap();
    let traced = Traced::start(strace_with(&cluster, folder.path()), &cluster.url(), folder.path()).await;
    let project = Project::create(traced.server.address, 1).await;
    let client = type_marked(traced.server.address, &project, 0..EDITS).await;
    // A database that stops to be careful behind the server's back must be found out.
    cluster.execute("alter system set synchronous_commit = off").await;
    cluster.execute("select pg_reload_conf()").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    type_marked_by(client, traced.server.address, &project, EDITS..EDITS + CARELESS).await;
    let (calls, port) = traced.stop();
    let finding = check(&calls, Store::Postgres(cluster.port()), port);
    assert_complete(&finding, EDITS + CARELESS);
    let (faults, expected): (Vec<_>, Vec<_>) = finding.faults.iter().partition(|(mark, _)| *mark < EDITS);
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(expected.len() > CARELESS as usize, "with synchronous_commit=off: {expected:#?}");
    say(&format!(
        "durability, Postgres traced: {EDITS} acknowledgements and {} frames to peers, each after a sync that covers it \
         and after Postgres' own word; with synchronous_commit=off {} faults are found in {CARELESS} edits",
        2 * EDITS,
        expected.len(),
    ));
}

/// What a killed server left in the log may be in the kernel's memory only. Whoever reads it has to make it durable
/// before telling anyone, or a loss of power after a crash of the server takes back what was shown.
#[tokio::test]
async fn sqlite_syncs_what_a_crash_left_before_anyone_is_told() {
    let database = Database::create(Engine::Sqlite).await;
    let folder = database.folder.path();
    let mut server = Server::start(&database.url, folder).await;
    let project = Project::create(server.address, 1).await;
    type_marked(server.address, &project, 0..1).await;
    server.kill();
    let traced = Traced::start(strace(folder), &database.url, folder).await;
    let mut newcomer = open(traced.server.address, Dialect::Yjs, &project, 1).await;
    hear_until(&mut newcomer, &marked(0)).await;
    let (calls, port) = traced.stop();
    let shows = |call: &&Call| {
        call.is_write() && call.ports().is_some_and(|(own, _)| own == port) && holds(&call.bytes, &marked(0))
    };
    let shown = calls.iter().find(shows).expect("the newcomer was told").began;
    let synced = calls.iter().any(|call| call.is_sync() && call.target.ends_with("-wal") && call.ended < shown);
    assert!(synced, "the log was not synced before line {shown}");
}

fn assert_complete(finding: &Finding, edits: u32) {
    let edits = edits as usize;
    assert!(finding.acked == edits && finding.shown >= 2 * edits, "{} {}", finding.acked, finding.shown);
    assert!(finding.syncs > 0, "no sync of the log was seen");
}

/// Types marked edits ahead of their acknowledgements, until all are acknowledged and two peers have seen the last.
async fn type_marked(server: SocketAddr, project: &Project, marks: std::ops::Range<Mark>) -> u64 {
    let client = rand::random::<u32>().into();
    type_marked_by(client, server, project, marks).await;
    client
}

async fn type_marked_by(client: u64, server: SocketAddr, project: &Project, marks: std::ops::Range<Mark>) {
    let last = marked(marks.end - 1);
    let readers = [Dialect::Yjs, Dialect::Hocuspocus].map(|dialect| {
        let last = last.clone();
        let (name, token) = (project.name(0), project.tokens[1].clone());
        tokio::spawn(async move {
            let mut line = Line::open(server, dialect, &name, &token, &edits::state_vector(&[])).await.unwrap();
            hear_until(&mut line, &last).await;
        })
    });
    let mut line = open(server, Dialect::Hocuspocus, project, 0).await;
    // The server's question, and its acknowledgement of the answer; and time for the readers to come in.
    while !matches!(hear(&mut line).await, Said::Question(_)) {}
    line.answer(&[0, 0]).await.unwrap();
    while hear(&mut line).await != Said::Saved {}
    tokio::time::sleep(Duration::from_millis(500)).await;
    let (mut sent, mut saved) = (marks.start, marks.start);
    while saved < marks.end {
        while sent < marks.end && (sent - saved) < WINDOW as u32 {
            let text = marked(sent);
            line.edit(&typed_text(client, sent * text.len() as u32, &text)).await.unwrap();
            sent += 1;
        }
        match hear(&mut line).await {
            Said::Saved => saved += 1,
            Said::Refused => panic!("a marked edit was refused"),
            _ => {}
        }
    }
    for reader in readers {
        reader.await.unwrap();
    }
}

async fn open(server: SocketAddr, dialect: Dialect, project: &Project, person: usize) -> Line {
    let (name, token) = (project.name(0), &project.tokens[person]);
    Line::open(server, dialect, &name, token, &edits::state_vector(&[])).await.unwrap()
}

async fn hear(line: &mut Line) -> Said {
    timeout(PATIENCE, line.hear()).await.expect("the server says something").expect("the socket stays open")
}

async fn hear_until(line: &mut Line, wanted: &str) {
    loop {
        if let Said::Update(update) | Said::Answer(update) = hear(line).await
            && holds(&update, wanted)
        {
            return;
        }
    }
}

fn holds(bytes: &[u8], wanted: &str) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes())
}

/// A server under strace.
struct Traced {
    server: Server,
    trace: PathBuf,
}

impl Traced {
    async fn start(mut command: Command, database: &str, folder: &Path) -> Self {
        match Command::new("strace").arg("-V").stdout(Stdio::null()).status() {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!("strace is missing; install it: apt-get install strace")
            }
            _ => {}
        }
        set_up(&mut command, database, folder);
        Self { server: Server::from_command(command, folder).await, trace: trace_path(folder) }
    }

    /// Ends everything that is traced, and reads the trace. Answers the server's port too.
    fn stop(mut self) -> (Vec<Call>, u16) {
        // Those that the server started lose their parent with it.
        let all = descendants(self.server.pid());
        signal("-TERM", &children(self.server.pid()));
        let began = Instant::now();
        while !children(self.server.pid()).is_empty() && began.elapsed() < Duration::from_secs(20) {
            std::thread::sleep(Duration::from_millis(10));
        }
        signal("-KILL", &all);
        self.server.wait();
        let trace = std::fs::read(&self.trace).unwrap();
        (parse(&String::from_utf8_lossy(&trace)), self.server.address.port())
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Without strace they would run on.
        signal("-KILL", &descendants(self.server.pid()));
    }
}

fn descendants(of: u32) -> Vec<u32> {
    let mut found = children(of);
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        found.extend(children(pid));
        next += 1;
    }
    found
}

fn trace_path(folder: &Path) -> PathBuf {
    folder.join("trace")
}

fn strace(folder: &Path) -> Command {
    let mut command = Command::new("strace");
    command.args(OPTIONS).arg("-o").arg(trace_path(folder)).arg(env!("CARGO_BIN_EXE_coterie"));
    command
}

/// One strace for the server and a cluster that it starts first, so that all their calls are in one order.
fn strace_with(cluster: &Cluster, folder: &Path) -> Command {
    const SCRIPT: &str = r#"
        server=$1 ready=$2 port=$3
        shift 3
        "$@" </dev/null >/dev/null 2>&1 &
        until "$ready" -q -h 127.0.0.1 -p "$port"; do sleep 0.1; done
        exec "$server""#;
    let mut command = Command::new("strace");
    command.args(OPTIONS).arg("-o").arg(trace_path(folder));
    command.args(["sh", "-c", SCRIPT, "sh", env!("CARGO_BIN_EXE_coterie")]);
    command.arg(Cluster::program("pg_isready")).arg(cluster.port().to_string());
    let postgres = cluster.command();
    command.arg(postgres.get_program()).args(postgres.get_args());
    command
}
