//! A document begins once, however many want it at the same moment.

use coterie::ids::ProjectId;
use reqwest::StatusCode;
use serde_json::json;
use tokio::task::JoinSet;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::DIALECTS;
use crate::server::TestServer;

/// How many come at once.
const MANY: usize = 64;

on_both_engines![
    of_64_creates_of_one_path_one_succeeds,
    the_first_joins_of_a_path_that_never_was_meet_in_one_document,
    a_document_is_loaded_once_for_64_first_joins,
    a_seed_is_there_once_after_joins_and_restarts,
];

async fn paths(client: &TestClient, project: ProjectId) -> Vec<String> {
    let (status, page) = client.get(&format!("/api/projects/{project}/documents")).await;
    assert_eq!(status, StatusCode::OK);
    page["items"].as_array().unwrap().iter().map(|item| item["path"].as_str().unwrap().to_owned()).collect()
}

async fn of_64_creates_of_one_path_one_succeeds(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut creates = JoinSet::new();
    for number in 0..MANY {
        let ann = ann.clone();
        creates.spawn(async move {
            let body = json!({ "path": "a/b", "content": number.to_string() });
            (number, ann.post(&format!("/api/projects/{project}/documents"), body).await)
        });
    }
    let mut created = Vec::new();
    for (number, (status, body)) in creates.join_all().await {
        if status == StatusCode::CREATED {
            created.push((number, body["id"].as_str().unwrap().parse().unwrap()));
        } else {
            assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("path_taken")));
        }
    }
    let [(number, document)] = created[..] else { panic!("created {} times", created.len()) };
    assert_eq!(paths(&ann, project).await, ["a/b"]);
    assert_eq!(ann.text(project, document).await, number.to_string());
}

async fn the_first_joins_of_a_path_that_never_was_meet_in_one_document(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let mut joins = JoinSet::new();
    for number in 0..MANY {
        let ann = ann.clone();
        joins.spawn(async move {
            let mut peer = ann.socket(DIALECTS[number % 2], project, "never/was").join().await;
            peer.insert(0, "x").await;
            peer.until("it sees what everybody wrote", |peer| peer.text().len() == MANY).await;
        });
    }
    joins.join_all().await;
    assert_eq!(paths(&ann, project).await, ["never/was"]);
    assert_eq!(server.tally("loads"), 1);
}

async fn a_document_is_loaded_once_for_64_first_joins(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "text").await;
    server.restart().await;

    let mut joins = JoinSet::new();
    for number in 0..MANY {
        let ann = ann.clone();
        joins.spawn(async move { ann.socket(DIALECTS[number % 2], project, document).join().await });
    }
    for peer in joins.join_all().await {
        assert_eq!(peer.text(), "text");
    }
    assert_eq!(server.tally("loads"), 1);
}

async fn a_seed_is_there_once_after_joins_and_restarts(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let content = "line one\nline two, 🌍\n";
    let document = ann.create(project, "a", content).await;
    for _ in 0..3 {
        let mut joins = JoinSet::new();
        for number in 0..MANY {
            let ann = ann.clone();
            joins.spawn(async move { ann.socket(DIALECTS[number % 2], project, "a").join().await });
        }
        for mut peer in joins.join_all().await {
            peer.round_trip().await;
            assert_eq!(peer.text(), content);
        }
        server.restart().await;
    }
    let (update, head) = ann.read(project, document).await;
    assert_eq!((crate::peer::text_of(&update).as_str(), head), (content, 1));
}
