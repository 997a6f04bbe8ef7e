//! Readers who ask for much and read nothing of it: they cost a bounded share of memory and threads, hold up only themselves,
//! and are given up.

use std::time::Duration;

use coterie::ids::ProjectId;
use coterie::limits;
use reqwest::{Method, StatusCode, header};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout};

use crate::client::{TestClient, answer};
use crate::engines::{Database, Engine, on_both_engines};
use crate::program::Program;
use crate::server::{Place, TestServer, until};

on_both_engines![
    forty_large_answers_that_nobody_reads_cost_a_share_and_keep_nobody_waiting,
    exports_that_nobody_reads_are_few_at_once,
];

/// Asks for an address over a connection of its own, and reads nothing.
async fn ask(place: &Place, cookie: &str, path: &str) -> TcpStream {
    send(place, format!("GET {path} HTTP/1.1\r\nhost: a\r\ncookie: {cookie}\r\n\r\n").as_bytes()).await
}

/// Sends bytes on a connection of its own whose peer takes little at once.
pub async fn send(place: &Place, bytes: &[u8]) -> TcpStream {
    let tcp = TcpSocket::new_v4().unwrap();
    tcp.set_recv_buffer_size(4096).unwrap();
    let mut stream = tcp.connect(place.address()).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Keeps bytes of the largest size that no archive makes smaller, and answers where they are.
pub async fn large(client: &TestClient, project: ProjectId) -> String {
    let at = format!("/api/projects/{project}/blobs");
    let request = client.request(Method::PUT, &format!("{at}?name=large.bin"));
    let request = request.header(header::CONTENT_TYPE, "application/octet-stream").body(noise());
    let (status, blob) = answer(request).await;
    assert_eq!(status, StatusCode::CREATED, "{blob}");
    format!("{at}/{}", blob["hash"].as_str().unwrap())
}

fn noise() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    next.flatten().take(limits::BLOB_BYTES).collect()
}

async fn forty_large_answers_that_nobody_reads_cost_a_share_and_keep_nobody_waiting(engine: Engine) {
    let database = Database::create(engine).await;
    let program = Program::start(&database).await;
    let ann = TestClient::guest(&program.place, "Ann").await;
    let bob = TestClient::guest(&program.place, "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "viewer").await;
    let path = large(&ann, project).await;
    let before = program.memory();
    let mut unread = Vec::new();
    for _ in 0..40 {
        unread.push(ask(&program.place, &ann.cookie(), &path).await);
    }
    // Others read meanwhile, and small things are read by everybody.
    for _ in 0..3 {
        let began = Instant::now();
        let read = bob.request(Method::GET, &path).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(read.len(), limits::BLOB_BYTES);
        assert_eq!(ann.get("/api/me").await.0, StatusCode::OK);
        assert!(began.elapsed() < limits::BODY_WAIT, "{:?}", began.elapsed());
    }
    // Hers beyond her share are told to come again.
    let mut refused = 0;
    for stream in &mut unread {
        let mut head = [0; 12];
        timeout(limits::BODY_WAIT * 2, stream.read_exact(&mut head)).await.unwrap().unwrap();
        refused += usize::from(&head[9..] == b"503");
    }
    let grown = program.peak_memory().saturating_sub(before);
    println!("40 answers of 10 MiB, {refused} of them refused, cost {grown} bytes");
    assert_eq!(refused, 40 - limits::OUTGOING_SHARE / limits::BLOB_BYTES);
    assert!(grown < 2 * limits::OUTGOING_SHARE + 8 * limits::BLOB_BYTES, "{grown}");
}

async fn exports_that_nobody_reads_are_few_at_once(engine: Engine) {
    let database = Database::create(engine).await;
    let program = Program::start(&database).await;
    let mut people = Vec::new();
    for number in 0..8 {
        let person = TestClient::guest(&program.place, &format!("Person {number}")).await;
        let project = person.project().await;
        large(&person, project).await;
        people.push((person, format!("/api/projects/{project}/export")));
    }
    let (threads, before) = (program.threads(), program.memory());
    let mut unread = Vec::new();
    for _ in 0..10 {
        for (person, path) in &people {
            unread.push(ask(&program.place, &person.cookie(), path).await);
        }
    }
    let (mut begun, mut refused) = (0, 0);
    for stream in &mut unread {
        let mut head = [0; 12];
        timeout(limits::BODY_WAIT * 2, stream.read_exact(&mut head)).await.unwrap().unwrap();
        match &head[9..] {
            b"200" => begun += 1,
            b"503" => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    let (more, grown) = (program.threads().saturating_sub(threads), program.peak_memory().saturating_sub(before));
    println!("80 exports, {begun} begun and {refused} refused, cost {more} threads and {grown} bytes");
    assert_eq!(begun, limits::OUTGOING_BYTES / limits::EXPORT_BYTES);
    // Those that the runtime keeps for other blocking work are among them.
    assert!(more < 24, "{more} threads");
    assert!(grown < limits::OUTGOING_BYTES, "{grown}");
    // Who goes away makes room, and it works.
    drop(unread);
    let (person, path) = &people[0];
    until("there is room", async || {
        let answer = person.request(Method::GET, path).send().await.unwrap();
        answer.status() == StatusCode::OK && answer.bytes().await.unwrap().starts_with(b"PK")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_nothing_of_an_answer_is_given_up() {
    crate::engines::in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        let path = large(&ann, project).await;
        let outflow = &server.state().outflow;
        let mut unread = ask(server.place(), &ann.cookie(), &path).await;
        let began = Instant::now();
        until("it waits", async || outflow.taken() > 0).await;
        // Who reads a little from time to time is not given up meanwhile.
        let mut slow = ask(server.place(), &ann.cookie(), &path).await;
        until("both wait", async || outflow.taken() > limits::BLOB_BYTES).await;
        let mut read = 0;
        let mut piece = vec![0; 256 * 1024];
        while outflow.taken() > limits::BLOB_BYTES {
            assert!(began.elapsed() < limits::SOCKET_WRITE_TIMEOUT + Duration::from_secs(5), "{:?}", began.elapsed());
            slow.read_exact(&mut piece).await.unwrap();
            read += piece.len();
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(began.elapsed() > limits::SOCKET_WRITE_TIMEOUT - Duration::from_secs(2), "{:?}", began.elapsed());
        // What is on its way is read, and then it has ended.
        let mut rest = Vec::new();
        let _ = timeout(Duration::from_secs(5), unread.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.len() < limits::BLOB_BYTES, "{} bytes", rest.len());
        let left = limits::BLOB_BYTES - read;
        let mut rest = vec![0; left];
        timeout(Duration::from_secs(20), slow.read_exact(&mut rest)).await.unwrap().unwrap();
        until("nothing waits", async || outflow.taken() == 0).await;
        assert_eq!(ann.post("/api/projects", json!({ "name": "More" })).await.0, StatusCode::CREATED);
    }))
    .await;
}
