//! Changes of many documents: wholly or not at all, under open rooms and beside their own appends.

use std::time::Duration;

use coterie::ids::{DocumentId, ProjectId};
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::opening::{DIALECTS, Dialect};
use crate::server::{TestServer, until};

on_both_engines![
    a_change_does_all_that_it_says,
    a_change_with_anything_wrong_changes_nothing,
    open_documents_show_a_change_as_an_edit,
    many_changes_at_once_are_each_made_wholly_or_not_at_all,
    a_change_beside_an_append_loses_nothing,
];

/// The paths of a project, each with its text.
async fn tree(client: &TestClient, project: ProjectId) -> Vec<(String, String, i64)> {
    let (_, page) = client.get(&format!("/api/projects/{project}/documents?limit=200")).await;
    let mut all = Vec::new();
    for item in page["items"].as_array().unwrap() {
        let id: DocumentId = serde_json::from_value(item["id"].clone()).unwrap();
        let (status, text, _) = client.read_text(project, id).await;
        assert_eq!(status, StatusCode::OK);
        all.push((item["path"].as_str().unwrap().to_owned(), text, item["head"].as_i64().unwrap()));
    }
    all.sort();
    all
}

async fn a_change_does_all_that_it_says(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let a = ann.create(project, "a.md", "one\n").await;
    ann.create(project, "b.md", "two\n").await;
    ann.create(project, "c.md", "three\n").await;
    let (status, changed) = ann
        .change(
            project,
            json!([
                { "op": "write", "document": "a.md", "content": "one!\r\n", "head": 1 },
                { "op": "rename", "document": a, "path": "dir/a.md" },
                { "op": "delete", "document": "b.md" },
                { "op": "create", "path": "b.md/inner", "content": "new\r" },
                { "op": "write", "document": "c.md", "content": "three\n" },
                { "op": "rename", "document": "c.md", "path": "a.md" },
            ]),
        )
        .await;
    assert_eq!(status, StatusCode::OK, "{changed}");
    let documents = changed["documents"].as_array().unwrap();
    assert_eq!(documents.len(), 6);
    assert_eq!((&documents[1]["path"], &documents[1]["head"]), (&json!("dir/a.md"), &json!(2)));
    assert_eq!(documents[2], Value::Null);
    let expected = [("a.md", "three\n", 1), ("b.md/inner", "new\n", 1), ("dir/a.md", "one!\n", 2)];
    let expected: Vec<_> = expected.iter().map(|(path, text, head)| ((*path).into(), (*text).into(), *head)).collect();
    assert_eq!(tree(&ann, project).await, expected);
}

async fn a_change_with_anything_wrong_changes_nothing(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let vic = TestClient::guest(server.place(), "Vic").await;
    let project = ann.project().await;
    ann.invite(project, &vic, "viewer").await;
    ann.create(project, "a.md", "one\n").await;
    ann.create(project, "b.md", "two\n").await;
    let gone = ann.create(project, "gone.md", "").await;
    ann.delete(&format!("/api/projects/{project}/documents/{gone}")).await;
    let elsewhere = ann.project().await;
    let foreign = ann.create(elsewhere, "x.md", "x").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, "a.md").join().await;
    let before = tree(&ann, project).await;

    let wrong = [
        (409, "path_taken", json!({ "op": "create", "path": "b.md" })),
        (409, "path_taken", json!({ "op": "create", "path": "new.md" })),
        (409, "path_taken", json!({ "op": "create", "path": "b.md/inner" })),
        (400, "bad_path", json!({ "op": "create", "path": "../up" })),
        (413, "too_large", json!({ "op": "create", "path": "big", "content": "x".repeat(16 << 20) })),
        (404, "not_found", json!({ "op": "write", "document": "none.md", "content": "" })),
        (404, "not_found", json!({ "op": "write", "document": gone, "content": "" })),
        (404, "not_found", json!({ "op": "write", "document": foreign, "content": "" })),
        (412, "precondition_failed", json!({ "op": "write", "document": "b.md", "content": "x", "head": 7 })),
        (400, "bad_change", json!({ "op": "write", "document": "a.md", "content": "again" })),
        (400, "bad_change", json!({ "op": "delete", "document": "a.md" })),
        (413, "too_large", json!({ "op": "write", "document": "b.md", "content": "x".repeat(16 << 20) })),
        (409, "path_taken", json!({ "op": "rename", "document": "b.md", "path": "a.md" })),
        (400, "bad_path", json!({ "op": "rename", "document": "b.md", "path": "" })),
        (404, "not_found", json!({ "op": "rename", "document": gone, "path": "back.md" })),
        (404, "not_found", json!({ "op": "delete", "document": gone })),
        (400, "bad_json", json!({ "op": "explode", "document": "b.md" })),
        (400, "bad_json", json!({ "op": "write", "document": "b.md" })),
        (400, "bad_json", json!({ "op": "delete", "document": "b.md", "extra": 1 })),
    ];
    for (status, code, operation) in wrong {
        let said = operation.to_string();
        let said = &said[..said.len().min(80)];
        for first in [true, false] {
            if first && status == 413 {
                continue;
            }
            let mut operations = vec![
                json!({ "op": "create", "path": "new.md", "content": "new" }),
                json!({ "op": "write", "document": "a.md", "content": "changed" }),
            ];
            operations.insert(if first { 0 } else { 2 }, operation.clone());
            let (got, body) = ann.change(project, json!(operations)).await;
            assert_eq!((got.as_u16(), &body["error"]["code"]), (status, &json!(code)), "{said}: {body}");
        }
    }
    let many: Vec<Value> = (0..501).map(|n| json!({ "op": "create", "path": format!("{n}") })).collect();
    for operations in [json!([]), json!(many)] {
        assert_eq!(ann.change(project, operations).await.0, StatusCode::BAD_REQUEST);
    }
    let write = json!([{ "op": "write", "document": "a.md", "content": "changed" }]);
    assert_eq!(vic.change(project, write.clone()).await.0, StatusCode::FORBIDDEN);
    let stranger = TestClient::guest(server.place(), "Sue").await;
    assert_eq!(stranger.change(project, write).await.0, StatusCode::NOT_FOUND);

    assert_eq!(tree(&ann, project).await, before);
    peer.round_trip().await;
    assert_eq!((peer.text().as_str(), peer.updates), ("one\n", 0));
}

async fn open_documents_show_a_change_as_an_edit(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let long = "line\n".repeat(20_000);
    let names = ["a.md", "b.md"];
    for name in names {
        ann.create(project, name, &long).await;
    }
    let mut peers = Vec::new();
    for name in names {
        for dialect in DIALECTS {
            peers.push((name, ann.socket(dialect, project, name).join().await));
        }
    }
    for round in 1..=3 {
        let operations: Vec<Value> = names
            .iter()
            .map(|name| json!({ "op": "write", "document": name, "content": format!("{name} {round}\n{long}") }))
            .collect();
        let (status, changed) = ann.change(project, json!(operations)).await;
        assert_eq!(status, StatusCode::OK, "{changed}");
        for (name, peer) in &mut peers {
            peer.until_text(&format!("{name} {round}\n{long}")).await;
            assert_eq!(peer.updates, round);
        }
    }
    assert_eq!(server.tally("lagged"), 0, "nobody was sent a whole document again");
    let gone = ann.change(project, json!([{ "op": "delete", "document": "a.md" }])).await;
    assert_eq!(gone.0, StatusCode::OK);
    assert_eq!(peers[0].1.until_closed().await, 4404);
    let hocuspocus = &mut peers[1].1;
    hocuspocus.until("it has ended", |peer| peer.ended.is_some()).await;
    assert_eq!(server.db_findings().await, Vec::<String>::new());
}

async fn many_changes_at_once_are_each_made_wholly_or_not_at_all(engine: Engine) {
    const FILES: usize = 6;
    const CHANGES: usize = 64;
    let seed: u64 = rand::random();
    println!("changes at once: seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let (mut ids, mut peers) = (Vec::new(), Vec::new());
    for file in 0..FILES {
        ids.push(ann.create(project, &format!("{file}"), "start\n").await);
        for dialect in DIALECTS {
            peers.push((file, ann.socket(dialect, project, file).join().await));
        }
    }
    // Each puts its mark in front of every file it names, in whatever order; some fail at their last operation.
    let changes: Vec<(char, Vec<usize>, bool, bool)> = (0..CHANGES)
        .map(|number| {
            let mut files: Vec<usize> = (0..FILES).collect();
            files.shuffle(&mut random);
            files.truncate(random.random_range(2..=FILES));
            let mark = char::from_u32(0x4e00 + u32::try_from(number).unwrap()).unwrap();
            (mark, files, random.random_bool(0.3), random.random_bool(0.3))
        })
        .collect();
    let make = async |(mark, files, fails, checked): &(char, Vec<usize>, bool, bool)| {
        let mut operations = Vec::new();
        for file in files {
            let id = ids[*file];
            let (_, text, etag) = ann.read_text(project, id).await;
            let mut operation = json!({ "op": "write", "document": id, "content": format!("{mark}{text}") });
            if *checked {
                operation["head"] = etag.trim_matches('"').parse::<i64>().unwrap().into();
            }
            operations.push(operation);
        }
        operations.push(json!({ "op": "create", "path": format!("made/{mark}"), "content": "made" }));
        if *fails {
            operations.push(json!({ "op": "create", "path": "0/in-the-way" }));
        }
        ann.change(project, json!(operations)).await
    };
    let outcomes = join_all(changes.iter().map(make)).await;
    let made: Vec<bool> = outcomes.iter().map(|(status, _)| *status == StatusCode::OK).collect();
    for ((_, _, fails, checked), (status, body)) in changes.iter().zip(&outcomes) {
        let expected: &[u16] = if *fails {
            &[409, 412]
        } else if *checked {
            &[200, 412]
        } else {
            &[200]
        };
        assert!(expected.contains(&status.as_u16()), "seed {seed}: {status} {body}");
    }
    let all = tree(&ann, project).await;
    for (at, (mark, ..)) in changes.iter().enumerate() {
        let path = format!("made/{mark}");
        assert_eq!(all.iter().any(|(found, ..)| *found == path), made[at], "seed {seed}: change {at}");
        let marks = all.iter().filter(|(_, text, _)| text.contains(*mark)).count();
        assert!(made[at] || marks == 0, "seed {seed}: change {at} failed and left {marks} marks");
    }
    for (file, peer) in &mut peers {
        let (_, text, _) = all.iter().find(|(path, ..)| *path == format!("{file}")).unwrap();
        peer.until_text(text).await;
    }
    println!("{} of {CHANGES} made", made.iter().filter(|made| **made).count());
    assert_eq!(server.db_findings().await, Vec::<String>::new());
}

async fn a_change_beside_an_append_loses_nothing(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let document = ann.create(project, "a.md", "end\n").await;
    let mut typists = Vec::new();
    for dialect in [Dialect::Hocuspocus, Dialect::Hocuspocus, Dialect::Yjs] {
        typists.push(bob.socket(dialect, project, document).join().await);
    }
    let seed: u64 = rand::random();
    println!("a change beside appends: seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let typing = async {
        for number in 0..60_u32 {
            for (at, typist) in typists.iter_mut().enumerate() {
                let mark = char::from_u32(0x5000 + 3 * number + u32::try_from(at).unwrap()).unwrap();
                typist.insert(0, &mark.to_string()).await;
            }
            tokio::time::sleep(Duration::from_micros(random.random_range(0..4_000))).await;
        }
    };
    // Only beside the end, so that what is typed meanwhile is none of its business.
    let changing = async {
        let mut made = 0;
        for number in 0..20 {
            let (_, text, etag) = ann.read_text(project, document).await;
            let head: i64 = etag.trim_matches('"').parse().unwrap();
            let content = format!("{text}{number}\n");
            let write = json!([{ "op": "write", "document": document, "content": content, "head": head }]);
            made += usize::from(ann.change(project, write).await.0 == StatusCode::OK);
        }
        made
    };
    let ((), made) = tokio::join!(typing, changing);
    for typist in &mut typists[..2] {
        typist.until_saved().await;
    }
    let mut text = String::new();
    until("everything typed is there", async || {
        text = ann.read_text(project, document).await.1;
        text.chars().filter(|c| *c >= '\u{5000}').count() == 180
    })
    .await;
    assert_eq!(text.lines().count(), 1 + made, "seed {seed}: {text:?}");
    for typist in &mut typists {
        typist.until_text(&text).await;
    }
    println!("{made} of 20 made; appends that met one on their way: {}", server.tally("conflicts"));
    assert_eq!((server.tally("refused"), server.db_findings().await), (0, Vec::new()));
}
