//! Connections that become sockets, and those that do not: nothing of what came or goes is lost where one becomes the other,
//! and who gives up is not kept.

use coterie::limits;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::TestClient;
use crate::engines::{Engine, in_time};
use crate::peer::Dialect;
use crate::server::{TestServer, until};
use crate::unread::send;

/// The head of a request for a socket.
fn head(path: &str, version: &str, cookie: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/{version}\r\nHost: a\r\nCookie: {cookie}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    .into_bytes()
}

async fn until_read(stream: &mut TcpStream, wanted: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.windows(wanted.len()).any(|part| part == wanted) {
        assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "it ended: {}", String::from_utf8_lossy(&read));
    }
    read
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_with_the_request_for_a_socket_is_read_first_and_in_order() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        ann.create(project, "a", "what was there").await;
        let path = format!("/yjs/{project}/a");
        // More pings than one read takes, and then the question for all of the document.
        let frames = [[0x89, 0x80, 0, 0, 0, 0].repeat(100), vec![0x82, 0x84, 0, 0, 0, 0, 0, 0, 1, 0]].concat();
        let mut asked = send(server.place(), &[head(&path, "1.1", &ann.cookie()), frames].concat()).await;
        let read = until_read(&mut asked, b"what was there").await;
        assert!(read.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&read));

        let mut old = send(server.place(), &head(&path, "1.0", &ann.cookie())).await;
        let read = until_read(&mut old, b"not_a_socket").await;
        assert!(read.starts_with(b"HTTP/1.0 400 "), "{}", String::from_utf8_lossy(&read));
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_goodbye_is_answered_and_not_cut_off() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        ann.create(project, "a", "").await;
        for path in ["/hocuspocus".to_owned(), format!("/yjs/{project}/a")] {
            let mut stream = send(server.place(), &head(&path, "1.1", &ann.cookie())).await;
            let mut read = until_read(&mut stream, b"\r\n\r\n").await;
            // A close with code 1000, masked with zeros, as clients mask.
            stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).await.unwrap();
            stream.read_to_end(&mut read).await.unwrap();
            assert!(read.ends_with(&[0x88, 0x02, 0x03, 0xe8]), "{path}: {}", String::from_utf8_lossy(&read));
        }
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gives_up_waiting_to_be_let_in_is_forgotten() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        ann.create(project, "a", "").await;
        let door = &server.state().door;
        let turns = join_all((0..limits::JOINS_AT_ONCE).map(|_| door.join())).await;
        let before = door.open();
        let peer = ann.socket(Dialect::Yjs, project, "a").open().await;
        until("it waits", async || door.open() > before).await;
        drop(peer);
        until("it is forgotten", async || door.open() <= before).await;
        assert_eq!(turns.len(), limits::JOINS_AT_ONCE, "nobody else could come in");
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_being_read_comes_whole_though_the_server_stops() {
    const LARGE: usize = 4 << 20;
    in_time(Box::pin(async {
        let mut server = TestServer::start(Engine::Sqlite).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        let document = ann.create(project, "a", &"x".repeat(LARGE)).await;
        let path = format!("/api/projects/{project}/documents/{document}/text");
        let head = format!("GET {path} HTTP/1.1\r\nHost: a\r\nCookie: {}\r\nConnection: close\r\n\r\n", ann.cookie());
        let mut stream = send(server.place(), head.as_bytes()).await;
        let mut read = until_read(&mut stream, b"xxxx").await;
        let reading = async { stream.read_to_end(&mut read).await.unwrap() };
        tokio::join!(server.shutdown(), reading);
        assert_eq!(read.iter().filter(|byte| **byte == b'x').count() / LARGE, 1, "of {}", read.len());
    }))
    .await;
}
