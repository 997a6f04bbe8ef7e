//! A room without a task: what its machine wants done is done here, at once or when the test says so. Whatever leaves
//! it is held against the log.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use coterie::ids::{ConnectionId, DocumentId, UserId};
use coterie::journal::{Append, Outcome};
use coterie::limits;
use coterie::protocol::awareness::{self, Entry};
use coterie::protocol::{ClientMessage, yjs};
use coterie::room::machine::{EditKind, Effect, Input, Machine, Message};
use coterie::room::ring::Ring;
use coterie::room::{Participant, Question, Tally};
use coterie::update::ClientId;

use super::database::{Database, extent};

pub(crate) const ANN: UserId = UserId(Uuid::from_u128(1));
pub(crate) const BOB: UserId = UserId(Uuid::from_u128(2));
pub(crate) const GUEST: UserId = UserId(Uuid::from_u128(3));

/// Someone by that id.
pub(crate) fn person(user: UserId) -> Participant {
    Participant {
        user,
        merged: Arc::new([]),
        name: format!("person {}", user.0.as_u128()),
        kind: "person",
        color: "#123456".into(),
        color_light: "#12345633".into(),
        avatar: None,
    }
}

/// What everyone was shown by one frame.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) from: Option<ConnectionId>,
    pub(crate) seq: Option<i64>,
    pub(crate) message: ClientMessage,
    pub(crate) at: u64,
}

pub(crate) struct Room {
    pub(crate) machine: Machine,
    pub(crate) ring: Ring,
    pub(crate) tally: Arc<Tally>,
    pub(crate) database: Database,
    pub(crate) now: u64,
    /// The append in flight.
    pub(crate) append: Option<Append>,
    /// Whether the log is to be read again.
    pub(crate) reloading: bool,
    /// Questions not answered yet.
    pub(crate) questions: VecDeque<(Bytes, Question)>,
    /// The document of which it is asked what follows from it.
    pub(crate) implying: Option<Question>,
    /// What was shown to everyone, until a test takes it.
    pub(crate) shown: Vec<Shown>,
    told: BTreeMap<ConnectionId, Vec<(u64, Message)>>,
    effects: Vec<Effect>,
    connections: u64,
}

impl Room {
    /// The room of a document that is loaded from `database`.
    pub(crate) fn load(database: Database) -> Self {
        let tally = Arc::new(Tally::default());
        let machine = Machine::new(DocumentId(Uuid::from_u128(9)), database.load(), tally.clone()).expect("readable");
        Self {
            machine,
            ring: Ring::default(),
            tally,
            database,
            now: 0,
            append: None,
            reloading: false,
            questions: VecDeque::new(),
            implying: None,
            shown: Vec::new(),
            told: BTreeMap::new(),
            effects: Vec::new(),
            connections: 0,
        }
    }

    pub(crate) fn new() -> Self {
        Self::load(Database::default())
    }

    pub(crate) fn join(&mut self, participant: &Participant, may_write: bool) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        self.handle(Input::Join { connection, participant: participant.clone().into(), may_write });
        connection
    }

    pub(crate) fn editor(&mut self, user: UserId) -> ConnectionId {
        self.join(&person(user), true)
    }

    pub(crate) fn reader(&mut self, user: UserId) -> ConnectionId {
        self.join(&person(user), false)
    }

    pub(crate) fn handle(&mut self, input: Input) {
        self.machine.handle(input, self.now, &mut self.effects);
        self.carry_out();
    }

    pub(crate) fn send(&mut self, connection: ConnectionId, update: &Bytes) {
        self.handle(Input::Update(connection, EditKind::Live, update.clone()));
    }

    pub(crate) fn announce(&mut self, connection: ConnectionId, client: u64, clock: u64, state: Option<&str>) {
        let entry = Entry { client: ClientId(client), clock, state };
        self.handle(Input::Awareness(connection, awareness::encode([entry].into_iter()).into()));
    }

    pub(crate) fn dispatch(&mut self) {
        self.machine.dispatch(&mut self.effects);
        self.carry_out();
    }

    /// Lets time pass and the room do what it brings.
    pub(crate) fn wait_until(&mut self, now: u64) {
        while let Some(next) = self.machine.next_tick().filter(|&next| next <= now) {
            self.now = self.now.max(next);
            self.machine.tick(self.now, &mut self.effects);
            self.carry_out();
            assert_ne!(self.machine.next_tick(), Some(next), "a tick that does not do what it is for");
        }
        self.now = now;
    }

    /// Answers the append in flight.
    pub(crate) fn settle(&mut self, outcome: Outcome) {
        self.append.take().expect("an append is in flight");
        self.handle(Input::Settled(outcome));
    }

    /// Tries the append in flight, and answers it.
    pub(crate) fn attempt(&mut self) -> Outcome {
        let append = self.append.as_ref().expect("an append is in flight");
        let outcome = self.database.attempt(append);
        self.settle(outcome);
        outcome
    }

    pub(crate) fn reload(&mut self) {
        assert!(std::mem::take(&mut self.reloading), "nobody asked to read the log again");
        self.handle(Input::Reloaded(Box::new(self.database.load())));
    }

    /// Commits everything that waits, reading the log again where asked to. Answers the outcomes.
    pub(crate) fn commit(&mut self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        loop {
            if self.reloading {
                self.reload();
            }
            self.dispatch();
            if self.append.is_none() {
                // What others appended during a read is read as well.
                if self.reloading {
                    continue;
                }
                break;
            }
            outcomes.push(self.attempt());
        }
        assert!(self.machine.is_settled());
        outcomes
    }

    /// What a connection was told since the last look, but for its welcome.
    pub(crate) fn told(&mut self, connection: ConnectionId) -> Vec<(u64, Message)> {
        self.told.remove(&connection).unwrap_or_default()
    }

    /// The answers to a connection's edits since the last look: "saved", or the code of the refusal.
    pub(crate) fn answers(&mut self, connection: ConnectionId) -> Vec<&'static str> {
        let told = self.told(connection).into_iter();
        told.filter_map(|(_, message)| match message {
            Message::Saved => Some("saved"),
            Message::Refused(refusal) => Some(refusal.code()),
            Message::Ended(_) => Some("ended"),
            _ => None,
        })
        .collect()
    }

    /// The edits shown to everyone since the last look.
    pub(crate) fn edits(&mut self) -> Vec<Bytes> {
        let shown = self.shown.extract_if(.., |shown| shown.seq.is_some());
        shown
            .map(|shown| match shown.message {
                ClientMessage::Update(update) => update,
                other => panic!("an edit is an Update, not {other:?}"),
            })
            .collect()
    }

    fn carry_out(&mut self) {
        for effect in std::mem::take(&mut self.effects) {
            match effect {
                Effect::Append(append) => {
                    assert!(self.append.is_none(), "two appends in flight");
                    assert!(!self.reloading, "an append while the log is read");
                    self.append = Some(append);
                }
                Effect::Reload => {
                    assert!(!std::mem::replace(&mut self.reloading, true), "two reloads");
                }
                Effect::Publish(frame) => {
                    let message = self.check(&frame.message);
                    assert_eq!(frame.seq.is_some(), matches!(message, ClientMessage::Update(_)));
                    assert!(frame.seq.is_none_or(|seq| seq <= self.database.head.seq));
                    self.shown.push(Shown { from: frame.from, seq: frame.seq, message, at: self.now });
                    self.ring.push(frame);
                }
                Effect::Skip => self.ring.skip(),
                Effect::Send(connection, message) => {
                    self.check_sent(&message);
                    self.told.entry(connection).or_default().push((self.ring.head(), message));
                }
                Effect::Answer(key, question) => self.questions.push_back((key, question)),
                Effect::Imply(question) => {
                    assert!(self.implying.replace(question).is_none(), "asked twice");
                }
            }
        }
    }

    /// Answers the oldest question.
    pub(crate) fn answer(&mut self) {
        let (key, question) = self.questions.pop_front().expect("a question");
        self.handle(Input::Answered(key, question.answer()));
    }

    /// Says what follows from the document, as was asked.
    pub(crate) fn imply(&mut self) {
        let question = self.implying.take().expect("it is asked what follows");
        self.handle(Input::Implied(question.seq, question.implied_deletions()));
    }

    fn check_sent(&self, message: &Message) {
        match message {
            Message::Welcome(question, everyone) => {
                self.check(question);
                everyone.iter().for_each(|everyone| drop(self.check(everyone)));
            }
            Message::Answer(question, answer) => {
                self.check(question);
                answer.first.iter().for_each(|first| drop(self.check(first)));
                assert!(matches!(self.check(&answer.last), ClientMessage::SyncStep2(_)));
            }
            Message::CaughtUp(update, seq, everyone) => {
                self.check(update);
                assert!(*seq <= self.database.head.seq);
                everyone.iter().for_each(|everyone| drop(self.check(everyone)));
            }
            Message::Other(message) => drop(self.check(message)),
            Message::Saved | Message::Refused(_) | Message::Ended(_) | Message::Notice(_) => {}
        }
    }

    /// The output gate: whatever a message tells of the document is in the log.
    fn check(&self, message: &Bytes) -> ClientMessage {
        let mut messages = yjs::decode(message).expect("well-formed");
        assert_eq!(messages.len(), 1, "one message a frame");
        let message = messages.remove(0);
        match &message {
            ClientMessage::SyncStep1(vector) => {
                let vector = coterie::update::StateVector::decode(vector).expect("well-formed");
                assert!(self.database.clocks().covers(&vector), "a question tells of what is not in the log");
            }
            ClientMessage::SyncStep2(update) | ClientMessage::Update(update) => {
                assert!(self.database.holds(&extent(update)), "what is not in the log was shown");
            }
            ClientMessage::Awareness(_) | ClientMessage::QueryAwareness => {}
        }
        message
    }

    /// Past every deadline of what was parked.
    pub(crate) fn wait_for_parked(&mut self) {
        self.wait_until(self.now + limits::PARKED_TIME.as_millis() as u64);
    }
}
