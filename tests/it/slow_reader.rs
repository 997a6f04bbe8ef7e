//! Readers that do not keep up: they delay nobody, and are brought back to the same text.

use std::time::Duration;

use coterie::limits;
use tokio::time::Instant;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect};
use crate::server::TestServer;

/// What is written while the slow ones do not read: more than the ring and the system's buffers hold.
const CHUNK: usize = 64 * 1024;
const CHUNKS: usize = 128;

on_both_engines![who_does_not_read_delays_nobody_and_catches_up_later];

async fn who_does_not_read_delays_nobody_and_catches_up_later(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut slow = Vec::new();
    for dialect in DIALECTS {
        slow.push(ann.socket(dialect, project, "a").receive_buffer(4096).join().await);
    }
    let mut fast = ann.socket(Dialect::Yjs, project, "a").join().await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;

    let began = Instant::now();
    for round in 1..=CHUNKS {
        author.insert(0, &"x".repeat(CHUNK)).await;
        author.until_saved().await;
        fast.until("who reads has it at once", |peer| peer.updates == round).await;
    }
    // Else the server would have dropped them, which it may.
    assert!(began.elapsed() < limits::SOCKET_WRITE_TIMEOUT - Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(fast.text().len(), CHUNK * CHUNKS);
    for mut peer in slow {
        peer.until("it catches up", |peer| peer.text().len() == CHUNK * CHUNKS).await;
        assert!(peer.updates < CHUNKS, "not by every single frame");
        author.insert(0, "!").await;
        peer.until("it goes on live", |peer| peer.text().starts_with('!')).await;
        author.delete(0, 1).await;
        author.until_saved().await;
    }
    assert!(server.tally("lagged") >= 2);
    assert_eq!(ann.text(project, document).await.len(), CHUNK * CHUNKS);
}
