//! No reader can write: every type of frame with every type of sync, from everyone who may not, in both dialects, to every
//! address of a document, around edits that are mutated. Nothing is logged, nothing changes, nobody sees anything.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use coterie::ids::{DocumentId, ProjectId};
use coterie::protocol::hocuspocus::{ClientBody, ClientFrame};
use coterie::protocol::{ClientMessage, awareness, hocuspocus, yjs};
use coterie::update::StateVector;
use futures_util::{SinkExt, StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async};
use yrs::encoding::write::Write;

use crate::client::{TestClient, answer};
use crate::engines::{Engine, on_both_engines};
use crate::opening::Opening;
use crate::peer::{DIALECTS, Dialect, typed};
use crate::server::{PATIENCE, TestServer};
use crate::stored::rows_of;
use crate::update::{Random, mutated};

on_both_engines![no_reader_writes_by_any_frame];

const SEED: u64 = 5_000;

/// Frames between two looks whether the socket still stands.
const AT_ONCE: usize = 512;
/// Sockets at once; fewer than the strangers of one address that are read.
const SOCKETS: usize = 12;

/// What is sent by everyone, in each dialect.
struct Plan {
    /// Every one of these as the type of the frame, with every one as the type of sync.
    numbers: Vec<u64>,
    /// Edits, mostly mutated, of those who are let in.
    edits: usize,
}

/// Somebody who may not write.
struct Reader {
    what: &'static str,
    client: TestClient,
    token: String,
    /// Whether they may at least read.
    admitted: bool,
}

impl Reader {
    fn socket(&self, dialect: Dialect, project: ProjectId, document: &str) -> Opening {
        let opening = self.client.socket(dialect, project, document);
        if self.token.is_empty() { opening } else { opening.token(&self.token).origin("") }
    }
}

#[derive(Debug, Default)]
struct Count {
    /// Frames that the server read.
    frames: usize,
    /// Frames behind one that ended the socket without that being foreseen.
    lost: usize,
    sockets: usize,
    seen: BTreeSet<(u64, u64)>,
}

async fn no_reader_writes_by_any_frame(engine: Engine) {
    // Most on one engine: what stands between a reader and the log knows no database.
    let plan = match engine {
        Engine::Sqlite => {
            let numbers = (0..=16).chain([31, 63, 64, 127, 128, 129, 200, 255]).collect();
            Plan { numbers, edits: 10_000 }
        }
        Engine::Postgres => Plan { numbers: (0..12).collect(), edits: 500 },
    };
    no_reader_writes(engine, &plan, 40_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes; `make test-readers` runs it"]
async fn a_million_frames() {
    let plan = Plan { numbers: (0..=255).collect(), edits: 70_000 };
    no_reader_writes(Engine::Sqlite, &plan, 1_000_000).await;
}

async fn no_reader_writes(engine: Engine, plan: &Plan, least: usize) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "the text").await;
    let second = ann.create(project, "b.md", "another text").await;
    let readers = readers(&server, &ann, project).await;
    let state = async |document: DocumentId| (rows_of(server.db(), document).await, ann.read(project, document).await);
    let before = (state(document).await, state(second).await);
    let mut watchers = Vec::new();
    for (at, name) in ["a.md", "b.md"].into_iter().enumerate() {
        watchers.push(ann.socket(Dialect::Hocuspocus, project, name).join().await);
        watchers.push(ann.socket(DIALECTS[at], project, name).join().await);
    }
    let shown: Vec<usize> = watchers.iter().map(|watcher| watcher.updates).collect();

    let began = Instant::now();
    let names = [document.to_string(), "b.md".to_owned(), "a.md".to_owned()];
    let mut jobs = Vec::new();
    for (at, reader) in readers.iter().enumerate() {
        for dialect in DIALECTS {
            for (part, name) in names.iter().enumerate() {
                jobs.push((reader, dialect, name, part, SEED + at as u64));
            }
        }
    }
    let parts = names.len();
    let attacking = stream::iter(jobs)
        .map(async |(reader, dialect, name, part, seed)| {
            let numbers = plan.numbers.iter();
            let all = numbers.clone().flat_map(|kind| numbers.clone().map(|sync| (*kind, *sync)));
            let own = all.skip(part).step_by(parts).collect();
            let edits = if reader.admitted { plan.edits / parts } else { 0 };
            ((reader.what, dialect), attack(reader, dialect, project, name, own, edits, seed).await)
        })
        .buffer_unordered(SOCKETS)
        .collect::<Vec<((&str, Dialect), Count)>>();
    let mut attacking = Box::pin(attacking);
    let counts = loop {
        tokio::select! {
            counts = &mut attacking => break counts,
            // Who says nothing for a minute is taken to have gone.
            () = tokio::time::sleep(Duration::from_secs(10)) => {
                for watcher in &mut watchers {
                    watcher.round_trip().await;
                }
            }
        }
    };

    let sum = |count: fn(&Count) -> usize| counts.iter().map(|(_, of)| count(of)).sum::<usize>();
    let (frames, lost, sockets) = (sum(|of| of.frames), sum(|of| of.lost), sum(|of| of.sockets));
    println!(
        "seed {SEED}: {frames} frames by {sockets} sockets in {:?}, {lost} not counted; refused by the gate: {}",
        began.elapsed(),
        server.tally("refused")
    );
    let all = plan.numbers.len() * plan.numbers.len();
    for reader in &readers {
        for dialect in DIALECTS {
            let of = counts.iter().filter(|(who, _)| *who == (reader.what, dialect));
            let seen: BTreeSet<(u64, u64)> = of.flat_map(|(_, count)| count.seen.iter().copied()).collect();
            assert!(seen.len() * 1_000 >= all * 990, "{} {dialect:?}: {} of {all}", reader.what, seen.len());
        }
    }
    assert!(lost * 50 < frames, "{lost} of {frames} frames");
    assert!(engine != Engine::Sqlite || frames >= least, "{frames} frames");
    assert!(server.tally("refused") > 500, "the gate itself was asked");

    by_http(&readers, project, document).await;
    for (watcher, shown) in watchers.iter_mut().zip(shown) {
        watcher.round_trip().await;
        // Data that changes nothing keeps a silent socket alive.
        assert!(watcher.updates <= shown + 8, "{watcher:?}");
        assert!(watcher.events.is_empty() && watcher.text().ends_with("text"), "{watcher:?}");
    }
    assert_eq!((state(document).await, state(second).await), before);
    let (_, page) = ann.get(&format!("/api/projects/{project}/documents")).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2, "nobody created a document");
}

async fn readers(server: &TestServer, ann: &TestClient, project: ProjectId) -> Vec<Reader> {
    let mut readers = Vec::new();
    let mut reader = |what, client: &TestClient, token: &str, admitted| {
        readers.push(Reader { what, client: client.clone(), token: token.to_owned(), admitted });
    };
    reader("viewer by token", ann, &ann.token(project, "viewer").await, true);
    let commenter = TestClient::guest(server.place(), "Cora").await;
    ann.invite(project, &commenter, "commenter").await;
    reader("commenter", &commenter, "", true);
    let removed = TestClient::guest(server.place(), "Remo").await;
    ann.invite(project, &removed, "editor").await;
    let (status, _) = ann.delete(&format!("/api/projects/{project}/members/{}", removed.id)).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    reader("removed", &removed, "", false);
    let wanted = json!({ "role": "editor", "expires_in": 1 });
    let (status, token) = ann.post(&format!("/api/projects/{project}/tokens"), wanted).await;
    assert_eq!(status, StatusCode::OK, "{token}");
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    reader("expired token", ann, token["token"].as_str().unwrap(), false);
    reader("stranger", &TestClient::guest(server.place(), "Sue").await, "", false);
    reader("nobody", &TestClient::nobody(server.place()), "", false);
    readers
}

/// One reader at one address, with a frame for each combination, and around edits.
async fn attack(
    reader: &Reader,
    dialect: Dialect,
    project: ProjectId,
    name: &str,
    combinations: Vec<(u64, u64)>,
    edits: usize,
    seed: u64,
) -> Count {
    let mut random = Random::new(seed);
    let honest: Vec<Vec<u8>> = (0..64).map(|client| typed(1_000 + client, "news")).collect();
    let address = format!("{project}/{name}");
    let frame = |kind: u64, sync: u64, random: &mut Random| {
        let honest = &honest[random.below(honest.len() as u64) as usize];
        let body = if random.below(4) == 0 { honest.clone() } else { mutated(honest, random) };
        let mut frame = Vec::with_capacity(96);
        if dialect == Dialect::Hocuspocus {
            frame.write_string(&address);
        }
        frame.write_var(kind);
        frame.write_var(sync);
        yrs::encoding::write::Write::write_buf(&mut frame, body);
        Bytes::from(frame)
    };
    let edit = |at: usize| (0, 1 + at as u64 % 2);
    let all = combinations.into_iter().chain((0..edits).map(edit));
    let frames: Vec<((u64, u64), Bytes)> =
        all.map(|(kind, sync)| ((kind, sync), frame(kind, sync, &mut random))).collect();
    let opening = reader.socket(dialect, project, name);
    let mut count = Count::default();
    // Who is not let in on a socket of one document is read, and not listened to, until it ends by itself.
    if !reader.admitted && dialect == Dialect::Yjs {
        for batch in frames.chunks(8 * AT_ONCE) {
            let mut socket = open(&opening, reader, &mut count).await;
            send(&mut socket, batch).await;
            read_out(socket).await;
            count.frames += batch.len();
            count.seen.extend(batch.iter().map(|(combination, _)| *combination));
        }
        return count;
    }
    let (last, many): (Vec<_>, Vec<_>) = frames.into_iter().partition(|(_, frame)| ends(dialect, frame));
    let mut socket = None;
    for batch in many.chunks(AT_ONCE) {
        let mut open = match socket.take() {
            Some(open) => open,
            None => open(&opening, reader, &mut count).await,
        };
        send(&mut open, batch).await;
        if is_read(&mut open).await {
            count.frames += batch.len();
            count.seen.extend(batch.iter().map(|(combination, _)| *combination));
            socket = Some(open);
        } else {
            count.lost += batch.len();
        }
    }
    // And those that end a socket, the last of one each; many of them are alike.
    for last in last {
        if !count.seen.insert(last.0) && random.below(50) > 0 {
            continue;
        }
        let mut open = open(&opening, reader, &mut count).await;
        send(&mut open, std::slice::from_ref(&last)).await;
        read_out(open).await;
        count.frames += 1;
    }
    count
}

/// Whether a frame is the last that its socket, or the document on it, hears.
fn ends(dialect: Dialect, frame: &Bytes) -> bool {
    let ends = |message: &ClientMessage| match message {
        ClientMessage::SyncStep1(vector) => StateVector::decode(vector).is_err(),
        ClientMessage::Awareness(entries) => awareness::decode(entries).is_err(),
        _ => false,
    };
    match dialect {
        Dialect::Yjs => yjs::decode(frame).map_or(true, |messages| messages.iter().any(ends)),
        Dialect::Hocuspocus => match hocuspocus::decode(frame) {
            Ok(ClientFrame::Addressed { body: ClientBody::Message(message), .. }) => ends(&message),
            Ok(ClientFrame::Addressed { body: ClientBody::Unsupported(_), .. } | ClientFrame::KeepAlive) => false,
            _ => true,
        },
    }
}

/// A socket on which the reader was let in, or told that they are not.
async fn open(opening: &Opening, reader: &Reader, count: &mut Count) -> WebSocketStream<TcpStream> {
    count.sockets += 1;
    let stream = TcpStream::connect(opening.place.address()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut socket, _) = client_async(opening.request(), stream).await.unwrap();
    if opening.dialect == Dialect::Hocuspocus {
        let mut hello = Vec::new();
        hello.write_string(&opening.name);
        hello.extend([2, 0]);
        hello.write_string(&opening.token);
        let _ = socket.send(Message::Binary(hello.into())).await;
    }
    if reader.admitted || opening.dialect == Dialect::Hocuspocus {
        let said = timeout(PATIENCE, socket.next()).await.expect("an answer");
        assert!(matches!(said, Some(Ok(Message::Binary(_)))), "{}: {said:?}", reader.what);
    }
    socket
}

/// Sends frames. Where the server has ended the socket, what is left is not sent.
async fn send(socket: &mut WebSocketStream<TcpStream>, frames: &[((u64, u64), Bytes)]) {
    let sending = async {
        let (mut sink, mut stream) = socket.split();
        let feeding = async {
            for (_, frame) in frames {
                if sink.feed(Message::Binary(frame.clone())).await.is_err() {
                    return;
                }
            }
            let _ = sink.flush().await;
        };
        tokio::pin!(feeding);
        // What comes meanwhile is read, so that neither side waits for the other.
        loop {
            tokio::select! {
                () = &mut feeding => return,
                said = stream.next() => if !matches!(said, Some(Ok(_))) { return },
            }
        }
    };
    timeout(PATIENCE, sending).await.expect("the server reads on");
}

/// Whether the server has read all that was sent, and reads on.
async fn is_read(socket: &mut WebSocketStream<TcpStream>) -> bool {
    let asking = async {
        if socket.send(Message::Ping(Bytes::from_static(b"?"))).await.is_err() {
            return false;
        }
        while let Some(Ok(message)) = socket.next().await {
            match message {
                Message::Pong(_) => return true,
                Message::Close(_) => return false,
                _ => {}
            }
        }
        false
    };
    timeout(PATIENCE, asking).await.expect("the server reads on")
}

/// Says that nothing more comes, and waits until the server has read that: it then ends the socket at once.
async fn read_out(mut socket: WebSocketStream<TcpStream>) {
    let _ = socket.get_mut().shutdown().await;
    let reading = async { while let Some(Ok(_)) = socket.next().await {} };
    timeout(PATIENCE + Duration::from_secs(5), reading).await.expect("the server ends the socket");
}

/// The same people, over HTTP.
async fn by_http(readers: &[Reader], project: ProjectId, document: DocumentId) {
    let mut random = Random::new(SEED);
    let documents = format!("/api/projects/{project}/documents");
    for reader in readers {
        let request = |method: Method, path: &str| {
            if reader.token.is_empty() {
                reader.client.request(method, path)
            } else {
                reader.client.program(method, path).bearer_auth(&reader.token)
            }
        };
        let octets = |body: Vec<u8>| {
            let request = request(Method::POST, &format!("{documents}/{document}/update"));
            request.header("content-type", "application/octet-stream").body(body)
        };
        let mut refused = vec![
            answer(
                request(Method::PUT, &format!("{documents}/{document}/text"))
                    .header("content-type", "text/plain")
                    .body("news"),
            )
            .await,
            answer(request(Method::POST, &documents).json(&json!({ "path": "c.md" }))).await,
            answer(request(Method::PATCH, &format!("{documents}/{document}")).json(&json!({ "path": "c.md" }))).await,
            answer(request(Method::DELETE, &format!("{documents}/{document}"))).await,
        ];
        let change = json!({ "operations": [{ "op": "write", "document": document, "content": "news" }] });
        refused.push(answer(request(Method::POST, &format!("/api/projects/{project}/changes")).json(&change)).await);
        for _ in 0..10 {
            refused.push(answer(octets(mutated(&typed(7, "news"), &mut random))).await);
        }
        for (status, body) in refused {
            assert!(matches!(status.as_u16(), 401 | 403 | 404 | 429), "{}: {status} {body}", reader.what);
        }
    }
}
