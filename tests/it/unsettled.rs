//! What is taken in and not saved yet is bounded: beyond it sockets are not read, and nothing is lost.

use std::time::Duration;

use coterie::limits;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::hold::Hold;
use crate::peer::Dialect;
use crate::server::{TestServer, until};

on_both_engines![a_document_takes_in_so_much_before_it_is_saved_and_no_more_is_read];

const LARGE: usize = 15;
const LARGE_BYTES: usize = 1024 * 1024;
const SMALL: usize = 9_000;

async fn a_document_takes_in_so_much_before_it_is_saved_and_no_more_is_read(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    author.until_saved().await;
    let before = server.tally("admitted");

    let hold = Hold::of(&server.database, document).await;
    let writing = tokio::spawn(async move {
        let large = "x".repeat(LARGE_BYTES);
        for _ in 0..LARGE {
            author.insert(0, &large).await;
        }
        for _ in 0..SMALL {
            author.insert(0, "y").await;
        }
        author
    });
    let least = limits::UNSETTLED_BYTES - 2 * limits::EDIT_OVERHEAD;
    until("it is full", async || server.state().rooms.unsettled() >= least).await;
    let admitted = server.tally("admitted");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(server.state().rooms.unsettled() <= limits::UNSETTLED_BYTES);
    let all = u64::try_from(LARGE + SMALL).unwrap();
    assert!(server.tally("admitted") <= admitted + 256 && admitted < before + all, "it is still read");

    hold.release().await;
    let mut author = writing.await.unwrap();
    author.until_saved().await;
    until("all is settled", async || server.state().rooms.unsettled() == 0).await;
    assert_eq!(ann.text(project, document).await.len(), LARGE * LARGE_BYTES + SMALL);
}
