//! How many sockets one user may have: one more is told so, in a way that its client does not try for ever.

use reqwest::Method;
use serde_json::json;

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect};
use crate::server::{TestServer, until};

on_both_engines![one_socket_too_many_is_told_so];

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
