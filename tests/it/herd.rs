//! A thousand clients that come back at once, as after a restart: they are served at the rate that the server can serve,
//! all end in sync, and nobody tries over and over.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use coterie::limits;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::TestClient;
use crate::engines::Engine;
use crate::peer::{DIALECTS, Dialect};
use crate::server::TestServer;

const CLIENTS: usize = 1_000;
/// More than are served at once.
const _: () = assert!(CLIENTS > limits::JOINS_AT_ONCE);
const DOCUMENTS: usize = 20;
/// All of it, on a busy machine and unoptimised.
const TIME: Duration = Duration::from_secs(120);
/// Times that one client may have to come back; the pauses between grow as those of real clients.
const TRIES: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_that_come_back_at_once_are_all_in_sync_soon() {
    timeout(2 * TIME, Box::pin(herd())).await.expect("it does not hang");
}

async fn herd() {
    let mut server = TestServer::start(Engine::Sqlite).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut documents = Vec::new();
    for number in 0..DOCUMENTS {
        documents.push(ann.create(project, &format!("{number}"), "what was there").await);
    }
    server.restart().await;

    let began = Instant::now();
    let together = Arc::new(Barrier::new(CLIENTS));
    let tries = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let (dialect, document) = (DIALECTS[number % 2], documents[number % DOCUMENTS]);
        let opening = ann.socket(dialect, project, document).bytes_only();
        let (together, tries) = (together.clone(), tries.clone());
        clients.spawn(async move {
            together.wait().await;
            for own in 1.. {
                tries.fetch_add(1, Ordering::Relaxed);
                let mut peer = opening.clone().open().await;
                if peer.is_synced_or_closed(TIME).await {
                    return (peer, own, began.elapsed());
                }
                assert!(own < TRIES, "it is told to come back again and again: {peer:?}");
                sleep(Duration::from_secs(1 << own)).await;
            }
            unreachable!("the loop has no other end");
        });
    }
    let mut held = Vec::new();
    let mut slowest = Duration::ZERO;
    let mut most = 0;
    while let Some(joined) = clients.join_next().await {
        let (peer, own, took) = joined.unwrap();
        (slowest, most) = (slowest.max(took), most.max(own));
        held.push(peer);
    }
    println!(
        "{CLIENTS} clients are in sync {slowest:?} after coming at once, in {} tries, {most} at most of one",
        tries.load(Ordering::Relaxed)
    );
    assert!(slowest < TIME, "{slowest:?}");
    assert!(held.iter().all(|peer| !peer.received.is_empty()));

    // They are really there: an edit reaches each of its document.
    let mut author = ann.socket(Dialect::Hocuspocus, project, documents[0]).join().await;
    author.insert(0, "x").await;
    author.until_saved().await;
    for peer in held.iter_mut().filter(|peer| peer.is_at(&format!("{project}/{}", documents[0]))) {
        let before = peer.updates;
        peer.until("it sees an edit", |peer| peer.updates > before || peer.received.len() > 1).await;
    }
}
