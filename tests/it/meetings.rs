//! The room of a project: what happens is told there, and who met is noted.

use std::time::Duration;

use coterie::ids::ProjectId;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::events::all;
use crate::peer::{Dialect, Peer};
use crate::server::{TestServer, until};

on_both_engines![
    the_room_of_a_project_hears_what_happens,
    who_is_put_out_of_a_room_hears_no_more,
    a_session_lasts_from_the_first_to_come_until_the_last_has_left,
    a_reload_and_a_restart_are_no_leaving,
    a_session_whose_server_was_killed_ends_when_it_was_last_seen,
    two_servers_hold_one_session,
];

/// What a room was told of these kinds.
fn told<'a>(peer: &'a Peer, kind: &str) -> Vec<&'a Value> {
    peer.events.iter().filter(|event| event["type"] == kind).collect()
}

async fn sessions(client: &TestClient, project: ProjectId) -> Vec<Value> {
    let (status, page) = client.get(&format!("/api/projects/{project}/sessions")).await;
    assert_eq!(status, StatusCode::OK, "{page}");
    page["items"].as_array().unwrap().clone()
}

async fn comings(client: &TestClient, project: ProjectId) -> Vec<(String, String)> {
    let events = all(client, project).await;
    let people = events.iter().filter(|event| event["type"].as_str().unwrap().starts_with("person."));
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    people.map(|event| (word(&event["type"]), word(&event["user"]["name"]))).collect()
}

async fn the_room_of_a_project_hears_what_happens(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "before", "").await;
    let mut room = ann.room(project).join().await;
    room.until("it says where it begins", |peer| !told(peer, "feed.following").is_empty()).await;
    assert_eq!(room.events[0], json!({ "type": "feed.following", "after": 1 }));
    ann.create(project, "a", "").await;
    room.until("it is told", |peer| !told(peer, "file.created").is_empty()).await;
    let event = told(&room, "file.created")[0].clone();
    assert_eq!((&event["path"], &event["actor"]["name"]), (&json!("a"), &json!("Ann")));
    assert!(all(&ann, project).await.contains(&event), "one form everywhere");
    // In its turn also to who reads nothing for a while.
    for n in 0..200 {
        ann.create(project, &format!("f{n}"), "").await;
    }
    room.until("all are told", |peer| told(peer, "file.created").len() == 201).await;
    let seqs: Vec<i64> = room.events[1..].iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seqs:?}");
}

async fn who_is_put_out_of_a_room_hears_no_more(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let mut room = bob.room(project).join().await;
    room.until("it says where it begins", |peer| !peer.events.is_empty()).await;
    let gone = ann.delete(&format!("/api/projects/{project}/members/{}", bob.id)).await.0;
    assert_eq!(gone, StatusCode::NO_CONTENT);
    room.until("it is put out", |peer| !peer.denied.is_empty()).await;
    ann.create(project, "secret", "").await;
    // The socket stays, and with it a project that is theirs.
    let own = bob.project().await;
    bob.create(own, "x", "").await;
    let mut other = bob.room(own).join().await;
    other.until("it says where it begins", |peer| !peer.events.is_empty()).await;
    assert!(told(&room, "file.created").is_empty());
}

async fn a_session_lasts_from_the_first_to_come_until_the_last_has_left(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "viewer").await;
    ann.create(project, "a", "").await;
    assert!(sessions(&ann, project).await.is_empty());
    // Two pages of one person are one participant; a document alone is enough, in any dialect.
    let mut first = ann.room(project).join().await;
    let mut second = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    until("she has come", async || comings(&ann, project).await.len() == 1).await;
    let mut his = bob.socket(Dialect::Yjs, project, "a").join().await;
    until("he has come", async || comings(&ann, project).await.len() == 2).await;
    let open = sessions(&ann, project).await;
    assert_eq!((open.len(), &open[0]["ended_at"]), (1, &Value::Null));
    let names: Vec<&Value> = open[0]["participants"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(json!(names), json!(["Ann", "Bob"]));
    first.leave().await;
    second.leave().await;
    his.leave().await;
    until("both have left", async || comings(&ann, project).await.len() == 4).await;
    let ended = sessions(&ann, project).await;
    assert_eq!((ended.len(), &ended[0]["id"]), (1, &open[0]["id"]));
    assert!(ended[0]["ended_at"].is_string());
    for participant in ended[0]["participants"].as_array().unwrap() {
        assert!(participant["left_at"].as_str() <= ended[0]["ended_at"].as_str(), "{ended:?}");
    }
    let expected = [("person.joined", "Ann"), ("person.joined", "Bob")];
    assert_eq!(comings(&ann, project).await[..2], expected.map(|(kind, name)| (kind.to_owned(), name.to_owned())));
    // The next meeting is another one.
    let _again = ann.room(project).join().await;
    until("there is another", async || sessions(&ann, project).await.len() == 2).await;
    assert_eq!(sessions(&ann, project).await[0]["ended_at"], Value::Null);
}

async fn a_reload_and_a_restart_are_no_leaving(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut room = ann.room(project).join().await;
    until("she has come", async || comings(&ann, project).await.len() == 1).await;
    room.leave().await;
    room.connect().await;
    room.until("it is back", |peer| peer.synced).await;
    server.restart().await;
    room.leave().await;
    room.connect().await;
    room.until("it is back", |peer| peer.synced).await;
    let written = "select count(*) from session_stay where $1 is not null";
    until("the new server has written it down", async || {
        server.database.number(written, coterie::ids::DocumentId(project.0)).await == 2
    })
    .await;
    // As the old one's time would have come to an end.
    server
        .database
        .execute(
            "update session_stay set seen_us = 1 where seen_us = (select min(seen_us) from session_stay)".to_owned(),
        )
        .await;
    until("the old stay is closed", async || {
        let open = "select count(*) from session_stay where left_us is null and $1 is not null";
        server.database.number(open, coterie::ids::DocumentId(project.0)).await == 1
    })
    .await;
    assert_eq!(comings(&ann, project).await.len(), 1);
    let sessions = sessions(&ann, project).await;
    assert_eq!((sessions.len(), &sessions[0]["ended_at"]), (1, &Value::Null));
}

async fn a_session_whose_server_was_killed_ends_when_it_was_last_seen(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut room = ann.room(project).join().await;
    until("she has come", async || comings(&ann, project).await.len() == 1).await;
    // A server that stops leaves open what it had, as one that is killed does.
    server.shutdown().await;
    room.leave().await;
    server.database.execute("update session_stay set joined_us = 1000000, seen_us = 1700000000000000".to_owned()).await;
    server.start_again().await;
    until("it is found", async || comings(&ann, project).await.len() == 2).await;
    let sessions = sessions(&ann, project).await;
    assert_eq!(sessions[0]["ended_at"], "2023-11-14T22:13:20Z");
    assert_eq!(sessions[0]["participants"][0]["left_at"], "2023-11-14T22:13:20Z");
}

async fn two_servers_hold_one_session(engine: Engine) {
    let first = TestServer::start(engine).await;
    let second = TestServer::on(first.database.shared()).await;
    let ann = TestClient::guest(first.place(), "Ann").await;
    let bob = TestClient::guest(second.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob.at(first.place()), "viewer").await;
    let mut here = ann.room(project).join().await;
    let mut there = bob.room(project).join().await;
    let _hers = ann.at(second.place()).room(project).join().await;
    until("both have come", async || comings(&ann, project).await.len() == 2).await;
    here.until("he is told here", |peer| {
        told(peer, "person.joined").iter().any(|event| event["user"]["name"] == "Bob")
    })
    .await;
    // She is still there, at the other server.
    here.leave().await;
    there.leave().await;
    until("he has left", async || comings(&ann, project).await.len() == 3).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(comings(&ann, project).await[2], ("person.left".to_owned(), "Bob".to_owned()));
    let sessions = timeout(Duration::from_secs(5), sessions(&ann, project)).await.unwrap();
    assert_eq!((sessions.len(), &sessions[0]["ended_at"]), (1, &Value::Null));
}
