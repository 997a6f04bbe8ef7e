//! The binary: how it starts, and how it refuses to.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use coterie::limits;
use tempfile::TempDir;

use crate::client::TestClient;
use crate::engines::{Database, Engine, POSTGRES};
use crate::server::{TestServer, until};

const BINARY: &str = env!("CARGO_BIN_EXE_coterie");

/// How long a start may take, or its refusal.
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary in a folder of its own with these settings and no others.
fn coterie(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().current_dir(folder).envs(settings.iter().copied());
    if settings.iter().all(|(name, _)| *name != "COTERIE_LISTEN") {
        command.env("COTERIE_LISTEN", "127.0.0.1:0");
    }
    command
}

/// Runs to the end, which must come soon.
fn run(mut command: Command) -> Output {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > deadline {
            child.kill().unwrap();
            panic!("it goes on running: {command:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

/// Asserts that it fails with one line that says all of these words.
fn assert_refuses(command: Command, words: &[&str]) {
    let shown = format!("{command:?}");
    let output = run(command);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{shown}");
    assert_eq!(said.lines().count(), 1, "{shown} said {said:?}");
    assert!(said.starts_with("coterie: "), "{shown} said {said:?}");
    for word in words {
        assert!(said.contains(word), "{shown} said {said:?}, not {word:?}");
    }
    assert_eq!(output.stdout, b"", "{shown}");
}

#[test]
fn a_bad_setting_is_refused_in_one_line_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in [
        ("COTERIE_LISTEN", "3000"),
        ("SENTRY_DSN", "nonsense"),
        ("SENTRY_DSN", "http://key@sentry.example.com/1"),
        ("COTERIE_DOCUMENT_BYTES", "0"),
        ("COTERIE_ROOM_BYTES", "-1"),
        ("COTERIE_WORKER_BYTES", "99999999999"),
        ("COTERIE_SOCKETS_PER_USER", "many"),
        ("COTERIE_DEMO", "perhaps"),
        ("COTERIE_LISTEN", "127.0.0.1:99999"),
        ("COTERIE_PUBLIC_URL", "coterie.example.com"),
        ("COTERIE_PUBLIC_URL", "https://example.com/path"),
        ("COTERIE_GUESTS", "maybe"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("RUST_LOG", "info,=="),
    ] {
        assert_refuses(coterie(folder.path(), &[(name, value)]), &[name]);
    }
    for arguments in [&["--no-such-flag"][..], &["no-such-command"], &["serve", "--listen"]] {
        let mut command = coterie(folder.path(), &[]);
        command.args(arguments);
        assert_refuses(command, &[]);
    }
}

#[test]
fn a_database_that_cannot_be_used_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = format!("postgres://coterie@{closed}/coterie");
    assert_refuses(coterie(folder.path(), &[("DATABASE_URL", &away)]), &["cannot reach", "DATABASE_URL"]);
    std::fs::write(folder.path().join("file"), "no folder").unwrap();
    assert_refuses(coterie(folder.path(), &[("COTERIE_DATA_DIR", "file")]), &["file"]);
    std::fs::write(folder.path().join("coterie.db"), "this is no database, but long enough to be looked at").unwrap();
    assert_refuses(coterie(folder.path(), &[("COTERIE_DATA_DIR", ".")]), &["coterie.db"]);
}

#[test]
fn a_taken_port_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    assert_refuses(coterie(folder.path(), &[("COTERIE_LISTEN", &address)]), &[&address, "COTERIE_LISTEN"]);
    assert!(!folder.path().join("data").exists(), "nothing was touched before");
}

#[tokio::test]
async fn a_postgres_that_does_not_wait_for_the_disk_is_refused() {
    let database = Database::create(Engine::Postgres).await;
    let (_, name) = database.url.rsplit_once('/').unwrap();
    database.execute(format!("alter database {name} set synchronous_commit = off")).await;
    let refused = coterie(database.folder.path(), &[("DATABASE_URL", &database.url)]);
    assert_refuses(refused, &["synchronous_commit=off"]);
}

#[test]
fn a_postgres_without_fsync_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/with-postgres"));
    command.args(["sh", "-c", r#"DATABASE_URL=$COTERIE_TEST_POSTGRES exec "$0""#, BINARY]);
    command.env_remove(POSTGRES).env("COTERIE_TEST_POSTGRES_OPTIONS", "-c fsync=off");
    command.env("COTERIE_LISTEN", "127.0.0.1:0").env("COTERIE_DATA_DIR", folder.path());
    assert_refuses(command, &["fsync=off"]);
}

/// A running binary, killed when dropped.
struct Running {
    child: Child,
    address: String,
    _folder: Option<TempDir>,
}

impl Running {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let command = coterie(folder.path(), &[("RUST_LOG", "info")]);
        Self::of(command, Some(folder))
    }

    fn of(mut command: Command, folder: Option<TempDir>) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("Coterie is ready: open ").expect("it says where it is");
        Self { child, address: address.to_owned(), _folder: folder }
    }

    /// The bytes that it read from files and pipes.
    #[cfg(target_os = "linux")]
    fn read(&self) -> u64 {
        let said = std::fs::read_to_string(format!("/proc/{}/io", self.child.id())).unwrap();
        said.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Documents that are stored when a server starts. They are alike, with a row each that has been idle for long.
const MANY: usize = 20_000;

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_reads_a_small_part_of_many_documents() {
    let mut server = TestServer::start(Engine::Sqlite).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", &"some text\n".repeat(50)).await;
    server.shutdown().await;
    let database = &server.database;
    let one = format!("x'{}'", document.0.simple());
    database
        .execute(format!(
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < {MANY})
             insert into document (id, project_id, path, created_by, created_us)
                select cast(printf('%016d', i) as blob), d.project_id, 'f' || i, d.created_by, d.created_us
                from n, document d where d.id = {one};
             insert into document_head (document_id, head, epoch, bytes)
                select d.id, h.head, h.epoch, h.bytes from document d, document_head h
                where h.document_id = {one} and d.id <> {one};
             insert into document_update (document_id, seq, batch_id, author_id, bytes, checksum, created_us)
                select d.id, u.seq, u.batch_id, u.author_id, u.bytes, u.checksum, 0 from document d, document_update u
                where u.document_id = {one} and d.id <> {one};"
        ))
        .await;
    let stored = std::fs::metadata(database.folder.path().join("coterie.db")).unwrap().len();
    let running = Running::of(coterie(database.folder.path(), &[("DATABASE_URL", &database.url)]), None);
    assert!(reqwest::get(format!("{}/readyz", running.address)).await.unwrap().status().is_success());
    // Then it has looked for them.
    let folded = "select count(*) from document_snapshot where document_id <> $1";
    until("idle ones are folded", async || database.number(folded, document).await >= limits::FOLDS_AT_ONCE).await;
    let read = running.read();
    println!("{read} bytes read at the start, {stored} stored");
    assert!(stored > 10_000_000 && read < stored / 2, "{read} bytes read at the start, {stored} stored");
}

#[tokio::test]
async fn it_says_where_it_is_and_ends_well_at_either_signal() {
    for signal in ["TERM", "INT"] {
        let mut running = Running::start();
        let alive = reqwest::get(format!("{}/healthz", running.address)).await.unwrap();
        assert!(alive.status().is_success());
        let began = Instant::now();
        let sent = Command::new("kill").args(["-s", signal, &running.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let code = running.child.wait().unwrap();
        assert!(code.success(), "{signal}: {code}");
        assert!(began.elapsed() < Duration::from_secs(10));
        let mut log = String::new();
        running.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert!(log.contains("shutting down") && !log.contains("ERROR"), "{log}");
    }
}

#[test]
fn help_lists_every_setting_and_its_environment_variable() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = coterie(folder.path(), &[]);
    command.arg("--help");
    let output = run(command);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for name in
        ["COTERIE_LISTEN", "COTERIE_PUBLIC_URL", "COTERIE_DATA_DIR", "DATABASE_URL", "COTERIE_GUESTS", "RUST_LOG"]
    {
        assert!(help.contains(name), "{name}");
    }
}

/// The commands that look after what a server has stored.
const KEEPING: [&[&str]; 3] = [&["new-epoch"], &["doctor"], &["documents", "inspect"]];

#[tokio::test]
async fn what_looks_after_a_database_makes_none() {
    let folder = tempfile::tempdir().unwrap();
    let postgres = Database::empty().await;
    for arguments in KEEPING {
        let mut command = coterie(folder.path(), &[("COTERIE_DATA_DIR", "mistyped")]);
        command.args(arguments);
        assert_refuses(command, &["mistyped", "COTERIE_DATA_DIR"]);
        assert!(!folder.path().join("mistyped").exists());
        let mut command = coterie(folder.path(), &[("DATABASE_URL", &postgres.url)]);
        command.args(arguments);
        assert_refuses(command, &["DATABASE_URL"]);
    }
}

#[tokio::test]
async fn a_new_epoch_is_a_command() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = Database::create(engine).await;
        database.connect().await.close().await;
        let mut command = coterie(database.folder.path(), &[("DATABASE_URL", &database.url)]);
        command.arg("new-epoch");
        let output = run(command);
        assert!(output.status.success());
        assert_eq!(output.stdout, b"0 documents begin a new epoch\n");
    }
}
