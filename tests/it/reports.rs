//! Errors and panics, told to a Sentry server: enough to find them in the log, and nothing that people wrote or show.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use coterie::report;
use parking_lot::Mutex;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::layer::SubscriberExt;

use crate::client::{TestClient, answer};
use crate::engines::{Database, Engine, in_time, on_both_engines};
use crate::program::Program;
use crate::server::until;

on_both_engines![an_error_is_reported_without_what_people_wrote];

/// What came: where to, by which key, and what.
#[derive(Debug, Clone)]
struct Told {
    path: String,
    auth: String,
    raw: String,
    event: Value,
}

/// A Sentry server, as far as it takes envelopes.
#[derive(Debug, Clone)]
struct Sentry {
    dsn: String,
    told: Arc<Mutex<Vec<Told>>>,
}

impl Sentry {
    /// One that answers with this status.
    async fn start(status: StatusCode) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dsn = format!("http://abc123@{}/42", listener.local_addr().unwrap());
        let told = Arc::new(Mutex::new(Vec::new()));
        let into = told.clone();
        let take = async move |uri: Uri, headers: HeaderMap, body: Bytes| {
            let raw = String::from_utf8(body.to_vec()).unwrap();
            // The envelope's head, the item's head, the item.
            let event = raw.lines().nth(2).map(|line| serde_json::from_str(line).unwrap());
            let head: Value = serde_json::from_str(raw.lines().nth(1).unwrap()).unwrap();
            assert_eq!(head["type"], "event");
            let auth = headers["x-sentry-auth"].to_str().unwrap().to_owned();
            into.lock().push(Told { path: uri.path().to_owned(), auth, raw, event: event.unwrap() });
            status
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(take)).into_future());
        Self { dsn, told }
    }

    /// What was told of, once it was.
    async fn told_of(&self, what: &str) -> Told {
        let find = || self.told.lock().iter().find(|told| told.event["message"] == what).cloned();
        until(what, async || find().is_some()).await;
        find().unwrap()
    }
}

async fn an_error_is_reported_without_what_people_wrote(engine: Engine) {
    let sentry = Sentry::start(StatusCode::OK).await;
    let database = Database::create(engine).await;
    let program = Program::start_with(&database, &[("SENTRY_DSN", &sentry.dsn)]).await;
    let ann = TestClient::guest(&program.place, "Ann Secretive").await;
    let project = ann.project().await;
    let document = ann.create(project, "hush-hush.md", "a hidden text").await;
    let token = ann.token(project, "editor").await;
    database.change("update document_update set checksum = 1 where document_id = $1", document).await;
    let path = format!("/api/projects/{project}/documents/{document}/text?lines=1-31337");
    let (status, said) = answer(ann.program(Method::GET, &path).bearer_auth(&token)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{said}");

    let told = sentry.told_of("request failed").await;
    assert_eq!(told.path, "/api/42/envelope/");
    assert!(told.auth.contains("sentry_key=abc123"), "{}", told.auth);
    let (event, tags) = (&told.event, &told.event["tags"]);
    assert_eq!(tags["request_id"], said["error"]["request_id"], "{event:#}");
    assert_eq!((&tags["method"], &tags["route"]), (&json!("GET"), &json!("/api/projects/{p}/documents/{d}/text")));
    assert_eq!(event["level"].as_str().unwrap_or("error"), "error");
    assert!(event["culprit"].as_str().unwrap().starts_with("src/error.rs:"), "{event:#}");
    assert!(event["extra"]["error"].as_str().unwrap().contains(&document.to_string()), "{event:#}");
    assert!(event["release"].as_str().unwrap().starts_with("coterie@"));
    let cookie = ann.cookie();
    let secrets = ["hush", "hidden", "Secretive", "127.0.0.1", "31337", &token, cookie.split('=').next_back().unwrap()];
    for told in sentry.told.lock().iter() {
        for secret in secrets {
            assert!(!told.raw.contains(secret), "{secret}: {}", told.raw);
        }
        for absent in ["user", "request", "server_name"] {
            assert_eq!(told.event[absent], Value::Null, "{}", told.raw);
        }
    }
    // Again at once: counted, and not told.
    let before = sentry.told.lock().len();
    answer(ann.program(Method::GET, &path).bearer_auth(&token)).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(sentry.told.lock().len(), before);
}

#[tokio::test]
async fn a_panic_is_reported_with_its_place_and_not_with_what_it_quotes() {
    in_time(Box::pin(async {
        let sentry = Sentry::start(StatusCode::OK).await;
        let (reporting, courier) = report::to(&sentry.dsn).unwrap();
        report::note_panics();
        let stop = CancellationToken::new();
        let running = tokio::spawn(courier.run(stop.clone()));
        let subscriber = tracing_subscriber::registry().with(reporting);
        let panicked = std::thread::spawn(move || {
            tracing::subscriber::with_default(subscriber, || panic!("no letter in `a diary of {}`", "ann@example.com"))
        });
        assert!(panicked.join().is_err());
        // What waits at the end is still told.
        stop.cancel();
        running.await.unwrap();
        let told = sentry.told_of("a thread panicked").await;
        let extra = &told.event["extra"];
        assert!(extra["at"].as_str().unwrap().starts_with("tests/it/reports.rs:"), "{extra}");
        assert_eq!(extra["error"], json!("no letter in `…`"));
        assert!(!told.raw.contains("diary") && !told.raw.contains("ann@"), "{}", told.raw);
    }))
    .await;
}

#[tokio::test]
async fn a_sentry_server_that_asks_to_be_spared_is() {
    in_time(Box::pin(async {
        let sentry = Sentry::start(StatusCode::TOO_MANY_REQUESTS).await;
        let (reporting, courier) = report::to(&sentry.dsn).unwrap();
        let stop = CancellationToken::new();
        let running = tokio::spawn(courier.run(stop.clone()));
        let subscriber = tracing_subscriber::registry().with(reporting);
        let log = |what: u8| match what {
            0 => tracing::error!(target: "coterie", "first"),
            1 => tracing::error!(target: "coterie", "second"),
            _ => tracing::error!(target: "elsewhere", "not ours"),
        };
        tracing::subscriber::with_default(subscriber, || log(0));
        sentry.told_of("first").await;
        let (reporting, other) = report::to(&sentry.dsn).unwrap();
        drop(other);
        // A courier that is gone is no reason to fail, nor is a log that is not ours to tell.
        tracing::subscriber::with_default(tracing_subscriber::registry().with(reporting), || (1..3).for_each(log));
        stop.cancel();
        running.await.unwrap();
        assert_eq!(sentry.told.lock().len(), 1);
    }))
    .await;
}
