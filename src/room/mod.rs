//! Live documents: a room for each, found by its id, loaded once and dropped when nobody is left.
//!
//! `machine` decides, `task` carries out, `attachment` is what a socket holds. A room holds bytes; no replica of the
//! document is ever built in this process.

mod attachment;
mod bell;
mod budget;
mod chorus;
mod clocks;
mod committed;
mod debts;
mod follower;
pub mod machine;
mod memory;
mod outbox;
mod participant;
mod presence;
pub mod ring;
mod seat;
pub(crate) mod stored;
mod subject;
mod tally;
mod task;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, OnceCell, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use attachment::Attachment;
pub use bell::Bell;
pub use budget::Charge;
pub use clocks::Clocks;
pub use committed::{Answer, Committed, Question};
pub use follower::{Follower, Outgoing};
pub use participant::Participant;
pub use subject::Subject;
pub use tally::{Counter, Tally};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::gate::Refusal;
use crate::head::Head;
use crate::ids::{ConnectionId, DocumentId};
use crate::journal::{self, Committer, Damage, Loaded};
use crate::limits;
use crate::meters::Meters;
use crate::protocol::close::Close;
use crate::quota::Quotas;
use crate::replica::Source;
use crate::update::{EMPTY, StateVector};
use budget::Budget;
use machine::{EditKind, Input, Machine};
use memory::Memory;
use outbox::Outbox;
use ring::Ring;

/// All live documents of this process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Rooms(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    db: Db,
    committer: Committer,
    rooms: DashMap<Subject, Slot>,
    next_connection: AtomicU64,
    tasks: TaskTracker,
    shutdown: CancellationToken,
    tally: Arc<Tally>,
    /// Documents whose logs have become long.
    full_tails: mpsc::Sender<DocumentId>,
    /// Edits of all documents that are not settled.
    unsettled: Budget,
    memory: Arc<Memory>,
    quotas: Quotas,
}

/// A room that is loaded, being loaded, or failed to load. The error is told to all who waited for the same load.
type Slot = Arc<OnceCell<Result<Arc<Handle>, Arc<Error>>>>;

/// The way into one room.
#[derive(Debug)]
pub struct Handle {
    /// What it is about.
    pub subject: Subject,
    mailbox: mpsc::Sender<Mail>,
    ring: Ring,
    /// Connections that left; a drop cannot wait for the mailbox.
    left: Mutex<Vec<ConnectionId>>,
    left_bell: Notify,
    /// Edits of this document that are not settled, and of all.
    unsettled: [Budget; 2],
    /// The clocks of who is here.
    pub clocks: Clocks,
    /// Why nobody can write, when what is stored of the document is damaged.
    pub damage: Option<Arc<str>>,
}

/// What reaches a room's task.
#[derive(Debug)]
enum Envelope {
    /// `accepted` is dropped unanswered when the room ends before it reads this.
    Join {
        connection: ConnectionId,
        participant: Arc<Participant>,
        may_write: bool,
        outbox: Arc<Outbox>,
        accepted: oneshot::Sender<()>,
    },
    Input(Input),
    Read {
        remote: StateVector,
        answer: oneshot::Sender<Question>,
    },
    Source {
        has: Option<Head>,
        answer: oneshot::Sender<Source>,
    },
    /// The document was folded as it was at this head.
    Folded(Head, Bytes),
    /// Someone else appended; `seen` is answered once that is taken in, and dropped when the room ends before.
    Look {
        seen: oneshot::Sender<()>,
    },
}

/// A channel has places for a block of letters however few are in it; boxed, an idle room holds little.
type Mail = Box<Envelope>;

/// Why an input did not reach its room.
#[derive(Debug)]
pub enum Unsent {
    /// The mailbox is full; here is the input back.
    Full(Input),
    /// The room has ended.
    Ended,
}

impl Handle {
    /// Hands an input to the room; waits while its mailbox is full. Nothing happens when the room has ended: its
    /// connections were told.
    pub async fn send(&self, input: Input) {
        let _ = self.mailbox.send(Box::new(Envelope::Input(input))).await;
    }

    /// Hands an input to the room without waiting; gives it back while the mailbox is full.
    ///
    /// # Errors
    /// [`Unsent`]: the mailbox is full, or the room has ended.
    #[allow(clippy::result_large_err, reason = "the input goes back as it came, without an allocation")]
    pub fn try_send(&self, input: Input) -> std::result::Result<(), Unsent> {
        self.mailbox.try_send(Box::new(Envelope::Input(input))).map_err(|error| match error {
            TrySendError::Full(mail) => match *mail {
                Envelope::Input(input) => Unsent::Full(input),
                _ => Unsent::Ended,
            },
            TrySendError::Closed(_) => Unsent::Ended,
        })
    }

    /// Waits until the mailbox has a place, or the room has ended.
    pub async fn has_place(&self) {
        let _ = self.mailbox.reserve().await;
    }

    /// Counts an edit of so many bytes as unsettled, if there is room for it now.
    #[must_use]
    pub fn charge(&self, bytes: usize) -> Option<Charge> {
        Charge::now(&self.unsettled[0], &self.unsettled[1], bytes)
    }

    /// Counts it once there is room.
    pub fn charge_later(&self, bytes: usize) -> impl Future<Output = Option<Charge>> + Send + use<> {
        let [document, node] = self.unsettled.clone();
        Charge::later(document, node, bytes)
    }

    /// Whether all of the document is there: programs are not handed a part of it as the whole.
    fn intact(&self) -> Result<()> {
        match &self.damage {
            None => Ok(()),
            Some(why) => Err(Error::Damaged(why.to_string())),
        }
    }

    fn leave(&self, connection: ConnectionId) {
        self.left.lock().push(connection);
        self.left_bell.notify_one();
    }
}

impl Rooms {
    /// No room is open yet. Empty ones end where all keep more than `most` bytes; long logs are told to `full_tails`.
    #[must_use]
    pub fn new(db: Db, quotas: Quotas, most: usize, full_tails: mpsc::Sender<DocumentId>, meters: &Meters) -> Self {
        let committer = Committer::start(db.clone(), meters);
        Self(Arc::new(Shared {
            db,
            committer,
            rooms: DashMap::new(),
            next_connection: AtomicU64::new(1),
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            tally: Arc::new(Tally::default()),
            full_tails,
            unsettled: Budget::new(limits::UNSETTLED_BYTES_OF_ALL),
            memory: Memory::new(most),
            quotas,
        }))
    }

    /// What all rooms did since the start.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    /// What projects may take.
    #[must_use]
    pub fn quotas(&self) -> &Quotas {
        &self.0.quotas
    }

    /// Edits that were read from sockets and are not settled, in bytes.
    #[must_use]
    pub fn unsettled(&self) -> usize {
        self.0.unsettled.taken()
    }

    /// What all rooms keep in memory, in bytes.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.0.memory.kept()
    }

    /// How many appends wait for their commit, and for how long the first of them has.
    #[must_use]
    pub fn waiting(&self) -> (usize, Duration) {
        self.0.committer.waiting()
    }

    /// How many rooms are loaded.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.rooms.len()
    }

    /// Whether no room is loaded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.rooms.is_empty()
    }

    /// Joins a room, which is loaded if it is not. `bell` is rung whenever there is something to drain.
    ///
    /// # Errors
    /// When its document cannot be loaded, or the server is going down.
    pub async fn join(
        &self,
        subject: Subject,
        participant: impl Into<Arc<Participant>>,
        may_write: bool,
        bell: Arc<Bell>,
    ) -> Result<Attachment> {
        let participant = participant.into();
        for _ in 0..limits::REACH_TRIES {
            let room = self.open(subject).await?;
            let connection = ConnectionId(self.0.next_connection.fetch_add(1, Ordering::Relaxed));
            let outbox = Arc::new(Outbox::new(bell.clone()));
            let (accepted, acceptance) = oneshot::channel();
            let participant = participant.clone();
            let join = Envelope::Join { connection, participant, may_write, outbox: outbox.clone(), accepted };
            if room.mailbox.send(Box::new(join)).await.is_ok() {
                // From here on its drop takes the place back, whoever stops waiting.
                let attachment = Attachment::new(room.clone(), connection, outbox);
                if acceptance.await.is_ok() {
                    return Ok(attachment);
                }
            }
            self.forget(&room);
        }
        Err(closing())
    }

    /// Gates one update as `author`'s, appends it, shows it to the room, and answers the head once it is committed.
    ///
    /// # Errors
    /// What the gate refused, as a conflict or a malformed request; a document that cannot be loaded.
    pub async fn write(&self, document: DocumentId, author: Participant, update: Bytes) -> Result<i64> {
        let bell = Arc::new(Bell::default());
        let mut attachment = self.join(document.into(), author, true, bell.clone()).await?;
        attachment.room().intact()?;
        attachment.room().send(Input::Update(attachment.connection(), EditKind::Posted, update)).await;
        let mut outgoing = Vec::new();
        loop {
            bell.heard().await;
            let _ = attachment.drain(&mut outgoing);
            for one in outgoing.drain(..) {
                match one {
                    Outgoing::Saved => return Ok(self.read(document, StateVector::default()).await?.seq),
                    Outgoing::Refused(refusal) => return Err(refused(&refusal)),
                    Outgoing::Ended(close) => return Err(Error::unavailable(close.reason())),
                    Outgoing::Welcome(_)
                    | Outgoing::Question(_)
                    | Outgoing::Message(_)
                    | Outgoing::Frame(_)
                    | Outgoing::Notice(_) => {}
                }
            }
        }
    }

    /// Asks a document, as it is committed, for what `remote` lacks.
    ///
    /// # Errors
    /// When the document cannot be loaded.
    pub async fn read(&self, document: DocumentId, remote: StateVector) -> Result<Question> {
        self.ask(document, |answer| Envelope::Read { remote: remote.clone(), answer }).await
    }

    /// A document, as it is committed, for a worker that may have it at a head already.
    ///
    /// # Errors
    /// When the document cannot be loaded.
    pub async fn source(&self, document: DocumentId, has: Option<Head>) -> Result<Source> {
        if !self.0.rooms.contains_key(&document.into()) {
            return self.stored(document, has).await;
        }
        self.ask(document, |answer| Envelope::Source { has, answer }).await
    }

    /// As [`Rooms::source`], from the log: looking for a word in a thousand documents is no reason to open them all.
    async fn stored(&self, document: DocumentId, has: Option<Head>) -> Result<Source> {
        let db = &self.0.db;
        if let Some(head) = has
            && journal::heads(db, &[document]).await? == [(document, head)]
        {
            return Ok(Source { head, from: Some(head.seq), update: Bytes::from_static(EMPTY) });
        }
        let loaded = journal::load(db, document).await?;
        let (committed, _) = stored::committed(document, loaded)?;
        Ok(committed.source(None))
    }

    async fn ask<T>(&self, document: DocumentId, envelope: impl Fn(oneshot::Sender<T>) -> Envelope) -> Result<T> {
        for _ in 0..limits::REACH_TRIES {
            let room = self.open(document.into()).await?;
            room.intact()?;
            let (answer, answered) = oneshot::channel();
            if room.mailbox.send(Box::new(envelope(answer))).await.is_ok()
                && let Ok(answered) = answered.await
            {
                return Ok(answered);
            }
            // It ended between being found and reading its mailbox; it is loaded anew.
            self.forget(&room);
        }
        Err(closing())
    }

    /// Tells the room of a document, if it is open, that its log was appended to by someone else, and waits until it
    /// shows that, so that who reads afterwards reads that too; but not for ever.
    pub async fn look(&self, document: DocumentId) {
        // Also one that is being loaded: it may have been read before what it is told of.
        if self.0.rooms.contains_key(&document.into())
            && let Ok(room) = self.open(document.into()).await
        {
            let (seen, shown) = oneshot::channel();
            if room.mailbox.send(Box::new(Envelope::Look { seen })).await.is_ok() {
                let _ = tokio::time::timeout(limits::LOOK_TIME, shown).await;
            }
        }
    }

    /// Hands the room of a document, if it is open and has a place for it now, what it was folded to; that may be a
    /// tenth of what its rows are.
    pub fn folded(&self, document: DocumentId, head: Head, folded: Bytes) {
        let slot = self.0.rooms.get(&document.into()).map(|slot| slot.clone());
        if let Some(Ok(room)) = slot.as_deref().and_then(OnceCell::get) {
            let _ = room.mailbox.try_send(Box::new(Envelope::Folded(head, folded)));
        }
    }

    /// Tells everyone in a room that its document or project was deleted, and closes it.
    pub fn deleted(&self, subject: impl Into<Subject>) {
        let subject = subject.into();
        if self.0.rooms.contains_key(&subject) {
            let rooms = self.clone();
            self.0.tasks.spawn(async move {
                // Also one that is being loaded: it may have been read before what it is told of.
                if let Ok(room) = rooms.open(subject).await {
                    room.send(Input::End(Close::Deleted)).await;
                }
            });
        }
    }

    /// Commits what is in flight and ends every room.
    pub async fn shutdown(&self) {
        self.0.shutdown.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Finds or loads a room. The first visitor loads; the others wait for the same load and share its outcome.
    async fn open(&self, subject: Subject) -> Result<Arc<Handle>> {
        if self.0.shutdown.is_cancelled() {
            return Err(Error::unavailable("the server is going down"));
        }
        let slot = self.0.rooms.entry(subject).or_default().clone();
        let loaded = slot.get_or_init(|| Box::pin(self.load(subject))).await.clone();
        // After an error the next visitor tries again; those who waited got it.
        loaded.map_err(|error| {
            self.0.rooms.remove_if(&subject, |_, kept| Arc::ptr_eq(kept, &slot));
            load_error(&error)
        })
    }

    async fn load(&self, subject: Subject) -> Result<Arc<Handle>, Arc<Error>> {
        let shared = &self.0;
        let machine = async {
            let (mut machine, damage) = match subject {
                Subject::Document(document) => {
                    let (mut machine, damage) = stored::machine(&shared.db, document, &shared.tally).await?;
                    machine.keep_within(shared.quotas.share(document).await?);
                    (machine, damage)
                }
                // Its log stays empty: nobody in it may write.
                Subject::Project(project) => {
                    let machine = Machine::new(DocumentId(project.0), Loaded::default(), shared.tally.clone());
                    (machine.map_err(anyhow::Error::from)?, None)
                }
            };
            if let Some(Damage { what, .. }) = damage {
                shared.tally.damaged.add();
                tracing::error!(%subject, %what, "a document is damaged and opened for reading only; see coterie doctor");
                machine.note_damage(&format!("this document is damaged in the database, so nothing is saved: {what}"));
            }
            Ok::<Machine, Error>(machine)
        };
        let machine: Machine = machine.await.map_err(|error: Error| {
            shared.tally.failed_loads.add();
            tracing::error!(%subject, error = %format!("{error:#}"), "a room cannot be loaded");
            Arc::new(error)
        })?;
        shared.tally.loads.add();
        let (mailbox, inputs) = mpsc::channel(limits::ROOM_MAILBOX);
        let handle = Arc::new(Handle {
            subject,
            mailbox,
            ring: Ring::default(),
            left: Mutex::default(),
            left_bell: Notify::new(),
            unsettled: [Budget::new(limits::UNSETTLED_BYTES), shared.unsettled.clone()],
            clocks: machine.clocks().clone(),
            damage: machine.damage().cloned(),
        });
        shared.tasks.spawn(task::run(self.clone(), handle.clone(), Box::new(machine), inputs));
        Ok(handle)
    }

    /// Lets go of a room that has ended, unless another has taken its place.
    fn forget(&self, room: &Arc<Handle>) {
        let same = |slot: &Slot| slot.get().is_some_and(|loaded| matches!(loaded, Ok(kept) if Arc::ptr_eq(kept, room)));
        self.0.rooms.remove_if(&room.subject, |_, slot| same(slot));
    }
}

/// The error of a shared load, for one of those who waited.
fn load_error(error: &Error) -> Error {
    match error {
        Error::NotFound => Error::NotFound,
        Error::Damaged(why) => Error::Damaged(why.clone()),
        Error::Database(inner) if crate::error::is_away(inner) => Error::unavailable("the database is away, try again"),
        _ => Error::Internal(anyhow::anyhow!("the document cannot be loaded")),
    }
}

fn closing() -> Error {
    Error::unavailable("the document is being closed, try again")
}

/// A refusal as HTTP tells it.
pub(crate) fn refused(refusal: &Refusal) -> Error {
    match refusal {
        Refusal::Malformed(_) => Error::invalid("malformed_update", refusal.to_string()),
        Refusal::TooLarge | Refusal::ProjectFull(_) => Error::TooLarge(refusal.to_string()),
        Refusal::ReadOnly => Error::Forbidden("your role does not allow edits"),
        _ => Error::conflict(refusal.code(), refusal.to_string()),
    }
}
