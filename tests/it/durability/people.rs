//! People at work: writers who type ahead of what is saved, and readers.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::edits::{self, Clocks, Twice};
use super::ledger::Ledger;
use super::server::Project;
use super::wire::{Dialect, Line, Said};

/// Edits that a writer leaves open.
const WINDOW: u32 = 48;

/// The longest pause of a writer in a hurry.
pub(super) const PACE: Duration = Duration::from_millis(3);

/// How often a writer who may not type looks whether that has changed.
const RECHECK: Duration = Duration::from_millis(5);

/// What a Yjs document remembers of its own edits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) client: u64,
    pub(super) typed: u32,
}

/// Somebody's place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) document: usize,
    pub(super) dialect: Dialect,
    /// Which of the two people.
    pub(super) person: usize,
    /// A writer's; readers have none.
    pub(super) memory: Option<Memory>,
    /// Whether live edits go out before the server's question is answered, as they do when somebody types while
    /// the page connects.
    pub(super) is_hasty: bool,
}

/// Where everybody is.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) project: Arc<Project>,
    pub(super) ledger: Arc<Ledger>,
    /// The longest pause between two letters of a writer.
    pub(super) pace: Duration,
}

/// Everybody at work on one server.
pub(super) struct Work {
    tasks: JoinSet<(usize, Seat, io::Error)>,
    pause: Arc<AtomicBool>,
    /// How many have been let in.
    here: Arc<AtomicUsize>,
}

impl Work {
    /// Everybody connects and begins.
    pub(super) fn begin(place: &Place, server: SocketAddr, seats: &[Seat], rng: &mut StdRng) -> Self {
        let mut work = Self { tasks: JoinSet::new(), pause: Arc::default(), here: Arc::default() };
        for (at, &seat) in seats.iter().enumerate() {
            let (place, pause, here, seed) = (place.clone(), work.pause.clone(), work.here.clone(), rng.random());
            work.tasks.spawn(async move {
                let mut seat = seat;
                let ended = match seat.memory {
                    Some(_) => write(&place, server, &mut seat, (&pause, &here), StdRng::seed_from_u64(seed)).await,
                    None => read(&place, server, seat, &here).await,
                };
                (at, seat, ended.expect_err("the loop has no other end"))
            });
        }
        work
    }

    /// How many have been let in since the beginning.
    pub(super) fn here(&self) -> usize {
        self.here.load(Ordering::Relaxed)
    }

    /// Lets nobody type any more; all still listen.
    pub(super) fn pause(&self) {
        self.pause.store(true, Ordering::Relaxed);
    }

    /// Whether somebody's socket was closed.
    pub(super) fn first_to_leave(&mut self) -> Option<io::Error> {
        self.tasks.try_join_next().map(|left| left.expect("nobody panics").2)
    }

    /// Waits until everybody has read what the server still said before it died, and takes their memories back.
    pub(super) async fn end(mut self, seats: &mut [Seat]) {
        while let Some(left) = self.tasks.join_next().await {
            let (at, seat, _) = left.expect("nobody panics");
            seats[at] = seat;
        }
    }
}

/// Types until the socket breaks, and counts itself among those who are `here` once it is let in. Broken off, it leaves `seat` as a page would find its document again.
pub(super) async fn write(
    place: &Place,
    server: SocketAddr,
    seat: &mut Seat,
    (pause, here): (&AtomicBool, &AtomicUsize),
    mut rng: StdRng,
) -> io::Result<std::convert::Infallible> {
    let Seat { document, dialect, is_hasty, .. } = *seat;
    let memory = seat.memory.as_mut().expect("a writer");
    let ledger = &place.ledger;
    let (name, token) = (place.project.name(document), &place.project.tokens[seat.person]);
    let knows = edits::state_vector(&[(memory.client, memory.typed)]);
    let mut line = Line::open(server, dialect, &name, token, &knows).await?;
    // For each frame that is to be acknowledged, how far it brings the document.
    let mut owed = VecDeque::new();
    let mut view = Clocks::new();
    let mut has_answered = false;
    let mut pause_until = None;
    loop {
        let open = ledger.account(document, memory.client).in_flight();
        let types = (has_answered || is_hasty) && open < WINDOW && !pause.load(Ordering::Relaxed);
        if !types {
            pause_until = None;
        }
        // Kept while others are heard, who would else never let this one type.
        let next = if types {
            *pause_until.get_or_insert_with(|| Instant::now() + place.pace.mul_f64(rng.random()))
        } else {
            Instant::now() + RECHECK
        };
        tokio::select! {
            said = line.hear() => match said? {
                Said::Question(vector) => {
                    let has = edits::read_state_vector(&vector).get(&memory.client).copied().unwrap_or(0);
                    assert!(has <= memory.typed, "the server knows letters that were never typed");
                    // Only once: an answer that the server asks for later is not acknowledged.
                    if !has_answered && dialect == Dialect::Hocuspocus {
                        owed.push_back(memory.typed);
                    }
                    here.fetch_add(usize::from(!has_answered), Ordering::Relaxed);
                    has_answered = true;
                    ledger.send(document, memory.client, memory.typed, dialect == Dialect::Hocuspocus);
                    line.answer(&edits::typed(memory.client, has, memory.typed)).await?;
                }
                Said::Update(update) | Said::Answer(update) => {
                    // What comes back of one's own was known before.
                    let own = view.entry(memory.client).or_insert(0);
                    *own = memory.typed.max(*own);
                    ledger.show(document, Some(memory.client), &mut view, &update);
                }
                Said::Saved => {
                    let end = owed.pop_front().expect("an acknowledgement for nothing");
                    ledger.acknowledge(document, memory.client, end);
                }
                Said::Refused => panic!("an edit of client {} was refused", memory.client),
                Said::Other => {}
            },
            () = tokio::time::sleep_until(next) => if types {
                pause_until = None;
                memory.typed += 1;
                ledger.send(document, memory.client, memory.typed, dialect == Dialect::Hocuspocus);
                if dialect == Dialect::Hocuspocus {
                    owed.push_back(memory.typed);
                }
                line.edit(&edits::typed(memory.client, memory.typed - 1, memory.typed)).await?;
            },
        }
    }
}

/// Reads until the socket breaks, and counts itself among those who are `here` once it is let in.
pub(super) async fn read(
    place: &Place,
    server: SocketAddr,
    seat: Seat,
    here: &AtomicUsize,
) -> io::Result<std::convert::Infallible> {
    let (name, token) = (place.project.name(seat.document), &place.project.tokens[seat.person]);
    let mut line = Line::open(server, seat.dialect, &name, token, &edits::state_vector(&[])).await?;
    let mut view = Clocks::new();
    let mut was_asked = false;
    loop {
        match line.hear().await? {
            Said::Question(_) => {
                here.fetch_add(usize::from(!was_asked), Ordering::Relaxed);
                was_asked = true;
                line.answer(&edits::typed(0, 0, 0)).await?;
            }
            Said::Update(update) | Said::Answer(update) => place.ledger.show(seat.document, None, &mut view, &update),
            Said::Refused => panic!("a reader was refused"),
            Said::Saved | Said::Other => {}
        }
    }
}

/// The state that a newcomer is given.
pub(super) async fn join(place: &Place, server: SocketAddr, document: usize, dialect: Dialect) -> io::Result<Clocks> {
    let (name, token) = (place.project.name(document), &place.project.tokens[1]);
    let mut line = Line::open(server, dialect, &name, token, &edits::state_vector(&[])).await?;
    let mut state = Clocks::new();
    loop {
        let (update, is_last) = match line.hear().await? {
            Said::Update(update) => (update, false),
            Said::Answer(update) => (update, true),
            Said::Refused => panic!("a newcomer was refused"),
            Said::Question(_) | Said::Saved | Said::Other => continue,
        };
        edits::absorb(&mut state, &update, Twice::IsAFault).expect("a newcomer is given everything once");
        if is_last {
            return Ok(state);
        }
    }
}
