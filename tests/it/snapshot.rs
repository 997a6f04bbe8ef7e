//! A document whose beginning was folded into a snapshot.

use bytes::Bytes;
use coterie::journal;
use coterie::update::merge;
use reqwest::StatusCode;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect, typed};
use crate::server::{TestServer, until};

on_both_engines![
    a_newcomer_gets_the_snapshot_and_the_rows_after_it,
    what_is_before_a_row_missing_after_the_snapshot_can_be_read_and_nothing_is_written,
];

/// Six rows, of which the first three are folded and then gone.
async fn folded(engine: Engine) -> (TestServer, TestClient, coterie::ids::ProjectId, coterie::ids::DocumentId) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "1").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    for text in ["2", "3", "4", "5"] {
        author.insert(0, text).await;
        author.until_saved().await;
    }
    author.delete(4, 1).await;
    author.until_saved().await;
    let loaded = journal::load(server.db(), document).await.unwrap();
    assert_eq!(loaded.rows.len(), 6);
    let state = merge(&loaded.rows[..3]).unwrap();
    journal::save_snapshot(server.db(), document, 3, &state).await.unwrap();
    let id = server.database.literal(document.0);
    server.database.execute(format!("delete from document_update where document_id = {id} and seq <= 3")).await;
    server.restart().await;
    (server, ann, project, document)
}

async fn a_newcomer_gets_the_snapshot_and_the_rows_after_it(engine: Engine) {
    let (mut server, ann, project, document) = folded(engine).await;
    let loaded = journal::load(server.db(), document).await.unwrap();
    assert_eq!(loaded.snapshot.map(|(seq, _): (i64, Bytes)| seq), Some(3));
    assert_eq!(loaded.rows.len(), 3);
    let mut text = "5432".to_owned();
    for dialect in DIALECTS {
        let mut newcomer = ann.socket(dialect, project, document).join().await;
        assert_eq!(newcomer.text(), text);
        newcomer.insert(0, "6").await;
        text.insert(0, '6');
        until("the edit is saved", async || ann.text(project, document).await == text).await;
    }
    server.restart().await;
    assert_eq!(ann.text(project, document).await, text);
}

async fn what_is_before_a_row_missing_after_the_snapshot_can_be_read_and_nothing_is_written(engine: Engine) {
    let (server, ann, project, document) = folded(engine).await;
    server.database.change("delete from document_update where document_id = $1 and seq = 4", document).await;
    for dialect in DIALECTS {
        let mut visitor = ann.socket(dialect, project, document).join().await;
        // The snapshot holds three rows, of which the text is the first three letters.
        assert_eq!(visitor.text(), "321");
        visitor
            .until("it is told of the missing row", |peer| {
                peer.denied.iter().any(|said| said.contains("row 4 is missing"))
                    || peer.events.iter().any(|event| event["event"] == "damaged")
            })
            .await;
    }
    let (status, _) = ann.write(project, document, typed(99, "never")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}
