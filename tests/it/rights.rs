//! Who may come in, who may write, and for how long.

use std::time::Duration;

use coterie::ids::{DocumentId, ProjectId};
use reqwest::{Method, StatusCode};
use serde_json::json;
use yrs::encoding::write::Write;
use yrs::{ReadTxn, StateVector, Transact};

use crate::client::{TestClient, answer};
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect, typed};
use crate::server::{TestServer, until};

on_both_engines![
    a_reader_cannot_write_by_any_frame_or_path,
    a_role_change_reaches_open_sockets_within_a_second,
    who_is_removed_sees_and_writes_nothing_after_a_second,
    a_token_opens_its_project_only_and_only_until_it_expires,
    a_cookie_from_a_foreign_origin_opens_no_socket,
    nobody_comes_in_without_a_credential,
];

async fn head(client: &TestClient, project: ProjectId, document: DocumentId) -> i64 {
    client.read(project, document).await.1
}

async fn a_reader_cannot_write_by_any_frame_or_path(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "commenter").await;
    let document = ann.create(project, "a", "text").await;
    let token = ann.token(project, "viewer").await;
    let mut watcher = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    let before = head(&ann, project, document).await;

    let openings =
        |dialect| [ann.socket(dialect, project, "a").token(&token).origin(""), bob.socket(dialect, project, "a")];
    for dialect in DIALECTS {
        for opening in openings(dialect) {
            let mut reader = opening.presence(json!({})).join().await;
            assert_eq!(reader.text(), "text");
            // What is there already may be sent, as providers do at every reconnect.
            let known = reader.doc.transact().encode_diff_v1(&StateVector::default());
            reader.send_update(&known).await;
            reader.send(&[0, 1], |out| out.write_buf(&known)).await;
            reader.round_trip().await;
            if dialect == Dialect::Hocuspocus {
                assert_eq!(reader.admitted.as_deref(), Some("readonly"));
                reader.until("what is known is saved", |peer| peer.statuses.len() >= 3).await;
                assert!(reader.statuses.iter().all(|saved| *saved), "{reader:?}");
            } else {
                assert!(reader.denied.is_empty());
            }
            // News may not, however it is wrapped.
            reader.send_update(&typed(reader.client(), "news")).await;
            reader.send(&[0, 1], |out| out.write_buf(typed(77, "news"))).await;
            reader.delete(0, 1).await;
            if dialect == Dialect::Hocuspocus {
                reader.until("all three are refused", |peer| peer.events.len() == 3).await;
                assert_eq!(reader.statuses.iter().filter(|saved| !**saved).count(), 3);
                assert!(reader.events.iter().all(|event| event["code"] == "read_only"));
            } else {
                reader.until("it is told thrice", |peer| peer.denied.len() == 3).await;
            }
        }
    }
    let path = format!("/api/projects/{project}/documents/{document}/update");
    let request = ann.program(Method::POST, &path).bearer_auth(&token).body(typed(5, "news"));
    let (status, body) = answer(request.header("content-type", "application/octet-stream")).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    assert_eq!(bob.write(project, document, typed(5, "news")).await.0, StatusCode::FORBIDDEN);

    watcher.round_trip().await;
    assert_eq!((watcher.updates, watcher.text().as_str()), (0, "text"));
    assert_eq!(head(&ann, project, document).await, before);
}

/// What the product promises for open sockets.
const SOON: Duration = Duration::from_secs(1);

async fn a_role_change_reaches_open_sockets_within_a_second(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let member = format!("/api/projects/{project}/members/{}", bob.id);
    for dialect in DIALECTS {
        let document = ann.create(project, &format!("{dialect:?}"), "").await;
        let mut peer = bob.socket(dialect, project, document).join().await;
        peer.insert(0, "editor").await;
        until("it is saved", async || ann.text(project, document).await == "editor").await;

        assert_eq!(ann.patch(&member, json!({ "role": "viewer" })).await.0, StatusCode::OK);
        tokio::time::sleep(SOON).await;
        peer.insert(0, "late ").await;
        assert_eq!(peer.until_closed().await, 1013, "it is to come back as what it is now");
        let mut reader = bob.socket(dialect, project, document).join().await;
        reader.insert(0, "reader ").await;
        reader.round_trip().await;
        assert_eq!(ann.text(project, document).await, "editor");

        assert_eq!(ann.patch(&member, json!({ "role": "editor" })).await.0, StatusCode::OK);
        assert_eq!(reader.until_closed().await, 1013);
        peer.connect().await;
        until("what it kept is saved", async || {
            peer.round_trip().await;
            ann.text(project, document).await == "late editor"
        })
        .await;
    }
}

async fn who_is_removed_sees_and_writes_nothing_after_a_second(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    for dialect in DIALECTS {
        ann.invite(project, &bob, "editor").await;
        let mut peer = bob.socket(dialect, project, "a").join().await;
        let before = peer.text();
        assert_eq!(ann.delete(&format!("/api/projects/{project}/members/{}", bob.id)).await.0, StatusCode::NO_CONTENT);
        tokio::time::sleep(SOON).await;
        let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
        author.insert(0, "secret ").await;
        author.until_saved().await;
        peer.send_update(&typed(peer.client(), "late")).await;
        match dialect {
            Dialect::Yjs => assert_eq!(peer.until_closed().await, 4404),
            Dialect::Hocuspocus => peer.until("it is put out", |peer| !peer.denied.is_empty()).await,
        }
        assert_eq!(peer.text(), before);
        assert_eq!(ann.text(project, document).await, author.text());
    }
}

async fn a_token_opens_its_project_only_and_only_until_it_expires(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let (project, other) = (ann.project().await, ann.project().await);
    ann.create(project, "a", "text").await;
    ann.create(other, "a", "other").await;
    let token = &ann.token(project, "editor").await;
    for dialect in DIALECTS {
        assert_eq!(ann.socket(dialect, project, "a").token(token).join().await.text(), "text");
        let mut elsewhere = ann.socket(dialect, other, "a").token(token).open().await;
        match dialect {
            Dialect::Yjs => assert_eq!(elsewhere.until_closed().await, 4404),
            Dialect::Hocuspocus => elsewhere.until("it is kept out", |peer| !peer.denied.is_empty()).await,
        }
    }
    server.database.execute("update project_token set expires_us = 1".to_owned()).await;
    let me = ann.program(Method::GET, "/api/me").bearer_auth(token).send().await.unwrap();
    assert_eq!(me.status(), StatusCode::UNAUTHORIZED);
    let mut late = ann.socket(Dialect::Yjs, project, "a").token(token).open().await;
    assert_eq!(late.until_closed().await, 4401);
    let mut late = ann.socket(Dialect::Hocuspocus, project, "a").token(token).open().await;
    late.until("it is kept out", |peer| !peer.denied.is_empty()).await;
    assert!(!late.synced);
}

async fn a_cookie_from_a_foreign_origin_opens_no_socket(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "a", "text").await;
    let port = server.place().address().port();
    for origin in ["https://evil.example", "null", &format!("https://localhost:{port}"), "http://localhost:1"] {
        let mut page = ann.socket(Dialect::Yjs, project, "a").origin(origin).open().await;
        assert_eq!(page.until_closed().await, 4401, "{origin}");
        let mut page = ann.socket(Dialect::Hocuspocus, project, "a").origin(origin).open().await;
        page.until("it is kept out", |peer| !peer.denied.is_empty()).await;
        assert!(!page.synced, "{origin}");
    }
    // A page that brings a token is welcome from anywhere; so is our own by any name of this machine.
    let token = ann.token(project, "viewer").await;
    for dialect in DIALECTS {
        let foreign = ann.socket(dialect, project, "a").token(&token).origin("https://app.example");
        assert_eq!(foreign.join().await.text(), "text");
        let own = ann.socket(dialect, project, "a").origin(&format!("http://localhost:{port}"));
        assert_eq!(own.join().await.text(), "text");
    }
}

async fn nobody_comes_in_without_a_credential(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let nobody = TestClient::nobody(server.place());
    let project = ann.project().await;
    ann.create(project, "a", "text").await;
    assert_eq!(
        ann.patch(&format!("/api/projects/{project}"), json!({ "visibility": "public" })).await.0,
        StatusCode::OK
    );
    for token in ["", "wrong"] {
        let mut visitor = nobody.socket(Dialect::Yjs, project, "a").token(token).open().await;
        assert_eq!(visitor.until_closed().await, 4401);
        let mut visitor = nobody.socket(Dialect::Hocuspocus, project, "a").token(token).open().await;
        visitor.until("it is kept out", |peer| !peer.denied.is_empty()).await;
        assert!(visitor.is_open() && !visitor.synced, "it may show another token on the same socket");
    }
    // Whoever is signed in may read what is public, and not write it.
    let bob = TestClient::guest(server.place(), "Bob").await;
    let mut reader = bob.socket(Dialect::Hocuspocus, project, "a").join().await;
    assert_eq!((reader.text().as_str(), reader.admitted.as_deref()), ("text", Some("readonly")));
    reader.insert(0, "x").await;
    reader.until("it is refused", |peer| peer.statuses.contains(&false)).await;
}
