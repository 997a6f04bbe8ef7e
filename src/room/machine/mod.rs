//! The room as a pure state machine: inputs in, effects out. No clock, no database, no channel of its own.
//!
//! The invariants it keeps: an edit is gated against everything admitted before it; at most one append is in flight;
//! nothing of an edit leaves the room, and no debt for it is paid, before its row is committed; and every debt is paid
//! once, in the order of its connection's frames.

mod commit;
mod edits;
mod memory;
mod questions;
mod rows;

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::gate::{self, Admitted, Owner, Refusal};
use crate::ids::{ConnectionId, DocumentId};
use crate::journal::{Append, Loaded, Outcome, Storage};
use crate::limits;
use crate::protocol::close::Close;
use crate::quota::Share;
use crate::room::clocks::Clocks;
use crate::room::committed::{Answer, Committed, Question};
use crate::room::debts::DebtId;
use crate::room::participant::Participant;
use crate::room::presence::{Millis, Presence};
use crate::room::ring::Frame;
use crate::room::seat::{Held, Ordinal, Seat};
use crate::room::tally::Tally;
use crate::update::{ClientId, IdSet, Malformed};
use commit::InFlight;
use memory::Counted;

/// What happens to a room.
#[derive(Debug)]
pub enum Input {
    /// A connection comes. It follows the ring from before anything that is decided after this.
    Join {
        /// Which.
        connection: ConnectionId,
        /// Whose.
        participant: Arc<Participant>,
        /// Whether the role allows edits.
        may_write: bool,
    },
    /// A connection has gone.
    Leave(ConnectionId),
    /// An edit came: live, or as the answer to the server's SyncStep1.
    Update(ConnectionId, EditKind, Bytes),
    /// A SyncStep1 came: an encoded state vector.
    Ask(ConnectionId, Bytes),
    /// A question was answered.
    Answered(Bytes, Answer),
    /// What follows from the committed document up to this row, as [`Effect::Imply`] asked.
    Implied(i64, IdSet),
    /// A follower fell off the ring; it was shown everything up to this row.
    CatchUp(ConnectionId, i64),
    /// An awareness update came.
    Awareness(ConnectionId, Bytes),
    /// Everyone's presence was asked for.
    QueryAwareness(ConnectionId),
    /// The append in flight has an outcome.
    Settled(Outcome),
    /// The log was read again, as [`Effect::Reload`] asked.
    Reloaded(Box<Loaded>),
    /// The database takes what is to be saved, or does not.
    Storage(Storage),
    /// Someone else appended to the log.
    Look,
    /// The document's history has ended, for this reason.
    End(Close),
}

/// How an edit came. All are answered for, but for a SyncStep2 that the room asked for on its own account: clients
/// count one answer for each edit of theirs and one for their own sync, and an answer too many would report a later
/// edit as saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditKind {
    /// An Update.
    Live,
    /// A SyncStep2.
    Sync,
    /// From somebody who cannot be asked for what it lacks: it is complete, or refused.
    Posted,
}

/// What a room wants done.
#[derive(Debug)]
pub enum Effect {
    /// Append to the log; answer with [`Input::Settled`].
    Append(Append),
    /// Read the log again; answer with [`Input::Reloaded`].
    Reload,
    /// Show everyone.
    Publish(Frame),
    /// What comes next does not follow on what was shown: every follower must catch up.
    Skip,
    /// Tell one connection.
    Send(ConnectionId, Message),
    /// Answer a question, here or elsewhere; answer with [`Input::Answered`] and the same key.
    Answer(Bytes, Question),
    /// Find the deletions that follow from the document, here or elsewhere; answer with [`Input::Implied`].
    Imply(Question),
}

/// What one connection is told. The bytes are messages that all dialects share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// It is in: the server's SyncStep1, and who is here.
    Welcome(Bytes, Option<Bytes>),
    /// The answer to its SyncStep1, and the server's own, which one dialect sends along.
    Answer(Bytes, Answer),
    /// What it missed up to this row, and who is here.
    CaughtUp(Bytes, i64, Option<Bytes>),
    /// Something for it alone.
    Other(Bytes),
    /// One SyncStep2 or Update is saved.
    Saved,
    /// One SyncStep2 or Update is refused.
    Refused(Refusal),
    /// The document, or this connection's part in it, has ended.
    Ended(Close),
    /// Something beside the document that people should know.
    Notice(Notice),
}

/// What people should know of a document beside what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It is damaged where it is stored, and nobody can write.
    Damaged(Arc<str>),
    /// Whether what is written is saved at present.
    Storage(Storage),
}

/// An admitted edit that is not committed.
#[derive(Debug, Clone)]
struct Edit {
    ordinal: Ordinal,
    connection: ConnectionId,
    /// What is owed for the frame it came in, if anything is.
    debt: Option<DebtId>,
    participant: Arc<Participant>,
    admitted: Admitted,
}

impl Edit {
    /// What it takes while it waits, in bytes.
    fn bytes(&self) -> usize {
        self.admitted.update.len() + limits::EDIT_OVERHEAD
    }
}

/// A question that is being answered, and who waits for it. The answer is only for those who follow the ring from
/// the row it reaches or one before: others would miss what lies between.
#[derive(Debug)]
struct Asked {
    seq: i64,
    waiting: Vec<ConnectionId>,
}

/// A room.
#[derive(Debug)]
pub struct Machine {
    document: DocumentId,
    committed: Committed,
    /// Everything admitted: committed, in flight and pending.
    state: gate::State,
    seats: BTreeMap<ConnectionId, Seat>,
    presence: Presence,
    pending: VecDeque<Edit>,
    pending_bytes: usize,
    in_flight: Option<InFlight>,
    /// An edit that the database refused. It is in `state` until the log was read again.
    unstorable: Option<Edit>,
    reloading: bool,
    /// Whether someone else appended since the log was last read, or asked to be.
    looked: bool,
    /// How many pending edits the next append takes at most, while one that the database refuses is searched for.
    next_edits: usize,
    admitted: Ordinal,
    settled: Ordinal,
    /// Whether any connection may wait for a time, so that a room of many is not gone through at each turn for nothing.
    timed: Cell<bool>,
    /// The server's SyncStep1 for the present head.
    question: Option<Bytes>,
    /// Answers for the present head, by encoded state vector.
    answers: HashMap<Bytes, Answer>,
    answers_bytes: usize,
    /// Questions that are being answered, by encoded state vector.
    asking: HashMap<Bytes, Vec<Asked>>,
    /// The deletions that follow from the document up to a row, since a reader's were last in question.
    implied: Option<(i64, IdSet)>,
    /// Whether they are being found.
    implying: bool,
    /// What followers who fell off the ring are sent at the present head, by the row they were shown.
    catch_ups: HashMap<i64, Bytes>,
    /// Why nobody can write, when what is stored is damaged.
    damage: Option<Arc<str>>,
    /// How the database takes what is to be saved.
    storage: Storage,
    /// Why the room has ended, once it has.
    ended: Option<Close>,
    /// What the project may still take; `None` where nothing is stored.
    share: Option<Share>,
    /// Part of what it keeps in memory.
    counted: Counted,
    tally: Arc<Tally>,
}

impl Machine {
    /// The room of a document that was just loaded.
    ///
    /// # Errors
    /// When the stored bytes cannot be read.
    pub fn new(document: DocumentId, loaded: Loaded, tally: Arc<Tally>) -> Result<Self, Malformed> {
        let (committed, state) = Committed::new(loaded)?;
        Ok(Self {
            document,
            committed,
            state,
            seats: BTreeMap::new(),
            presence: Presence::default(),
            pending: VecDeque::new(),
            pending_bytes: 0,
            in_flight: None,
            unstorable: None,
            reloading: false,
            looked: false,
            next_edits: usize::MAX,
            admitted: 0,
            settled: 0,
            timed: Cell::new(false),
            question: None,
            answers: HashMap::new(),
            answers_bytes: 0,
            asking: HashMap::new(),
            implied: None,
            implying: false,
            catch_ups: HashMap::new(),
            damage: None,
            storage: Storage::Well,
            ended: None,
            share: None,
            counted: Counted::default(),
            tally,
        })
    }

    /// Has the room keep within what its project may take.
    pub fn keep_within(&mut self, share: Share) {
        self.share = Some(share);
    }

    /// Notes that what is stored after what was loaded is damaged: from now on nobody can write.
    pub fn note_damage(&mut self, why: &str) {
        self.damage = Some(why.into());
    }

    /// Why nobody can write, when what is stored is damaged.
    #[must_use]
    pub fn damage(&self) -> Option<&Arc<str>> {
        self.damage.as_ref()
    }

    /// The clocks of who is here.
    #[must_use]
    pub fn clocks(&self) -> &Clocks {
        self.presence.clocks()
    }

    /// What is committed.
    #[must_use]
    pub fn committed(&self) -> &Committed {
        &self.committed
    }

    /// Whether the log should be folded; see [`Committed::take_full_tail`].
    pub fn take_full_tail(&mut self) -> bool {
        self.committed.take_full_tail()
    }

    /// What is admitted.
    #[must_use]
    pub fn state(&self) -> &gate::State {
        &self.state
    }

    /// Whether nobody is here and nothing is left to do.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.seats.is_empty() && self.is_settled()
    }

    /// Whether everything admitted is committed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.in_flight.is_none() && self.pending.is_empty() && !self.reloading
    }

    /// Whether everything is taken in that others appended, as far as the room was told.
    #[must_use]
    pub fn has_looked(&self) -> bool {
        !self.looked && !self.reloading
    }

    /// Whether the document's history has ended, and the room with it.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether there is room for more edits. While there is none, inputs from connections wait.
    #[must_use]
    pub fn accepts(&self) -> bool {
        self.pending_bytes < limits::PENDING_BYTES
    }

    /// When [`Machine::tick`] is next needed.
    #[must_use]
    pub fn next_tick(&self) -> Option<Millis> {
        let seats = || self.seats.values().take(if self.timed.get() { usize::MAX } else { 0 });
        let deadlines = seats().filter_map(|seat| seat.deadline);
        let held = seats().filter_map(|seat| seat.held.as_ref()).map(|held| held.until);
        let next = deadlines.chain(held).min();
        self.timed.set(next.is_some());
        next.into_iter().chain(self.presence.next_departure()).min()
    }

    /// Looks whether a connection waits for a time; only its own inputs give it one.
    fn note_time(&self, connection: ConnectionId) {
        let waits = |seat: &Seat| seat.deadline.is_some() || seat.held.is_some();
        if self.seats.get(&connection).is_some_and(waits) {
            self.timed.set(true);
        }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: Millis, effects: &mut Vec<Effect>) {
        match input {
            Input::Join { connection, participant, may_write } => {
                let may_write = may_write && self.damage.is_none();
                self.join(connection, Seat::new(participant, may_write, self.committed.head.seq), effects);
            }
            Input::Leave(connection) => {
                self.seats.remove(&connection);
                self.presence.leave(connection, now);
            }
            Input::Update(connection, kind, update) => {
                self.update(connection, kind, &update, now, effects);
                self.note_time(connection);
            }
            Input::Ask(connection, remote) => self.ask(connection, remote, effects),
            Input::Answered(remote, answer) => self.answered(remote, answer, effects),
            Input::Implied(seq, deletions) => {
                self.implying = false;
                self.implied = Some((seq, deletions));
                self.clear_up(effects);
            }
            Input::CatchUp(connection, shown) => {
                self.tally.lagged.add();
                let update = self.catch_up(shown);
                let message = Message::CaughtUp(update, self.committed.head.seq, self.presence.everyone());
                effects.push(Effect::Send(connection, message));
            }
            Input::Awareness(connection, body) => {
                self.awareness(connection, &body, now, effects);
                self.note_time(connection);
            }
            Input::QueryAwareness(connection) => {
                let everyone =
                    self.presence.everyone().map(|message| Effect::Send(connection, Message::Other(message)));
                effects.extend(everyone);
            }
            Input::Settled(outcome) => self.settle(outcome, effects),
            Input::Reloaded(loaded) => self.reload(*loaded, now, effects),
            Input::Storage(storage) => {
                self.storage = storage;
                let told = |&connection| Effect::Send(connection, Message::Notice(Notice::Storage(storage)));
                effects.extend(self.seats.keys().map(told));
            }
            Input::Look => self.look(effects),
            Input::End(close) => self.end(close, effects),
        }
        if let Some(share) = &mut self.share {
            share.waits(self.pending_bytes);
        }
    }

    fn join(&mut self, connection: ConnectionId, seat: Seat, effects: &mut Vec<Effect>) {
        if let Some(close) = self.ended {
            effects.push(Effect::Send(connection, Message::Ended(close)));
            return;
        }
        let question = self.question();
        effects.push(Effect::Send(connection, Message::Welcome(question, self.presence.everyone())));
        let damaged = self.damage.clone().map(Notice::Damaged);
        let storage = Some(self.storage).filter(|storage| *storage != Storage::Well).map(Notice::Storage);
        let notices = damaged.into_iter().chain(storage);
        effects.extend(notices.map(|notice| Effect::Send(connection, Message::Notice(notice))));
        self.seats.insert(connection, seat);
    }

    fn awareness(&mut self, connection: ConnectionId, body: &[u8], now: Millis, effects: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        let owners = &self.state.owners;
        let participant = &seat.participant;
        let foreign = |client: ClientId| match owners.get(&client) {
            Some(Owner::User(user)) => !participant.is(*user),
            Some(Owner::Closed) | None => false,
        };
        let Ok(changed) = self.presence.receive(connection, participant, body, foreign) else {
            effects.push(Effect::Send(connection, Message::Ended(Close::Malformed)));
            return;
        };
        if changed.is_empty() {
            return;
        }
        if let Some(held) = &mut seat.held {
            held.clients.extend(changed);
            held.behind = seat.last_admitted;
        } else if seat.last_admitted > self.settled {
            let until = now + millis(limits::PRESENCE_HOLD);
            seat.held = Some(Held { clients: changed, behind: seat.last_admitted, until });
        } else {
            let message = self.presence.message(&changed);
            effects.extend(message.map(|message| Effect::Publish(Frame::new(Some(connection), None, message))));
        }
    }

    /// Does what time brings: tells of those who left, lets presence go that waited long enough, and asks for
    /// everything again where something never came.
    pub fn tick(&mut self, now: Millis, effects: &mut Vec<Effect>) {
        let departed = self.presence.depart(now);
        effects.extend(departed.map(|message| Effect::Publish(Frame::new(None, None, message))));
        let connections: Vec<ConnectionId> = self.seats.keys().copied().collect();
        for connection in connections {
            self.release_held(connection, |held| held.until <= now, effects);
            self.meet_deadline(connection, now, effects);
        }
    }

    fn release_held(&mut self, connection: ConnectionId, due: impl Fn(&Held) -> bool, effects: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        if let Some(held) = seat.held.take_if(|held| due(held)) {
            let message = self.presence.message(&held.clients);
            effects.extend(message.map(|message| Effect::Publish(Frame::new(Some(connection), None, message))));
        }
    }
}

fn millis(time: std::time::Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
