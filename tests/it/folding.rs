//! Folding: a document is the same before and after, for whoever loads it, whoever is in it, and however it is broken off.

use std::collections::BTreeMap;
use std::task::Poll;
use std::time::Duration;

use coterie::compaction::{self, Folded, Window};
use coterie::db::{Db, now_us};
use coterie::doctor;
use coterie::head::Head;
use coterie::ids::DocumentId;
use coterie::journal;
use coterie::limits;
use coterie::replica::{Replicas, Reply, Source, Turn, Verb};
use coterie::update::merge;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::opening::Dialect;
use crate::peer::text_of;
use crate::program::{PROGRAM, Program};
use crate::server::{TestServer, until};
use crate::stored::{rows_of, run, spelled, store};
use crate::update::oracle::Oracle;

on_both_engines![
    what_yjs_wrote_is_the_same_after_folding,
    without_a_worker_the_bytes_are_merged,
    a_fold_that_is_broken_off_leaves_the_document,
    a_fold_may_end_at_any_of_its_steps,
    a_server_killed_while_it_folds_has_lost_nothing,
    rows_leave_after_they_were_folded_long_ago,
    the_server_keeps_folded_rows_for_two_days,
    who_is_in_a_document_notices_no_fold,
    a_long_log_is_folded_by_itself,
    a_log_of_many_rows_is_folded_by_itself,
    what_nobody_writes_in_any_more_is_folded_by_itself,
    the_doctor_names_each_damage,
];

pub fn replicas(db: &Db) -> Replicas {
    Replicas::new(db.clone(), PROGRAM.into(), limits::WORKERS_BYTES)
}

/// What a worker answers about an update.
pub async fn folded(replicas: &Replicas, document: DocumentId, update: &[u8], verb: Verb) -> Reply {
    let source = Source { head: Head { seq: 1, epoch: 1 }, from: None, update: update.to_vec().into() };
    replicas.ask(Turn::Server, document, &source, verb).await.unwrap().unwrap().reply
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_that_say_something_else_have_another_digest() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.connect().await;
    let replicas = replicas(&db);
    let mut digests = BTreeMap::new();
    let mut oracle = Oracle::start();
    let mut same = 0;
    for seed in 0..60 {
        let session = oracle.session(seed, true, false);
        let digest = folded(&replicas, DocumentId::new(), &session.state, Verb::Digest).await;
        let again = folded(&replicas, DocumentId::new(), &merge(&session.rows).unwrap(), Verb::Digest).await;
        // Not always: yrs tells some rich documents apart by the order in which it was told. Such a fold is not kept.
        same += usize::from(digest == again);
        digests.insert(format!("{digest:?}"), seed);
    }
    for (at, hex) in
        ["0101070004010174016100", "0101070004010174016200", "0101070004010175016100", "01010700080101740177016100"]
            .iter()
            .enumerate()
    {
        let bytes: Vec<u8> =
            (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect();
        let digest = folded(&replicas, DocumentId::new(), &bytes, Verb::Digest).await;
        digests.insert(format!("{digest:?}"), 1_000 + at as u64);
    }
    println!("{same} of 60 documents have the same digest when written otherwise");
    assert!(digests.len() == 64 && same > 40, "{} {same}", digests.len());
}

/// What the log of a document amounts to now: snapshot and rows.
async fn parts(db: &Db, document: DocumentId) -> Vec<Vec<u8>> {
    let loaded = journal::load(db, document).await.unwrap();
    let snapshot = loaded.snapshot.into_iter().map(|(_, bytes)| bytes);
    snapshot.chain(loaded.rows).map(|bytes| bytes.to_vec()).collect()
}

async fn what_yjs_wrote_is_the_same_after_folding(engine: Engine) {
    const SESSIONS: u64 = 60;
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let db = server.db();
    let replicas = replicas(db);
    let mut oracle = Oracle::start();
    let mut how: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..SESSIONS {
        let (gc, rare) = (seed % 2 == 0, seed % 4 == 3);
        let session = oracle.session(seed, gc, rare);
        let about = format!("seed {seed}, gc {gc}, rare {rare}");
        let document = ann.create(project, &format!("{seed}"), "").await;
        let at = session.rows.len() / 2;
        for rows in [&session.rows[..at], &session.rows[at..]] {
            store(db, document, ann.id, rows).await;
            let folded = compaction::fold(db, &replicas, document).await.unwrap();
            *how.entry(format!("{folded:?}")).or_default() += 1;
        }
        let stored = parts(db, document).await;
        assert_eq!(stored.len(), 1, "{about}");
        oracle.judge(gc, &session.rows, &[stored], &about);
        // The same as Yjs writes it.
        let rewritten = ann.create(project, &format!("{seed}-rewritten"), "").await;
        let (state, ..) = oracle.differences(gc, &session.state, &[]);
        store(db, rewritten, ann.id, &[state]).await;
        let folded = compaction::fold(db, &replicas, rewritten).await.unwrap();
        *how.entry(format!("rewritten {folded:?}")).or_default() += 1;
        oracle.judge(gc, &session.rows, &[parts(db, rewritten).await], &about);
    }
    println!("folding what Yjs wrote: seeds 0..{SESSIONS}: {how:?}, {} workers lost", replicas.lost());
    // Rich documents hold values that yrs writes otherwise, or cannot read: then the bytes are merged.
    assert!(how.contains_key("Bytes"), "{how:?}");
    let text = ann.create(project, "text", "one\ntwo\n").await;
    assert_eq!(compaction::fold(db, &replicas, text).await.unwrap(), Folded::Replica);
    assert_eq!(compaction::fold(db, &replicas, text).await.unwrap(), Folded::Nothing);
}

async fn without_a_worker_the_bytes_are_merged(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let db = server.db();
    let nobody = Replicas::new(db.clone(), "/nowhere/coterie".into(), limits::WORKERS_BYTES);
    let mut oracle = Oracle::start();
    for seed in 0..10 {
        let session = oracle.session(seed, true, true);
        let document = ann.create(project, &format!("{seed}"), "").await;
        store(db, document, ann.id, &session.rows).await;
        assert_eq!(compaction::fold(db, &nobody, document).await.unwrap(), Folded::Bytes);
        oracle.judge(true, &session.rows, &[parts(db, document).await], &format!("seed {seed}"));
    }
    let hostile = ann.create(project, "hostile", "").await;
    store(db, hostile, ann.id, &[vec![7]]).await;
    assert!(compaction::fold(db, &nobody, hostile).await.is_err(), "what cannot be read is not folded");
    assert_eq!(rows_of(db, hostile).await, 1);
}

async fn a_fold_that_is_broken_off_leaves_the_document(engine: Engine) {
    let seed: u64 = rand::random();
    println!("breaking folds off: seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "end\n").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let compactors = [replicas(server.db()), replicas(server.db())];
    let (mut broken, mut done) = (0, 0);
    for round in 0..60 {
        for _ in 0..5 {
            peer.insert(0, "x").await;
        }
        peer.until_saved().await;
        // Two at once, and each is dropped wherever it is by then.
        let folds = compactors.each_ref().map(|replicas| {
            let time = Duration::from_micros(random.random_range(0..60_000));
            tokio::time::timeout(time, compaction::fold(server.db(), replicas, document))
        });
        for outcome in futures_util::future::join_all(folds).await {
            match outcome {
                Ok(folded) => done += usize::from(folded.unwrap() != Folded::Nothing),
                Err(_) => broken += 1,
            }
        }
        assert_eq!(text_of(&merge(&parts(server.db(), document).await).unwrap()), peer.text(), "seed {seed}, {round}");
        assert_eq!(ann.read_text(project, document).await.1, peer.text());
    }
    println!("{broken} broken off, {done} done");
    assert!(broken > 5 && done > 5, "{broken} broken off, {done} done");
    assert_eq!(server.db_findings().await, Vec::<String>::new());
}

/// Polls a future until it waits for the time after the `steps`th, and drops it there. What it answered, if it did.
async fn broken_off<T>(steps: usize, work: impl Future<Output = T>) -> Option<T> {
    let mut work = std::pin::pin!(work);
    let mut left = steps;
    std::future::poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

async fn a_fold_may_end_at_any_of_its_steps(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "end\n").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let (db, replicas) = (server.db(), replicas(server.db()));
    let (mut folding, mut forgetting) = (0, 0);
    // From the first step on until both are done at once, and again: how often one waits is chance.
    let mut steps = 0;
    for _ in 0..500 {
        for _ in 0..2 {
            peer.insert(0, "x").await;
            peer.until_saved().await;
        }
        let folded = broken_off(steps, compaction::fold(db, &replicas, document)).await;
        assert_eq!(text_of(&merge(&parts(db, document).await).unwrap()), peer.text(), "folding, {steps} steps");
        let forgot = broken_off(steps, compaction::forget(db, Window::ALL, now_us() + 1)).await;
        assert_eq!(text_of(&merge(&parts(db, document).await).unwrap()), peer.text(), "forgetting, {steps} steps");
        assert_eq!(ann.read_text(project, document).await.1, peer.text(), "{steps} steps");
        assert_eq!(server.db_findings().await, Vec::<String>::new(), "{steps} steps");
        folding += usize::from(folded.is_none());
        forgetting += usize::from(forgot.is_none());
        steps += 1;
        if let (Some(folded), Some(forgot)) = (folded, forgot) {
            assert_eq!((folded.unwrap(), forgot.unwrap()), (Folded::Replica, 1));
            if folding > 2 && forgetting > 0 {
                break;
            }
            steps = 0;
        }
    }
    println!("broken off at {folding} steps of folding, {forgetting} of forgetting");
    assert!(folding > 2 && forgetting > 0, "{folding} {forgetting}");
}

async fn a_server_killed_while_it_folds_has_lost_nothing(engine: Engine) {
    const ROUNDS: usize = 10;
    let seed: u64 = rand::random();
    println!("killing a server that folds: seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let database = Database::create(engine).await;
    let mut program = Program::start(&database).await;
    let ann = TestClient::guest(&program.place, "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "").await;
    let db = database.connect().await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let mut folds = Vec::new();
    for round in 0..ROUNDS {
        // More bytes than a log may have before it is folded.
        for _ in 0..3 {
            peer.insert(0, &"many bytes\n".repeat(limits::FOLD_BYTES / 30)).await;
            peer.until_saved().await;
        }
        if round % 3 == 0 {
            until("a fold is done", async || folded_at(&db, document).await > *folds.last().unwrap_or(&0)).await;
        }
        tokio::time::sleep(Duration::from_micros(random.random_range(0..200_000))).await;
        program.kill();
        let stored = parts(&db, document).await;
        assert!(text_of(&merge(&stored).unwrap()) == peer.text(), "seed {seed}, round {round}");
        let report = doctor::examine(&db).await.unwrap();
        assert!(report.findings.is_empty(), "seed {seed}, round {round}: {:?}", report.findings);
        folds.push(folded_at(&db, document).await);
        program.start_again(&database).await;
        peer.connect().await;
        peer.until("it is back", |peer| peer.synced && peer.is_saved()).await;
        assert!(ann.read_text(project, document).await.1 == peer.text(), "seed {seed}, round {round}");
    }
    folds.dedup();
    println!("{} folds were done by the time of {ROUNDS} kills", folds.len());
    program.kill();
    db.close().await;
}

async fn rows_leave_after_they_were_folded_long_ago(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let db = server.db();
    let document = ann.create(project, "a.md", "").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let type_five = async |peer: &mut crate::peer::Peer| {
        for _ in 0..5 {
            peer.insert(0, "x").await;
            peer.until_saved().await;
        }
    };
    type_five(&mut peer).await;
    assert_eq!(compaction::forget(db, Window::ALL, now_us()).await.unwrap(), 0, "only what is folded leaves");
    let replicas = replicas(db);
    compaction::fold(db, &replicas, document).await.unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let between = now_us();
    type_five(&mut peer).await;
    compaction::fold(db, &replicas, document).await.unwrap();
    type_five(&mut peer).await;
    assert_eq!(rows_of(db, document).await, 15);
    assert_eq!(compaction::forget(db, Window::ALL, between - 3_600_000_000).await.unwrap(), 0);
    assert_eq!(rows_of(db, document).await, 15, "what was folded lately stays");
    assert_eq!(compaction::forget(db, Window::ALL, between).await.unwrap(), 1);
    assert_eq!(rows_of(db, document).await, 10, "what was folded and is older leaves");
    assert_eq!(compaction::forget(db, Window::ALL, between).await.unwrap(), 0);
    assert_eq!(compaction::forget(db, Window::ALL, now_us() + 1).await.unwrap(), 1);
    assert_eq!(rows_of(db, document).await, 5);
    assert_eq!(text_of(&merge(&parts(db, document).await).unwrap()), "x".repeat(15));
    assert_eq!(server.db_findings().await, Vec::<String>::new());
}

/// The row up to which a document is folded.
async fn folded_at(db: &Db, document: DocumentId) -> i64 {
    journal::load(db, document).await.unwrap().snapshot.map_or(0, |(seq, _)| seq)
}

/// Makes rows and snapshots of a document older than they are.
async fn age(db: &Db, document: DocumentId, hours: u64) {
    let (us, id) = (hours * 3_600_000_000, spelled(db, document));
    for table in ["document_update", "document_snapshot"] {
        run(db, format!("update {table} set created_us = created_us - {us} where document_id = {id}")).await;
    }
}

async fn the_server_keeps_folded_rows_for_two_days(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut documents = Vec::new();
    for (hours, fold) in [(47, true), (49, false), (49, true)] {
        let document = ann.create(project, &format!("{hours} {fold}"), "text\n").await;
        let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
        peer.insert(0, "x").await;
        peer.until_saved().await;
        if fold {
            compaction::fold(server.db(), &replicas(server.db()), document).await.unwrap();
        }
        age(server.db(), document, hours).await;
        peer.leave().await;
        documents.push(document);
    }
    // It looks at its start, and every so often after.
    server.restart().await;
    until("the old rows have left", async || rows_of(server.db(), documents[2]).await == 0).await;
    assert_eq!(rows_of(server.db(), documents[0]).await, 2, "not yet two days old");
    assert_eq!(rows_of(server.db(), documents[1]).await, 2, "not folded before");
    for document in documents {
        assert_eq!(ann.read_text(project, document).await.1, "xtext\n");
    }
    assert_eq!(server.db_findings().await, Vec::<String>::new());
}

async fn who_is_in_a_document_notices_no_fold(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "end\n").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let mut slow = ann.socket(Dialect::Yjs, project, document).receive_buffer(4_096).join().await;
    let replicas = replicas(server.db());
    for round in 0..5 {
        for _ in 0..4 {
            author.insert(0, &"long line\n".repeat(20_000)).await;
        }
        author.delete(0, 600_000).await;
        author.until_saved().await;
        compaction::fold(server.db(), &replicas, document).await.unwrap();
        compaction::forget(server.db(), Window::ALL, now_us() + 1).await.unwrap();
        author.insert(0, &format!("round {round}\n")).await;
        author.until_saved().await;
        if round == 3 {
            // As if somebody else had appended: the room reads a log that is folded beyond what it showed.
            server.state().rooms.look(document).await;
        }
    }
    slow.until("it has caught up", |peer| peer.text() == author.text()).await;
    println!("brought back from the log: {}", server.tally("lagged"));
    author.leave().await;
    author.insert(0, "offline\n").await;
    let epochs = {
        server.shutdown().await;
        let db = server.database.connect().await;
        compaction::fold(&db, &self::replicas(&db), document).await.unwrap();
        db.close().await;
        server.start_again().await;
        author.connect().await;
        author.until("what it wrote offline is saved", |peer| peer.sent > 0 && peer.is_saved()).await;
        journal::new_epoch(server.db()).await.unwrap()
    };
    assert_eq!(epochs, 1);
    compaction::fold(server.db(), &self::replicas(server.db()), document).await.unwrap();
    assert_eq!(server.db_findings().await, Vec::<String>::new());
    server.restart().await;
    let newcomer = ann.socket(Dialect::Yjs, project, document).join().await;
    assert_eq!(newcomer.text(), author.text());
}

async fn a_long_log_is_folded_by_itself(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    for _ in 0..3 {
        peer.insert(0, &"many bytes\n".repeat(10_000)).await;
        peer.until_saved().await;
    }
    until("it is folded", async || journal::load(server.db(), document).await.unwrap().snapshot.is_some()).await;
    peer.insert(0, "more\n").await;
    peer.until_saved().await;
    assert_eq!(ann.read_text(project, document).await.1, peer.text());
}

async fn a_log_of_many_rows_is_folded_by_itself(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    for _ in 1..limits::FOLD_ROWS {
        peer.insert(0, "x").await;
        peer.until_saved().await;
    }
    assert_eq!(journal::load(server.db(), document).await.unwrap().snapshot, None, "one row less is no long log");
    peer.insert(0, "x").await;
    until("it is folded", async || journal::load(server.db(), document).await.unwrap().snapshot.is_some()).await;
    assert_eq!(ann.read_text(project, document).await.1, "x".repeat(limits::FOLD_ROWS));
}

async fn what_nobody_writes_in_any_more_is_folded_by_itself(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let (old, new) = (ann.create(project, "old", "old").await, ann.create(project, "new", "new").await);
    let ago = limits::FOLD_IDLE.as_micros();
    let document = spelled(server.db(), old);
    let age = format!("update document_update set created_us = created_us - {ago} where document_id = {document}");
    assert_eq!(run(server.db(), age).await, 1);
    // It looks when it starts, and each minute.
    server.restart().await;
    until("it is folded", async || journal::load(server.db(), old).await.unwrap().snapshot.is_some()).await;
    assert_eq!(journal::load(server.db(), new).await.unwrap().snapshot, None);
}

async fn the_doctor_names_each_damage(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut documents = Vec::new();
    for number in 0..8 {
        let document = ann.create(project, &format!("{number}"), "text\n").await;
        let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
        for _ in 0..4 {
            peer.insert(0, "x").await;
            peer.until_saved().await;
        }
        peer.leave().await;
        documents.push(document);
    }
    assert_eq!(server.db_findings().await, Vec::<String>::new());
    server.shutdown().await;
    let db = server.database.connect().await;
    let gap = [1, 1, 7, 9, 4, 1, 1, b't', 1, b'X', 0];
    store(&db, documents[5], ann.id, &[gap.to_vec()]).await;
    store(&db, documents[4], ann.id, &[vec![9, 9]]).await;
    compaction::fold(&db, &replicas(&db), documents[6]).await.unwrap();
    let id = |at: usize| spelled(&db, documents[at]);
    let damages = [
        format!("update document_update set checksum = checksum + 1 where document_id = {} and seq = 2", id(0)),
        format!("delete from document_update where document_id = {} and seq = 3", id(1)),
        format!("update document_head set head = 9 where document_id = {}", id(2)),
        format!("delete from document_client where document_id = {} and closed = 0", id(3)),
        format!("update document_snapshot set checksum = 0 where document_id = {}", id(6)),
    ];
    for damage in damages {
        assert_eq!(run(&db, damage.clone()).await, 1, "{damage}");
    }
    let report = doctor::examine(&db).await.unwrap();
    db.close().await;
    assert_eq!(report.documents, 8);
    let said = |at: usize| {
        let found = report.findings.iter().filter(|finding| finding.document == documents[at]);
        found.map(|finding| finding.what.clone()).collect::<Vec<_>>().join("; ")
    };
    for (at, expected) in [
        (0, "row 2 has checksum"),
        (1, "row 3 is missing, found row 4"),
        (2, "it ends at row 5, but its head says 9"),
        (3, "wrote in it and is nobody's"),
        (4, "row 6 cannot be read"),
        (5, "its rows leave gaps"),
        (6, "the snapshot at row 5 has checksum"),
        (7, ""),
    ] {
        assert!(said(at).contains(expected) && said(at).is_empty() == expected.is_empty(), "{at}: {}", said(at));
    }
    // Nobody takes what is left of a damaged document for the whole of it, or writes to it.
    server.start_again().await;
    for at in [0, 1, 2, 6] {
        let mut peer = ann.socket(Dialect::Yjs, project, documents[at]).join().await;
        peer.until("it is told", |peer| peer.denied.iter().any(|said| said.contains("is damaged"))).await;
    }
}
