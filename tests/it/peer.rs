//! One document open on one socket, in either dialect, by a client that behaves as an unmodified one: it answers
//! questions, counts acknowledgements, and repeats the presence it is shown. It reads only while a test waits on it.

use std::collections::BTreeMap;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Duration, Instant, timeout_at};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};
use yrs::block::ClientID;
use yrs::encoding::read::{Cursor, Read};
use yrs::encoding::write::Write;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, TextRef, Transact, TransactionMut, Update};

pub use crate::opening::{DIALECTS, Dialect, Opening};
use crate::server::PATIENCE;

/// An open document.
pub struct Peer {
    opening: Opening,
    socket: Option<WebSocketStream<TcpStream>>,
    pub doc: Doc,
    text: TextRef,
    /// Its own presence and the clock of that, the same again after a break.
    state: Option<Value>,
    clock: u32,
    /// Whether it was let in: `read-write` or `readonly`. Hocuspocus only.
    pub admitted: Option<String>,
    /// Why it was not let in, or what it may not do.
    pub denied: Vec<String>,
    /// Whether the answer to its question has come on this socket.
    pub synced: bool,
    /// Answers to its questions on this socket.
    pub answers: usize,
    /// Questions of the server on this socket.
    pub questions: usize,
    /// SyncStep2s and Updates that it sent on this socket.
    pub sent: usize,
    /// What became of them, in order: saved or refused. Hocuspocus only.
    pub statuses: Vec<bool>,
    /// Updates that came live on this socket.
    pub updates: usize,
    /// What came of the document, where it is not read.
    pub received: Vec<Vec<u8>>,
    /// Who is here: clock and state.
    pub presence: BTreeMap<u64, (u32, Value)>,
    /// Every presence it was told, in order.
    pub presence_told: Vec<(u64, u32, Value)>,
    /// Events beside the document. Hocuspocus only.
    pub events: Vec<Value>,
    /// Why the document ended although the socket stayed. Hocuspocus only.
    pub ended: Option<String>,
    /// The close code and reason, once the socket is closed; 1006 without a close frame.
    pub closed: Option<(u16, String)>,
}

impl Opening {
    /// Opens the socket and says what a provider says at first.
    pub async fn open(self) -> Peer {
        let client = self.client.unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let doc = Doc::with_options(Options {
            offset_kind: OffsetKind::Utf16,
            ..Options::with_client_id(ClientID::new(client))
        });
        let mut peer = Peer {
            text: doc.get_or_insert_text("content"),
            doc,
            state: self.presence.clone(),
            opening: self,
            socket: None,
            clock: 1,
            admitted: None,
            denied: Vec::new(),
            synced: false,
            answers: 0,
            questions: 0,
            sent: 0,
            statuses: Vec::new(),
            updates: 0,
            received: Vec::new(),
            presence: BTreeMap::new(),
            presence_told: Vec::new(),
            events: Vec::new(),
            ended: None,
            closed: None,
        };
        peer.connect().await;
        peer
    }

    /// As [`Opening::open`], and waits until the document is there.
    pub async fn join(self) -> Peer {
        let mut peer = self.open().await;
        peer.until("it is synced", |peer| peer.synced).await;
        peer
    }
}

impl Peer {
    /// Opens the socket, again with what the document has by now, as a provider does after a break.
    pub async fn connect(&mut self) {
        let tcp = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = self.opening.receive_buffer {
            tcp.set_recv_buffer_size(bytes).unwrap();
        }
        let stream = tcp.connect(self.opening.place.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
        let (socket, _) = client_async_with_config(self.opening.request(), stream, Some(config)).await.unwrap();
        self.socket = Some(socket);
        (self.admitted, self.closed, self.ended) = (None, None, None);
        (self.synced, self.answers, self.questions, self.sent, self.updates) = (false, 0, 0, 0, 0);
        (self.denied, self.statuses, self.presence) = (Vec::new(), Vec::new(), BTreeMap::new());
        if self.opening.dialect == Dialect::Hocuspocus {
            self.show_token().await;
        }
        self.ask().await;
        if let Some(state) = self.state.clone() {
            let (client, clock) = (self.client(), self.clock);
            self.send_presence(&[(client, clock, state)]).await;
        }
    }

    async fn show_token(&mut self) {
        let token = self.opening.token.clone();
        self.send(&[2, 0], |out| {
            out.write_string(&token);
            out.write_string("4.8.0");
        })
        .await;
    }

    /// Leaves the document and opens it again on the same socket. Hocuspocus only.
    pub async fn open_again(&mut self) {
        self.send(&[7], |out| out.write_string("")).await;
        self.synced = false;
        self.show_token().await;
        self.ask().await;
        self.until("it is synced again", |peer| peer.synced).await;
    }

    /// The clientID.
    pub fn client(&self) -> u64 {
        self.doc.client_id().get()
    }

    /// The document's text.
    pub fn text(&self) -> String {
        self.text.get_string(&self.doc.transact())
    }

    /// Whether everything sent on this socket was acknowledged as saved. Hocuspocus only.
    pub fn is_saved(&self) -> bool {
        self.statuses.len() == self.sent && self.statuses.iter().all(|saved| *saved)
    }

    /// Puts text at an offset (UTF-16), and sends it if the socket is open.
    pub async fn insert(&mut self, at: u32, text: &str) {
        let place = self.text.clone();
        self.edit(|transaction| place.insert(transaction, at, text)).await;
    }

    /// Removes text, and sends that if the socket is open.
    pub async fn delete(&mut self, at: u32, length: u32) {
        let place = self.text.clone();
        self.edit(|transaction| place.remove_range(transaction, at, length)).await;
    }

    /// Edits the document, and sends it if the socket is open. Answers the update.
    pub async fn edit(&mut self, edit: impl FnOnce(&mut TransactionMut<'_>)) -> Vec<u8> {
        let update = {
            let mut transaction = self.doc.transact_mut();
            edit(&mut transaction);
            transaction.encode_update_v1()
        };
        if self.is_open() {
            self.send_update(&update).await;
        }
        update
    }

    /// Whether the socket is open, as far as was read.
    pub fn is_open(&self) -> bool {
        self.socket.is_some() && self.closed.is_none()
    }

    /// Sends an update that the document need not have.
    pub async fn send_update(&mut self, update: &[u8]) {
        self.sent += 1;
        self.send(&[0, 2], |out| out.write_buf(update)).await;
    }

    /// Sends a SyncStep1.
    pub async fn ask(&mut self) {
        let known = self.doc.transact().state_vector().encode_v1();
        self.send(&[0, 0], |out| out.write_buf(known)).await;
    }

    /// Announces its presence.
    pub async fn announce(&mut self, state: Value) {
        self.clock += 1;
        self.state = Some(state.clone());
        let (client, clock) = (self.client(), self.clock);
        self.send_presence(&[(client, clock, state)]).await;
    }

    /// Sends an awareness update, also one that claims somebody else's id.
    pub async fn send_presence(&mut self, entries: &[(u64, u32, Value)]) {
        let mut body = Vec::new();
        body.write_var(entries.len());
        for (client, clock, state) in entries {
            body.write_var(*client);
            body.write_var(*clock);
            body.write_string(&state.to_string());
        }
        self.send(&[1], |out| out.write_buf(body)).await;
    }

    /// Sends a message of the dialect: tags and what follows them, to the document's address.
    pub async fn send(&mut self, tags: &[u8], body: impl FnOnce(&mut Vec<u8>)) {
        let mut frame = Vec::new();
        if self.opening.dialect == Dialect::Hocuspocus {
            frame.write_string(&self.opening.name);
        }
        frame.extend_from_slice(tags);
        body(&mut frame);
        self.send_raw(Message::Binary(frame.into())).await;
    }

    /// Sends a frame as it is. What cannot be sent because the socket is closed is lost, as in a browser.
    pub async fn send_raw(&mut self, frame: Message) {
        if let Some(socket) = &mut self.socket {
            let _ = socket.send(frame).await;
        }
    }

    /// Waits until the room has answered twice, so that whatever it had to tell before has arrived.
    pub async fn round_trip(&mut self) {
        for _ in 0..2 {
            let before = self.answers;
            self.ask().await;
            self.until("its question is answered", |peer| peer.answers > before).await;
        }
    }

    /// Reads until a condition is true.
    pub async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(self.is_open(), "in vain: {what}; the socket is closed: {self:?}");
            let in_time = timeout_at(deadline, self.receive()).await;
            assert!(in_time.is_ok(), "in vain: {what}; {self:?}");
        }
    }

    /// Reads until the document is there or the socket was closed; answers whether it is there.
    pub async fn is_synced_or_closed(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.synced && self.is_open() {
            timeout_at(deadline, self.receive()).await.expect("an answer");
        }
        self.synced
    }

    /// Whether this is the name of its document.
    pub fn is_at(&self, name: &str) -> bool {
        self.opening.name == name
    }

    /// Reads until the document has this text.
    pub async fn until_text(&mut self, text: &str) {
        self.until(&format!("its text is {text:?}"), |peer| peer.text() == text).await;
    }

    /// Reads until everything sent was acknowledged as saved. Hocuspocus only.
    pub async fn until_saved(&mut self) {
        self.until("everything is saved", Self::is_saved).await;
    }

    /// Reads until the socket is closed, and answers the code.
    pub async fn until_closed(&mut self) -> u16 {
        self.until("the socket is closed", |peer| peer.closed.is_some()).await;
        self.closed.as_ref().expect("it is closed").0
    }

    /// Closes the socket and keeps the document.
    pub async fn leave(&mut self) {
        if let Some(mut socket) = self.socket.take() {
            let _ = socket.close(None).await;
        }
    }

    /// Reads one frame.
    async fn receive(&mut self) {
        let Some(socket) = &mut self.socket else { return };
        match socket.next().await {
            Some(Ok(Message::Binary(frame))) => self.take_frame(&frame).await,
            Some(Ok(Message::Close(frame))) => {
                let said = frame.map(|frame| (frame.code.into(), frame.reason.to_string()));
                self.closed = Some(said.unwrap_or((1005, String::new())));
                // The answer to the close, so that the server need not wait for it.
                let _ = timeout_at(Instant::now() + PATIENCE, socket.next()).await;
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => self.closed = Some((1006, String::new())),
        }
    }

    async fn take_frame(&mut self, frame: &Bytes) {
        let mut reader = Cursor::new(frame);
        if self.opening.dialect == Dialect::Hocuspocus {
            if frame[..] == [9] {
                return self.send_raw(Message::Binary(Bytes::from_static(&[10]))).await;
            }
            assert_eq!(reader.read_string().unwrap(), self.opening.name, "the address is repeated to the letter");
        }
        match reader.read_var::<u32>().unwrap() {
            0 => {
                let kind = reader.read_var::<u32>().unwrap();
                let body = reader.read_buf().unwrap().to_vec();
                self.take_sync(kind, &body).await;
            }
            1 => {
                let body = reader.read_buf().unwrap().to_vec();
                self.take_presence(&body).await;
            }
            2 => {
                let granted = reader.read_var::<u32>().unwrap() == 2;
                let said = reader.read_string().unwrap().to_owned();
                if granted { self.admitted = Some(said) } else { self.denied.push(said) }
            }
            5 => self.events.push(serde_json::from_str(reader.read_string().unwrap()).unwrap()),
            7 => self.ended = Some(reader.read_string().unwrap().to_owned()),
            8 => self.statuses.push(reader.read_var::<u32>().unwrap() == 1),
            kind => panic!("a message of type {kind}, which no client knows"),
        }
    }

    async fn take_sync(&mut self, kind: u32, body: &[u8]) {
        match kind {
            0 => {
                self.questions += 1;
                let known = StateVector::decode_v1(body).unwrap();
                let missing = self.doc.transact().encode_diff_v1(&known);
                self.sent += 1;
                self.send(&[0, 1], |out| out.write_buf(missing)).await;
            }
            1 | 2 => {
                if self.opening.bytes_only {
                    self.received.push(body.to_vec());
                } else {
                    let update = Update::decode_v1(body).unwrap();
                    self.doc.transact_mut_with("remote").apply_update(update).unwrap();
                }
                if kind == 1 {
                    self.synced = true;
                    self.answers += 1;
                } else {
                    self.updates += 1;
                }
            }
            kind => panic!("a sync message of type {kind}"),
        }
    }

    /// As y-protocols does: only what is newer counts, and providers pass on what they were told.
    async fn take_presence(&mut self, body: &[u8]) {
        let mut reader = Cursor::new(body);
        let mut changed = Vec::new();
        for _ in 0..reader.read_var::<usize>().unwrap() {
            let client: u64 = reader.read_var().unwrap();
            let clock: u32 = reader.read_var().unwrap();
            let state: Value = serde_json::from_str(reader.read_string().unwrap()).unwrap();
            self.presence_told.push((client, clock, state.clone()));
            if client == self.client() {
                // Nobody takes its own presence away.
                if let (Value::Null, true, Some(own)) = (state, clock >= self.clock, &self.state) {
                    self.clock = clock + 1;
                    changed.push((client, self.clock, own.clone()));
                }
                continue;
            }
            let known = self.presence.get(&client);
            let newer = known.map_or(0, |(clock, _)| *clock) < clock;
            let gone = known.is_some_and(|(known, _)| *known == clock) && state.is_null();
            if newer || gone {
                changed.push((client, clock, state.clone()));
                if state.is_null() {
                    self.presence.remove(&client);
                } else {
                    self.presence.insert(client, (clock, state));
                }
            }
        }
        if !changed.is_empty() {
            self.send_presence(&changed).await;
        }
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text: String = self.text().chars().take(200).collect();
        f.debug_struct("Peer")
            .field("dialect", &self.opening.dialect)
            .field("client", &self.client())
            .field("text", &text)
            .field("admitted", &self.admitted)
            .field("denied", &self.denied)
            .field("synced", &self.synced)
            .field("sent", &self.sent)
            .field("statuses", &self.statuses)
            .field("presence", &self.presence)
            .field("events", &self.events)
            .field("ended", &self.ended)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

/// The text that an update alone amounts to.
pub fn text_of(update: &[u8]) -> String {
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let text = doc.get_or_insert_text("content");
    doc.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
    text.get_string(&doc.transact())
}

/// The update by which `client` writes a text into an empty document.
pub fn typed(client: u64, text: &str) -> Vec<u8> {
    let doc = Doc::with_client_id(client);
    let place = doc.get_or_insert_text("content");
    place.insert(&mut doc.transact_mut(), 0, text);
    doc.transact().encode_diff_v1(&StateVector::default())
}
