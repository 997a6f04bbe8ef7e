//! Creates that carry an `Idempotency-Key`: carried out once, however often they are sent.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::archive::archive_of;
use crate::client::{TestClient, answer};
use crate::engines::{Engine, on_both_engines};
use crate::server::TestServer;

on_both_engines![
    what_is_sent_twice_is_done_once,
    a_key_is_for_one_request_of_one_user,
    what_was_refused_may_be_tried_again,
    keys_are_let_go_after_a_day,
];

async fn post(client: &TestClient, key: &str, path: &str, body: &Value) -> (StatusCode, Value) {
    answer(client.request(Method::POST, path).header("idempotency-key", key).json(body)).await
}

async fn what_is_sent_twice_is_done_once(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let base = format!("/api/projects/{project}");
    let cases = [
        ("/api/projects".to_owned(), json!({ "name": "Other" }), StatusCode::CREATED),
        (format!("{base}/documents"), json!({ "path": "a", "content": "x" }), StatusCode::CREATED),
        (
            format!("{base}/changes"),
            json!({ "operations": [{ "op": "create", "path": "b" }, { "op": "delete", "document": "a" }] }),
            StatusCode::OK,
        ),
        (format!("{base}/conversations"), json!({ "title": "About" }), StatusCode::CREATED),
        (
            format!("{base}/conversations/import"),
            json!({ "title": "Old", "messages": [{ "author": { "name": "Bob" }, "body": "hello" }] }),
            StatusCode::CREATED,
        ),
    ];
    for (number, (path, body, expected)) in cases.iter().enumerate() {
        let key = format!("key {number}");
        let first = post(&ann, &key, path, body).await;
        assert_eq!(first.0, *expected, "{}", first.1);
        assert_eq!(post(&ann, &key, path, body).await, first);
    }
    assert_eq!(ann.get("/api/projects").await.1["items"].as_array().unwrap().len(), 2);

    let (_, conversations) = ann.get(&format!("{base}/conversations")).await;
    assert_eq!(conversations["items"].as_array().unwrap().len(), 3, "{conversations}");

    // An archive is known by its bytes, and by where its files go.
    let send = async |into: &str, bytes: &[u8]| {
        let request =
            ann.request(Method::POST, &format!("{base}/import?into={into}")).body(archive_of(&[("i", bytes)]));
        let request = request.header(header::CONTENT_TYPE, "application/zip");
        answer(request.header("idempotency-key", "archive")).await
    };
    let first = send("x", b"text").await;
    assert_eq!(first.0, StatusCode::CREATED, "{}", first.1);
    assert_eq!(send("x", b"text").await, first);
    for (into, bytes) in [("y", &b"text"[..]), ("x", b"other")] {
        assert_eq!(send(into, bytes).await.1["error"]["code"], json!("key_reused"));
    }

    // Many at once: one does it, the others hear of that or are told to wait.
    let mut sent = JoinSet::new();
    for _ in 0..10 {
        let ann = ann.clone();
        let path = format!("{base}/documents");
        sent.spawn(async move { post(&ann, "at once", &path, &json!({ "path": "c" })).await });
    }
    let answers = sent.join_all().await;
    let made: Vec<_> = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).collect();
    assert!(!made.is_empty() && made.iter().all(|one| *one == made[0]), "{answers:?}");
    let others = answers.iter().filter(|(status, _)| *status != StatusCode::CREATED);
    assert!(others.clone().all(|(_, body)| body["error"]["code"] == "in_progress"), "{answers:?}");
}

async fn a_key_is_for_one_request_of_one_user(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let documents = format!("/api/projects/{project}/documents");
    assert_eq!(post(&ann, "k", &documents, &json!({ "path": "a" })).await.0, StatusCode::CREATED);
    for (path, body) in [(&*documents, json!({ "path": "b" })), ("/api/projects", json!({ "path": "a" }))] {
        let (status, said) = post(&ann, "k", path, &json!({ "path": body["path"], "name": "x" })).await;
        assert_eq!((status, &said["error"]["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("key_reused")));
    }
    assert_eq!(post(&bob, "k", &documents, &json!({ "path": "b" })).await.0, StatusCode::CREATED);
    for bad in [String::new(), "x".repeat(256)] {
        let (status, said) = post(&ann, &bad, &documents, &json!({ "path": "c" })).await;
        assert_eq!((status, &said["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("bad_idempotency_key")));
    }
    // What was answered is not told to who may not see the project any more.
    let gone = ann.delete(&format!("/api/projects/{project}/members/{}", bob.id)).await.0;
    assert_eq!(gone, StatusCode::NO_CONTENT);
    assert_eq!(post(&bob, "k", &documents, &json!({ "path": "b" })).await.0, StatusCode::NOT_FOUND);
}

async fn what_was_refused_may_be_tried_again(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let there = ann.create(project, "a", "").await;
    let documents = format!("/api/projects/{project}/documents");
    assert_eq!(post(&ann, "k", &documents, &json!({ "path": "a" })).await.0, StatusCode::CONFLICT);
    ann.delete(&format!("{documents}/{there}")).await;
    let (status, made) = post(&ann, "k", &documents, &json!({ "path": "a" })).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let response = ann.request(Method::POST, &documents).header("idempotency-key", "k").json(&json!({ "path": "a" }));
    let response = response.send().await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(response.json::<Value>().await.unwrap(), made);
    // A server that ended in between: nobody knows, so it is not done again.
    server.database.execute("update request_once set status = null".to_owned()).await;
    let (status, said) = post(&ann, "k", &documents, &json!({ "path": "a" })).await;
    assert_eq!((status, &said["error"]["code"]), (StatusCode::CONFLICT, &json!("in_progress")));
}

async fn keys_are_let_go_after_a_day(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    assert_eq!(post(&ann, "k", "/api/projects", &json!({ "name": "One" })).await.0, StatusCode::CREATED);
    let day = 24 * 3600 * 1_000_000_i64;
    server.database.execute(format!("update request_once set created_us = created_us - {day}")).await;
    assert_eq!(post(&ann, "k", "/api/projects", &json!({ "name": "Two" })).await.0, StatusCode::CREATED);
    server.database.execute(format!("update request_once set created_us = created_us - {day}")).await;
    assert_eq!(coterie::once::sweep(server.db()).await.unwrap(), 1);
    assert!(server.database.dump("request_once").await.is_empty());
}
