//! Taking back is an edit: what others did since stays.

use coterie::ids::DocumentId;
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{act, code, done, now, proposed, proposed_text, states, told};
use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::opening::Dialect;
use crate::server::TestServer;

on_both_engines![
    what_others_wrote_since_stays_when_it_is_taken_back,
    what_was_accepted_at_several_times_is_taken_back_together,
    a_file_that_others_changed_is_kept,
    it_is_taken_back_after_folding_and_a_restart,
];

async fn what_others_wrote_since_stays_when_it_is_taken_back(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let document = ann.create(project, "a", "one\ntwo\nthree\nfour 🌍\n").await;
    let mut peer = bob.socket(Dialect::Hocuspocus, project, document).join().await;
    let proposal = proposed_text(&ann, project, document, "one\nnew line\nthree\n").await;
    done(&ann, &proposal, "accept", json!({})).await;
    peer.until_text("one\nnew line\nthree\n").await;
    // Inside what was written, around it, and some of it removed.
    peer.insert(7, "-theirs-").await;
    peer.insert(0, "above\n").await;
    let end = peer.text().len() as u32;
    peer.insert(end, "below\n").await;
    peer.delete(10, 1).await;
    peer.until_saved().await;
    let after = done(&ann, &proposal, "undo", json!({})).await;
    assert_eq!((&after["state"], states(&after)[0]), (&json!("undone"), "undone"));
    let (_, text, _) = ann.read_text(project, document).await;
    for theirs in ["-theirs-", "above\n", "below\n", "one\n", "three\n", "two", "four 🌍\n"] {
        assert!(text.contains(theirs), "{theirs:?} in {text:?}");
    }
    for gone in ["new", "line"] {
        assert!(!text.contains(gone), "{gone:?} in {text:?}");
    }
    assert!(text.find("two") < text.find("three\n"), "{text:?}");
    peer.until_text(&text).await;
    assert_eq!(code(&act(&ann, &proposal, "undo", json!({})).await), (409, "undone"));
    let last = told(&ann, project).await.pop().unwrap();
    assert_eq!((last.0.as_str(), &last.1["state"]), ("proposal.undone", &json!("undone")));
    assert!(after["written"][0]["is_undone"].as_bool().unwrap());
    assert_eq!(server.db_findings().await, Vec::<String>::new());
}

async fn what_was_accepted_at_several_times_is_taken_back_together(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let text = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n";
    let a = ann.create(project, "a", text).await;
    let b = ann.create(project, "b", text).await;
    let other = text.replace("one", "ONE").replace("four", "4\n4a").replace("nine\n", "");
    let edit = |id| json!({ "op": "edit", "document": id, "text": other });
    let proposal = proposed(&ann, project, json!([edit(a), edit(b)])).await;
    assert_eq!(states(&proposal).len(), 6);
    for chosen in [json!([3]), json!([1, 5]), json!([4])] {
        done(&ann, &proposal, "accept", json!({ "hunks": chosen })).await;
    }
    assert_eq!(ann.read_text(project, a).await.1, text.replace("one", "ONE").replace("nine\n", ""));
    let after = done(&ann, &proposal, "undo", json!({})).await;
    assert_eq!(states(&after), ["undone", "rejected", "undone", "undone", "undone", "rejected"]);
    assert_eq!((&after["state"], &after["is_open"]), (&json!("undone"), &json!(false)));
    for id in [a, b] {
        assert_eq!(ann.read_text(project, id).await.1, text);
    }
}

async fn a_file_that_others_changed_is_kept(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let moved = ann.create(project, "moved", "").await;
    ann.create(project, "deleted", "old\n").await;
    let edited = ann.create(project, "edited", "one\n").await;
    let proposal = proposed(
        &ann,
        project,
        json!([
            { "op": "create", "path": "made", "content": "made\n" },
            { "op": "rename", "document": "moved", "path": "away" },
            { "op": "delete", "document": "deleted" },
            { "op": "edit", "document": "edited", "text": "two\n" },
        ]),
    )
    .await;
    let after = done(&ann, &proposal, "accept", json!({})).await;
    let made: DocumentId = serde_json::from_value(after["files"][0]["document_id"].clone()).unwrap();
    ann.put_text(project, made, "made, and changed\n", None).await;
    ann.patch(&format!("/api/projects/{project}/documents/{moved}"), json!({ "path": "further" })).await;
    ann.create(project, "deleted", "another\n").await;
    let after = done(&ann, &proposal, "undo", json!({})).await;
    assert_eq!(
        (states(&after), &after["state"]),
        (vec!["accepted", "accepted", "accepted", "undone"], &json!("partly"))
    );
    assert_eq!(ann.read_text(project, made).await.1, "made, and changed\n");
    assert_eq!(ann.read_text(project, edited).await.1, "one\n");
    let again = act(&ann, &proposal, "undo", json!({})).await;
    assert_eq!(code(&again), (409, "kept"), "{again:?}");
    // What stayed can be taken back when it is again as it was.
    ann.put_text(project, made, "made\n", None).await;
    let after = done(&ann, &proposal, "undo", json!({})).await;
    assert_eq!(states(&after), ["undone", "accepted", "accepted", "undone"]);
    assert_eq!(ann.read_text(project, made).await.0, StatusCode::NOT_FOUND);
}

async fn it_is_taken_back_after_folding_and_a_restart(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "one\ntwo\nthree\nfour\n").await;
    let proposal = proposed_text(&ann, project, document, "one\nTWO\nthree\nfour\nfive\n").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    for number in 0..250_u32 {
        peer.insert(0, &format!("{number}\n")).await;
        if number.is_multiple_of(50) {
            peer.until_saved().await;
        }
    }
    peer.until_saved().await;
    let after = done(&ann, &proposal, "accept", json!({ "hunks": [1] })).await;
    assert_eq!(states(&after), ["accepted", "pending"]);
    drop(peer);
    coterie::compaction::fold(server.db(), &server.state().replicas, document).await.unwrap();
    server.restart().await;
    let after = now(&ann, &proposal).await;
    let last: Vec<Value> = super::hunks(&after).into_iter().map(|hunk| hunk["fits"].clone()).collect();
    assert_eq!(last, [Value::Null, json!(true)], "what holds a hunk outlives the process");
    done(&ann, &proposal, "accept", json!({})).await;
    let after = done(&ann, &proposal, "undo", json!({})).await;
    assert_eq!(after["state"], "undone");
    let (_, text, _) = ann.read_text(project, document).await;
    assert!(text.ends_with("\n0\none\ntwo\nthree\nfour\n"), "{text:?}");
}
