//! What is taken in and not saved yet is bounded: beyond it sockets are not read, and nothing is lost.

use std::time::Duration;

use coterie::limits;
use reqwest::{Method, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::client::TestClient;
use crate::engines::{Engine, in_time, on_both_engines};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_count_together_and_large_ones_wait_for_each_other() {
    in_time(Box::pin(bodies())).await;
}

/// Says that much comes, and sends a little of it.
async fn begin(server: &TestServer, path: &str, token: &str) -> TcpStream {
    let mut socket = TcpStream::connect(server.place().address()).await.unwrap();
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\ncontent-type: text/plain\r\n\
         content-length: {}\r\n\r\nbegin",
        limits::DOCUMENT_BYTES - 1
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    socket
}

async fn bodies() {
    let server = TestServer::start(Engine::Sqlite).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let path = format!("/api/projects/{project}/documents/{document}/text");
    let intake = server.state().intake.clone();
    let mut slow = Vec::new();
    // One alone takes no more than a share.
    let token = ann.token(project, "editor").await;
    for _ in 0..8 {
        slow.push(begin(&server, &path, &token).await);
    }
    let each = limits::DOCUMENT_BYTES - 1 + limits::BODY_OVERHEAD;
    let share = limits::LARGE_BODIES_SHARE / each * each;
    until("their share is taken", async || intake.taken() >= share).await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    ann.invite(project, &bob, "editor").await;
    let his = bob.request(Method::PUT, &path).header("content-type", "text/plain").body("x".repeat(LARGE_BYTES));
    assert_eq!(his.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(intake.taken(), share);
    // Several together take what there is.
    let token = bob.token(project, "editor").await;
    for _ in 0..8 {
        slow.push(begin(&server, &path, &token).await);
    }
    let most = limits::LARGE_BODIES_BYTES;
    until("there is no room for one more", async || intake.taken() > most - limits::DOCUMENT_BYTES).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(intake.taken() <= most, "{} taken", intake.taken());
    // What is small goes on.
    ann.create(project, "b", "small").await;
    let large =
        || ann.request(Method::PUT, &path).header("content-type", "text/plain").body("x".repeat(8 * LARGE_BYTES));
    let refused = large().send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    drop(slow);
    until("their places are free", async || intake.taken() < most / 2).await;
    assert_eq!(large().send().await.unwrap().status(), StatusCode::OK);
    until("it is given back", async || intake.taken() == 0).await;
}
