//! What is kept in memory has budgets: above them what nobody uses goes, longest unused first, and whoever comes back finds
//! all of it.

use coterie::ids::{DocumentId, ProjectId};
use coterie::limits;
use futures_util::future::join_all;

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::operation::{measurements, value};
use crate::peer::{DIALECTS, Dialect};
use crate::server::{TestServer, until};

on_both_engines![
    the_room_that_was_empty_longest_goes_first_and_whoever_comes_back_finds_all,
    whoever_comes_is_served_also_when_rooms_in_use_keep_more_than_all_may,
    workers_keep_the_documents_that_were_asked_for_last,
];

/// The length of a document's text here, in bytes. A room keeps it, and once more what it answered to its first visitor.
const LONG: usize = 100_000;
/// What such a room keeps at least and at most.
const LEAST: usize = LONG;
const MOST: usize = 2 * LONG + 20_000;

async fn with_budget(engine: Engine, bytes: usize) -> TestServer {
    let database = Database::create(engine).await;
    let mut config = TestServer::config(&database);
    config.room_bytes = bytes;
    TestServer::with(config, database).await
}

/// What is measured under this name.
async fn measured(client: &TestClient, name: &str) -> f64 {
    let said = measurements(client).await;
    value(&said, name).unwrap_or_else(|| panic!("no {name} in {said}"))
}

/// Documents with a long text of their own each.
async fn long_documents<const N: usize>(client: &TestClient, project: ProjectId) -> [DocumentId; N] {
    let all = (0..N).map(async |n| client.create(project, &n.to_string(), &text(n)).await);
    join_all(all).await.try_into().unwrap()
}

fn text(n: usize) -> String {
    format!("{n:5}").repeat(LONG / 5)
}

async fn the_room_that_was_empty_longest_goes_first_and_whoever_comes_back_finds_all(engine: Engine) {
    let server = with_budget(engine, 3 * MOST).await;
    let rooms = &server.state().rooms;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let documents: [DocumentId; 4] = long_documents(&ann, project).await;
    for (document, dialect) in documents.iter().zip([DIALECTS[0], DIALECTS[1], DIALECTS[0]]) {
        let mut peer = ann.socket(dialect, project, document).join().await;
        peer.insert(0, "typed ").await;
        peer.round_trip().await;
        drop(peer);
        until("it was left", async || measured(&ann, "coterie_sockets{dialect=\"yjs\"}").await == 0.0).await;
    }
    assert_eq!((rooms.len(), server.tally("loads"), server.tally("evicted")), (3, 3, 0), "all have a place");
    let kept = rooms.memory();
    assert!((3 * LEAST..=3 * MOST).contains(&kept), "{kept}");
    // A room that was just left may still be counted anew.
    let is_told = async || {
        let kept = f64::from(u32::try_from(rooms.memory()).unwrap());
        (measured(&ann, "coterie_room_bytes").await - kept).abs() < 1.0
    };
    until("it is told", is_told).await;

    // The first was asked for again since, so the second is the one that goes.
    assert!(ann.text(project, documents[0]).await.starts_with("typed "));
    let mut peer = ann.socket(Dialect::Hocuspocus, project, documents[3]).join().await;
    peer.insert(0, &"x".repeat(LONG)).await;
    peer.until_saved().await;
    server.until_tally("evicted", 1).await;
    until("it ends", async || rooms.len() == 3).await;
    let loads = server.tally("loads");
    for document in [documents[0], documents[2]] {
        assert!(ann.text(project, document).await.starts_with("typed "));
    }
    assert_eq!(server.tally("loads"), loads, "those that were asked for later stay");
    assert_eq!(ann.text(project, documents[1]).await, format!("typed {}", text(1)), "it is all there");
    assert_eq!(server.tally("loads"), loads + 1);
    assert!(measured(&ann, "coterie_room_events_total{kind=\"evicted\"}").await >= 1.0);
    peer.insert(0, "y").await;
    peer.until_saved().await;
    assert!(peer.is_open(), "a room with somebody in it stays");
}

async fn whoever_comes_is_served_also_when_rooms_in_use_keep_more_than_all_may(engine: Engine) {
    let server = with_budget(engine, 1).await;
    let rooms = &server.state().rooms;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let [used, other, another] = long_documents(&ann, project).await;
    let mut stays = ann.socket(Dialect::Yjs, project, used).join().await;
    for round in 0..5 {
        let visits = (0..20).map(async |n| match n % 4 {
            0 => ann.text(project, other).await.len() >= LONG,
            1 => ann.read_text(project, another).await.0.is_success(),
            n => {
                let mut peer = ann.socket(DIALECTS[n - 2], project, [other, another][n - 2]).join().await;
                peer.insert(0, "x").await;
                peer.round_trip().await;
                peer.is_open()
            }
        });
        assert_eq!(join_all(visits).await, [true; 20], "round {round}");
        until("rooms end when nobody is left", async || rooms.len() == 1).await;
    }
    assert!(server.tally("evicted") >= 10, "{}", server.tally("evicted"));
    for document in [other, another] {
        assert!(ann.text(project, document).await.starts_with(&"x".repeat(25)));
    }
    stays.insert(0, "z").await;
    stays.round_trip().await;
    assert!(stays.is_open());
    drop(stays);
    until("nothing is kept", async || rooms.is_empty() && rooms.memory() == 0).await;
    assert_eq!((server.tally("failed_loads"), server.tally("refused"), server.db_findings().await), (0, 0, Vec::new()));
}

async fn workers_keep_the_documents_that_were_asked_for_last(engine: Engine) {
    let database = Database::create(engine).await;
    let mut config = TestServer::config(&database);
    // Three in each worker.
    config.worker_bytes = limits::WORKERS * (3 * LONG + LONG / 2);
    let budget = config.worker_bytes;
    let server = TestServer::with(config, database).await;
    let replicas = &server.state().replicas;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let documents: [DocumentId; 12] = long_documents(&ann, project).await;
    for round in 0..2 {
        for (n, document) in documents.iter().enumerate() {
            assert_eq!(ann.read_text(project, *document).await.1, text(n), "round {round}");
            assert!(replicas.warm(*document).is_some(), "the last one that was asked for");
            assert_eq!(ann.read_text(project, documents[0]).await.1, text(0), "round {round}");
            assert!(replicas.warm(documents[0]).is_some(), "asked for again and again");
            let (kept, bytes) = replicas.kept();
            assert!(bytes >= kept * LONG && bytes <= budget, "{kept} documents with {bytes} bytes");
        }
        let warm = documents.iter().filter(|document| replicas.warm(**document).is_some()).count();
        assert!((3..=6).contains(&warm), "{warm} are kept");
        assert_eq!(replicas.kept().0, warm);
    }
    let as_float = |bytes| f64::from(u32::try_from(bytes).unwrap());
    assert!((measured(&ann, "coterie_worker_document_bytes").await - as_float(replicas.kept().1)).abs() < 1.0);
    assert!((measured(&ann, "coterie_worker_document_bytes_budget").await - as_float(budget)).abs() < 1.0);
    assert_eq!(replicas.lost(), 0);
}
