//! A document that cannot be read is an error, never an empty document; and it is well again once its rows are.

use coterie::ids::{DocumentId, ProjectId};
use coterie::journal;
use reqwest::{Method, StatusCode};

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect};
use crate::server::TestServer;

on_both_engines![
    a_damaged_document_is_an_error_until_it_is_repaired,
    bytes_that_the_gate_never_let_in_are_an_error,
    all_who_wait_for_a_failed_load_are_told,
];

/// How a document is damaged, and repaired.
const DAMAGES: [[&str; 3]; 3] = [
    [
        "another checksum",
        "update document_update set checksum = checksum + 1 where document_id = $1 and seq = 2",
        "update document_update set checksum = checksum - 1 where document_id = $1 and seq = 2",
    ],
    [
        "a missing row",
        "update document_update set seq = 1000 where document_id = $1 and seq = 2",
        "update document_update set seq = 2 where document_id = $1 and seq = 1000",
    ],
    [
        "a missing last row",
        "update document_head set head = head + 1 where document_id = $1",
        "update document_head set head = head - 1 where document_id = $1",
    ],
];

/// A document of three rows that says `321`.
async fn three_rows(client: &TestClient, project: ProjectId, path: &str) -> DocumentId {
    let document = client.create(project, path, "1").await;
    let mut author = client.socket(Dialect::Hocuspocus, project, path).join().await;
    for text in ["2", "3"] {
        author.insert(0, text).await;
        author.until_saved().await;
    }
    document
}

async fn assert_an_error(client: &TestClient, project: ProjectId, document: DocumentId, why: &str) {
    for dialect in DIALECTS {
        let mut visitor = client.socket(dialect, project, document).open().await;
        assert_eq!(visitor.until_closed().await, 1011, "{why}");
        assert!(!visitor.synced && visitor.text().is_empty(), "{why}");
    }
    let path = format!("/api/projects/{project}/documents/{document}/update");
    let response = client.request(Method::GET, &path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{why}");
}

async fn assert_well(client: &TestClient, project: ProjectId, document: DocumentId, why: &str) {
    for dialect in DIALECTS {
        assert_eq!(client.socket(dialect, project, document).join().await.text(), "321", "{why}");
    }
}

async fn a_damaged_document_is_an_error_until_it_is_repaired(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let other = three_rows(&ann, project, "other").await;
    for [why, damage, repair] in DAMAGES {
        let document = three_rows(&ann, project, why).await;
        server.restart().await;
        server.database.change(damage, document).await;
        assert_an_error(&ann, project, document, why).await;
        assert_well(&ann, project, other, "another document").await;
        assert_eq!(server.tally("failed_loads"), 3);
        server.database.change(repair, document).await;
        assert_well(&ann, project, document, why).await;
    }
}

async fn bytes_that_the_gate_never_let_in_are_an_error(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = three_rows(&ann, project, "a").await;
    server.restart().await;
    journal::save_snapshot(server.db(), document, 3, &[9, 9, 9]).await.unwrap();
    assert_an_error(&ann, project, document, "no update").await;
    server.database.change("delete from document_snapshot where document_id = $1", document).await;
    assert_well(&ann, project, document, "no update").await;
}

async fn all_who_wait_for_a_failed_load_are_told(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = three_rows(&ann, project, "a").await;
    server.restart().await;
    server.database.change(DAMAGES[0][1], document).await;
    let mut visits = tokio::task::JoinSet::new();
    for number in 0..16 {
        let ann = ann.clone();
        visits.spawn(async move {
            let mut visitor = ann.socket(DIALECTS[number % 2], project, document).open().await;
            (visitor.until_closed().await, visitor.synced)
        });
    }
    assert_eq!(visits.join_all().await, [(1011, false); 16]);
    assert!(server.state().rooms.is_empty());
}
