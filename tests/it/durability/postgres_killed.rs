//! Postgres killed under a running server, and commits whose outcome the server never learns.

use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;
use tokio::time::sleep;

use super::cluster::Cluster;
use super::ledger::Ledger;
use super::people::{Memory, PACE, Place, Seat, Work};
use super::server::{Project, Server, log_of};
use super::verdict::{self, Log};
use super::wire::Dialect;
use super::{say, seed};
use crate::engines::{Database, Engine};
use crate::proxy::{AtCommit, Proxy};

const DOCUMENTS: usize = 2;
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_killed_under_the_server_loses_nothing_and_the_server_goes_on() {
    const KILLS: usize = 8;
    let began = Instant::now();
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::start().await;
    let folder = TempDir::new().unwrap();
    let mut scene = Scene::begin(&cluster.url(), &folder, &mut rng).await;
    let mut in_flight_kills = 0;
    let mut slowest = Duration::ZERO;
    for _ in 0..KILLS {
        scene.until_all_are_at_work(200).await;
        sleep(Duration::from_micros(rng.random_range(0..100_000))).await;
        cluster.kill();
        in_flight_kills += usize::from(scene.place.ledger.total().unacked > 0);
        sleep(Duration::from_millis(rng.random_range(50..1500))).await;
        // What is acknowledged while Postgres is away was saved before; nothing else may be.
        let away = scene.place.ledger.acks();
        sleep(Duration::from_millis(50)).await;
        assert_eq!(scene.place.ledger.acks(), away, "an edit was acknowledged without a database");
        let starting = Instant::now();
        cluster.run().await;
        let up = Instant::now();
        while scene.place.ledger.acks() == away {
            scene.assert_nobody_left();
            assert!(up.elapsed() < PATIENCE, "the server does not come back: {}", log_of(folder.path()));
            sleep(Duration::from_millis(5)).await;
        }
        slowest = slowest.max(up.elapsed());
        assert!(starting.elapsed() < PATIENCE);
    }
    assert_eq!(in_flight_kills, KILLS, "edits were in flight at every kill");
    let total = scene.end(&cluster.url()).await;
    say(&format!(
        "durability, Postgres killed {KILLS} times under the server in {:.0} s (seed {seed}): all {total} letters saved, \
         first acknowledgement at most {} ms after Postgres was back, no socket closed; 0 lost, 0 twice",
        began.elapsed().as_secs_f64(),
        slowest.as_millis(),
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_cut_off_under_load_are_saved_once() {
    const CUTS: usize = 30;
    let mut rng = StdRng::seed_from_u64(seed());
    let database = Database::create(Engine::Postgres).await;
    let proxy = Proxy::start(&database).await;
    let mut scene = Scene::begin(&proxy.url(&database), &database.folder, &mut rng).await;
    for cut in 0..CUTS {
        scene.until_all_are_at_work(50).await;
        proxy.cut_at_commit(if cut % 3 == 2 { AtCommit::LoseCommit } else { AtCommit::LoseAnswer });
        let began = Instant::now();
        while proxy.is_armed() {
            scene.assert_nobody_left();
            assert!(began.elapsed() < PATIENCE, "nobody commits");
            sleep(Duration::from_millis(1)).await;
        }
    }
    let total = scene.end(&database.url).await;
    say(&format!(
        "durability, Postgres cut off at {CUTS} commits, after {} of them were done: all {total} letters saved, 0 lost, \
         0 twice",
        CUTS - CUTS / 3,
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_of_the_database_with_the_server_killed_inside_half_of_them_lose_nothing() {
    outages(6, 1_000..3_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a quarter of an hour; `make test-outages` runs it"]
async fn thirty_outages_of_up_to_half_a_minute_lose_nothing() {
    outages(30, 1_000..30_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes twenty minutes; `make soak` runs it"]
async fn outages_of_ten_minutes_lose_nothing() {
    outages(2, 600_000..601_000).await;
}

/// Outages of so many milliseconds: the wire is cut or passes nothing on, in turns, and the server is killed inside half of
/// each.
async fn outages(count: usize, lasting: Range<u64>) {
    let began = Instant::now();
    let seed = seed();
    let mut rng = StdRng::seed_from_u64(seed);
    let database = Database::create(Engine::Postgres).await;
    let proxy = Proxy::start(&database).await;
    let url = proxy.url(&database);
    let mut scene = Scene::begin(&url, &database.folder, &mut rng).await;
    let mut log = Log::default();
    let (mut slowest, mut kills) = (Duration::ZERO, 0);
    for outage in 0..count {
        scene.until_all_are_at_work(100).await;
        if outage % 2 == 0 {
            proxy.cut()
        } else {
            proxy.swallow()
        }
        // What was committed before may still be on its way to those who typed it.
        sleep(Duration::from_millis(rng.random_range(200..400))).await;
        let away = scene.place.ledger.acks();
        sleep(Duration::from_millis(rng.random_range(lasting.clone()))).await;
        assert_eq!(scene.place.ledger.acks(), away, "an edit was acknowledged without a database");
        let back = if matches!(outage % 4, 0 | 3) {
            kills += 1;
            scene.server.kill();
            let nobody = Work::begin(&scene.place, scene.server.address, &[], &mut rng);
            std::mem::replace(&mut scene.work, nobody).end(&mut scene.seats).await;
            proxy.mend();
            scene.server = Server::start(&url, database.folder.path()).await;
            verdict::assert_kept(&scene.place, scene.server.address, &database.url, &mut log).await;
            scene.work = Work::begin(&scene.place, scene.server.address, &scene.seats, &mut rng);
            Instant::now()
        } else {
            proxy.mend();
            Instant::now()
        };
        scene.until_acks(1).await;
        slowest = slowest.max(back.elapsed());
    }
    assert!(slowest < Duration::from_secs(10), "{slowest:?}");
    let total = scene.end(&database.url).await;
    say(&format!(
        "durability, {count} outages of the database of {} to {} ms, the server killed inside {kills}, in {:.0} s (seed \
         {seed}): all {total} letters saved, first acknowledgement at most {} ms after the database was back; 0 lost, 0 \
         twice",
        lasting.start,
        lasting.end,
        began.elapsed().as_secs_f64(),
        slowest.as_millis(),
    ));
}

/// A server with people at work who stay connected whatever happens.
struct Scene {
    /// The server's.
    folder: PathBuf,
    place: Place,
    server: Server,
    work: Work,
    seats: Vec<Seat>,
}

impl Scene {
    async fn begin(database: &str, folder: &TempDir, rng: &mut StdRng) -> Self {
        let server = Server::start(database, folder.path()).await;
        let project = Project::create(server.address, DOCUMENTS).await;
        let place = Place { project: project.into(), ledger: Ledger::new(DOCUMENTS).into(), pace: PACE };
        let mut seats = Vec::new();
        for document in 0..DOCUMENTS {
            for (dialect, person, writes) in [
                (Dialect::Hocuspocus, 0, true),
                (Dialect::Hocuspocus, 1, true),
                (Dialect::Yjs, 1, true),
                (Dialect::Yjs, 0, false),
            ] {
                let memory = writes.then(|| Memory { client: rng.random::<u32>().into(), typed: 0 });
                seats.push(Seat { document, dialect, person, memory, is_hasty: false });
            }
        }
        let work = Work::begin(&place, server.address, &seats, rng);
        Self { folder: folder.path().to_owned(), place, server, work, seats }
    }

    /// Waits for so many more acknowledgements.
    async fn until_acks(&mut self, more: u64) {
        let wanted = self.place.ledger.acks() + more;
        self.until("so much more is acknowledged", |scene| scene.place.ledger.acks() >= wanted).await;
    }

    /// Waits for everybody to be let in, which nobody can be without a database, and for so many more acknowledgements.
    async fn until_all_are_at_work(&mut self, more: u64) {
        self.until("everybody is let in", |scene| scene.work.here() == scene.seats.len()).await;
        self.until_acks(more).await;
    }

    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            self.assert_nobody_left();
            assert!(began.elapsed() < PATIENCE, "in vain: {what}");
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn assert_nobody_left(&mut self) {
        if let Some(error) = self.work.first_to_leave() {
            panic!("somebody's socket was closed: {error}; {}", log_of(&self.folder));
        }
    }

    /// All of what was typed must be saved and shown before long, and be there after the server was killed too.
    /// Answers how many letters that are.
    async fn end(mut self, database: &str) -> u64 {
        self.work.pause();
        let began = Instant::now();
        loop {
            let total = self.place.ledger.total();
            // Who has not come back yet still brings what they typed before.
            let all_back = self.seats.iter().all(|seat| {
                seat.memory.is_none_or(|Memory { client, typed }| {
                    self.place.ledger.account(seat.document, client).sent >= typed
                })
            });
            if all_back && total.unacked == 0 && total.unshown == 0 {
                break;
            }
            self.assert_nobody_left();
            assert!(began.elapsed() < PATIENCE, "not everything is saved: {total:?}");
            sleep(Duration::from_millis(5)).await;
        }
        let sent = self.place.ledger.total().sent;
        let letters = verdict::assert_kept(&self.place, self.server.address, database, &mut Log::default()).await;
        assert_eq!((letters.kept, letters.gone), (sent, 0), "everything typed is there");
        self.server.kill();
        self.work.end(&mut self.seats).await;
        sent
    }
}
