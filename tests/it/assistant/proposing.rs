//! What the assistant would change: proposals that people decide on.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::Scene;
use crate::engines::{Engine, on_both_engines};
use crate::model::fake::{Script, answer, calls, fed};
use crate::server::until;

on_both_engines![
    a_change_is_proposed_and_people_accept_it,
    lines_are_those_that_the_model_read,
    a_model_that_calls_no_tools_proposes_by_a_schema,
    what_cannot_be_proposed_is_told_in_words,
    files_are_made_moved_and_deleted_by_a_schema_too,
    where_people_want_it_a_proposal_is_applied_at_once_and_undone_as_a_whole,
];

impl Scene {
    fn proposals(&self) -> String {
        format!("/api/projects/{}/proposals", self.project)
    }
}

/// The answers of the tool that proposes, as the model was told them.
fn results(asked: &Value) -> Vec<&str> {
    let turns = asked["messages"].as_array().unwrap().iter().filter(|turn| turn["role"] == "tool");
    turns.map(|turn| turn["content"].as_str().unwrap()).collect()
}

async fn a_change_is_proposed_and_people_accept_it(engine: Engine) {
    let scene = Scene::new(engine).await;
    let bob = scene.member("Bob", "editor").await;
    let file = scene.ann.create(scene.project, "a.txt", "one\ntwo\nthree\n").await;
    let change = json!({
        "summary": "Count in words", "rationale": "You asked for it.", "confidence": 0.9, "risk": "low",
        "files": [
            { "op": "edit", "path": "a.txt", "edits": [{ "find": "two", "replace": "zwei" }] },
            { "op": "create", "path": "b.txt", "content": "new\n" },
        ],
    });
    scene.model.then(calls("propose_edits", &change));
    scene.model.then(calls("propose_edits", &change));
    scene.model.then(answer(&["I propose it."]));
    let question = scene.say(&scene.ann, "@coder say two in German").await;
    let answered = scene.ended(&question).await;
    assert_eq!(answered["body"], "I propose it.", "{answered}");
    let told = scene.model.asked()[2].body.clone();
    assert!(results(&told)[0].contains("is made") && results(&told)[1].contains("already"), "once: {told}");
    assert_eq!(scene.ann.text(scene.project, file).await, "one\ntwo\nthree\n", "nothing is changed by it");
    let path = format!("{}/{}", scene.proposals(), answered["proposal"].as_str().unwrap());
    let (_, proposal) = bob.get(&path).await;
    assert_eq!((&proposal["author"]["kind"], &proposal["via"]["name"]), (&json!("assistant"), &json!("Ann")));
    assert_eq!((&proposal["persona"], &proposal["model"]), (&json!("Coder"), &json!("small")));
    assert_eq!((&proposal["message_id"], &proposal["confidence"]), (&answered["id"], &json!(90)));
    assert_eq!(proposal["impact"]["risk"], "low");
    let words = json!({ "hunks": [{ "id": 1, "after": "mine\n" }] });
    assert_eq!(scene.ann.patch(&path, words).await.0, StatusCode::FORBIDDEN, "the words of the assistant are its own");
    assert_eq!(scene.ann.patch(&path, json!({ "summary": "Count" })).await.0, StatusCode::OK);
    let (status, accepted) = bob.post(&format!("{path}/accept"), json!({})).await;
    assert_eq!((status, &accepted["state"]), (StatusCode::OK, &json!("accepted")), "{accepted}");
    assert_eq!(scene.ann.text(scene.project, file).await, "one\nzwei\nthree\n");
    let (_, documents) = scene.ann.get(&format!("/api/projects/{}/documents", scene.project)).await;
    assert!(documents["items"].as_array().unwrap().iter().any(|document| document["path"] == "b.txt"));
    // What a program says of itself is not counted for it.
    let (_, key) = scene.ann.key(&["read", "write"]).await;
    let theirs = json!({ "summary": "x", "persona": "Coder", "model": "small",
        "files": [{ "op": "create", "path": "theirs" }] });
    let (status, made) = scene.ann.by(reqwest::Method::POST, &key, &scene.proposals(), Some(theirs)).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    let (_, trust) = scene.ann.get(&format!("/api/projects/{}/trust", scene.project)).await;
    let of = |row: usize| (trust["items"][row]["author"]["kind"].clone(), trust["items"][row]["accepted"].clone());
    assert_eq!((of(0), of(1)), ((json!("assistant"), json!(1)), (json!("guest"), json!(0))), "{trust}");
}

async fn lines_are_those_that_the_model_read(engine: Engine) {
    let scene = Scene::new(engine).await;
    let file = scene.ann.create(scene.project, "a.txt", "one\ntwo\nthree\n").await;
    scene.model.then(calls("read_file", &json!({ "path": "a.txt" })));
    let (pieces, script) = fed();
    scene.model.then(script);
    scene.model.then(answer(&["Done."]));
    let question = scene.say(&scene.ann, "@coder say two in German").await;
    until("the model has read it", async || scene.model.asked().len() == 2).await;
    // Meanwhile somebody writes above it.
    scene.ann.put_text(scene.project, file, "zero\none\ntwo\nthree\n", None).await;
    let edit = json!({ "first_line": 2, "last_line": 2, "replace": "zwei" });
    let change =
        json!({ "summary": "x", "rationale": "", "files": [{ "op": "edit", "path": "a.txt", "edits": [edit] }] });
    let Script::Stream(events) = calls("propose_edits", &change) else { unreachable!() };
    for event in events {
        pieces.send(event).await.unwrap();
    }
    drop(pieces);
    let answered = scene.ended(&question).await;
    let path = format!("{}/{}/accept", scene.proposals(), answered["proposal"].as_str().unwrap());
    let (status, accepted) = scene.ann.post(&path, json!({})).await;
    assert_eq!((status, &accepted["state"]), (StatusCode::OK, &json!("accepted")), "{accepted}");
    assert_eq!(scene.ann.text(scene.project, file).await, "zero\none\nzwei\nthree\n");
}

async fn a_model_that_calls_no_tools_proposes_by_a_schema(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.models[0].tools = Some(false)).await;
    let file = scene.ann.create(scene.project, "a.txt", "one\ntwo\nthree\n").await;
    scene.model.then(answer(&["Gladly."]));
    let change = json!({ "summary": "Two is three", "rationale": "", "edits": [
        { "path": "a.txt", "first_line": 2, "last_line": 2, "new_text": "three" },
    ] });
    scene.model.then(answer(&[&change.to_string()[..20], &change.to_string()[20..]]));
    let asks = json!({ "body": "change line two", "attachments": [{ "kind": "file", "document_id": file }] });
    let question = scene.post(&scene.ann, asks).await;
    let answered = scene.ended(&question).await;
    assert_eq!((&answered["body"], &answered["state"]), (&json!("Gladly."), &json!("done")), "{answered}");
    let asked = scene.model.asked();
    let format = &asked[1].body["response_format"];
    assert_eq!(format["type"], "json_schema");
    assert_eq!(
        format["json_schema"]["schema"]["properties"]["edits"]["items"]["properties"]["path"]["enum"],
        json!(["a.txt"])
    );
    assert!(asked[1].body.to_string().contains("2: two") && asked[1].body.get("tools").is_none());
    let path = format!("{}/{}", scene.proposals(), answered["proposal"].as_str().unwrap());
    assert_eq!(scene.ann.post(&format!("{path}/accept"), json!({})).await.0, StatusCode::OK);
    assert_eq!(scene.ann.text(scene.project, file).await, "one\nthree\nthree\n");
    // Who asks for no change, or brings no file along, is answered only.
    scene.model.then(answer(&["Yes."]));
    let question = scene.say(&scene.ann, "is that right?").await;
    assert_eq!(scene.ended(&question).await.get("proposal"), None);
    assert_eq!(scene.model.asked().len(), 3);
}

async fn what_cannot_be_proposed_is_told_in_words(engine: Engine) {
    let scene = Scene::new(engine).await;
    let file = scene.ann.create(scene.project, "a.txt", "one\none\n").await;
    let other = scene.ann.project().await;
    let foreign = scene.ann.create(other, "x", "theirs").await;
    let edit = |path: Value, edit: Value| json!({ "summary": "x", "files": [{ "op": "edit", "path": path, "edits": [edit] }] });
    let bad = [
        edit(json!(foreign), json!({ "find": "theirs", "replace": "ours" })),
        edit(json!("../x"), json!({ "find": "theirs", "replace": "ours" })),
        edit(json!("a.txt"), json!({ "find": "one", "replace": "two" })),
        edit(json!("a.txt"), json!({ "find": "two", "replace": "three" })),
        edit(json!("a.txt"), json!({ "replace": "three" })),
        json!({ "summary": "x", "files": [{ "op": "rename", "path": "a.txt" }] }),
        json!({ "summary": "x", "files": [] }),
    ];
    for change in &bad {
        scene.model.then(calls("propose_edits", change));
    }
    scene.model.then(answer(&["I could not."]));
    let question = scene.say(&scene.ann, "@assistant change all").await;
    let answered = scene.ended(&question).await;
    assert_eq!((&answered["body"], answered.get("proposal")), (&json!("I could not."), None));
    let asked = scene.model.asked();
    let told = results(&asked[7].body);
    assert_eq!(told.len(), bad.len());
    assert!(told.iter().all(|told| told.starts_with("No proposal was made: ") && told.len() > 30), "{told:?}");
    assert!(told[2].contains("more than once") && told[3].contains("does not say"), "{told:?}");
    assert_eq!(scene.ann.get(&scene.proposals()).await.1["items"], json!([]));
    assert_eq!(scene.ann.text(scene.project, file).await, "one\none\n");
    assert_eq!(scene.ann.text(other, foreign).await, "theirs");
}

async fn files_are_made_moved_and_deleted_by_a_schema_too(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.models[0].tools = Some(false)).await;
    let file = scene.ann.create(scene.project, "a.txt", "one\n").await;
    scene.ann.create(scene.project, "old.txt", "old\n").await;
    scene.model.then(answer(&["Gladly."]));
    let change = json!({ "summary": "In order", "rationale": "", "edits": [
        { "path": "a.txt", "first_line": 1, "last_line": 1, "new_text": "eins" },
    ], "files": [
        { "op": "rename", "path": "a.txt", "to": "b.txt" }, { "op": "delete", "path": "old.txt" },
        { "op": "create", "path": "new.txt", "content": "new\n" },
    ] });
    scene.model.then(answer(&[&change.to_string()]));
    let asks = json!({ "body": "rename this file, and create another", "attachments": [{ "kind": "file", "document_id": file }] });
    let question = scene.post(&scene.ann, asks).await;
    let answered = scene.ended(&question).await;
    let schema = scene.model.asked()[1].body["response_format"]["json_schema"]["schema"].clone();
    assert!(schema["properties"]["files"]["items"]["anyOf"].is_array(), "{schema}");
    let path = format!("{}/{}", scene.proposals(), answered["proposal"].as_str().unwrap());
    let (status, accepted) = scene.ann.post(&format!("{path}/accept"), json!({})).await;
    assert_eq!((status, &accepted["state"]), (StatusCode::OK, &json!("accepted")), "{accepted}");
    assert_eq!(scene.ann.text(scene.project, file).await, "eins\n");
    let (_, documents) = scene.ann.get(&format!("/api/projects/{}/documents", scene.project)).await;
    let mut paths: Vec<&str> =
        documents["items"].as_array().unwrap().iter().map(|document| document["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["b.txt", "new.txt"]);
}

async fn where_people_want_it_a_proposal_is_applied_at_once_and_undone_as_a_whole(engine: Engine) {
    let scene = Scene::new(engine).await;
    let (bob, cyd) = (scene.member("Bob", "editor").await, scene.member("Cyd", "commenter").await);
    let file = scene.ann.create(scene.project, "a.txt", "one\ntwo\n").await;
    let conversation = format!("/api/projects/{0}/conversations/{0}", scene.project);
    assert_eq!(cyd.patch(&conversation, json!({ "applies": true })).await.0, StatusCode::FORBIDDEN);
    let (_, listed) = scene.ann.get(&format!("/api/projects/{}/conversations", scene.project)).await;
    assert_eq!(listed["items"][0]["applies"], false, "off unless somebody wants it");
    let (status, changed) = bob.patch(&conversation, json!({ "applies": true })).await;
    assert_eq!((status, &changed["applies"]), (StatusCode::OK, &json!(true)));
    let change = json!({ "summary": "x", "files": [
        { "op": "edit", "path": "a.txt", "edits": [{ "find": "two", "replace": "zwei" }] },
        { "op": "create", "path": "b.txt", "content": "new\n" },
    ] });
    scene.model.then(calls("propose_edits", &change));
    scene.model.then(answer(&["Done."]));
    let question = scene.say(&bob, "@coder say two in German").await;
    let answered = scene.ended(&question).await;
    assert!(results(&scene.model.asked()[1].body)[0].contains("was applied"));
    assert_eq!(scene.ann.text(scene.project, file).await, "one\nzwei\n");
    let path = format!("{}/{}", scene.proposals(), answered["proposal"].as_str().unwrap());
    let (_, proposal) = scene.ann.get(&path).await;
    assert_eq!((&proposal["state"], &proposal["author"]["kind"]), (&json!("accepted"), &json!("assistant")));
    assert_eq!(proposal["written"][0]["accepted_by"]["name"], "Bob", "by the right of who asked");
    // What others do since stays when it is taken back.
    scene.ann.put_text(scene.project, file, "one\nzwei\nthree\n", None).await;
    assert_eq!(scene.ann.post(&format!("{path}/undo"), json!({})).await.0, StatusCode::OK);
    assert_eq!(scene.ann.text(scene.project, file).await, "one\ntwo\nthree\n");
}
