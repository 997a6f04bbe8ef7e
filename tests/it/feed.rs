//! The feed: one log of what happened in a project, in pages and live.

use std::time::Duration;

use coterie::feed::{Event, Signal};
use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::events::{Events, all};
use crate::server::{PATIENCE, TestServer};

on_both_engines![
    what_happens_is_told_in_order_with_who_did_it,
    a_change_that_fails_tells_nothing,
    the_activity_of_one_file_or_person_is_found,
    many_at_once_are_numbered_without_a_gap,
    a_stream_tells_what_happens_and_goes_on_where_it_was_left,
    a_stream_that_is_not_read_misses_nothing_later,
    a_stream_ends_when_its_reader_may_read_no_more,
    what_another_server_does_is_told_here,
    signals_reach_those_who_follow_and_are_not_stored,
];

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

fn assert_contiguous(events: &[Value]) {
    for (event, seq) in events.iter().zip(1..) {
        assert_eq!(event["seq"], seq, "{event}");
    }
}

async fn what_happens_is_told_in_order_with_who_did_it(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    let base = format!("/api/projects/{project}");
    let a = ann.create(project, "a.md", "one\n").await;
    ann.invite(project, &bob, "viewer").await;
    let member = format!("{base}/members/{}", bob.id);
    assert_eq!(ann.patch(&member, json!({ "role": "editor" })).await.0, StatusCode::OK);
    assert_eq!(ann.patch(&member, json!({ "role": "editor" })).await.0, StatusCode::OK);
    assert_eq!(bob.patch(&format!("{base}/documents/{a}"), json!({ "path": "b.md" })).await.0, StatusCode::OK);
    let operations = json!([
        { "op": "write", "document": "b.md", "content": "two\n" },
        { "op": "create", "path": "c.md" },
        { "op": "rename", "document": "b.md", "path": "dir/b.md" },
    ]);
    assert_eq!(bob.change(project, operations).await.0, StatusCode::OK);
    assert_eq!(ann.patch(&base, json!({ "name": "Renamed" })).await.0, StatusCode::OK);
    assert_eq!(bob.delete(&format!("{base}/documents/{a}")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(bob.delete(&member).await.0, StatusCode::NO_CONTENT);

    let events = all(&ann, project).await;
    assert_contiguous(&events);
    let expected = [
        "file.created",
        "member.added",
        "member.changed",
        "file.renamed",
        "file.changed",
        "file.created",
        "file.renamed",
        "project.changed",
        "file.deleted",
        "member.removed",
    ];
    assert_eq!(kinds(&events), expected);
    let whose: Vec<&Value> = events.iter().map(|event| &event["actor"]["name"]).collect();
    assert_eq!(json!(whose), json!(["Ann", "Bob", "Ann", "Bob", "Bob", "Bob", "Bob", "Ann", "Bob", "Bob"]));
    assert_eq!((&events[0]["document_id"], &events[0]["path"]), (&json!(a), &json!("a.md")));
    assert_eq!((&events[2]["role"], &events[2]["was"]), (&json!("editor"), &json!("viewer")));
    assert_eq!((&events[3]["from"], &events[3]["path"]), (&json!("a.md"), &json!("b.md")));
    assert_eq!((&events[4]["path"], &events[4]["head"]), (&json!("b.md"), &json!(2)));
    assert_eq!(events[8]["path"], "dir/b.md");
    assert_eq!(events[9]["user"], json!({ "id": bob.id, "name": "Bob" }));
    assert!(events.iter().all(|event| event["at"].as_str().unwrap().ends_with('Z')));

    // The newest first, for an activity list.
    let (_, page) = ann.get(&format!("{base}/feed?before=11&limit=4")).await;
    let seqs: Vec<i64> = page["items"].as_array().unwrap().iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!((seqs, &page["next"], &page["head"]), (vec![10, 9, 8, 7], &json!("7"), &json!(10)));
    let (_, page) = ann.get(&format!("{base}/feed?before=7")).await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["next"]), (6, &Value::Null));
    for bad in ["after=1&before=2", "limit=0", "after=x"] {
        assert_eq!(ann.get(&format!("{base}/feed?{bad}")).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(bob.get(&format!("{base}/feed")).await.0, StatusCode::NOT_FOUND, "who was removed reads no more");
}

async fn a_change_that_fails_tells_nothing(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "a.md", "").await;
    let operations = json!([{ "op": "create", "path": "b.md" }, { "op": "create", "path": "a.md" }]);
    assert_eq!(ann.change(project, operations).await.0, StatusCode::CONFLICT);
    let taken = ann.post(&format!("/api/projects/{project}/documents"), json!({ "path": "a.md" })).await;
    assert_eq!(taken.0, StatusCode::CONFLICT);
    ann.create(project, "b.md", "").await;
    let events = all(&ann, project).await;
    assert_contiguous(&events);
    assert_eq!(kinds(&events), ["file.created", "file.created"]);
}

async fn the_activity_of_one_file_or_person_is_found(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    let base = format!("/api/projects/{project}");
    ann.invite(project, &bob, "editor").await;
    let a = ann.create(project, "a.md", "").await;
    ann.create(project, "b.md", "").await;
    bob.patch(&format!("{base}/documents/{a}"), json!({ "path": "c.md" })).await;
    let (_, page) = ann.get(&format!("{base}/feed?document={a}")).await;
    assert_eq!(kinds(page["items"].as_array().unwrap()), ["file.created", "file.renamed"]);
    let (_, page) = ann.get(&format!("{base}/feed?author={}", bob.id)).await;
    assert_eq!(kinds(page["items"].as_array().unwrap()), ["member.added", "file.renamed"]);
    // Who was a guest then is found by who they became.
    let cyd = TestClient::guest(server.place(), "Cyd").await;
    bob.merge_into(server.db(), &cyd).await;
    let (_, page) = ann.get(&format!("{base}/feed?author={}", cyd.id)).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert_eq!(page["items"][0]["actor"], json!({ "id": cyd.id, "name": "Cyd", "kind": "guest" }));
}

async fn many_at_once_are_numbered_without_a_gap(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut stream = Events::open(&ann, project, None).await;
    join_all((0..24).map(|n| {
        let ann = ann.clone();
        async move { ann.create(project, &format!("f{n}"), "").await }
    }))
    .await;
    let mut live = Vec::new();
    while live.len() < 24 {
        live.push(stream.next().await.unwrap());
    }
    assert_contiguous(&live);
    assert_eq!(all(&ann, project).await, live);
}

async fn a_stream_tells_what_happens_and_goes_on_where_it_was_left(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "before", "").await;
    let mut stream = Events::open(&ann, project, None).await;
    assert_eq!(stream.last_id, "1");
    ann.create(project, "a", "").await;
    let event = timeout(Duration::from_secs(2), stream.next()).await.unwrap().unwrap();
    assert_eq!((&event["type"], &event["path"], &event["seq"]), (&json!("file.created"), &json!("a"), &json!(2)));
    assert_eq!(stream.last_id, "2");
    let left = stream.last_id.clone();
    drop(stream);
    for n in 0..120 {
        ann.create(project, &format!("while away {n}"), "").await;
    }
    let mut stream = Events::open(&ann, project, Some(&left)).await;
    for seq in 3..123 {
        assert_eq!(stream.next().await.unwrap()["seq"], seq);
    }
    ann.create(project, "b", "").await;
    assert_eq!(stream.next().await.unwrap()["path"], "b");

    // A shutdown ends streams; afterwards they go on.
    let left = stream.last_id.clone();
    let began = Instant::now();
    server.restart().await;
    assert!(began.elapsed() < Duration::from_secs(4), "a stream holds no shutdown up");
    assert_eq!(stream.next().await, None);
    ann.create(project, "c", "").await;
    let mut stream = Events::open(&ann, project, Some(&left)).await;
    assert_eq!(stream.next().await.unwrap()["path"], "c");
    // Who remembers more than there is, as after a restored backup, is told where it begins.
    let stream = Events::open(&ann, project, Some("100000")).await;
    assert_eq!(stream.last_id, "124");
}

async fn a_stream_that_is_not_read_misses_nothing_later(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut slow = Events::open(&ann, project, None).await;
    let mut quick = Events::open(&ann, project, None).await;
    // More than the buffers of a socket hold, and far more than followers share.
    let feed = &server.state().feed;
    let long = "x".repeat(60_000);
    for _ in 0..10 {
        let mut tx = server.db().begin().await.unwrap();
        let events: Vec<Event> = (0..50)
            .map(|n| Event::ProjectChanged {
                name: n.to_string(),
                description: long.clone(),
                visibility: String::new(),
            })
            .collect();
        coterie::feed::append(&mut tx, project, None, &events).await.unwrap();
        feed.commit(tx, project).await.unwrap();
    }
    for events in [&mut quick, &mut slow] {
        for seq in 1..=500 {
            // Who was given up for reading nothing comes back to where they were.
            let event = match events.next().await {
                Some(event) => event,
                None => {
                    let last = events.last_id.clone();
                    *events = Events::open(&ann, project, Some(&last)).await;
                    events.next().await.unwrap()
                }
            };
            assert_eq!(event["seq"], seq, "nobody is delayed by another");
        }
    }
}

async fn a_stream_ends_when_its_reader_may_read_no_more(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    for how in ["removed", "logged out", "deleted"] {
        let bob = TestClient::guest(server.place(), "Bob").await;
        ann.invite(project, &bob, "viewer").await;
        let mut stream = Events::open(&bob, project, None).await;
        let status = match how {
            "removed" => ann.delete(&format!("/api/projects/{project}/members/{}", bob.id)).await.0,
            "logged out" => bob.post("/auth/logout", json!({})).await.0,
            _ => ann.delete(&format!("/api/projects/{project}")).await.0,
        };
        assert!(status.is_success(), "{how}: {status}");
        let ended = async { while stream.next().await.is_some() {} };
        timeout(Duration::from_secs(1), ended).await.unwrap_or_else(|_| panic!("{how}: it goes on"));
    }
}

async fn what_another_server_does_is_told_here(engine: Engine) {
    let first = TestServer::start(engine).await;
    let second = TestServer::on(first.database.shared()).await;
    let ann = TestClient::guest(first.place(), "Ann").await;
    let project = ann.project().await;
    let there = ann.at(second.place());
    let mut stream = Events::open(&there, project, None).await;
    for n in 0..5 {
        ann.create(project, &format!("f{n}"), "").await;
        let event = timeout(Duration::from_secs(2), stream.next()).await.unwrap().unwrap();
        assert_eq!(event["path"], format!("f{n}"));
    }
    // Both append at once, and number one log.
    let (left, right) = (ann.clone(), there.clone());
    tokio::join!(
        async {
            for n in 0..20 {
                left.create(project, &format!("l{n}"), "").await;
            }
        },
        async {
            for n in 0..20 {
                right.create(project, &format!("r{n}"), "").await;
            }
        },
    );
    for seq in 6..=45 {
        assert_eq!(stream.next().await.unwrap()["seq"], seq);
    }
    assert_contiguous(&all(&ann, project).await);
}

async fn signals_reach_those_who_follow_and_are_not_stored(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let feed = &server.state().feed;
    let delta = |offset| Signal::MessageDelta { id: coterie::ids::MessageId(project.0), offset, text: "hello".into() };
    feed.signal(project, delta(0));
    let mut follower = feed.follow(project, None);
    follower.position().await;
    let mut stream = Events::open(&ann, project, None).await;
    feed.signal(project, delta(5));
    let event = stream.next().await.unwrap();
    assert_eq!((&event["type"], &event["offset"], event.get("seq")), (&json!("message.delta"), &json!(5), None));
    assert_eq!(stream.last_id, "0", "a signal has no number");
    let news = timeout(PATIENCE, follower.next()).await.unwrap().unwrap();
    assert_eq!(news.seq(), None);
    ann.create(project, "a", "").await;
    let news = timeout(PATIENCE, follower.next()).await.unwrap().unwrap();
    assert!(
        matches!(news, coterie::feed::News::Event(entry) if matches!(entry.event(), Some(Event::FileCreated { .. })))
    );
    assert_eq!(kinds(&all(&ann, project).await), ["file.created"]);
}
