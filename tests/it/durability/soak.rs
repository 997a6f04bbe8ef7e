//! Hundreds of people come and go for a long time while the database goes away now and then and the server is killed once:
//! nothing is lost, all end with the same, and the server's memory does not grow.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::ledger::Ledger;
use super::people::{Memory, Place, Seat, read, write};
use super::server::{Project, Server, log_of};
use super::verdict::{self, Log};
use super::wire::Dialect;
use super::{say, seed};
use crate::engines::{Database, Engine};
use crate::proxy::Proxy;

const CLIENTS: usize = 500;
const DOCUMENTS: usize = 200;
/// The longest pause between two letters of one writer.
const PACE: Duration = Duration::from_secs(3);
/// How long somebody stays at most before they leave.
const VISIT: Duration = Duration::from_secs(40);
/// From one fault to the next, at most.
const QUIET: Duration = Duration::from_secs(40);
const SAMPLE: Duration = Duration::from_secs(5);
/// What the memory of one letter, its row and its place in a base may come to, in bytes.
const PER_LETTER: u64 = 400;
/// What allocators keep back, and caches that fill up, in bytes.
const SLACK: u64 = 48 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(120);

/// What everybody looks at.
struct Stage {
    place: Place,
    server: Mutex<SocketAddr>,
    closing: AtomicBool,
    let_in: AtomicUsize,
    visits: AtomicU64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes as long as COTERIE_SOAK_SECONDS says; `make soak` runs it"]
async fn people_who_come_and_go_for_long_lose_nothing_and_memory_stays() {
    let given = std::env::var("COTERIE_SOAK_SECONDS").ok();
    let lasts = Duration::from_secs(given.map_or(3_600, |given| given.parse().expect("a number of seconds")));
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let database = Database::create(Engine::Postgres).await;
    let proxy = Proxy::start(&database).await;
    let url = proxy.url(&database);
    let mut server = Server::start(&url, database.folder.path()).await;
    let project = Project::create(server.address, DOCUMENTS).await;
    let place = Place { project: project.into(), ledger: Ledger::new(DOCUMENTS).into(), pace: PACE };
    let stage = Arc::new(Stage {
        place,
        server: Mutex::new(server.address),
        closing: AtomicBool::new(false),
        let_in: AtomicUsize::new(0),
        visits: AtomicU64::new(0),
    });
    let began = Instant::now();
    let mut people = JoinSet::new();
    for client in 0..CLIENTS {
        people.spawn(visit(stage.clone(), client, StdRng::seed_from_u64(rng.random())));
    }
    let mut samples: Vec<(Duration, u64, u64)> = Vec::new();
    let (mut cuts, mut swallowed, mut killed) = (0, 0, false);
    let mut next_fault = Instant::now() + QUIET / 2;
    while began.elapsed() < lasts {
        sleep(SAMPLE).await;
        if let Some(ended) = people.try_join_next() {
            panic!("somebody gave up: {ended:?}; {}", log_of(database.folder.path()));
        }
        samples.push((began.elapsed(), memory_of(server.pid()), stage.place.ledger.total().sent));
        if !killed && began.elapsed() > lasts / 4 {
            killed = true;
            server.kill();
            server = Server::start(&url, database.folder.path()).await;
            *stage.server.lock() = server.address;
        } else if Instant::now() > next_fault {
            if rng.random_bool(0.5) {
                cuts += 1;
                proxy.cut();
            } else {
                swallowed += 1;
                proxy.swallow();
            }
            sleep(Duration::from_millis(rng.random_range(500..8_000))).await;
            proxy.mend();
            next_fault = Instant::now() + QUIET.mul_f64(rng.random_range(0.5..1.0));
        }
    }
    // Everybody types no more, and stays until all of theirs is saved and shown.
    stage.closing.store(true, Ordering::Relaxed);
    let closing = Instant::now();
    while stage.place.ledger.total().unacked > 0 {
        assert!(
            closing.elapsed() < PATIENCE,
            "not all is saved (seed {seed}): {:?}\n{}\n{}",
            stage.place.ledger.total(),
            stage.place.ledger.unacked().join("\n"),
            log_of(database.folder.path())
        );
        sleep(Duration::from_millis(50)).await;
    }
    let ended = samples.last().copied().expect("a sample");
    samples.push((began.elapsed(), memory_of(server.pid()), stage.place.ledger.total().sent));
    people.shutdown().await;
    let letters = verdict::assert_kept(&stage.place, server.address, &database.url, &mut Log::default()).await;
    // Held against each other is one life of the server, from when all had come back to it.
    let settled = samples.iter().find(|(at, ..)| *at > lasts.mul_f64(0.45)).copied().expect("a sample");
    let (from, to) = (settled.1, ended.1);
    let typed = ended.2 - settled.2;
    say(&format!(
        "soak of {:.0} s (seed {seed}): {CLIENTS} clients over {DOCUMENTS} documents, {} visits ({} let in), {} letters \
         saved, {} cuts and {} silences of the database, the server killed once; its memory {} MiB at {:.0} s and {} MiB \
         at {:.0} s, {typed} letters later; 0 lost, 0 twice",
        began.elapsed().as_secs_f64(),
        stage.visits.load(Ordering::Relaxed),
        stage.let_in.load(Ordering::Relaxed),
        letters.kept,
        cuts,
        swallowed,
        from >> 20,
        settled.0.as_secs_f64(),
        to >> 20,
        ended.0.as_secs_f64(),
    ));
    for (at, bytes, letters) in samples.iter().step_by(samples.len().div_ceil(20)) {
        say(&format!("  {:>5.0} s {:>5} MiB {letters:>8} letters", at.as_secs_f64(), bytes >> 20));
    }
    assert!(to <= from + typed * PER_LETTER + SLACK, "memory grows: {from} to {to} bytes");
}

/// Somebody who comes, stays for a while, goes, and comes back: to the same document while something of theirs is not
/// saved, and else mostly to another.
async fn visit(stage: Arc<Stage>, client: usize, mut rng: StdRng) {
    let mut seat = sit_down(client, &mut rng);
    sleep(VISIT.mul_f64(rng.random())).await;
    loop {
        stage.visits.fetch_add(1, Ordering::Relaxed);
        let closing = stage.closing.load(Ordering::Relaxed);
        let stay = if closing { PATIENCE } else { VISIT.mul_f64(rng.random()) };
        let server = *stage.server.lock();
        // Either way: the socket broke, or it is time to go. What was typed is remembered.
        let _ = match seat.memory {
            Some(_) => {
                let typing = StdRng::seed_from_u64(rng.random());
                timeout(stay, write(&stage.place, server, &mut seat, (&stage.closing, &stage.let_in), typing)).await
            }
            None => timeout(stay, read(&stage.place, server, seat, &stage.let_in)).await,
        };
        let memory = seat.memory.filter(|memory| {
            let account = stage.place.ledger.account(seat.document, memory.client);
            account.in_flight() > 0 || account.sent < memory.typed
        });
        if memory.is_none() && !stage.closing.load(Ordering::Relaxed) {
            seat = sit_down(client, &mut rng);
        }
        sleep(Duration::from_millis(rng.random_range(100..2_000))).await;
    }
}

/// A place at some document: two of three write.
fn sit_down(client: usize, rng: &mut StdRng) -> Seat {
    let dialect = if rng.random() { Dialect::Hocuspocus } else { Dialect::Yjs };
    let memory = (client % 3 < 2).then(|| Memory { client: rng.random::<u32>().into(), typed: 0 });
    Seat { document: rng.random_range(0..DOCUMENTS), dialect, person: client % 2, memory, is_hasty: false }
}

/// The resident memory of a process, in bytes.
fn memory_of(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("it has memory");
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number") * 1024
}
