//! Secrets stay out of what is written down: logs at their most talkative, measurements, errors.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use coterie::ids::ProjectId;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::peer::Dialect;
use crate::server::{Place, until};
use crate::unread::large;

on_both_engines! { no_secret_is_written_down }

/// The binary, which tells all to a file; killed when dropped.
struct Talkative {
    child: Child,
    place: Place,
}

impl Talkative {
    fn start(database: &Database, log: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_coterie"))
            .env_clear()
            .env("COTERIE_LISTEN", "127.0.0.1:0")
            .env("COTERIE_DATA_DIR", database.folder.path())
            .env("DATABASE_URL", &database.url)
            .env("COTERIE_LOG_FORMAT", "json")
            .env("RUST_LOG", "info,coterie=trace,tower_sessions=debug,tower_sessions_core=debug")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok());
        let port: u16 = port.unwrap_or_else(|| panic!("{line:?}"));
        Self { child, place: Place::new(([127, 0, 0, 1], port).into()) }
    }
}

impl Drop for Talkative {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks for all files and goes away: what a library prints of that by itself would be no line of the log.
async fn leave_an_archive(ann: &TestClient, project: ProjectId, log: &Path) {
    large(ann, project).await;
    let archive = ann.request(Method::GET, &format!("/api/projects/{project}/export")).send().await.unwrap();
    assert_eq!(archive.status(), StatusCode::OK);
    drop(archive);
    until("the server notices", async || {
        std::fs::read_to_string(log).unwrap().contains("an archive was not taken to its end")
    })
    .await;
}

async fn no_secret_is_written_down(engine: Engine) {
    let database = Database::create(engine).await;
    let log = database.folder.path().join("log");
    let server = Talkative::start(&database, &log);
    let ann = TestClient::guest(&server.place, "Ann").await;
    let bob = TestClient::guest(&server.place, "Bob").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "text").await;
    let (_, invite) = ann.post(&format!("/api/projects/{project}/invites"), json!({ "role": "editor" })).await;
    let invite = invite["token"].as_str().unwrap().to_owned();
    assert_eq!(bob.post(&format!("/api/invites/{invite}/accept"), json!({})).await.0, StatusCode::OK);
    let token = ann.token(project, "editor").await;
    let guess = "guessed-token-that-opens-nothing";
    let mut said = Vec::new();
    for path in ["/api/me", "/api/projects", &format!("/api/projects/{project}/documents/{document}/text"), "/nowhere"]
    {
        for bearer in [token.as_str(), guess] {
            let response = ann.program(Method::GET, path).bearer_auth(bearer).send().await.unwrap();
            said.push(response.text().await.unwrap());
        }
    }
    said.push(ann.post(&format!("/api/invites/{invite}x/accept"), json!({})).await.1.to_string());
    // By query and by frame; one that is right and one that is not.
    for dialect in [Dialect::Yjs, Dialect::Hocuspocus] {
        let mut peer = ann.socket(dialect, project, "a").token(&token).join().await;
        peer.insert(0, "x").await;
        let _ = ann.socket(dialect, project, "a").token(guess).open().await;
    }
    said.push(ann.program(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap());
    let (_, error) = ann.post("/api/projects", json!({ "name": "" })).await;
    said.push(error.to_string());
    leave_an_archive(&ann, project, &log).await;
    let cookie = ann.cookie();
    let cookie = cookie.split_once('=').expect("a cookie").1.to_owned();
    drop(server);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.lines().filter(|line| line.contains("\"answered\"")).count() > 10, "{log}");
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "one JSON object a line: {log}");
    assert!(log.contains("\"id\":\"") && log.contains("/api/invites/{token}/accept"), "{log}");
    let mut secrets = vec![("cookie", cookie), ("token", token), ("invite", invite), ("guess", guess.to_owned())];
    if let Some((_, rest)) = database.url.split_once("coterie:") {
        secrets.push(("database password", rest.split('@').next().unwrap().to_owned()));
    }
    assert_eq!(secrets.len(), if engine == Engine::Postgres { 5 } else { 4 });
    for (what, secret) in secrets {
        assert!(secret.len() > 20, "{what}");
        assert!(!log.contains(&secret), "the {what} is in the log");
        assert!(said.iter().all(|text| !text.contains(&secret)), "the {what} is in an answer");
    }
}
