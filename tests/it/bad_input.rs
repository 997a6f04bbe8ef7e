//! What cannot be taken is refused with a reason, in one shape; and nothing is stored of it.

use coterie::limits;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{TestClient, answer};
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect};
use crate::server::TestServer;

on_both_engines![
    requests_that_cannot_be_taken_are_told_why,
    bad_paths_are_refused,
    what_a_foreign_page_sends_is_refused,
    bodies_above_the_limit_are_refused,
    frames_that_cannot_be_taken_close_the_socket,
    a_stranger_can_send_little,
];

const UNKNOWN: &str = "01900000-0000-7000-8000-000000000000";

/// Asserts that a request is refused with this status and code, in the shape of every error.
async fn assert_refused(request: RequestBuilder, status: u16, code: &str) -> Value {
    let described = format!("{request:?}");
    let response = request.send().await.unwrap();
    let id = response.headers().get("x-request-id").unwrap().to_str().unwrap().to_owned();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json", "{described}");
    let found = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!((found.as_u16(), &body["error"]["code"]), (status, &json!(code)), "{described} {body}");
    assert_eq!(body["error"]["request_id"], id);
    assert!(!body["error"]["message"].as_str().unwrap().is_empty());
    body
}

async fn requests_that_cannot_be_taken_are_told_why(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let (project, foreign) = (ann.project().await, bob.project().await);
    let document = ann.create(project, "a", "").await;
    let documents = format!("/api/projects/{project}/documents");
    let update = format!("{documents}/{document}/update");
    let json = |method, path: &str, body: &str| {
        ann.request(method, path).header(header::CONTENT_TYPE, "application/json").body(body.to_owned())
    };

    for body in ["", "{", "[]", "null", "{\"path\":1}", "{\"content\":\"no path\"}", "{\"path\":\"\\ud800\"}"] {
        assert_refused(json(Method::POST, &documents, body), 400, "bad_json").await;
    }
    for name in ["", "   ", "a\nb", &"x".repeat(81)] {
        let request = ann.request(Method::POST, "/api/projects").json(&json!({ "name": name }));
        assert_refused(request, 400, "bad_name").await;
    }
    let plain = || ann.request(Method::POST, &documents).body("{\"path\":\"b\"}");
    assert_refused(plain(), 415, "unsupported_media_type").await;
    assert_refused(plain().header(header::CONTENT_TYPE, "text/plain"), 415, "unsupported_media_type").await;
    assert_refused(json(Method::POST, &update, "{}"), 415, "unsupported_media_type").await;

    for id in [UNKNOWN, "no-id", "%00", "..%2f.."] {
        assert_refused(ann.request(Method::GET, &format!("/api/projects/{id}")), 404, "not_found").await;
        assert_refused(ann.request(Method::GET, &format!("{documents}/{id}")), 404, "not_found").await;
        assert_refused(ann.request(Method::GET, &format!("{documents}/{id}/update")), 404, "not_found").await;
        assert_refused(json(Method::POST, &format!("/api/invites/{id}/accept"), "{}"), 404, "not_found").await;
    }
    // What is somebody else's looks like what is not there.
    assert_refused(ann.request(Method::GET, &format!("/api/projects/{foreign}")), 404, "not_found").await;
    let moved = format!("/api/projects/{foreign}/documents/{document}");
    assert_refused(ann.request(Method::GET, &moved), 404, "not_found").await;

    for path in ["/api", "/api/nothing", "/api/projects/a/b/c", "/api/../etc/passwd", "/assets/nothing.js"] {
        assert_refused(ann.request(Method::GET, path), 404, "not_found").await;
    }
    assert_refused(ann.request(Method::POST, "/nothing"), 404, "not_found").await;
    assert_refused(ann.request(Method::PUT, &documents), 405, "method_not_allowed").await;
    assert_refused(ann.request(Method::DELETE, "/api/me"), 405, "method_not_allowed").await;
    for query in ["limit=0", "limit=x", "limit=-1", "limit=100000", "after=x"] {
        let path = format!("{documents}?{query}");
        let (status, _) = answer(ann.request(Method::GET, &path)).await;
        assert!(status == StatusCode::BAD_REQUEST || query == "limit=100000", "{query}: {status}");
    }
    let nobody = TestClient::nobody(server.place());
    assert_refused(nobody.request(Method::GET, "/api/me"), 401, "unauthorized").await;
    assert_refused(nobody.program(Method::GET, &documents).bearer_auth("wrong"), 401, "unauthorized").await;
    let (_, page) = ann.get(&documents).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "nothing was stored");
}

async fn bad_paths_are_refused(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "dir/file", "").await;
    let documents = format!("/api/projects/{project}/documents");
    let long = "é".repeat(128);
    for path in ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a\0b", "a\nb", "a\\b", ".git/x", &long] {
        let body = json!({ "path": path });
        assert_refused(ann.request(Method::POST, &documents).json(&body), 400, "bad_path").await;
        assert_refused(ann.request(Method::PATCH, &format!("{documents}/{document}")).json(&body), 400, "bad_path")
            .await;
    }
    let other = ann.create(project, "other", "").await;
    for path in ["dir/file", "dir", "dir/file/below"] {
        let body = json!({ "path": path });
        assert_refused(ann.request(Method::POST, &documents).json(&body), 409, "path_taken").await;
        assert_refused(ann.request(Method::PATCH, &format!("{documents}/{other}")).json(&body), 409, "path_taken")
            .await;
    }
    let longest = "x".repeat(limits::PATH_BYTES);
    ann.create(project, &longest, "").await;
    let (_, page) = ann.get(&documents).await;
    let mut paths: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|item| item["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["dir/file", "other", &longest]);
}

async fn what_a_foreign_page_sends_is_refused(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let body = json!({ "name": "x" });
    for origin in ["https://evil.example", "null", "http://localhost:1"] {
        for path in ["/api/projects", "/auth/guest", "/auth/logout"] {
            let page =
                ann.program(Method::POST, path).header(header::COOKIE, ann.cookie()).header(header::ORIGIN, origin);
            assert_refused(page.json(&body), 403, "forbidden").await;
        }
    }
    let page = ann.program(Method::POST, "/api/projects").header(header::COOKIE, ann.cookie());
    assert_refused(page.header("sec-fetch-site", "cross-site").json(&body), 403, "forbidden").await;
    let (_, projects) = ann.get("/api/projects").await;
    assert_eq!(projects["items"], json!([]));
}

async fn bodies_above_the_limit_are_refused(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let documents = format!("/api/projects/{project}/documents");
    let big = "x".repeat(limits::BODY_BYTES);
    assert_refused(ann.request(Method::POST, "/api/projects").json(&json!({ "name": big })), 413, "too_large").await;
    let nobody = TestClient::nobody(server.place());
    assert_refused(nobody.request(Method::POST, "/auth/guest").json(&json!({ "name": big })), 413, "too_large").await;
    let content = json!({ "path": "b", "content": "x".repeat(limits::CONTENT_BYTES + 1) });
    assert_refused(ann.request(Method::POST, &documents).json(&content), 413, "too_large").await;
    let update = ann.request(Method::POST, &format!("{documents}/{document}/update"));
    let update = update.header(header::CONTENT_TYPE, "application/octet-stream");
    assert_refused(update.body(vec![0; limits::DOCUMENT_BYTES + 1]), 413, "too_large").await;
}

async fn frames_that_cannot_be_taken_close_the_socket(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "a", "").await;
    let mut watcher = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    for dialect in DIALECTS {
        let huge = vec![0; limits::FRAME_BYTES + 1];
        let frames = [
            (Message::Binary(huge.into()), 1009),
            (Message::text("{}"), 4400),
            (Message::Binary(vec![0x80].into()), 4400),
            (Message::Binary(vec![0xff; 64].into()), 4400),
        ];
        for (frame, code) in frames {
            let mut peer = ann.socket(dialect, project, "a").join().await;
            let what: String = format!("{frame:?}").chars().take(60).collect();
            peer.send_raw(frame).await;
            assert_eq!(peer.until_closed().await, code, "{dialect:?} {what}");
        }
        for tags in [&[0, 0, 5, 1][..], &[0, 2, 1], &[0, 7, 0], &[1, 3, 1, 1, 1], &[1, 1, 5]] {
            let mut peer = ann.socket(dialect, project, "a").join().await;
            peer.send(tags, |_| {}).await;
            peer.until("it ends", |peer| peer.closed.is_some() || peer.ended.is_some()).await;
            // What only the document's room can see ends that document, where a socket has several.
            let said = peer.closed.map_or(peer.ended, |(code, said)| (code == 4400).then_some(said));
            assert_eq!(said.as_deref(), Some("malformed frame"), "{dialect:?} {tags:?}");
        }
    }
    watcher.insert(0, "well").await;
    watcher.until_saved().await;
}

async fn a_stranger_can_send_little(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let nobody = TestClient::nobody(server.place());
    let project = ann.project().await;
    ann.create(project, "a", "").await;
    let mut stranger = nobody.socket(Dialect::Hocuspocus, project, "a").open().await;
    stranger.send_raw(Message::Binary(vec![1; limits::UNADMITTED_BYTES + 1].into())).await;
    assert_eq!(stranger.until_closed().await, 1009);
}
