//! Saved means saved: nothing is acknowledged, and nothing shown to anybody, before the database has committed it.

use std::time::Duration;

use coterie::limits;
use serde_json::json;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::hold::Hold;
use crate::peer::{DIALECTS, Dialect, typed};
use crate::server::TestServer;

on_both_engines![
    nothing_is_acknowledged_or_shown_before_its_commit,
    presence_waits_for_the_edit_before_it_but_not_for_long,
    what_is_known_only_because_of_an_uncommitted_edit_is_acknowledged_after_it,
    every_frame_is_answered_once_and_in_order,
];

async fn nothing_is_acknowledged_or_shown_before_its_commit(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    author.until_saved().await;
    let mut peers = Vec::new();
    for dialect in DIALECTS {
        peers.push(ann.socket(dialect, project, "a").join().await);
    }

    let hold = Hold::of(&server.database, document).await;
    author.insert(0, "secret").await;
    // Longer than the server waits for a lock, so that the commit fails and is tried again.
    let locked_out = tokio::time::Instant::now() + limits::LOCK_TIMEOUT + Duration::from_millis(500);
    while tokio::time::Instant::now() < locked_out {
        author.round_trip().await;
        assert!(!author.is_saved(), "acknowledged before the commit");
        for peer in &mut peers {
            peer.round_trip().await;
            assert_eq!(peer.text(), "", "shown before the commit");
        }
        for dialect in DIALECTS {
            assert_eq!(ann.socket(dialect, project, "a").join().await.text(), "");
        }
        assert_eq!(ann.text(project, document).await, "");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    hold.release().await;
    author.until_saved().await;
    for peer in &mut peers {
        peer.until_text("secret").await;
    }
    assert_eq!(ann.read(project, document).await.1, 1, "it was logged once");
}

async fn presence_waits_for_the_edit_before_it_but_not_for_long(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    for dialect in DIALECTS {
        let mut author = ann.socket(dialect, project, "a").presence(json!({ "cursor": 0 })).join().await;
        let mut peer = ann.socket(Dialect::Yjs, project, "a").join().await;
        let before = peer.text();
        let client = author.client();
        let hold = Hold::of(&server.database, document).await;
        author.insert(0, "x").await;
        author.announce(json!({ "cursor": 1 })).await;
        peer.until("the caret moves", |peer| peer.presence.get(&client).is_some_and(|(_, state)| state["cursor"] == 1))
            .await;
        assert_eq!(peer.text(), before);
        hold.release().await;
        peer.until_text(&format!("x{before}")).await;
    }
}

async fn what_is_known_only_because_of_an_uncommitted_edit_is_acknowledged_after_it(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut first = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    let mut second = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    first.until_saved().await;
    second.until_saved().await;

    let hold = Hold::of(&server.database, document).await;
    // The same edit by two ways, as two tabs of one browser send it.
    let update = typed(99, "twice");
    first.send_update(&update).await;
    first.round_trip().await;
    second.send_update(&update).await;
    second.round_trip().await;
    first.round_trip().await;
    assert!(!first.is_saved() && !second.is_saved());
    hold.release().await;
    first.until_saved().await;
    second.until_saved().await;
    assert_eq!(ann.text(project, document).await, "twice");
}

async fn every_frame_is_answered_once_and_in_order(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").presence(json!({})).join().await;
    author.until_saved().await;
    assert_eq!((author.questions, author.sent), (1, 1), "one question, one answer to it");
    let update = typed(5, "a");
    author.send_update(&update).await;
    author.send_update(&[9, 9, 9]).await;
    author.send_update(&update).await;
    author.announce(json!({ "cursor": 1 })).await;
    author.send_update(&typed(6, "b")).await;
    author.until("all five are answered", |peer| peer.statuses.len() == 5).await;
    assert_eq!(author.statuses, [true, true, false, true, true]);
    // Each question comes with one of the server's, whose answer is answered too; presence is not.
    author.round_trip().await;
    author.until("all is answered", |peer| peer.statuses.len() == peer.sent).await;
    assert_eq!(author.sent, 1 + 4 + 2);
}
