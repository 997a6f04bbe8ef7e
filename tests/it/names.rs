//! What clients meet that go by a path: renamed, deleted, never there.

use reqwest::StatusCode;
use serde_json::json;
use tokio_tungstenite::tungstenite::Error;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect, Peer};
use crate::server::TestServer;

on_both_engines![
    an_old_path_leads_to_the_renamed_document,
    who_has_a_deleted_document_open_is_told_and_kept_out,
    a_deleted_path_is_a_new_document_once_it_is_created_explicitly,
    a_deleted_project_closes_its_documents,
    readers_do_not_create,
    what_cannot_be_a_document_is_not_found,
];

/// Waits until somebody is kept out for good, before anything of the document was told.
async fn assert_kept_out(mut peer: Peer, dialect: Dialect) {
    match dialect {
        Dialect::Yjs => assert_eq!(peer.until_closed().await, 4404),
        Dialect::Hocuspocus => {
            peer.until("it is kept out", |peer| !peer.denied.is_empty()).await;
            assert_eq!(peer.admitted, None);
        }
    }
    assert!(!peer.synced && peer.questions == 0);
}

async fn an_old_path_leads_to_the_renamed_document(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "old/name", "text").await;
    let mut open = Vec::new();
    for dialect in DIALECTS {
        open.push(ann.socket(dialect, project, "old/name").join().await);
    }
    let path = format!("/api/projects/{project}/documents/{document}");
    let (status, renamed) = ann.patch(&path, json!({ "path": "new/name" })).await;
    assert_eq!((status, &renamed["path"]), (StatusCode::OK, &json!("new/name")));

    // Who has it open stays, and who comes by the old path meets those who come by the new one.
    for name in ["old/name", "new/name"] {
        for dialect in DIALECTS {
            open.push(ann.socket(dialect, project, name).join().await);
        }
    }
    open[0].insert(0, "same ").await;
    for peer in &mut open {
        peer.until_text("same text").await;
    }
    for peer in &mut open[..2] {
        peer.leave().await;
        peer.connect().await;
        peer.until("it is back", |peer| peer.synced).await;
    }
    open[1].insert(0, "the ").await;
    open[5].until_text("the same text").await;
    server.restart().await;
    assert_eq!(ann.socket(Dialect::Yjs, project, "old/name").join().await.text(), "the same text");
    let (_, page) = ann.get(&format!("/api/projects/{project}/documents")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
}

async fn who_has_a_deleted_document_open_is_told_and_kept_out(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "text").await;
    ann.create(project, "b", "other").await;
    let mut yjs = ann.socket(Dialect::Yjs, project, "a").join().await;
    let mut hocuspocus = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    hocuspocus.until_saved().await;

    let path = format!("/api/projects/{project}/documents/{document}");
    assert_eq!(ann.delete(&path).await.0, StatusCode::NO_CONTENT);
    assert_eq!(yjs.until_closed().await, 4404);
    hocuspocus.until("the document ends", |peer| peer.ended.is_some()).await;
    assert!(hocuspocus.is_open(), "the socket may hold other documents");
    for address in [path.clone(), format!("{path}/update")] {
        assert_eq!(ann.get(&address).await.0, StatusCode::NOT_FOUND);
    }
    let (status, _) = ann.write(project, document, crate::peer::typed(1, "x")).await;
    assert_eq!(status, StatusCode::NOT_FOUND);

    for _ in 0..2 {
        for dialect in DIALECTS {
            for name in ["a".to_owned(), document.to_string()] {
                assert_kept_out(ann.socket(dialect, project, name).open().await, dialect).await;
            }
        }
        server.restart().await;
    }
    assert_eq!(ann.socket(Dialect::Yjs, project, "b").join().await.text(), "other");
}

async fn a_deleted_path_is_a_new_document_once_it_is_created_explicitly(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let first = ann.create(project, "a", "first").await;
    let mut late = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    late.leave().await;
    assert_eq!(ann.delete(&format!("/api/projects/{project}/documents/{first}")).await.0, StatusCode::NO_CONTENT);
    let second = ann.create(project, "a", "second").await;
    assert_ne!(first, second);
    for dialect in DIALECTS {
        assert_eq!(ann.socket(dialect, project, "a").join().await.text(), "second");
        assert_kept_out(ann.socket(dialect, project, first).open().await, dialect).await;
    }
    assert_eq!(ann.text(project, second).await, "second");
}

async fn a_deleted_project_closes_its_documents(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "a", "").await;
    let mut yjs = ann.socket(Dialect::Yjs, project, "a").join().await;
    let mut hocuspocus = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    assert_eq!(ann.delete(&format!("/api/projects/{project}")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(yjs.until_closed().await, 4404);
    hocuspocus.until("the document ends", |peer| peer.ended.is_some()).await;
    for dialect in DIALECTS {
        assert_kept_out(ann.socket(dialect, project, "a").open().await, dialect).await;
        assert_kept_out(ann.socket(dialect, project, "new").open().await, dialect).await;
    }
}

async fn readers_do_not_create(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "commenter").await;
    for dialect in DIALECTS {
        assert_kept_out(bob.socket(dialect, project, "new").open().await, dialect).await;
        let token = ann.token(project, "viewer").await;
        assert_kept_out(ann.socket(dialect, project, "new").token(&token).open().await, dialect).await;
        // Nor with a token that is none, whoever's browser it is.
        let mut mistaken = ann.socket(dialect, project, "new").token("cot_none").open().await;
        match dialect {
            Dialect::Yjs => assert_eq!(mistaken.until_closed().await, 4401),
            Dialect::Hocuspocus => assert_kept_out(mistaken, dialect).await,
        }
    }
    let (_, page) = ann.get(&format!("/api/projects/{project}/documents")).await;
    assert_eq!(page["items"], json!([]));
}

async fn what_cannot_be_a_document_is_not_found(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let (project, foreign) = (ann.project().await, bob.project().await);
    bob.create(foreign, "secret", "secret").await;
    let long = "x".repeat(256);
    ann.create(project, "file", "").await;
    for dialect in DIALECTS {
        let mut told = ann.socket(dialect, project, "file/below").open().await;
        told.until("it is told why", |peer| {
            let said = peer.denied.iter().chain(peer.closed.as_ref().map(|(_, reason)| reason));
            said.clone().any(|said| said.contains("in its way"))
        })
        .await;
        for name in ["a/../b", "a//b", "a\\b", ".git/config", "a\u{7f}", " ", &long] {
            assert_kept_out(ann.socket(dialect, project, name).open().await, dialect).await;
        }
        for name in ["secret", "new"] {
            assert_kept_out(ann.socket(dialect, foreign, name).open().await, dialect).await;
        }
    }
    // What only Hocuspocus means by a NUL, and bytes that are no text.
    assert_kept_out(ann.socket(Dialect::Yjs, project, "a\0b").open().await, Dialect::Yjs).await;
    for (path, status) in [("a%FE", 400), ("%C3", 400)] {
        let mut request = ann.socket(Dialect::Yjs, project, "a").request();
        *request.uri_mut() = request.uri().to_string().replace("/a", &format!("/{path}")).parse().unwrap();
        let refused = tokio_tungstenite::connect_async(request).await.unwrap_err();
        let Error::Http(response) = refused else { panic!("{path}: {refused}") };
        assert_eq!(response.status(), status, "{path}");
    }
    let count = async |person: &TestClient, project| {
        let (_, page) = person.get(&format!("/api/projects/{project}/documents")).await;
        page["items"].as_array().unwrap().len()
    };
    assert_eq!((count(&ann, project).await, count(&bob, foreign).await), (1, 1));
}
