//! `kill -9` of the server, round after round on one database, while people type.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use tokio::time::sleep;

use super::ledger::Ledger;
use super::people::{Memory, PACE, Place, Seat, Work};
use super::server::{Project, Server, command, log_of};
use super::verdict::{self, Log};
use super::wire::Dialect;
use super::{say, seed};
use crate::engines::{Database, Engine};

const ROUNDS: usize = 40;
const DOCUMENTS: usize = 3;
/// Acknowledgements of a round before it may end.
const ACKS: u64 = 500;
/// One round in so many is preceded by starts that are cut short.
const CUT_STARTS_EVERY: usize = 5;
/// In one round in so many all writers are new; in the others they remember what they typed.
const FRESH_EVERY: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_server_killed_loses_nothing_acknowledged_or_shown() {
    rounds(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_server_killed_loses_nothing_acknowledged_or_shown() {
    rounds(Engine::Postgres).await;
}

/// What happened, so that a test of nothing is not taken for a success.
#[derive(Default)]
struct Coverage {
    in_flight_rounds: usize,
    in_flight: u64,
    gone: u64,
    fewest_acks: u64,
    starts_cut: usize,
    loads_cut: usize,
    remembered_rounds: usize,
}

async fn rounds(engine: Engine) {
    let Database { url: database, folder, .. } = &Database::create(engine).await;
    let began = Instant::now();
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut server = Server::start(database, folder.path()).await;
    let project = Project::create(server.address, DOCUMENTS).await;
    let place = Place { project: project.into(), ledger: Ledger::new(DOCUMENTS).into(), pace: PACE };
    let mut log = Log::default();
    let mut covered = Coverage { fewest_acks: u64::MAX, ..Coverage::default() };
    let mut seats = seats(&mut rng);
    let mut start_took = Duration::from_millis(100);
    for round in 0..ROUNDS {
        if round % FRESH_EVERY == 0 {
            seats = self::seats(&mut rng);
        } else {
            covered.remembered_rounds += 1;
        }
        for seat in &mut seats {
            seat.is_hasty = rng.random_bool(0.3);
        }
        let acks_before = place.ledger.acks();
        let work = Work::begin(&place, server.address, &seats, &mut rng);
        let patience = Instant::now();
        while place.ledger.acks() < acks_before + ACKS {
            assert!(patience.elapsed() < Duration::from_secs(60), "round {round} stalls: {}", log_of(folder.path()));
            sleep(Duration::from_millis(1)).await;
        }
        sleep(Duration::from_micros(rng.random_range(0..60_000))).await;
        server.kill();
        work.end(&mut seats).await;
        let total = place.ledger.total();
        covered.in_flight += total.unacked + total.unshown;
        covered.in_flight_rounds += usize::from(total.unacked > 0);
        covered.fewest_acks = covered.fewest_acks.min(place.ledger.acks() - acks_before);
        if round % CUT_STARTS_EVERY == 0 {
            cut_start(database, folder, start_took.mul_f64(rng.random_range(0.0..1.2))).await;
            covered.starts_cut += 1;
            cut_load(&place, database, folder, &seats, &mut rng).await;
            covered.loads_cut += 1;
        }
        let starting = Instant::now();
        server = Server::start(database, folder.path()).await;
        start_took = starting.elapsed();
        covered.gone += verdict::assert_kept(&place, server.address, database, &mut log).await.gone;
    }
    let total = place.ledger.total();
    let rows = log.rows;
    say(&format!(
        "durability, {engine:?}: {ROUNDS} rounds of kill -9 in {:.0} s (seed {seed}): {} letters acknowledged, {} shown, \
         {} in flight at a kill in {} rounds ({} of them gone), at least {} acknowledgements a round, {} starts and {} loads cut short, \
         {} rounds with memory, {rows} rows; 0 lost, 0 twice",
        began.elapsed().as_secs_f64(),
        total.acked,
        total.shown,
        covered.in_flight,
        covered.in_flight_rounds,
        covered.gone,
        covered.fewest_acks,
        covered.starts_cut,
        covered.loads_cut,
        covered.remembered_rounds,
    ));
    assert!(covered.in_flight_rounds * 4 >= ROUNDS, "too few kills came while edits were in flight");
    assert!(covered.gone > 0, "no kill came before a commit");
    assert!(covered.fewest_acks >= ACKS);
    assert!(covered.starts_cut + covered.loads_cut > 0 && covered.remembered_rounds > 0);
    assert!(total.shown > total.acked, "writers without acknowledgements were not shown to anyone");
}

/// Kills a server that is starting.
async fn cut_start(database: &str, folder: &TempDir, after: Duration) {
    let mut child = command(database, folder.path()).spawn().expect("the server starts");
    sleep(after).await;
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Kills a server while it loads the documents for all who come back.
async fn cut_load(place: &Place, database: &str, folder: &TempDir, seats: &[Seat], rng: &mut StdRng) {
    let mut server = Server::start(database, folder.path()).await;
    // Their memories are thrown away: in the next round they know as much as before.
    let mut seats = seats.to_vec();
    for seat in &mut seats {
        seat.memory = None;
    }
    let work = Work::begin(place, server.address, &seats, rng);
    sleep(Duration::from_micros(rng.random_range(0..40_000))).await;
    server.kill();
    work.end(&mut seats).await;
}

/// In each document three writers, two of them the same person, and a reader.
fn seats(rng: &mut StdRng) -> Vec<Seat> {
    let mut seats = Vec::new();
    for document in 0..DOCUMENTS {
        for (dialect, person, writes) in [
            (Dialect::Hocuspocus, 0, true),
            (Dialect::Hocuspocus, 1, true),
            (Dialect::Yjs, 0, true),
            (if document % 2 == 0 { Dialect::Yjs } else { Dialect::Hocuspocus }, 1, false),
        ] {
            let memory = writes.then(|| Memory { client: rng.random::<u32>().into(), typed: 0 });
            seats.push(Seat { document, dialect, person, memory, is_hasty: false });
        }
    }
    seats
}
