//! The real binary as a child process, and the things one has to make on it before there is anything to lose.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Client;
use serde_json::{Value, json};

/// How long a debug build on a busy machine may take to start.
const START: Duration = Duration::from_secs(60);

/// A running server.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
}

impl Server {
    /// Starts it, and waits until it is ready.
    pub(super) async fn start(database: &str, folder: &Path) -> Self {
        Self::from_command(command(database, folder), folder).await
    }

    /// Starts it by a command that leaves its output to the server.
    pub(super) async fn from_command(mut command: Command, folder: &Path) -> Self {
        let mut child = command.spawn().expect("the server starts");
        let output = child.stdout.take().expect("a pipe");
        let line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            let mut output = BufReader::new(output);
            output.read_line(&mut line).map(|_| (line, output))
        });
        let line = tokio::time::timeout(START, line).await;
        let Ok(Ok(Ok((line, mut rest)))) = line else {
            let _ = child.kill();
            panic!("the server does not start: {}", log_of(folder));
        };
        // Whatever it prints later must not meet a closed pipe.
        std::thread::spawn(move || rest.read_to_string(&mut String::new()));
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
        let Some(port) = port else { panic!("the server did not say where it listens: {line:?} {}", log_of(folder)) };
        Self { child, address: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub(super) fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Waits until it has ended by itself.
    pub(super) fn wait(&mut self) {
        self.child.wait().expect("a child can be waited for");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server as a command; its log goes to a file in the folder.
pub(super) fn command(database: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coterie"));
    set_up(&mut command, database, folder);
    command
}

/// Gives a command that runs the server its settings and its output.
pub(super) fn set_up(command: &mut Command, database: &str, folder: &Path) {
    let log = OpenOptions::new().create(true).append(true).open(log_path(folder)).expect("a log file");
    command
        .env("COTERIE_LISTEN", "127.0.0.1:0")
        .env("COTERIE_DATA_DIR", folder)
        .env("DATABASE_URL", database)
        .env("COTERIE_GUESTS", "auto")
        .env("COTERIE_PUBLIC_URL", "")
        .env("COTERIE_USER_RATE", "10000/100000")
        .env("COTERIE_PROJECT_RATE", "10000/100000")
        .env("RUST_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("server.log")
}

/// The end of what the server logged.
pub(super) fn log_of(folder: &Path) -> String {
    let log = std::fs::read_to_string(log_path(folder)).unwrap_or_default();
    let from = log.len().saturating_sub(3000);
    log[log.ceil_char_boundary(from)..].to_owned()
}

/// A project with documents, and the tokens of two people who may edit it.
pub(super) struct Project {
    pub(super) id: String,
    pub(super) documents: Vec<String>,
    pub(super) tokens: [String; 2],
}

impl Project {
    /// Makes it through the API.
    pub(super) async fn create(server: SocketAddr, documents: usize) -> Self {
        let (owner, guest) = (browser(), browser());
        for (browser, name) in [(&owner, "Ada"), (&guest, "Bob")] {
            post(browser, server, "/auth/guest", json!({ "name": name })).await;
        }
        let id = string(&post(&owner, server, "/api/projects", json!({ "name": "Kept" })).await, "id");
        let invite = post(&owner, server, &format!("/api/projects/{id}/invites"), json!({ "role": "editor" })).await;
        post(&guest, server, &format!("/api/invites/{}/accept", string(&invite, "token")), json!({})).await;
        let mut ids = Vec::new();
        for index in 0..documents {
            let wanted = json!({ "path": format!("{index}.txt") });
            ids.push(string(&post(&owner, server, &format!("/api/projects/{id}/documents"), wanted).await, "id"));
        }
        let mut tokens = [String::new(), String::new()];
        for (browser, token) in [owner, guest].iter().zip(&mut tokens) {
            let wanted = json!({ "expires_in": 6 * 3600 });
            *token = string(&post(browser, server, &format!("/api/projects/{id}/tokens"), wanted).await, "token");
        }
        Self { id, documents: ids, tokens }
    }

    /// The name of a document on the wire.
    pub(super) fn name(&self, document: usize) -> String {
        format!("{}/{}", self.id, self.documents[document])
    }

    /// A document's state, as the API gives it.
    pub(super) async fn state(&self, server: SocketAddr, document: usize) -> Vec<u8> {
        let url = format!("http://{server}/api/projects/{}/documents/{}/update", self.id, self.documents[document]);
        let response = browser().get(url).bearer_auth(&self.tokens[0]).send().await.expect("an answer");
        assert_eq!(response.status(), 200, "the state of a document");
        response.bytes().await.expect("a body").to_vec()
    }
}

fn browser() -> Client {
    crate::client::http().cookie_store(true).timeout(START).build().expect("a client")
}

async fn post(browser: &Client, server: SocketAddr, path: &str, body: Value) -> Value {
    let response = browser.post(format!("http://{server}{path}")).json(&body).send().await.expect("an answer");
    let status = response.status();
    let said = response.text().await.expect("a body");
    assert!(status.is_success(), "{path}: {status} {said}");
    serde_json::from_str(&said).unwrap_or(Value::Null)
}

fn string(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}
