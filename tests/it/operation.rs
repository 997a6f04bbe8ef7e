//! What whoever looks after a server sees of it, and what every answer carries.

use std::time::Duration;

use coterie::config::Config;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::hold::Hold;
use crate::peer::Dialect;
use crate::server::{TestServer, until};

on_both_engines! {
    what_happens_is_measured_without_naming_anybody,
    an_edit_that_waits_for_its_commit_is_seen_as_lag,
    every_answer_carries_the_headers_of_a_careful_server,
    refusals_have_one_shape_whoever_refuses,
}

/// What a server measures, as Prometheus reads it.
pub async fn measurements(client: &TestClient) -> String {
    let response = client.program(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    response.text().await.unwrap()
}

/// The value of a measurement, with its labels as Prometheus writes them.
pub fn value(measurements: &str, name: &str) -> Option<f64> {
    let line = measurements.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

async fn what_happens_is_measured_without_naming_anybody(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bobby Tables").await;
    let project = ann.project().await;
    let document = ann.create(project, "secret-plan.md", "text").await;
    ann.invite(project, &bob, "viewer").await;
    let mut writer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let mut reader = bob.socket(Dialect::Yjs, project, document).join().await;
    writer.insert(0, "x").await;
    writer.until_saved().await;
    reader.insert(0, "y").await;
    ann.read_text(project, document).await;
    ann.get("/api/nowhere/at/all").await;
    ann.program(Method::from_bytes(b"BREW").unwrap(), "/api/me").send().await.unwrap();
    until("the refusal is counted", async || {
        value(&measurements(&ann).await, "coterie_refusals_total{reason=\"read_only\"}") == Some(1.0)
    })
    .await;
    let said = measurements(&ann).await;
    let at_least = |name: &str, least: f64| {
        let found = value(&said, name).unwrap_or_else(|| panic!("no {name} in {said}"));
        assert!(found >= least, "{name} is {found}, not {least}");
    };
    at_least("coterie_rooms", 1.0);
    at_least("coterie_sockets{dialect=\"hocuspocus\"}", 1.0);
    at_least("coterie_sockets{dialect=\"yjs\"}", 1.0);
    at_least("coterie_sockets_opened_total{dialect=\"yjs\"}", 1.0);
    at_least("coterie_connections", 2.0);
    at_least("coterie_commit_seconds_count", 1.0);
    at_least("coterie_commit_rows_sum", 1.0);
    at_least("coterie_room_events_total{kind=\"rows\"}", 1.0);
    at_least("coterie_worker_requests_total", 1.0);
    at_least("coterie_workers", 1.0);
    at_least("coterie_worker_memory_bytes", 1024.0 * 1024.0);
    at_least("coterie_database_up", 1.0);
    at_least("coterie_http_requests_total{method=\"POST\",route=\"/api/projects\",status=\"201\"}", 1.0);
    at_least("coterie_http_requests_total{method=\"GET\",route=\"other\",status=\"404\"}", 1.0);
    at_least("coterie_http_requests_total{method=\"other\",route=\"/api/me\",status=\"405\"}", 1.0);
    assert_eq!(value(&said, "coterie_documents_set_aside"), Some(0.0));
    for named in [project.to_string(), document.to_string(), ann.id.to_string(), "Bobby".into(), "secret-plan".into()] {
        assert!(!said.contains(&named), "{named} in {said}");
    }
    drop((writer, reader));
    until("closed sockets are not counted", async || {
        value(&measurements(&ann).await, "coterie_sockets{dialect=\"yjs\"}") == Some(0.0)
    })
    .await;
}

async fn an_edit_that_waits_for_its_commit_is_seen_as_lag(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut writer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let (status, ready) = ann.get("/readyz").await;
    assert_eq!((status, &ready["database"], &ready["journal_lag_ms"]), (StatusCode::OK, &json!("ok"), &json!(0)));
    let hold = Hold::of(&server.database, document).await;
    writer.insert(0, "x").await;
    until("the lag grows", async || {
        let (waiting, lag) = server.state().rooms.waiting();
        waiting == 1 && lag > Duration::from_millis(50)
    })
    .await;
    hold.release().await;
    writer.until_saved().await;
    let said = measurements(&ann).await;
    assert_eq!(value(&said, "coterie_journal_waiting"), Some(0.0));
    assert_eq!(value(&said, "coterie_journal_lag_seconds"), Some(0.0));
}

async fn every_answer_carries_the_headers_of_a_careful_server(engine: Engine) {
    let database = Database::create(engine).await;
    let mut config = Config::local(database.folder.path().to_owned(), database.url.clone());
    config.public_url = Some("https://coterie.example.com".parse().unwrap());
    let server = TestServer::with(config, database).await;
    let nobody = TestClient::nobody(server.place());
    for path in ["/", "/api/auth", "/api/me", "/api/docs/", "/healthz", "/nowhere"] {
        let response = nobody.program(Method::GET, path).send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap()).unwrap_or_default();
        let policy = header("content-security-policy");
        let script = policy.split(';').find(|rule| rule.trim().starts_with("script-src")).unwrap_or_default();
        assert_eq!(script.trim(), "script-src 'self'", "{path}");
        let style = policy.split(';').find(|rule| rule.trim().starts_with("style-src")).unwrap_or_default();
        let style = style.trim().trim_start_matches("style-src 'self'").trim();
        assert!(style.is_empty() || style.starts_with("'nonce-"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert!(header("coterie-version").starts_with(env!("CARGO_PKG_VERSION")), "{path}");
        assert!(header("permissions-policy").contains("camera=()"), "{path}");
        assert!(header("strict-transport-security").starts_with("max-age="), "{path}");
        assert!(!header("x-request-id").is_empty(), "{path}");
    }
}

async fn refusals_have_one_shape_whoever_refuses(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let documents = format!("/api/projects/{project}/documents");
    let json_body = "application/json";
    let refused = [
        (Method::GET, "/api/nowhere".to_owned(), json_body, "", 404, "not_found"),
        (Method::GET, "/yjs/x/y".to_owned(), json_body, "", 400, "not_a_socket"),
        (Method::DELETE, "/api/me".to_owned(), json_body, "", 405, "method_not_allowed"),
        (Method::POST, "/api/projects".to_owned(), "text/plain", "{}", 415, "unsupported_media_type"),
        (Method::POST, "/api/projects".to_owned(), json_body, "{", 400, "bad_json"),
        (Method::POST, "/api/projects".to_owned(), json_body, "[]", 400, "bad_json"),
        (Method::GET, format!("{documents}?limit=x"), json_body, "", 400, "bad_query"),
        (Method::GET, format!("{documents}?after=x"), json_body, "", 400, "bad_cursor"),
        (Method::PUT, "/nowhere".to_owned(), json_body, "", 404, "not_found"),
    ];
    for (method, path, kind, body, status, code) in refused {
        let request = ann.request(method.clone(), &path).header("content-type", kind).body(body);
        let response = request.send().await.unwrap();
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(response.status().as_u16(), status, "{method} {path}");
        let said: Value = response.json().await.unwrap();
        assert_eq!(
            (&said["error"]["code"], &said["error"]["request_id"]),
            (&json!(code), &json!(id)),
            "{method} {path}"
        );
        assert!(!said["error"]["message"].as_str().unwrap().is_empty());
    }
    let huge = ann.request(Method::POST, "/api/projects").header("content-type", json_body);
    let response = huge.body(vec![b' '; coterie::limits::BODY_BYTES + 1]).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], "too_large");

    let asked = ann.request(Method::OPTIONS, "/api/projects").send().await.unwrap();
    assert_eq!(
        (asked.status(), &asked.headers()["allow"]),
        (StatusCode::NO_CONTENT, &"GET,HEAD,POST".parse().unwrap())
    );
    let head = ann.request(Method::HEAD, "/api/projects").send().await.unwrap();
    assert_eq!((head.status(), head.text().await.unwrap()), (StatusCode::OK, String::new()));
}
