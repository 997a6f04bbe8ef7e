//! Random logs, folded: the fold and what follows say what the whole log says, however the log was written.

use coterie::ids::DocumentId;
use coterie::replica::{Part, Reply, Verb, worker};
use coterie::update::{merge, says_the_same, summary};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use yrs::block::ClientID;
use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::{
    Any, Array, ArrayPrelim, ArrayRef, Doc, GetString, Map, MapPrelim, MapRef, OffsetKind, Options, Out, ReadTxn, Text,
    TextPrelim, Transact, TransactionMut, Update,
};

use crate::engines::{Database, Engine};
use crate::folding::{folded, replicas};
use crate::peer::text_of;
use crate::update::oracle::Oracle;

/// Logs of [`a_folded_log_and_what_follows_is_the_log`]; another number with `COTERIE_TEST_LOGS`.
const LOGS: u64 = 20_000;

/// How many logs Yjs is asked about at once.
const BATCH: u64 = 500;

/// One log in so many is folded by a worker process too.
const BY_WORKERS_EVERY: u64 = 50;

/// What typists write into one text and, in every other log, into a list and a map with types in them, each seeing the
/// others' edits now and then.
struct Log {
    /// The rows in an order in which they may be logged.
    rows: Vec<Vec<u8>>,
    /// The text that they amount to.
    said: String,
    /// And the list and the map.
    held: String,
    /// Whether there was anything but text.
    rich: bool,
    /// How many of the rows are folded.
    at: usize,
}

fn log(seed: u64) -> Log {
    let mut random = StdRng::seed_from_u64(seed);
    let new = |client| Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::with_client_id(client) });
    let docs = [1, 2, 3, 4].map(|client| new(ClientID::new(client)));
    // The last one does not write; it is told every row.
    let (all, typists) = docs.split_last().unwrap();
    let texts = docs.each_ref().map(|doc| doc.get_or_insert_text("content"));
    let lists = docs.each_ref().map(|doc| doc.get_or_insert_array("list"));
    let maps = docs.each_ref().map(|doc| doc.get_or_insert_map("map"));
    let mut rows = Vec::new();
    for _ in 0..random.random_range(2..24) {
        let at = random.random_range(0..typists.len());
        let (doc, text) = (&typists[at], &texts[at]);
        if random.random_bool(0.4) {
            let missing = all.transact().encode_diff_v1(&doc.transact().state_vector());
            doc.transact_mut().apply_update(Update::decode_v1(&missing).unwrap()).unwrap();
        }
        let mut txn = doc.transact_mut();
        let len = text.len(&txn);
        if seed % 2 == 1 && random.random_bool(0.5) {
            hold(&lists[at], &maps[at], &mut txn, &mut random);
        } else if len > 2 && random.random_bool(0.35) {
            let at = random.random_range(0..len - 1);
            text.remove_range(&mut txn, at, random.random_range(1..=len - at));
        } else {
            let word = ["a", "word ", "\n", "🌍", "e\u{301}", "ö"][random.random_range(0..6)];
            text.insert(&mut txn, random.random_range(0..=len), word);
        }
        let row = txn.encode_update_v1();
        drop(txn);
        all.transact_mut().apply_update(Update::decode_v1(&row).unwrap()).unwrap();
        rows.push(row);
    }
    let said = texts[3].get_string(&all.transact());
    let at = random.random_range(1..=rows.len());
    Log { rows, said, held: held(all), rich: seed % 2 == 1, at }
}

/// Changes a list or a map, or a type in them.
fn hold(list: &ArrayRef, map: &MapRef, txn: &mut TransactionMut<'_>, random: &mut StdRng) {
    let name = ["a", "b", "c"][random.random_range(0..3)];
    let len = list.len(txn);
    let inner = map.get(txn, name);
    match (random.random_range(0..8), inner) {
        (0, _) => drop(map.insert(txn, name, MapPrelim::from([("inner", random.random_range(0..100))]))),
        (1, _) => drop(map.insert(txn, name, TextPrelim::new("text"))),
        (2, _) => drop(map.remove(txn, name)),
        (3..5, Some(Out::YMap(inner))) => drop(inner.insert(txn, "inner", random.random_range(0..100))),
        (3..5, Some(Out::YText(inner))) => inner.push(txn, "ö"),
        (5, _) if len > 0 => list.remove(txn, random.random_range(0..len)),
        (6, _) => drop(list.insert(txn, random.random_range(0..=len), ArrayPrelim::from(["one", "two"]))),
        _ => drop(list.insert(txn, random.random_range(0..=len), Any::from(random.random_range(0..100)))),
    }
}

/// What the list and the map hold.
fn held(doc: &Doc) -> String {
    let (list, map) = (doc.get_or_insert_array("list"), doc.get_or_insert_map("map"));
    let txn = doc.transact();
    let mut entries: Vec<String> =
        map.iter(&txn).map(|(name, value)| format!("{name}: {}", value.to_json(&txn))).collect();
    entries.sort();
    format!("{} {}", list.to_json(&txn), entries.join(", "))
}

/// Holds a fold against what was folded. Answers whether it would be kept.
fn judge(log: &Log, before: &[u8], state: &[u8], about: &str) -> bool {
    let (told, tells) = (summary(before).unwrap(), summary(state).unwrap());
    assert_eq!(told.state_vector, tells.state_vector, "{about}");
    // Of two who set one entry of a map at once, one is deleted by whoever reads both; who only writes does not say so.
    let deleted = told.deleted == tells.deleted;
    assert!(deleted || log.rich, "{about}");
    let same = deleted && says_the_same(before, state, &tells.deleted).unwrap();
    // A character that was cut in two is two others in the fold; such a fold is not kept.
    assert!(same || !deleted || log.said.contains('\u{fffd}') || text_of(state).contains('\u{fffd}'), "{about}");
    let whole = merge(&[&[state.to_vec()][..], &log.rows[log.at..]].concat()).unwrap();
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    doc.transact_mut().apply_update(Update::decode_v1(&whole).unwrap()).unwrap();
    assert_eq!((text_of(&whole), held(&doc)), (log.said.clone(), log.held.clone()), "{about}");
    same
}

#[test]
fn a_folded_log_and_what_follows_is_the_log() {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
    let count = std::env::var("COTERIE_TEST_LOGS").map_or(LOGS, |logs| logs.parse().unwrap());
    let mut oracle = Oracle::start();
    println!("folding random logs: seeds 0..{count}");
    let (mut kept, mut kept_rewritten) = (0, 0);
    for first in (0..count).step_by(BATCH as usize) {
        let logs: Vec<Log> = (first..count.min(first + BATCH)).map(log).collect();
        let merged: Vec<Vec<u8>> = logs.iter().map(|log| merge(&log.rows[..log.at]).unwrap()).collect();
        let folds: Vec<Vec<u8>> = merged.iter().map(|update| worker::fold(update).unwrap()).collect();
        let rewritten = oracle.rewritten(&[&merged[..], &folds[..]].concat());
        let (rewritten, refolded) = rewritten.split_at(logs.len());
        for (at, log) in logs.iter().enumerate() {
            let seed = first + at as u64;
            kept += u64::from(judge(log, &merged[at], &folds[at], &format!("seed {seed}")));
            // Yjs loads the log, and what it writes is folded; and it loads the fold.
            let fold = worker::fold(&rewritten[at]).unwrap();
            kept_rewritten += u64::from(judge(log, &rewritten[at], &fold, &format!("seed {seed}, written by Yjs")));
            judge(log, &folds[at], &refolded[at], &format!("seed {seed}, the fold loaded by Yjs"));
        }
    }
    println!("{kept} of {count} folds would be kept, {kept_rewritten} of what Yjs wrote");
    assert!(kept * 10 > count * 8 && kept_rewritten * 10 > count * 8, "{kept} {kept_rewritten}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_folds_as_its_code_does() {
    let database = Database::create(Engine::Sqlite).await;
    let db = database.connect().await;
    let replicas = replicas(&db);
    for seed in (0..LOGS).step_by(BY_WORKERS_EVERY as usize) {
        let log = log(seed);
        let document = DocumentId::new();
        let merged = merge(&log.rows[..log.at]).unwrap();
        let Reply::Update(state) = folded(&replicas, document, &merged, Verb::Fold).await else {
            panic!("seed {seed}")
        };
        judge(&log, &merged, &state, &format!("seed {seed}, by a worker"));
        let whole = merge(&[&[state][..], &log.rows[log.at..]].concat()).unwrap();
        let text =
            folded(&replicas, document, &whole, Verb::Text { root: "content".to_owned(), part: Part::Whole }).await;
        assert_eq!(text, Reply::Text(log.said), "seed {seed}");
    }
    assert_eq!(replicas.lost(), 0);
}
