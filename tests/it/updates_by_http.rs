//! Reading and writing a document as Yjs updates over HTTP.

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use reqwest::{Method, StatusCode, header};
use serde_json::json;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Doc, GetString, ReadTxn, Text, Transact, Update};

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect, typed};
use crate::server::TestServer;

on_both_engines![
    a_document_is_read_whole_or_since_a_state_vector,
    an_edit_by_http_is_seen_by_sockets,
    an_edit_that_cannot_be_taken_is_refused_with_its_reason,
    an_edit_that_builds_on_nothing_known_is_refused_in_time,
];

async fn a_document_is_read_whole_or_since_a_state_vector(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "one").await;
    let (whole, head) = ann.read(project, document).await;
    assert_eq!(head, 1);
    let doc = Doc::new();
    let text = doc.get_or_insert_text("content");
    doc.transact_mut().apply_update(Update::decode_v1(&whole).unwrap()).unwrap();
    let known = doc.transact().state_vector().encode_v1();

    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    author.insert(3, " two").await;
    author.until_saved().await;
    for since in [URL_SAFE.encode(&known), URL_SAFE_NO_PAD.encode(&known)] {
        let path = format!("/api/projects/{project}/documents/{document}/update?since={since}");
        let response = ann.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/octet-stream");
        assert_eq!(response.headers()["coterie-head"], "2");
        let missing = response.bytes().await.unwrap();
        assert!(!missing.windows(3).any(|window| window == b"one"), "only what was missing");
        doc.transact_mut().apply_update(Update::decode_v1(&missing).unwrap()).unwrap();
        assert_eq!(text.get_string(&doc.transact()), "one two");
    }
    for bad in ["!!!!", "_w"] {
        let path = format!("/api/projects/{project}/documents/{document}/update?since={bad}");
        let (status, body) = ann.get(&path).await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("bad_state_vector")));
    }
}

async fn an_edit_by_http_is_seen_by_sockets(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut peers = Vec::new();
    for dialect in DIALECTS {
        peers.push(ann.socket(dialect, project, "a").join().await);
    }
    let update = typed(5, "by HTTP");
    let (status, body) = ann.write(project, document, update.clone()).await;
    assert_eq!((status, &body["head"]), (StatusCode::OK, &json!(1)), "{body}");
    for peer in &mut peers {
        peer.until_text("by HTTP").await;
    }
    // Again is nothing new, and no error: whoever lost the answer may send it once more.
    let (status, body) = ann.write(project, document, update).await;
    assert_eq!((status, &body["head"]), (StatusCode::OK, &json!(1)));
    server.restart().await;
    assert_eq!(ann.text(project, document).await, "by HTTP");
}

async fn an_edit_that_cannot_be_taken_is_refused_with_its_reason(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let document = ann.create(project, "a", "").await;
    assert_eq!(ann.write(project, document, typed(5, "mine")).await.0, StatusCode::OK);
    for (update, status, code) in [
        (Vec::new(), StatusCode::BAD_REQUEST, "malformed_update"),
        (vec![1, 1, 5], StatusCode::BAD_REQUEST, "malformed_update"),
        (vec![0xff; 40], StatusCode::BAD_REQUEST, "malformed_update"),
        (typed(5, "mine, not yours"), StatusCode::CONFLICT, "foreign_client"),
    ] {
        let (found, body) = bob.write(project, document, update).await;
        assert_eq!((found, &body["error"]["code"]), (status, &json!(code)), "{body}");
    }
    assert_eq!(ann.read(project, document).await.1, 1);
}

async fn an_edit_that_builds_on_nothing_known_is_refused_in_time(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let doc = Doc::with_client_id(5);
    let text = doc.get_or_insert_text("content");
    text.insert(&mut doc.transact_mut(), 0, "never sent");
    let later = {
        let mut transaction = doc.transact_mut();
        text.insert(&mut transaction, 10, ", then more");
        transaction.encode_update_v1()
    };
    let (status, body) = ann.write(project, document, later).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("incomplete")), "{body}");
    assert_eq!(ann.read(project, document).await.1, 0);
}
