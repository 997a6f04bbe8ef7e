//! Text over HTTP: what workers read and write is what Yjs clients show, whoever types meanwhile.

use std::collections::HashMap;

use coterie::ids::{DocumentId, ProjectId};
use coterie::limits;
use futures_util::{StreamExt, stream};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use yrs::{Any, Array, Map, MapPrelim, Text};

use crate::client::{TestClient, answer};
use crate::engines::{Engine, in_time, on_both_engines};
use crate::opening::{DIALECTS, Dialect};
use crate::peer::Peer;
use crate::server::{TestServer, until};

on_both_engines![
    text_is_what_clients_show,
    a_put_changes_only_what_differs,
    what_cannot_be_put_is_refused_and_changes_nothing,
    of_two_who_name_the_same_head_one_writes,
    what_is_embedded_in_a_text_stays,
    a_root_that_is_no_text_is_not_edited_as_one,
    a_search_finds_lines_across_a_project,
    a_search_says_whether_it_found_all,
    a_part_of_a_text_is_read,
    any_root_is_read_as_json,
];

/// Seeds of [`nothing_typed_during_a_put_is_lost`]; another number with `COTERIE_TEST_SEEDS`.
const SEEDS: u64 = 1_000;

/// How many documents are typed in at once.
const AT_ONCE: usize = 16;

/// Characters that nobody removes: each is put in once, and must be there once in the end. Some take two UTF-16 units.
pub fn kept(number: u32) -> char {
    char::from_u32(if number.is_multiple_of(2) { 0x4e00 } else { 0x1f300 } + number / 2).unwrap()
}

pub fn is_kept(c: &char) -> bool {
    *c >= '\u{4e00}'
}

async fn text_is_what_clients_show(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "one\r\ntwo\rthree 🌍\n").await;
    let (status, text, etag) = ann.read_text(project, document).await;
    assert_eq!((status, text.as_str(), etag.as_str()), (StatusCode::OK, "one\ntwo\nthree 🌍\n", "\"1\""));

    for dialect in DIALECTS {
        let mut peer = ann.socket(dialect, project, document).join().await;
        peer.insert(3, " 🌍🌍").await;
        peer.delete(0, 1).await;
        let shown = peer.text();
        until(&format!("{shown:?} is read"), async || ann.read_text(project, document).await.1 == shown).await;
        let (_, head) = ann.read(project, document).await;
        assert_eq!(ann.read_text(project, document).await.2, format!("\"{head}\""));
    }
    let empty = ann.create(project, "empty.md", "").await;
    assert_eq!(ann.read_text(project, empty).await, (StatusCode::OK, String::new(), "\"0\"".to_owned()));
}

async fn a_put_changes_only_what_differs(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "one two three\n").await;
    let mut left = ann.socket(Dialect::Yjs, project, document).join().await;
    let mut right = ann.socket(Dialect::Hocuspocus, project, document).join().await;

    let (_, _, etag) = ann.read_text(project, document).await;
    let (status, body, etag) = ann.put_text(project, document, "one 2 three\r\n🌍", Some(&etag)).await;
    assert_eq!((status, &body), (StatusCode::OK, &json!({ "head": 2 })));
    assert_eq!(etag.as_deref(), Some("\"2\""));
    for peer in [&mut left, &mut right] {
        peer.until_text("one 2 three\n🌍").await;
    }
    let (status, body, none) = ann.put_text(project, document, "one 2 three\n🌎", None).await;
    assert_eq!((status, body, none), (StatusCode::OK, json!({ "head": 3 }), None));
    for peer in [&mut left, &mut right] {
        peer.until_text("one 2 three\n🌎").await;
        assert_eq!(peer.updates, 2, "a change reaches open documents as an edit");
    }
    // What is there already is no edit.
    for etag in [None, Some("\"3\"")] {
        assert_eq!(ann.put_text(project, document, "one 2 three\n🌎", etag).await.1, json!({ "head": 3 }));
    }
    let (update, _) = ann.read(project, document).await;
    let kept = coterie::update::summary(&update).unwrap().deleted;
    assert_eq!(kept.iter().map(|(_, range)| range.len()).sum::<usize>(), 5, "two, and the two units of a globe");
}

async fn what_cannot_be_put_is_refused_and_changes_nothing(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let vic = TestClient::guest(server.place(), "Vic").await;
    let project = ann.project().await;
    ann.invite(project, &vic, "viewer").await;
    let document = ann.create(project, "a.md", "one\n").await;
    let path = format!("/api/projects/{project}/documents/{document}/text");
    let put = |who: &TestClient| who.request(Method::PUT, &path).header(header::CONTENT_TYPE, "text/plain");
    let code = |(status, body): (StatusCode, Value)| (status.as_u16(), body["error"]["code"].to_string());

    let stale = answer(put(&ann).header(header::IF_MATCH, "\"7\"").body("x")).await;
    assert_eq!(code(stale), (412, "\"precondition_failed\"".to_owned()));
    let strange = answer(put(&ann).header(header::IF_MATCH, "W/\"1\"").body("x")).await;
    assert_eq!(code(strange), (400, "\"bad_if_match\"".to_owned()));
    let bytes = answer(put(&ann).body(vec![b'a', 0xff])).await;
    assert_eq!(code(bytes), (400, "\"bad_text\"".to_owned()));
    let json = answer(ann.request(Method::PUT, &path).json(&json!("x"))).await;
    assert_eq!(code(json), (415, "\"unsupported_media_type\"".to_owned()));
    for size in [16 << 20, 21 << 20] {
        let large = answer(put(&ann).body("x".repeat(size))).await;
        assert_eq!(code(large), (413, "\"too_large\"".to_owned()), "{size}");
    }
    assert_eq!(code(answer(put(&vic).body("x")).await), (403, "\"forbidden\"".to_owned()));
    assert_eq!(vic.read_text(project, document).await.0, StatusCode::OK);
    let stranger = TestClient::guest(server.place(), "Sue").await;
    assert_eq!(code(answer(put(&stranger).body("x")).await), (404, "\"not_found\"".to_owned()));
    assert_eq!(stranger.read_text(project, document).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.read_text(project, document).await, (StatusCode::OK, "one\n".to_owned(), "\"1\"".to_owned()));
}

async fn of_two_who_name_the_same_head_one_writes(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "start\n").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let mut last = "start\n".to_owned();
    for round in 0..20 {
        let (_, text, etag) = ann.read_text(project, document).await;
        assert_eq!(text, last);
        let texts = [0, 1, 2].map(|writer| format!("round {round}, writer {writer}\n"));
        let puts = texts.iter().map(|text| ann.put_text(project, document, text, Some(&etag)));
        let outcomes = futures_util::future::join_all(puts).await;
        let won: Vec<usize> = (0..3).filter(|&at| outcomes[at].0 == StatusCode::OK).collect();
        assert_eq!(won.len(), 1, "round {round}: {outcomes:?}");
        assert!(outcomes.iter().all(|(status, ..)| matches!(status.as_u16(), 200 | 412)), "{outcomes:?}");
        last.clone_from(&texts[won[0]]);
    }
    peer.until_text(&last).await;
}

/// One document in which two people type while somebody puts whole texts.
async fn type_and_put(ann: &TestClient, project: ProjectId, document: DocumentId, seed: u64) -> usize {
    let mut random = StdRng::seed_from_u64(seed);
    let mut left = ann.socket(*DIALECTS.choose(&mut random).unwrap(), project, document).join().await;
    let mut right = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let (mut left_random, mut right_random) = (fork(&mut random), fork(&mut random));
    // A put without a condition replaces whatever is there by then, so only what is typed after it must stay.
    let blind = seed.is_multiple_of(4);
    let mut puts = 0;
    let putting = async {
        for number in 0..2 {
            let (status, text, etag) = ann.read_text(project, document).await;
            assert_eq!(status, StatusCode::OK, "seed {seed}: {text}");
            let text = rewritten(&text, kept(1_000 + number), &mut random);
            let etag = (!blind).then_some(etag);
            let (status, body, _) = ann.put_text(project, document, &text, etag.as_deref()).await;
            assert!(status == StatusCode::OK || status == StatusCode::PRECONDITION_FAILED, "seed {seed}: {body}");
            puts += usize::from(status == StatusCode::OK);
        }
    };
    tokio::join!(
        putting,
        type_some(&mut left, 0, 4, &mut left_random),
        type_some(&mut right, 100, 4, &mut right_random)
    );
    tokio::join!(type_some(&mut left, 200, 1, &mut left_random), type_some(&mut right, 300, 1, &mut right_random));
    let must: Vec<char> = [(0, 4), (100, 4), (200, 1), (300, 1)]
        .into_iter()
        .filter(|&(first, _)| !blind || first >= 200)
        .flat_map(|(first, count)| first..first + count)
        .map(kept)
        .collect();
    // Hocuspocus says when all is saved; of what the other one typed this one was told.
    let all_there = |peer: &Peer| must.iter().all(|c| peer.text().contains(*c));
    right.until(&format!("seed {seed}: all is there"), |peer| peer.is_saved() && all_there(peer)).await;
    left.until(&format!("seed {seed}: all is there"), all_there).await;
    let (_, text, _) = ann.read_text(project, document).await;
    for peer in [&mut left, &mut right] {
        peer.until(&format!("seed {seed}: it has {text:?}"), |peer| peer.text() == text).await;
    }
    let mut found: Vec<char> = text.chars().filter(is_kept).collect();
    found.sort_unstable();
    let all = found.len();
    found.dedup();
    assert_eq!(found.len(), all, "seed {seed}: something is there twice: {text:?}");
    assert!(blind || all == must.len() + puts, "seed {seed}: {puts} puts: {text:?}");
    puts
}

pub fn fork(random: &mut StdRng) -> StdRng {
    StdRng::seed_from_u64(random.random())
}

/// Types some characters, one by one, at random places; removes others' letters now and then.
pub async fn type_some(peer: &mut Peer, first: u32, count: u32, random: &mut StdRng) {
    for number in first..first + count {
        let text: Vec<char> = peer.text().chars().collect();
        let at = random.random_range(0..=text.len());
        let units = |chars: &[char]| chars.iter().map(|c| c.len_utf16() as u32).sum::<u32>();
        if text.get(at).is_some_and(char::is_ascii_lowercase) && random.random_bool(0.3) {
            peer.delete(units(&text[..at]), 1).await;
        }
        peer.insert(units(&text[..at]), &kept(number).to_string()).await;
        if random.random_bool(0.3) {
            peer.round_trip().await;
        }
    }
}

/// A text with some letters changed and one character put in.
fn rewritten(text: &str, new: char, random: &mut StdRng) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for c in &mut chars {
        if c.is_ascii_lowercase() && random.random_bool(0.2) {
            *c = random.random_range('a'..='z');
        }
    }
    chars.retain(|c| !c.is_ascii_lowercase() || random.random_bool(0.9));
    chars.insert(random.random_range(0..=chars.len()), new);
    chars.into_iter().collect()
}

/// Documents with the text that is typed in, in the order of their seeds.
async fn documents(ann: &TestClient, project: ProjectId, count: u64) -> Vec<DocumentId> {
    let mut documents = Vec::new();
    for first in (0..count).step_by(limits::CHANGE_OPERATIONS) {
        let operations: Vec<Value> = (first..count.min(first + limits::CHANGE_OPERATIONS as u64))
            .map(|seed| json!({ "op": "create", "path": format!("{seed}.md"), "content": "the quick brown fox\njumps over\n" }))
            .collect();
        let (status, made) = ann.change(project, json!(operations)).await;
        assert_eq!(status, StatusCode::OK, "{made}");
        let ids = made["documents"].as_array().unwrap().iter().map(|one| one["id"].clone());
        documents.extend(ids.map(|id| serde_json::from_value::<DocumentId>(id).unwrap()));
    }
    documents
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_typed_during_a_put_is_lost_on_sqlite() {
    nothing_typed_during_a_put_is_lost(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_typed_during_a_put_is_lost_on_postgres() {
    nothing_typed_during_a_put_is_lost(Engine::Postgres).await;
}

async fn nothing_typed_during_a_put_is_lost(engine: Engine) {
    #[allow(clippy::disallowed_methods, reason = "a setting of the tests, not of the server")]
    let seeds = std::env::var("COTERIE_TEST_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    println!("typing during puts: seeds 0..{seeds}");
    let documents = documents(&ann, project, seeds).await;
    let runs = stream::iter(0..seeds).zip(stream::iter(documents));
    // Each has its time; all together have none.
    let runs = runs.map(async |(seed, document)| {
        let mut puts = 0;
        in_time(async { puts = type_and_put(&ann, project, document, seed).await }).await;
        puts
    });
    let puts: usize = runs.buffer_unordered(AT_ONCE).fold(0, async |all, puts| all + puts).await;
    println!("{puts} puts; appends that met one on their way: {}", server.tally("conflicts"));
    assert_eq!(server.tally("refused"), 0);
    assert_eq!(server.state().replicas.lost(), 0);
}

async fn what_is_embedded_in_a_text_stays(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "one two\n").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    for at in [0, 4, 5, 9, 12] {
        let text = peer.doc.get_or_insert_text("content");
        peer.edit(|transaction| {
            text.insert_embed(transaction, at, Any::from(HashMap::from([("image".to_owned(), Any::from(7))])));
        })
        .await;
    }
    peer.until_saved().await;
    for text in ["one two\n", "zero one three\n", "", "🌍 one\n two", "x"] {
        let (status, body, _) = ann.put_text(project, document, text, None).await;
        assert_eq!(status, StatusCode::OK, "{text:?}: {body}");
        assert_eq!(ann.read_text(project, document).await.1, text);
        peer.until_text(text).await;
        let units: usize = text.encode_utf16().count();
        let content = peer.doc.get_or_insert_text("content");
        assert_eq!(content.len(&yrs::Transact::transact(&peer.doc)) as usize, units + 5, "{text:?}: the images stay");
    }
}

async fn a_root_that_is_no_text_is_not_edited_as_one(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "list", "").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let text = peer.doc.get_or_insert_text("content");
    let list = peer.doc.get_or_insert_array("content");
    peer.edit(|transaction| {
        yrs::Array::push_back(&list, transaction, 7);
        text.insert(transaction, 1, "ab");
    })
    .await;
    peer.until_saved().await;
    let (status, body, _) = ann.put_text(project, document, "axb", None).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("not_text")), "{body}");
    assert_eq!(ann.read(project, document).await.1, 1);
}

async fn a_search_finds_lines_across_a_project(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let first = ann.create(project, "b.md", "nothing\nİstanbul 🌍 Straße here\n").await;
    let second = ann.create(project, "a.md", &format!("{}STRASSE straße{}", "é".repeat(500), "x".repeat(500))).await;
    ann.create(project, "c.md", "else").await;
    let search = async |query: &str| ann.get(&format!("/api/projects/{project}/search?q={query}")).await;

    let (status, found) = search("stra%C3%9Fe").await;
    assert_eq!(status, StatusCode::OK, "{found}");
    assert_eq!(found["complete"], true);
    let items = found["items"].as_array().unwrap();
    let place = |item: &Value| {
        (item["document_id"].clone(), item["lines"][0]["line"].clone(), item["lines"][0]["column"].clone())
    };
    assert_eq!(items.len(), 2);
    assert_eq!(place(&items[0]), (json!(second), json!(1), json!(508)));
    assert_eq!(place(&items[1]), (json!(first), json!(2), json!(12)));
    let shown = items[0]["lines"][0]["text"].as_str().unwrap();
    assert!(shown.chars().count() == 200 && shown.contains("straße"), "{shown}");
    assert_eq!(items[1]["lines"][0]["text"], "İstanbul 🌍 Straße here");
    assert_eq!(search("stra%C3%9Fe&case=true").await.1["items"].as_array().unwrap().len(), 1);
    assert_eq!(search("i%CC%87stanbul").await.1["items"][0]["lines"][0]["column"], 0);
    for bad in ["", "a%0Ab", &"x".repeat(201)] {
        assert_eq!(search(bad).await.0, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    // What is typed is found; what is deleted with its document is not.
    let mut peer = ann.socket(Dialect::Hocuspocus, project, first).join().await;
    peer.insert(0, "needle\n").await;
    peer.until_saved().await;
    assert_eq!(search("NEEDLE").await.1["items"][0]["document_id"], json!(first));
    delete(&ann, project, first).await;
    assert_eq!(search("needle").await.1, json!({ "items": [], "complete": true }));
    assert_eq!(server.state().rooms.len(), 0, "a search opens no document");
}

async fn a_search_says_whether_it_found_all(engine: Engine) {
    const EACH: usize = limits::SEARCH_LINES_PER_DOCUMENT;
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let (few, many) = (ann.project().await, ann.project().await);
    let search = async |project: ProjectId| {
        let (_, found) = ann.get(&format!("/api/projects/{project}/search?q=x")).await;
        let lines = found["items"].as_array().unwrap().iter().map(|item| item["lines"].as_array().unwrap().len());
        (lines.sum::<usize>(), found["complete"].as_bool().unwrap())
    };
    ann.create(few, "all", &"x\n".repeat(EACH)).await;
    assert_eq!(search(few).await, (EACH, true));
    ann.create(few, "more", &"x\n".repeat(EACH + 1)).await;
    assert_eq!(search(few).await, (2 * EACH, false));
    for number in 0..=limits::SEARCH_LINES / (EACH - 1) {
        ann.create(many, &format!("{number}"), &"x\n".repeat(EACH - 1)).await;
    }
    assert_eq!(search(many).await, (limits::SEARCH_LINES, false));
}

async fn a_part_of_a_text_is_read(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "one\ntwo 🌍\n\nfour").await;
    let part = async |query: &str| {
        let path = format!("/api/projects/{project}/documents/{document}/text?{query}");
        let response = ann.request(reqwest::Method::GET, &path).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    };
    for (query, text) in [
        ("lines=1-1", "one\n"),
        ("lines=2-3", "two 🌍\n\n"),
        ("lines=4-9", "four"),
        ("lines=5-9", ""),
        ("lines=4-18446744073709551615", "four"),
        ("range=0-3", "one"),
        ("range=8-10", "🌍"),
        ("range=8-9", "\u{fffd}"),
        ("range=12-99", "four"),
        ("range=3-3", ""),
    ] {
        assert_eq!(part(query).await, (200, text.to_owned()), "{query}");
    }
    for bad in ["lines=0-1", "lines=2-1", "lines=1", "lines=a-b", "range=-1-2", "range=0-1&lines=1-1"] {
        assert_eq!(part(bad).await.0, 400, "{bad}");
    }
}

async fn any_root_is_read_as_json(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "text").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    let (map, list) = (peer.doc.get_or_insert_map("map"), peer.doc.get_or_insert_array("a list"));
    peer.edit(|txn| {
        map.insert(txn, "deep", MapPrelim::from([("number", 1)]));
        list.push_back(txn, "one");
        list.push_back(txn, true);
    })
    .await;
    peer.until_saved().await;
    let root = async |name: &str| ann.get(&format!("/api/projects/{project}/documents/{document}/roots/{name}")).await;
    assert_eq!(root("content").await, (StatusCode::OK, json!("text")));
    assert_eq!(root("map").await.1, json!({ "deep": { "number": 1 } }));
    assert_eq!(root("a%20list").await.1, json!(["one", true]));
    assert_eq!(root("none").await, (StatusCode::OK, Value::Null));
}

async fn delete(ann: &TestClient, project: ProjectId, document: DocumentId) {
    let (status, _) = ann.delete(&format!("/api/projects/{project}/documents/{document}")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}
