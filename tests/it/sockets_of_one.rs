//! How many sockets one user may have: one more is told so, in a way that its client does not try for ever.

use reqwest::{Method, Response, StatusCode, header};
use serde_json::json;

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::events::Events;
use crate::peer::{DIALECTS, Dialect};
use crate::server::{TestServer, until};

on_both_engines![one_socket_too_many_is_told_so, a_stream_of_events_counts_as_a_socket];

const MOST: usize = 3;

async fn one_socket_too_many_is_told_so(engine: Engine) {
    let database = Database::create(engine).await;
    let mut config = TestServer::config(&database);
    config.sockets_per_user = MOST;
    let server = TestServer::with(config, database).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    ann.create(project, "a", "text").await;
    let mut open = Vec::new();
    for number in 0..MOST {
        open.push(ann.socket(DIALECTS[number % 2], project, "a").join().await);
    }
    let too_many = async |dialect: Dialect, token: &str| {
        let opening = ann.socket(dialect, project, "a");
        let mut late = if token.is_empty() { opening.open().await } else { opening.token(token).open().await };
        match dialect {
            Dialect::Yjs => {
                // A code that tells clients to stay away.
                assert_eq!(late.until_closed().await, 4429);
                assert!(late.closed.unwrap().1.contains("too many connections"));
            }
            Dialect::Hocuspocus => {
                late.until("it is told", |peer| !peer.denied.is_empty()).await;
                assert!(late.denied[0].contains("too many connections") && late.is_open(), "{late:?}");
            }
        }
        assert!(!late.synced);
    };
    // However they show who they are.
    let token = ann.token(project, "viewer").await;
    let (_, key) = ann.key(&["write", "act-for"]).await;
    for dialect in DIALECTS {
        for secret in ["", &token, &key] {
            too_many(dialect, secret).await;
        }
    }
    // Others are not asked: neither another user nor the end users of an application.
    bob.socket(Dialect::Yjs, project, "a").join().await;
    let tokens = format!("/api/projects/{project}/tokens");
    let user = json!({ "user": { "id": "7", "name": "End user" } });
    let (_, issued) = ann.by(Method::POST, &key, &tokens, Some(user)).await;
    ann.socket(Dialect::Hocuspocus, project, "a").token(issued["token"].as_str().unwrap()).join().await;
    // Who goes makes room.
    open.pop().unwrap().leave().await;
    until("there is room", async || {
        let mut next = ann.socket(Dialect::Hocuspocus, project, "a").open().await;
        next.until("it is answered", |peer| peer.synced || !peer.denied.is_empty()).await;
        next.synced
    })
    .await;
    for mut peer in open {
        peer.round_trip().await;
    }
}

async fn a_stream_of_events_counts_as_a_socket(engine: Engine) {
    let database = Database::create(engine).await;
    let mut config = TestServer::config(&database);
    config.sockets_per_user = MOST;
    config.trusted_proxies = "127.0.0.1".parse().unwrap();
    config.connections_per_address = MOST;
    let server = TestServer::with(config, database).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let stream = async |client: &TestClient, from: &str| -> Response {
        let request = client.request(Method::GET, &format!("/api/projects/{project}/feed"));
        let request = request.header(header::ACCEPT, "text/event-stream").header("x-forwarded-for", from);
        request.send().await.unwrap()
    };
    let mut open = vec![Events::open(&ann, project, None).await];
    let mut socket = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    open.push(Events::open(&ann, project, None).await);
    let refused = stream(&ann, "192.0.2.1").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key(header::RETRY_AFTER));
    let mut late = ann.socket(Dialect::Hocuspocus, project, "a").open().await;
    late.until("it is told", |peer| !peer.denied.is_empty()).await;
    // Who reads no more makes room, and pages are no streams.
    assert_eq!(ann.get(&format!("/api/projects/{project}/feed")).await.0, StatusCode::OK);
    socket.leave().await;
    until("there is room", async || stream(&ann, "192.0.2.1").await.status() == StatusCode::OK).await;
    // An address has so many as well, behind a proxy that speaks for it.
    let mut of_address = Vec::new();
    for _ in 0..MOST {
        let answer = stream(&bob, "192.0.2.2").await;
        assert_eq!(answer.status(), StatusCode::OK);
        of_address.push(answer);
    }
    let carol = TestClient::guest(server.place(), "Carol").await;
    ann.invite(project, &carol, "viewer").await;
    assert_eq!(stream(&carol, "192.0.2.2").await.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(stream(&carol, "192.0.2.3").await.status(), StatusCode::OK);
    drop((of_address, open));
    until("there is room", async || stream(&carol, "192.0.2.2").await.status() == StatusCode::OK).await;
}
