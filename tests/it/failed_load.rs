//! A document that cannot be read is an error, never an empty document. What is intact of a damaged one can be read, and
//! nothing is written to it; and it is well again once its rows are.

use coterie::ids::{DocumentId, ProjectId};
use coterie::journal;
use reqwest::{Method, StatusCode};

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect, Peer, typed};
use crate::server::{TestServer, until};
use crate::stored::store;

on_both_engines![
    what_is_intact_of_a_damaged_document_can_be_read_and_nothing_is_written_until_it_is_repaired,
    a_document_of_which_nothing_is_intact_is_an_error,
    a_damaged_snapshot_is_named_and_what_it_was_folded_from_can_be_read,
    a_snapshot_that_the_gate_never_let_in_gives_way_to_what_it_was_folded_from,
    a_row_that_the_gate_never_let_in_ends_what_can_be_read,
    all_who_wait_for_a_failed_load_are_told,
];

/// How a document is damaged, and repaired.
const DAMAGES: [[&str; 4]; 3] = [
    [
        "another checksum",
        "update document_update set checksum = checksum + 1 where document_id = $1 and seq = 2",
        "update document_update set checksum = checksum - 1 where document_id = $1 and seq = 2",
        "1",
    ],
    [
        "a missing row",
        "update document_update set seq = 1000 where document_id = $1 and seq = 2",
        "update document_update set seq = 2 where document_id = $1 and seq = 1000",
        "1",
    ],
    [
        "a missing last row",
        "update document_head set head = head + 1 where document_id = $1",
        "update document_head set head = head - 1 where document_id = $1",
        "321",
    ],
];

/// Nothing before the first row is intact.
const FIRST_ROW: &str = "update document_update set checksum = checksum + 1 where document_id = $1 and seq = 1";

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
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{why}");
}

async fn assert_well(client: &TestClient, project: ProjectId, document: DocumentId, why: &str) {
    for dialect in DIALECTS {
        assert_eq!(client.socket(dialect, project, document).join().await.text(), "321", "{why}");
    }
}

async fn assert_readable(client: &TestClient, project: ProjectId, document: DocumentId, text: &str, why: &str) {
    for dialect in DIALECTS {
        let mut visitor = client.socket(dialect, project, document).join().await;
        assert_eq!(visitor.text(), text, "{why}");
        let told = |peer: &Peer| peer.denied.iter().any(|said| said.contains("damaged"));
        match dialect {
            Dialect::Yjs => visitor.until("it is told why it cannot write", told).await,
            Dialect::Hocuspocus => {
                assert_eq!(visitor.admitted.as_deref(), Some("readonly"), "{why}");
                visitor
                    .until("it is told why", |peer| peer.events.iter().any(|event| event["event"] == "damaged"))
                    .await;
                visitor.insert(0, "never").await;
                visitor.until("its edit is refused", |peer| peer.statuses.contains(&false)).await;
            }
        }
    }
    let (status, said) = client.get(&format!("/api/projects/{project}/documents/{document}/update")).await;
    assert_eq!((status, &said["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &"damaged".into()), "{why}");
    let (status, _) = client.write(project, document, typed(99, "never")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{why}");
    assert_eq!(client.read_text(project, document).await.0, StatusCode::SERVICE_UNAVAILABLE, "{why}");
}

async fn what_is_intact_of_a_damaged_document_can_be_read_and_nothing_is_written_until_it_is_repaired(engine: Engine) {
    const ROWS: &str = "select count(*) from document_update where document_id = $1";
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let other = three_rows(&ann, project, "other").await;
    for [why, damage, repair, intact] in DAMAGES {
        let document = three_rows(&ann, project, why).await;
        server.restart().await;
        server.database.change(damage, document).await;
        assert_readable(&ann, project, document, intact, why).await;
        assert_well(&ann, project, other, "another document").await;
        assert!(server.tally("damaged") >= 1);
        let findings = server.db_findings().await;
        assert!(findings.len() == 1 && findings[0].contains(&document.to_string()), "{findings:?}");
        assert_eq!(server.database.number(ROWS, document).await, 3, "{why}");
        server.database.change(repair, document).await;
        until("its room is gone", async || server.state().rooms.len() <= 1).await;
        assert_well(&ann, project, document, why).await;
    }
}

async fn a_document_of_which_nothing_is_intact_is_an_error(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = three_rows(&ann, project, "a").await;
    server.restart().await;
    server.database.change(FIRST_ROW, document).await;
    assert_an_error(&ann, project, document, "the first row").await;
    assert_eq!(server.tally("failed_loads"), 3);
}

async fn a_damaged_snapshot_is_named_and_what_it_was_folded_from_can_be_read(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = three_rows(&ann, project, "a").await;
    let (state, head) = ann.read(project, document).await;
    journal::save_snapshot(server.db(), document, head, &state).await.unwrap();
    server.restart().await;
    let damage = "update document_snapshot set checksum = checksum + 1 where document_id = $1";
    server.database.change(damage, document).await;
    assert_readable(&ann, project, document, "321", "the snapshot").await;
    let findings = server.db_findings().await;
    assert!(findings.len() == 1 && findings[0].contains("snapshot at row 3"), "{findings:?}");
    // Where what it was folded from is gone, there is nothing to show.
    server.restart().await;
    server.database.change("delete from document_update where document_id = $1 and seq = 1", document).await;
    assert_an_error(&ann, project, document, "the snapshot and the first row").await;
}

async fn a_snapshot_that_the_gate_never_let_in_gives_way_to_what_it_was_folded_from(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = three_rows(&ann, project, "a").await;
    server.restart().await;
    journal::save_snapshot(server.db(), document, 3, &[9, 9, 9]).await.unwrap();
    assert_readable(&ann, project, document, "321", "the snapshot is no update").await;
    server.restart().await;
    server.database.change("delete from document_update where document_id = $1 and seq = 1", document).await;
    assert_an_error(&ann, project, document, "and the first row is gone").await;
}

async fn a_row_that_the_gate_never_let_in_ends_what_can_be_read(engine: Engine) {
    const UNREADABLE: [(&str, &[u8]); 2] = [("no update", &[9, 9, 9]), ("half an update", &[1, 1, 7, 0, 4])];
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let other = three_rows(&ann, project, "other").await;
    for (why, row) in UNREADABLE {
        let document = three_rows(&ann, project, why).await;
        server.restart().await;
        store(server.db(), document, ann.id, &[row.to_vec()]).await;
        assert_readable(&ann, project, document, "321", why).await;
        let findings = server.db_findings().await;
        assert!(findings.len() == 1 && findings[0].contains("row 4 cannot be read"), "{findings:?}");
        assert_well(&ann, project, other, "another document").await;
        server.database.change("delete from document_update where document_id = $1 and seq > 3", document).await;
        server.database.change("update document_head set head = 3 where document_id = $1", document).await;
        until("its room is gone", async || server.state().rooms.len() <= 1).await;
        assert_well(&ann, project, document, why).await;
    }
}

async fn all_who_wait_for_a_failed_load_are_told(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = three_rows(&ann, project, "a").await;
    server.restart().await;
    server.database.change(FIRST_ROW, document).await;
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
