//! What is decided is decided once: all the chosen hunks that fit are written together, and nothing is forced.

use coterie::ids::DocumentId;
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{act, code, done, hunks, now, proposed, proposed_text, states, told};
use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::opening::{DIALECTS, Dialect};
use crate::server::TestServer;

on_both_engines![
    hunks_of_three_files_are_written_together_and_the_stale_one_is_left,
    what_fails_on_the_way_writes_nothing,
    each_hunk_is_decided_on_once,
    of_many_who_decide_at_once_one_does,
    files_that_went_elsewhere_are_not_forced,
    every_operation_is_accepted_by_itself,
];

async fn hunks_of_three_files_are_written_together_and_the_stale_one_is_left(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let (mut ids, mut peers) = (Vec::new(), Vec::new());
    for name in ["a", "b", "c"] {
        let id = ann.create(project, name, "one\ntwo\nthree\n").await;
        for dialect in DIALECTS {
            peers.push((name, ann.socket(dialect, project, id).join().await));
        }
        ids.push(id);
    }
    let files: Vec<Value> =
        ids.iter().map(|id| json!({ "op": "edit", "document": id, "text": "one\nTWO\nthree\n" })).collect();
    let proposal = proposed(&ann, project, json!(files)).await;
    peers[3].1.insert(5, "!").await;
    peers[3].1.until_saved().await;
    let after = done(&bob, &proposal, "accept", json!({ "hunks": [1, 2, 3] })).await;
    assert_eq!(states(&after), ["accepted", "stale", "accepted"]);
    assert_eq!((&after["state"], &after["is_open"]), (&json!("partly"), &json!(false)));
    assert_eq!(hunks(&after)[1]["stale"], "changed");
    for (name, peer) in &mut peers {
        peer.until_text(if *name == "b" { "one\nt!wo\nthree\n" } else { "one\nTWO\nthree\n" }).await;
    }
    let kinds: Vec<_> =
        told(&ann, project).await.into_iter().map(|(kind, event)| (kind, event["hunks"].clone())).collect();
    let expected = [("opened", json!(3)), ("accepted", json!([1, 3])), ("stale", json!([2]))];
    assert_eq!(kinds, expected.map(|(kind, hunks)| (format!("proposal.{kind}"), hunks)));
    // Whose row it is, and whose words they are.
    let written = after["written"].as_array().unwrap();
    assert_eq!(written.len(), 2);
    for (row, id) in written.iter().zip([ids[0], ids[2]]) {
        assert_eq!((&row["document_id"], &row["head"]), (&json!(id), &json!(2)));
        assert_eq!((&row["accepted_by"]["name"], &after["author"]["name"]), (&json!("Bob"), &json!("Ann")));
        assert_eq!(super::typing::author_of(server.db(), id, 2).await, bob.id);
        let (update, _) = ann.read(project, id).await;
        let clients = coterie::update::scan(&update).unwrap();
        assert!(clients.sections.iter().any(|section| json!(section.client.0) == row["client_id"]), "{row}");
    }
    assert_eq!(server.db_findings().await, Vec::<String>::new());
}

async fn what_fails_on_the_way_writes_nothing(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "one\n").await;
    let proposal = proposed(
        &ann,
        project,
        json!([{ "op": "edit", "document": document, "text": "ONE\n" }, { "op": "create", "path": "b" }]),
    )
    .await;
    // A project that is full: the edit came first in the same transaction.
    let statement = format!(
        "update project set documents_max = 1 where id = {}",
        crate::stored::spelled(server.db(), DocumentId(project.0))
    );
    assert_eq!(crate::stored::run(server.db(), statement).await, 1);
    assert_eq!(code(&act(&ann, &proposal, "accept", json!({})).await), (413, "too_large"));
    assert_eq!(ann.read_text(project, document).await.1, "one\n");
    assert_eq!(states(&now(&ann, &proposal).await), ["pending", "pending"]);
    let after = done(&ann, &proposal, "accept", json!({ "hunks": [1] })).await;
    assert_eq!(after["state"], "partly");
    assert_eq!(ann.read_text(project, document).await.1, "ONE\n");
}

async fn each_hunk_is_decided_on_once(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n").await;
    let text = "ONE\ntwo\nthree\nFOUR\nfive\nsix\nSEVEN\n";
    let proposal = proposed_text(&ann, project, document, text).await;
    for wrong in [json!([]), json!([4]), json!([1, 0])] {
        assert_eq!(code(&act(&ann, &proposal, "accept", json!({ "hunks": wrong })).await), (400, "bad_hunks"));
    }
    assert_eq!(code(&act(&ann, &proposal, "undo", json!({})).await), (409, "not_accepted"));
    let after = done(&ann, &proposal, "accept", json!({ "hunks": [2, 2] })).await;
    assert_eq!((states(&after), &after["is_open"]), (vec!["pending", "accepted", "pending"], &json!(true)));
    assert_eq!(ann.read_text(project, document).await.1, "one\ntwo\nthree\nFOUR\nfive\nsix\nseven\n");
    for what in ["accept", "reject"] {
        let again = act(&ann, &proposal, what, json!({ "hunks": [1, 2] })).await;
        assert_eq!(code(&again), (409, "decided"), "{again:?}");
        assert!(again.1["error"]["message"].as_str().unwrap().contains("accepted already by Ann"), "{again:?}");
    }
    done(&ann, &proposal, "reject", json!({ "hunks": [1], "reason": "as it is" })).await;
    // A hunk that does not fit is decided on too: it says so again and again.
    ann.put_text(project, document, "one\ntwo\nthree\nFOUR\nfive\nsix\nsevn\n", None).await;
    let stale = act(&ann, &proposal, "accept", json!({ "hunks": [3] })).await;
    assert_eq!(code(&stale), (409, "stale"), "{stale:?}");
    let after = now(&ann, &proposal).await;
    assert_eq!(states(&after), ["rejected", "accepted", "stale"]);
    assert_eq!((&after["state"], &after["is_open"]), (&json!("partly"), &json!(false)));
    ann.put_text(project, document, "one\ntwo\nthree\nFOUR\nfive\nsix\nseven\n", None).await;
    assert_eq!(code(&act(&ann, &proposal, "accept", json!({ "hunks": [3] })).await), (409, "stale"));
    assert_eq!(code(&act(&ann, &proposal, "accept", json!({})).await), (409, "decided"));
    assert_eq!(code(&act(&ann, &proposal, "reject", json!({})).await), (409, "decided"));
    assert_eq!(ann.read_text(project, document).await.1, "one\ntwo\nthree\nFOUR\nfive\nsix\nseven\n");
}

async fn of_many_who_decide_at_once_one_does(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    for round in 0..10 {
        let document = ann.create(project, &format!("{round}"), "one\n").await;
        let proposal = proposed_text(&ann, project, document, "one\nmore\n").await;
        let verbs = ["accept", "accept", "reject", "accept", "reject"];
        let outcomes = join_all(verbs.map(|verb| act(&ann, &proposal, verb, json!({})))).await;
        let won: Vec<usize> = (0..verbs.len()).filter(|&at| outcomes[at].0 == StatusCode::OK).collect();
        assert_eq!(won.len(), 1, "round {round}: {outcomes:?}");
        assert!(outcomes.iter().all(|(status, _)| matches!(status.as_u16(), 200 | 409)), "{outcomes:?}");
        let text = if verbs[won[0]] == "accept" { "one\nmore\n" } else { "one\n" };
        assert_eq!(ann.read_text(project, document).await.1, text);
        if verbs[won[0]] == "accept" {
            let outcomes = join_all([0, 1, 2].map(|_| act(&ann, &proposal, "undo", json!({})))).await;
            let won = outcomes.iter().filter(|(status, _)| *status == StatusCode::OK).count();
            assert_eq!(won, 1, "round {round}: {outcomes:?}");
            assert_eq!(ann.read_text(project, document).await.1, "one\n");
        }
    }
}

async fn files_that_went_elsewhere_are_not_forced(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut ids = Vec::new();
    for name in ["edited", "moved", "renamed", "changed", "gone"] {
        ids.push(ann.create(project, name, "one\n").await);
    }
    let proposal = proposed(
        &ann,
        project,
        json!([
            { "op": "edit", "document": "gone", "text": "two\n" },
            { "op": "edit", "document": "moved", "text": "two\n" },
            { "op": "rename", "document": "renamed", "path": "mine" },
            { "op": "delete", "document": "changed" },
            { "op": "create", "path": "new", "content": "new\n" },
            { "op": "rename", "document": "edited", "path": "taken" },
        ]),
    )
    .await;
    let path = |id: DocumentId| format!("/api/projects/{project}/documents/{id}");
    ann.delete(&path(ids[4])).await;
    ann.patch(&path(ids[1]), json!({ "path": "elsewhere" })).await;
    ann.patch(&path(ids[2]), json!({ "path": "theirs" })).await;
    ann.put_text(project, ids[3], "one more\n", None).await;
    ann.create(project, "new", "theirs\n").await;
    ann.create(project, "taken", "theirs\n").await;
    for hunk in [1, 3, 4, 5, 6] {
        let answer = act(&ann, &proposal, "accept", json!({ "hunks": [hunk] })).await;
        assert_eq!(code(&answer), (409, "stale"), "hunk {hunk}: {answer:?}");
    }
    // An edit follows its document wherever that went.
    let after = done(&ann, &proposal, "accept", json!({})).await;
    assert_eq!(states(&after), ["stale", "accepted", "stale", "stale", "stale", "stale"]);
    let why: Vec<_> = hunks(&after).into_iter().map(|hunk| hunk["stale"].clone()).collect();
    assert_eq!(
        why,
        [json!("deleted"), Value::Null, json!("moved"), json!("changed"), json!("path_taken"), json!("path_taken")]
    );
    assert_eq!(ann.read_text(project, ids[1]).await.1, "two\n");
    let texts: Vec<_> = [ids[0], ids[2], ids[3]].into_iter().collect();
    for (id, text) in texts.into_iter().zip(["one\n", "one\n", "one more\n"]) {
        assert_eq!(ann.read_text(project, id).await.1, text);
    }
}

async fn every_operation_is_accepted_by_itself(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let first = ann.create(project, "first", "one\n").await;
    let last = ann.create(project, "last", "one\n").await;
    let proposal = proposed(
        &ann,
        project,
        json!([
            { "op": "rename", "document": "first", "path": "a/first" },
            { "op": "edit", "document": "first", "text": "one\ntwo\n" },
            { "op": "create", "path": "first", "content": "in its place\n" },
            { "op": "delete", "document": "last" },
        ]),
    )
    .await;
    let mut peer = ann.socket(Dialect::Yjs, project, last).join().await;
    let after = done(&ann, &proposal, "accept", json!({})).await;
    assert_eq!((states(&after), &after["state"]), (vec!["accepted"; 4], &json!("accepted")));
    assert_eq!(peer.until_closed().await, 4404);
    assert_eq!(ann.read_text(project, first).await.1, "one\ntwo\n");
    let made: DocumentId = serde_json::from_value(after["files"][2]["document_id"].clone()).unwrap();
    assert_eq!(ann.read_text(project, made).await.1, "in its place\n");
    let (_, page) = ann.get(&format!("/api/projects/{project}/documents")).await;
    let mut paths: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|item| item["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["a/first", "first"]);
    // And taken back as it was.
    let after = done(&ann, &proposal, "undo", json!({})).await;
    assert_eq!(after["state"], "undone", "{after}");
    let (_, page) = ann.get(&format!("/api/projects/{project}/documents")).await;
    let mut texts = Vec::new();
    for item in page["items"].as_array().unwrap() {
        let id = serde_json::from_value(item["id"].clone()).unwrap();
        texts.push((item["path"].as_str().unwrap().to_owned(), ann.read_text(project, id).await.1));
    }
    texts.sort();
    assert_eq!(texts, [("first".to_owned(), "one\n".to_owned()), ("last".to_owned(), "one\n".to_owned())]);
}
