//! Many sockets that stop reading while much is written: each costs a bounded share of memory, others are as quick as
//! before, and in the end all have the same.

use std::time::Duration;

use coterie::limits;
use coterie::protocol::{ClientMessage, yjs};
use coterie::update::{StateVector, summary};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::client::TestClient;
use crate::engines::{Engine, TEST_TIME};
use crate::peer::{Dialect, Opening, Peer, typed};
use crate::server::{PATIENCE, TestServer};

const CHUNK: usize = 64 * 1024;
const DOCUMENTS: usize = 4;
/// What the requirement allows each of them.
const ALLOWED: usize = 1024 * 1024 + 256 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_sockets_that_stop_reading_cost_little_and_catch_up() {
    timeout(TEST_TIME, Box::pin(stalled(200, 6 * 1024 * 1024))).await.expect("the test does not hang");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; make test-stalled runs it"]
async fn two_thousand_sockets_that_stop_reading_cost_little_and_catch_up() {
    Box::pin(stalled(2_000, 50 * 1024 * 1024)).await;
}

type Socket = WebSocketStream<TcpStream>;

/// A socket that has joined an empty document and reads no more.
async fn join(opening: &Opening) -> Socket {
    let tcp = TcpSocket::new_v4().unwrap();
    tcp.set_recv_buffer_size(4096).unwrap();
    let stream = tcp.connect(opening.place.address()).await.unwrap();
    let config = WebSocketConfig::default().read_buffer_size(4096).max_frame_size(None).max_message_size(None);
    let (mut socket, _) = client_async_with_config(opening.request(), stream, Some(config)).await.unwrap();
    socket.send(Message::Binary(Bytes::from_static(&[0, 0, 1, 0]))).await.unwrap();
    while !matches!(next(&mut socket).await.as_deref(), Some([ClientMessage::SyncStep2(_)])) {}
    socket
}

/// The messages of the next frame; `None` when the socket is closed.
async fn next(socket: &mut Socket) -> Option<Vec<ClientMessage>> {
    loop {
        match timeout(2 * PATIENCE, socket.next()).await.expect("it hears something") {
            Some(Ok(Message::Binary(frame))) => return Some(yjs::decode(&frame).unwrap()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}

/// Reads on until everything has come, also over a new socket when the server has dropped the old one.
async fn catch_up(mut socket: Socket, opening: Opening, all: StateVector) -> bool {
    let mut has = StateVector::default();
    let mut again = false;
    while has != all {
        match next(&mut socket).await {
            Some(messages) => {
                for message in messages {
                    if let ClientMessage::Update(update) | ClientMessage::SyncStep2(update) = message {
                        // What comes is causal, so that clocks tell what is there.
                        for (client, clock) in summary(&update).unwrap().state_vector.iter() {
                            has.raise(client, clock);
                        }
                    }
                }
            }
            None => {
                again = true;
                socket = join(&opening).await;
                // Joining has read the answer; here it is asked for again.
                socket.send(Message::Binary(Bytes::from_static(&[0, 0, 1, 0]))).await.unwrap();
            }
        }
    }
    again
}

/// The resident memory of this process, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// How long edits of somebody who reads take until they are saved and shown: the median, and the 99th of a hundred.
async fn delays(author: &mut Peer, peer: &mut Peer, rounds: usize) -> (Duration, Duration) {
    let mut delays = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        let began = Instant::now();
        let before = peer.updates;
        author.insert(0, "x").await;
        author.until_saved().await;
        peer.until("it sees the edit", |peer| peer.updates > before).await;
        delays.push(began.elapsed());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    delays.sort_unstable();
    (delays[rounds / 2], delays[rounds * 99 / 100])
}

async fn stalled(sockets: usize, bytes: usize) {
    let server = TestServer::start(Engine::Sqlite).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let healthy = ann.create(project, "healthy", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, healthy).join().await;
    let mut peer = ann.socket(Dialect::Yjs, project, healthy).join().await;
    let quiet = delays(&mut author, &mut peer, 100).await;
    let mut documents = Vec::new();
    for number in 0..DOCUMENTS {
        documents.push(ann.create(project, &format!("written {number}"), "").await);
    }
    let opening = |number: usize| ann.socket(Dialect::Yjs, project, documents[number % DOCUMENTS]);
    let mut held = Vec::new();
    for number in 0..sockets {
        held.push((number, join(&opening(number)).await));
    }

    let before = memory();
    let began = Instant::now();
    let mut writing = JoinSet::new();
    for document in &documents {
        let mut writer = ann.socket(Dialect::Hocuspocus, project, document).bytes_only().join().await;
        writing.spawn(async move {
            let text = "x".repeat(CHUNK);
            for chunk in 0..bytes / DOCUMENTS / CHUNK {
                writer.send_update(&typed(1_000 + chunk as u64, &text)).await;
                writer.until_saved().await;
            }
        });
    }
    let busy = delays(&mut author, &mut peer, 100).await;
    writing.join_all().await;
    let wrote = began.elapsed();
    let grown = memory().saturating_sub(before);
    let each = grown / sockets;
    println!(
        "{sockets} sockets stopped reading while {bytes} bytes were written in {wrote:?}: {grown} bytes more, {each} each"
    );
    println!("others' edits took {quiet:?} before and {busy:?} meanwhile (median, p99)");
    assert!(each <= ALLOWED, "{each} bytes each");
    assert!(wrote < limits::SOCKET_WRITE_TIMEOUT * 10, "{wrote:?}");

    let mut all = Vec::new();
    for &document in &documents {
        all.push(summary(&ann.read(project, document).await.0).unwrap().state_vector);
    }
    let mut reading = JoinSet::new();
    let mut again = 0;
    for (number, socket) in held {
        // Some at a time: it is this process that reads them.
        if reading.len() >= 8 {
            again += usize::from(reading.join_next().await.unwrap().unwrap());
        }
        reading.spawn(catch_up(socket, opening(number), all[number % DOCUMENTS].clone()));
    }
    again += reading.join_all().await.into_iter().filter(|again| *again).count();
    println!(
        "all have the same after {:?}, {again} of them over a new socket; {} fell behind",
        began.elapsed(),
        server.tally("lagged")
    );
    assert_eq!(server.db_findings().await, [""; 0]);
}
