//! Honest edits that arrive in any order: what is logged is causal, so every reader of the log ends alike. yrs itself ends
//! wrong after some of these orders.

use coterie::ids::ProjectId;
use futures_util::{StreamExt, stream};
use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::{Any, Array, Doc, GetString, Map, OffsetKind, Options, ReadTxn, StateVector, Text, Transact, Update};

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect};
use crate::server::TestServer;
use crate::update::Random;

on_both_engines![edits_in_any_order_end_as_in_the_order_they_were_made];

const SEED: u64 = 10_000;

/// Sessions on the engine that is asked most.
const SESSIONS: u64 = 400;
/// Sessions at once.
const AT_ONCE: usize = 8;
const AUTHORS: usize = 3;

async fn edits_in_any_order_end_as_in_the_order_they_were_made(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let sessions = if engine == Engine::Sqlite { SESSIONS } else { SESSIONS / 8 };
    let wrong_alone: usize = stream::iter(SEED..SEED + sessions)
        .map(|seed| session(&ann, project, seed))
        .buffer_unordered(AT_ONCE)
        .map(usize::from)
        .fold(0, async |sum, wrong| sum + wrong)
        .await;
    println!(
        "seeds {SEED}..{}: parked {}, refused {}; yrs by itself ended otherwise in {wrong_alone}",
        SEED + sessions,
        server.tally("parked"),
        server.tally("refused"),
    );
    assert!(server.tally("parked") > sessions, "most orders are none");
    assert_eq!(server.db_findings().await, Vec::<String>::new());
}

/// One session. Answers whether yrs, given the same order, ends otherwise.
async fn session(ann: &TestClient, project: ProjectId, seed: u64) -> bool {
    let mut random = Random::new(seed);
    let updates = written(&mut random);
    let expected = said(&updates).expect("causal");
    let mut shuffled = updates.clone();
    for at in (1..shuffled.len()).rev() {
        shuffled.swap(at, random.below(at as u64 + 1) as usize);
    }
    let path = format!("order-{seed}");
    let document = ann.create(project, &path, "").await;
    let mut sender = ann.socket(Dialect::Hocuspocus, project, document).bytes_only().join().await;
    for update in &shuffled {
        sender.send_update(update).await;
    }
    sender.until_saved().await;
    let dialect = DIALECTS[seed as usize % 2];
    let newcomer = ann.socket(dialect, project, document).bytes_only().join().await;
    assert_eq!(said(&newcomer.received).as_ref(), Some(&expected), "seed {seed}");
    said(&shuffled).as_ref() != Some(&expected)
}

/// Edits of a text, a map and a list by three who see each other's now and then, in the order in which they were made.
fn written(random: &mut Random) -> Vec<Vec<u8>> {
    let docs: Vec<Doc> = (1..=AUTHORS as u64).map(|client| doc(client * 100)).collect();
    let mut updates: Vec<Vec<u8>> = Vec::new();
    let mut seen = [0; AUTHORS];
    for step in 0..8 + random.below(10) {
        let author = random.below(AUTHORS as u64) as usize;
        let doc = &docs[author];
        let (text, map, list) =
            (doc.get_or_insert_text("content"), doc.get_or_insert_map("map"), doc.get_or_insert_array("list"));
        if random.below(3) == 0 {
            for update in &updates[seen[author]..] {
                doc.transact_mut().apply_update(Update::decode_v1(update).unwrap()).unwrap();
            }
            seen[author] = updates.len();
        }
        let mut change = doc.transact_mut();
        let len = text.len(&change);
        match random.below(6) {
            0 | 1 => text.insert(&mut change, random.below(u64::from(len) + 1) as u32, &format!("{step} ")),
            2 if len > 1 => text.remove_range(&mut change, random.below(u64::from(len) - 1) as u32, 2),
            3 => {
                let _ = map.insert(&mut change, format!("k{}", random.below(3)), step as f64);
            }
            4 if list.len(&change) > 0 => {
                let at = random.below(list.len(&change).into()) as u32;
                list.remove(&mut change, at);
            }
            _ => {
                let at = random.below(u64::from(list.len(&change)) + 1) as u32;
                let _ = list.insert(&mut change, at, step as f64);
            }
        }
        updates.push(change.encode_update_v1());
    }
    updates
}

fn doc(client: u64) -> Doc {
    Doc::with_options(Options {
        offset_kind: OffsetKind::Utf16,
        ..Options::with_client_id(yrs::block::ClientID::new(client))
    })
}

/// What updates amount to; `None` when yrs still waits for something.
fn said(updates: &[Vec<u8>]) -> Option<(String, Any, Any)> {
    let doc = doc(7);
    let (text, map, list) =
        (doc.get_or_insert_text("content"), doc.get_or_insert_map("map"), doc.get_or_insert_array("list"));
    for update in updates {
        doc.transact_mut().apply_update(Update::decode_v1(update).unwrap()).ok()?;
    }
    let read = doc.transact();
    let _ = read.encode_state_as_update_v1(&StateVector::default());
    (!read.has_missing_updates()).then(|| (text.get_string(&read), map.to_json(&read), list.to_json(&read)))
}
