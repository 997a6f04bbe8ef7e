//! The task of one room: it feeds the machine with what arrives and carries out what it wants done.

use std::collections::{HashMap, HashSet};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Duration, Instant, sleep_until};

use super::chorus::Chorus;
use super::committed::Answer;
use super::machine::{Effect, Input, Machine, Message};
use super::memory::Account;
use super::outbox::Outbox;
use super::presence::Millis;
use super::{Envelope, Handle, Mail, Rooms, Subject};
use crate::error::{Error, Result};
use crate::ids::ConnectionId;
use crate::journal::{self, Append, Loaded, Outcome};
use crate::limits;
use crate::protocol::close::Close;

/// What the room waits for besides its mailbox.
#[derive(Debug)]
enum Done {
    Input(Input),
    Reload(Result<Loaded>),
    /// Whether a damaged document can be read as a whole again.
    Mended(bool),
}

/// Whose sockets have something to write when the ring has new frames. An author is not waked for what it wrote itself,
/// and reads past that when it next writes or is told something.
#[derive(Debug, Clone, Copy)]
enum News {
    None,
    Of(ConnectionId),
    ForAll,
}

impl News {
    fn and(self, author: Option<ConnectionId>) -> Self {
        match (self, author) {
            (Self::None, Some(author)) => Self::Of(author),
            (Self::Of(one), Some(other)) if one == other => self,
            _ => Self::ForAll,
        }
    }
}

struct Task {
    rooms: Rooms,
    room: Arc<Handle>,
    machine: Box<Machine>,
    outboxes: HashMap<ConnectionId, Arc<Outbox>>,
    /// Connections that left before their join was read.
    left_early: HashSet<ConnectionId>,
    work: JoinSet<Done>,
    /// The append in flight. The server may go down before the database answers.
    appending: Option<Pin<Box<dyn Future<Output = Option<Outcome>> + Send>>>,
    began: Instant,
    effects: Vec<Effect>,
    /// Presence that is to be told together.
    chorus: Chorus,
    /// Who waits until what was appended by others is shown.
    lookers: Vec<oneshot::Sender<()>>,
}

/// Runs a room until nobody is left, its document has ended, or the server goes down.
pub(super) async fn run(rooms: Rooms, room: Arc<Handle>, machine: Box<Machine>, mut mailbox: mpsc::Receiver<Mail>) {
    let shutdown = rooms.0.shutdown.clone();
    let mut storage = rooms.0.committer.storage();
    let is_damaged = machine.damage().is_some();
    let kept = if is_damaged { limits::DAMAGED_IDLE } else { limits::ROOM_IDLE };
    let mut look = Instant::now() + limits::DAMAGE_LOOK;
    let mut task = Task {
        rooms,
        room,
        machine,
        outboxes: HashMap::new(),
        left_early: HashSet::new(),
        work: JoinSet::new(),
        appending: None,
        began: Instant::now(),
        effects: Vec::new(),
        chorus: Chorus::default(),
        lookers: Vec::new(),
    };
    let mut account = Account::open(&task.rooms.0.memory);
    let told = account.bell();
    let mut envelopes = Vec::new();
    let mut idle_since = Instant::now();
    // Whether anybody was served yet: a room is not to end before whoever had it loaded has reached it.
    let (mut asked, mut served) = (false, false);
    loop {
        let tick = task
            .machine
            .next_tick()
            .into_iter()
            .chain(task.chorus.next())
            .min()
            .map(|at| task.began + Duration::from_millis(at));
        let idle = task.machine.is_idle() && task.work.is_empty();
        if !idle {
            idle_since = Instant::now();
        }
        if idle && served {
            // Nobody follows it.
            task.room.ring.clear();
            account.idle(task.memory(), std::mem::take(&mut asked));
        } else {
            account.in_use(task.memory());
        }
        tokio::select! {
            received = mailbox.recv_many(&mut envelopes, limits::ROOM_MAILBOX), if task.machine.accepts() => {
                if received == 0 {
                    break;
                }
                (asked, served) = (true, true);
                for envelope in envelopes.drain(..) {
                    task.open(*envelope);
                }
            }
            outcome = answer(&mut task.appending), if task.appending.is_some() => {
                if let Some(outcome) = outcome {
                    task.handle(Input::Settled(outcome));
                }
            }
            Some(done) = task.work.join_next(), if !task.work.is_empty() => task.finish(done),
            () = task.room.left_bell.notified() => {
                let left = std::mem::take(&mut *task.room.left.lock());
                for connection in left {
                    task.leave(connection);
                }
            }
            () = sleep_until(tick.unwrap_or(idle_since)), if tick.is_some() => {
                let now = task.now();
                task.machine.tick(now, &mut task.effects);
                if let Some(frame) = task.chorus.due(now, task.outboxes.len()) {
                    task.room.ring.push(frame);
                    task.tell(News::ForAll);
                }
            }
            Ok(()) = storage.changed() => {
                let now = *storage.borrow_and_update();
                task.handle(Input::Storage(now));
            }
            () = sleep_until(look), if is_damaged => {
                look = Instant::now() + limits::DAMAGE_LOOK;
                task.look_whether_mended();
            }
            () = sleep_until(idle_since + kept), if idle => break,
            () = told.notified() => {
                if account.is_told() && mailbox.is_empty() {
                    task.rooms.0.tally.evicted.add();
                    break;
                }
            }
            () = shutdown.cancelled(), if idle || task.machine.is_settled() => break,
        }
        task.machine.dispatch(&mut task.effects);
        task.carry_out();
        if task.machine.has_looked() {
            for seen in task.lookers.drain(..) {
                // Who stopped waiting needs no answer.
                let _ = seen.send(());
            }
        }
        if task.machine.take_full_tail() {
            // Where nobody has a place for it now, the sweep of idle documents finds it.
            if let Subject::Document(document) = task.room.subject {
                let _ = task.rooms.0.full_tails.try_send(document);
            }
        }
        if task.machine.has_ended() {
            break;
        }
    }
    // Whoever found this room and was not read any more is let go with the mailbox, and loads the document anew.
    task.rooms.forget(&task.room);
}

impl Drop for Task {
    /// Whoever is still here is told to come back, also when the task ends by a panic.
    fn drop(&mut self) {
        if !self.machine.has_ended() {
            for outbox in self.outboxes.values() {
                outbox.send(self.room.ring.head(), Message::Ended(Close::TryAgain));
            }
        }
    }
}

impl Task {
    fn now(&self) -> Millis {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What the room keeps in memory, in bytes.
    fn memory(&mut self) -> usize {
        self.machine.memory() + self.room.ring.memory() + limits::ROOM_OVERHEAD
    }

    fn open(&mut self, envelope: Envelope) {
        match envelope {
            Envelope::Join { connection, participant, may_write, outbox, accepted } => {
                // Gone before it was read: nobody would ever leave its place.
                if !self.left_early.remove(&connection) && accepted.send(()).is_ok() {
                    self.outboxes.insert(connection, outbox);
                    self.handle(Input::Join { connection, participant, may_write });
                }
            }
            Envelope::Input(input) => self.handle(input),
            Envelope::Read { remote, answer } => {
                // A reader that stopped waiting needs no answer.
                let _ = answer.send(self.machine.committed().question(remote));
            }
            Envelope::Folded(head, folded) => self.machine.adopt(head, folded),
            Envelope::Look { seen } => {
                self.lookers.push(seen);
                self.handle(Input::Look);
            }
            Envelope::Source { has, answer } => {
                let _ = answer.send(self.machine.committed().source(has));
            }
        }
    }

    /// Feeds the machine, and carries its effects out before the next input, so that positions in the ring are those
    /// at which it decided.
    fn handle(&mut self, input: Input) {
        let now = self.now();
        self.machine.handle(input, now, &mut self.effects);
        self.carry_out();
    }

    fn leave(&mut self, connection: ConnectionId) {
        if self.outboxes.remove(&connection).is_some() {
            self.handle(Input::Leave(connection));
        } else {
            self.left_early.insert(connection);
        }
    }

    fn finish(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Input(input)) => self.handle(input),
            Ok(Done::Reload(Ok(loaded))) => self.handle(Input::Reloaded(Box::new(loaded))),
            Ok(Done::Reload(Err(Error::NotFound))) => self.handle(Input::End(Close::Deleted)),
            // Damaged since it was loaded: whoever comes back may read what is intact.
            Ok(Done::Reload(Err(error @ Error::Damaged(_)))) => {
                tracing::error!(room = %self.room.subject, error = %format!("{error:#}"), "the log cannot be read again");
                self.handle(Input::End(Close::Failed));
            }
            Ok(Done::Reload(Err(error))) => {
                tracing::warn!(room = %self.room.subject, %error, "cannot read the log again; trying again");
                self.reload(limits::COMMIT_RETRY_LONGEST);
            }
            Ok(Done::Mended(false)) => {}
            // Whoever comes back finds it whole.
            Ok(Done::Mended(true)) => self.handle(Input::End(Close::TryAgain)),
            Err(error) => {
                tracing::error!(room = %self.room.subject, %error, "a room's work was lost");
                self.handle(Input::End(Close::Failed));
            }
        }
    }

    fn carry_out(&mut self) {
        let mut news = News::None;
        while !self.effects.is_empty() {
            for effect in std::mem::take(&mut self.effects) {
                match effect {
                    Effect::Append(append) => self.append(append),
                    Effect::Reload => self.reload(Duration::ZERO),
                    Effect::Publish(frame) if frame.seq.is_some() => {
                        news = news.and(frame.from);
                        self.room.ring.push(frame);
                    }
                    Effect::Publish(frame) => {
                        let now = self.now();
                        if let Some(frame) = self.chorus.take(frame, now, self.outboxes.len()) {
                            news = news.and(frame.from);
                            self.room.ring.push(frame);
                        }
                    }
                    Effect::Skip => {
                        news = news.and(None);
                        self.room.ring.skip();
                    }
                    Effect::Send(connection, message) => {
                        if let Some(outbox) = self.outboxes.get(&connection) {
                            outbox.send(self.room.ring.head(), message);
                        }
                    }
                    Effect::Answer(key, question) if question.bytes() <= limits::INLINE_BYTES => {
                        let answer = question.answer();
                        let now = self.now();
                        self.machine.handle(Input::Answered(key, answer), now, &mut self.effects);
                    }
                    Effect::Imply(question) if question.bytes() <= limits::INLINE_BYTES => {
                        let implied = question.implied_deletions();
                        let now = self.now();
                        self.machine.handle(Input::Implied(question.seq, implied), now, &mut self.effects);
                    }
                    Effect::Imply(question) => {
                        let seq = question.seq;
                        self.work
                            .spawn_blocking(move || Done::Input(Input::Implied(seq, question.implied_deletions())));
                    }
                    Effect::Answer(key, question) => {
                        self.work.spawn_blocking(move || Done::Input(answered(key, question.answer())));
                    }
                }
            }
        }
        self.tell(news);
    }

    /// Wakes the sockets that have something new to write.
    fn tell(&self, news: News) {
        let author = match news {
            News::None => return,
            News::Of(author) => Some(author),
            News::ForAll => None,
        };
        let others = self.outboxes.iter().filter(|(connection, _)| Some(**connection) != author);
        others.for_each(|(_, outbox)| outbox.ring());
    }

    fn append(&mut self, append: Append) {
        let committer = self.rooms.0.committer.clone();
        self.appending = Some(Box::pin(async move { committer.append(append).await }));
    }

    fn look_whether_mended(&mut self) {
        let Subject::Document(document) = self.room.subject else { return };
        let db = self.rooms.0.db.clone();
        self.work.spawn(async move { Done::Mended(super::stored::is_whole(&db, document).await) });
    }

    fn reload(&mut self, pause: Duration) {
        let Subject::Document(document) = self.room.subject else { return };
        let db = self.rooms.0.db.clone();
        self.work.spawn(async move {
            tokio::time::sleep(pause).await;
            Done::Reload(journal::load(&db, document).await)
        });
    }
}

/// Waits for the answer to an append, which is then none any more.
async fn answer(appending: &mut Option<Pin<Box<dyn Future<Output = Option<Outcome>> + Send>>>) -> Option<Outcome> {
    let Some(waiting) = appending else { return pending().await };
    let outcome = waiting.await;
    *appending = None;
    outcome
}

fn answered(key: Bytes, answer: Answer) -> Input {
    Input::Answered(key, answer)
}
