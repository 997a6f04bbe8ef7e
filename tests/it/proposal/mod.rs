//! Proposals: made, looked at together, accepted hunk by hunk, taken back.

mod decisions;
mod making;
mod taking_back;
mod typing;

use coterie::ids::{DocumentId, ProjectId};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::TestClient;

/// Where the proposals of a project are.
fn base(project: ProjectId) -> String {
    format!("/api/projects/{project}/proposals")
}

/// Suggests something about files.
async fn propose(who: &TestClient, project: ProjectId, files: Value) -> (StatusCode, Value) {
    who.post(&base(project), json!({ "summary": "Better", "rationale": "Because.", "files": files })).await
}

/// As [`propose`], where nothing is in the way.
async fn proposed(who: &TestClient, project: ProjectId, files: Value) -> Value {
    let (status, proposal) = propose(who, project, files).await;
    assert_eq!(status, StatusCode::CREATED, "{proposal}");
    proposal
}

/// Suggests another text for one document.
async fn proposed_text(who: &TestClient, project: ProjectId, document: DocumentId, text: &str) -> Value {
    proposed(who, project, json!([{ "op": "edit", "document": document, "text": text }])).await
}

/// Does something with a proposal: accept, reject, undo, vote.
async fn act(who: &TestClient, proposal: &Value, what: &str, body: Value) -> (StatusCode, Value) {
    let (project, id) = (proposal["project_id"].as_str().unwrap(), proposal["id"].as_str().unwrap());
    who.post(&format!("/api/projects/{project}/proposals/{id}/{what}"), body).await
}

/// As [`act`], where nothing is in the way.
async fn done(who: &TestClient, proposal: &Value, what: &str, body: Value) -> Value {
    let (status, after) = act(who, proposal, what, body).await;
    assert_eq!(status, StatusCode::OK, "{after}");
    after
}

/// The proposal as it is now.
async fn now(who: &TestClient, proposal: &Value) -> Value {
    let (project, id) = (proposal["project_id"].as_str().unwrap(), proposal["id"].as_str().unwrap());
    let (status, now) = who.get(&format!("/api/projects/{project}/proposals/{id}")).await;
    assert_eq!(status, StatusCode::OK, "{now}");
    now
}

/// The hunks of all files, in order.
fn hunks(proposal: &Value) -> Vec<&Value> {
    proposal["files"].as_array().unwrap().iter().flat_map(|file| file["hunks"].as_array().unwrap()).collect()
}

/// What each hunk is.
fn states(proposal: &Value) -> Vec<&str> {
    hunks(proposal).into_iter().map(|hunk| hunk["state"].as_str().unwrap()).collect()
}

/// The code of an error.
fn code((status, body): &(StatusCode, Value)) -> (u16, &str) {
    (status.as_u16(), body["error"]["code"].as_str().unwrap_or_default())
}

/// The events of proposals that a project has, with what they tell beside the proposal.
async fn told(who: &TestClient, project: ProjectId) -> Vec<(String, Value)> {
    let events = crate::events::all(who, project).await;
    let of = |event: &Value| event["type"].as_str().unwrap().to_owned();
    events.iter().filter(|event| of(event).starts_with("proposal.")).map(|event| (of(event), event.clone())).collect()
}
