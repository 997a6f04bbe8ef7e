//! Hunks are accepted while people type into the very lines: what each row of the log did is held against what was decided.

use coterie::db::Db;
use coterie::ids::{DocumentId, ProjectId, UserId};
use coterie::limits;
use futures_util::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::StatusCode;
use serde_json::{Value, json};
use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, OffsetKind, Options, Transact, Update};

use super::{act, hunks, now, propose, states};
use crate::client::TestClient;
use crate::engines::{Engine, in_time};
use crate::opening::{DIALECTS, Dialect};
use crate::peer::Peer;
use crate::server::TestServer;
use crate::text::{fork, is_kept, kept, type_some};

/// Seeds of [`nothing_is_forced`] on each engine; another number, such as 500, with `COTERIE_TEST_SEEDS`.
const SEEDS: u64 = 100;

/// How many documents are typed in at once.
const AT_ONCE: usize = 4;

/// Each word is there once, so that a hunk's text is found.
const WORDS: [&str; 9] = ["alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_forced_while_people_type_on_sqlite() {
    nothing_is_forced(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_forced_while_people_type_on_postgres() {
    nothing_is_forced(Engine::Postgres).await;
}

/// Who decides on what, and who types.
struct Scene<'a> {
    db: &'a Db,
    ann: &'a TestClient,
    bob: &'a TestClient,
    project: ProjectId,
}

/// What became of the hunks of all seeds.
#[derive(Debug, Default)]
struct Tally {
    accepted: usize,
    stale: usize,
    undone: usize,
    refused: usize,
}

async fn nothing_is_forced(engine: Engine) {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
    let seeds = std::env::var("COTERIE_TEST_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let mut tally = Tally::default();
    let seeds = if engine == Engine::Sqlite { 0..seeds } else { seeds..2 * seeds };
    println!("accepting while people type: seeds {seeds:?}");
    // A project holds so many proposals that wait, and some of these will.
    for first in seeds.clone().step_by(90) {
        let project = ann.project().await;
        ann.invite(project, &bob, "editor").await;
        let scene = Scene { db: server.db(), ann: &ann, bob: &bob, project };
        let range = first..seeds.end.min(first + 90);
        let documents = documents(&scene, range.clone()).await;
        let runs = stream::iter(range).zip(stream::iter(documents)).map(async |(seed, document)| {
            let mut found = Tally::default();
            in_time(async { found = type_and_accept(&scene, document, seed).await }).await;
            found
        });
        let mut runs = runs.buffer_unordered(AT_ONCE);
        while let Some(found) = runs.next().await {
            tally.accepted += found.accepted;
            tally.stale += found.stale;
            tally.undone += found.undone;
            tally.refused += found.refused;
        }
    }
    println!("{tally:?}; appends that met one on their way: {}", server.tally("conflicts"));
    assert_eq!(server.tally("refused"), 0);
    assert_eq!(server.state().replicas.lost(), 0);
    if seeds.end - seeds.start >= 100 {
        assert!(tally.accepted > 0 && tally.stale > 0 && tally.undone > 0 && tally.refused > 0, "{tally:?}");
    }
}

/// Asks again while the database is busy, as the answer says one should.
async fn answered(ask: impl AsyncFn() -> (StatusCode, Value)) -> (StatusCode, Value) {
    loop {
        let answer = ask().await;
        if answer.0 != StatusCode::SERVICE_UNAVAILABLE {
            return answer;
        }
        tokio::time::sleep(limits::LOCK_TIMEOUT).await;
    }
}

/// Documents with the text that is typed in, in the order of their seeds.
async fn documents(scene: &Scene<'_>, seeds: std::ops::Range<u64>) -> Vec<DocumentId> {
    assert!(seeds.end - seeds.start <= limits::CHANGE_OPERATIONS as u64);
    let operations: Vec<Value> =
        seeds.map(|seed| json!({ "op": "create", "path": format!("{seed}.md"), "content": text() })).collect();
    let (status, made) = scene.ann.change(scene.project, json!(operations)).await;
    assert_eq!(status, StatusCode::OK, "{made}");
    let ids = made["documents"].as_array().unwrap().iter().map(|one| one["id"].clone());
    ids.map(|id| serde_json::from_value(id).unwrap()).collect()
}

fn text() -> String {
    WORDS.iter().map(|word| format!("{word}\n")).collect()
}

/// Another text: what is new in it is in capitals and digits, which nobody types.
fn rewritten(random: &mut StdRng) -> String {
    loop {
        let mut lines = String::new();
        for (number, word) in WORDS.iter().enumerate() {
            match random.random_range(0..12) {
                0 => {}
                1..=3 => lines.push_str(&format!("{}{number}\n", word.to_uppercase())),
                4 => lines.push_str(&format!("{word}\nNEW{number}\n")),
                _ => lines.push_str(&format!("{word}\n")),
            }
        }
        if lines != text() {
            return lines;
        }
    }
}

/// One document in which two people type while two decide on what is proposed for it.
async fn type_and_accept(scene: &Scene<'_>, document: DocumentId, seed: u64) -> Tally {
    let mut random = StdRng::seed_from_u64(seed);
    let (ann, bob, project) = (scene.ann, scene.bob, scene.project);
    let mut left = ann.socket(*DIALECTS.choose(&mut random).unwrap(), project, document).join().await;
    let mut right = bob.socket(Dialect::Hocuspocus, project, document).join().await;
    let (mut left_random, mut right_random) = (fork(&mut random), fork(&mut random));
    let files = json!([{ "op": "edit", "document": document, "text": rewritten(&mut random), "base": text() }]);
    let mut tally = Tally::default();
    let deciding = async {
        let (status, proposal) = answered(async || propose(ann, project, files.clone()).await).await;
        if status == StatusCode::CONFLICT {
            assert_eq!(proposal["error"]["code"], "stale", "seed {seed}");
            return None;
        }
        assert_eq!(status, StatusCode::CREATED, "seed {seed}: {proposal}");
        let waiting: Vec<i64> = hunks(&proposal)
            .into_iter()
            .filter(|hunk| hunk["state"] == "pending")
            .map(|hunk| hunk["id"].as_i64().unwrap())
            .collect();
        let some: Vec<i64> = waiting.iter().copied().filter(|_| random.random_bool(0.5)).collect();
        let some = if some.is_empty() { json!({ "hunks": waiting[..1] }) } else { json!({ "hunks": some }) };
        let outcomes = tokio::join!(
            answered(async || act(ann, &proposal, "accept", some.clone()).await),
            answered(async || act(bob, &proposal, "accept", json!({})).await)
        );
        for (status, body) in [&outcomes.0, &outcomes.1] {
            assert!(matches!(status.as_u16(), 200 | 409), "seed {seed}: {status} {body}");
            tally.refused += usize::from(*status == StatusCode::CONFLICT);
        }
        Some(proposal)
    };
    let (proposal, (), ()) = tokio::join!(
        deciding,
        type_some(&mut left, 0, 4, &mut left_random),
        type_some(&mut right, 100, 4, &mut right_random)
    );
    let must: Vec<char> = (0..4).chain(100..104).map(kept).collect();
    settled(scene, document, [&mut left, &mut right], &must, seed).await;
    let Some(proposal) = proposal else { return tally };
    let after = now(ann, &proposal).await;
    let text = ann.read_text(project, document).await.1;
    check_rows(scene, document, &after, &text, seed).await;
    tally.accepted += states(&after).iter().filter(|state| **state == "accepted").count();
    tally.stale += states(&after).iter().filter(|state| **state == "stale").count();
    if seed.is_multiple_of(3) && states(&after).contains(&"accepted") {
        let (undone, (), ()) = tokio::join!(
            answered(async || act(bob, &proposal, "undo", json!({})).await),
            type_some(&mut left, 200, 2, &mut left_random),
            type_some(&mut right, 300, 2, &mut right_random)
        );
        assert_eq!(undone.0, StatusCode::OK, "seed {seed}: {}", undone.1);
        tally.undone += states(&undone.1).iter().filter(|state| **state == "undone").count();
        let must: Vec<char> = (0..4).chain(100..104).chain(200..202).chain(300..302).map(kept).collect();
        settled(scene, document, [&mut left, &mut right], &must, seed).await;
        let text = ann.read_text(project, document).await.1;
        let left_over = text.chars().any(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        assert!(!left_over, "seed {seed}: something of it is left: {text:?}");
    }
    tally
}

/// Waits until everybody has the same, and all that was typed is in it once.
async fn settled(scene: &Scene<'_>, document: DocumentId, peers: [&mut Peer; 2], must: &[char], seed: u64) {
    let all_there = |peer: &Peer| must.iter().all(|c| peer.text().contains(*c));
    let [left, right] = peers;
    right.until(&format!("seed {seed}: all is there"), |peer| peer.is_saved() && all_there(peer)).await;
    left.until(&format!("seed {seed}: all is there"), all_there).await;
    let (_, text, _) = scene.ann.read_text(scene.project, document).await;
    for peer in [left, right] {
        peer.until(&format!("seed {seed}: it has {text:?}"), |peer| peer.text() == text).await;
    }
    let found = text.chars().filter(is_kept).count();
    assert_eq!(found, must.len(), "seed {seed}: something is there twice: {text:?}");
}

/// Plays the log: each row of the proposal did what was accepted with it and nothing else, to a text in which every one of
/// its hunks stood, and is its acceptor's. What is stale does not stand any more.
async fn check_rows(scene: &Scene<'_>, document: DocumentId, proposal: &Value, text: &str, seed: u64) {
    let rows: Vec<(i64, UserId, Vec<u8>)> = coterie::on_pool!(scene.db, read, pool => {
        sqlx::query_as("select seq, author_id, bytes from document_update where document_id = $1 order by seq")
            .bind(document)
            .fetch_all(pool)
            .await
    })
    .unwrap();
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let content = doc.get_or_insert_text("content");
    let said = || content.get_string(&doc.transact());
    let mut written = 0;
    for (seq, author, bytes) in rows {
        let before = said();
        doc.transact_mut().apply_update(Update::decode_v1(&bytes).unwrap()).unwrap();
        let Some(row) = proposal["written"].as_array().unwrap().iter().find(|row| row["head"] == seq) else { continue };
        written += 1;
        assert_eq!(json!(author), row["accepted_by"]["id"], "seed {seed}: row {seq}");
        let (mut expected, mut after) = (before.clone(), said());
        let of_it = hunks(proposal).into_iter().filter(|hunk| hunk["decided_at"] == row["at"]);
        for hunk in of_it.filter(|hunk| hunk["state"] == "accepted") {
            assert_eq!(hunk["decided_by"], row["accepted_by"], "seed {seed}: row {seq}");
            let (from, to) = (hunk["before"].as_str().unwrap(), hunk["after"].as_str().unwrap());
            if from.is_empty() {
                assert_eq!(after.matches(to).count(), 1, "seed {seed}: row {seq}: {hunk} in {after:?}");
                after = after.replacen(to, "", 1);
            } else {
                assert_eq!(expected.matches(from).count(), 1, "seed {seed}: row {seq}: {hunk} in {expected:?}");
                expected = expected.replacen(from, to, 1);
            }
        }
        assert_eq!(after, expected, "seed {seed}: row {seq} did to {before:?} what was not accepted");
    }
    assert_eq!(written, proposal["written"].as_array().unwrap().len(), "seed {seed}: {proposal}");
    for hunk in hunks(proposal).into_iter().filter(|hunk| hunk["state"] == "stale") {
        let from = hunk["before"].as_str().unwrap();
        assert!(from.is_empty() || !text.contains(from), "seed {seed}: {hunk} stands in {text:?}");
    }
}

/// Whose a row is.
pub async fn author_of(db: &Db, document: DocumentId, seq: i64) -> UserId {
    let (author,): (UserId,) = coterie::on_pool!(db, read, pool => {
        sqlx::query_as("select author_id from document_update where document_id = $1 and seq = $2")
            .bind(document)
            .bind(seq)
            .fetch_one(pool)
            .await
    })
    .unwrap();
    author
}
