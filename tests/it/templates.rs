//! What a project can begin with, and the one that shows a server's first visitor around.

use coterie::ids::DocumentId;
use coterie::project::demo;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::server::TestServer;

on_both_engines![
    a_project_begins_with_the_files_of_its_template,
    a_template_that_does_not_fit_makes_no_project,
    who_opens_the_first_link_owns_the_tour,
];

async fn documents(client: &TestClient, project: &Value) -> Vec<Value> {
    let id = project["id"].as_str().unwrap();
    let (status, page) = client.get(&format!("/api/projects/{id}/documents")).await;
    assert_eq!(status, StatusCode::OK);
    page["items"].as_array().unwrap().clone()
}

fn sorted(paths: impl Iterator<Item = String>) -> Vec<String> {
    let mut paths: Vec<_> = paths.collect();
    paths.sort();
    paths
}

async fn a_project_begins_with_the_files_of_its_template(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let (status, templates) = ann.get("/api/templates").await;
    assert_eq!(status, StatusCode::OK);
    let templates = templates["items"].as_array().unwrap();
    assert!(templates.len() > 4);
    for template in templates {
        let (status, project) = ann.post("/api/projects", json!({ "name": "New", "template": template["id"] })).await;
        assert_eq!(status, StatusCode::CREATED, "{project}");
        let made = documents(&ann, &project).await;
        let told = template["files"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().to_owned());
        let there = made.iter().map(|document| document["path"].as_str().unwrap().to_owned());
        assert_eq!(sorted(there), sorted(told), "{template}");
        let id = project["id"].as_str().unwrap();
        for document in &made {
            let document: DocumentId = document["id"].as_str().unwrap().parse().unwrap();
            let (status, text, _) = ann.read_text(id.parse().unwrap(), document).await;
            assert!(status == StatusCode::OK && text.ends_with('\n'), "{text}");
        }
        let (_, feed) = ann.get(&format!("/api/projects/{id}/feed")).await;
        let created = feed["items"].as_array().unwrap().iter().filter(|event| event["type"] == "file.created").count();
        assert_eq!(created, made.len());
    }
    let (status, refused) = ann.post("/api/projects", json!({ "name": "New", "template": "unheard-of" })).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(refused["error"]["message"].as_str().unwrap().contains("notes"), "it says which there are: {refused}");
}

async fn a_template_that_does_not_fit_makes_no_project(engine: Engine) {
    let database = Database::create(engine).await;
    let mut config = TestServer::config(&database);
    config.document_bytes = 100;
    let server = TestServer::with(config, database).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let (status, refused) = ann.post("/api/projects", json!({ "name": "New", "template": "page" })).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{refused}");
    let (_, projects) = ann.get("/api/projects").await;
    assert_eq!(projects["items"], json!([]));
    let (status, _) = ann.post("/api/projects", json!({ "name": "New", "template": "blank" })).await;
    assert_eq!(status, StatusCode::CREATED);
}

async fn who_opens_the_first_link_owns_the_tour(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    demo(server.state()).await.unwrap().expect("a server without projects begins with one");
    server.restart().await;
    // Nobody came in by the first link, so there is another to the same project.
    let link = demo(server.state()).await.unwrap().expect("nobody came in");
    let (token, file) = link.rsplit_once("/join/").unwrap().1.split_once('#').unwrap();
    let ann = TestClient::guest(server.place(), "Ann").await;
    let (status, project) = ann.post(&format!("/api/invites/{token}/accept"), json!({})).await;
    assert_eq!((status, &project["role"]), (StatusCode::OK, &json!("owner")), "{project}");
    let made = documents(&ann, &project).await;
    assert_eq!(made.len(), 5);
    assert!(made.iter().any(|document| document["id"] == file && document["path"] == "README.md"));

    let ben = TestClient::guest(server.place(), "Ben").await;
    let (status, _) = ben.post(&format!("/api/invites/{token}/accept"), json!({})).await;
    assert_ne!(status, StatusCode::OK, "the link is for one");
    assert_eq!(demo(server.state()).await.unwrap(), None, "somebody has it");
    let id = project["id"].as_str().unwrap();
    let (status, _) = ann.delete(&format!("/api/projects/{id}")).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(demo(server.state()).await.unwrap(), None, "it is not made again");
}
