//! Documents that have been idle are looked for among all that are stored, some at a time.

use coterie::compaction;
use coterie::ids::DocumentId;
use coterie::limits;
use uuid::Uuid;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::server::TestServer;
use crate::stored::run;

on_both_engines![idle_documents_are_looked_for_some_at_a_time_and_all_are_found];

async fn idle_documents_are_looked_for_some_at_a_time_and_all_are_found(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut documents = Vec::new();
    for number in 0..20 {
        documents.push(ann.create(project, &number.to_string(), "text\n").await);
    }
    documents.sort_unstable();
    server.shutdown().await;
    let db = server.database.connect().await;
    let ago = limits::FOLD_IDLE.as_micros();
    run(&db, format!("update document_update set created_us = created_us - {ago}")).await;
    let first = DocumentId(Uuid::nil());
    for (count, looks) in [(3, 7), (20, 3), (21, 3), (1_000, 3)] {
        let (mut found, mut after) = (Vec::new(), first);
        for look in 1..=looks {
            let due;
            (due, after) = compaction::look(&db, after, count).await;
            assert!(due.len() <= usize::try_from(count.min(limits::FOLDS_AT_ONCE)).unwrap());
            found.extend(due);
            assert!(look == looks || after != first, "{count}: begins anew at look {look}");
        }
        assert_eq!((&found, after), (&documents, first), "{count} at a time");
    }
    db.close().await;
}
