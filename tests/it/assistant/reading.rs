//! What the assistant reads for an answer, and what it shows of that.

use serde_json::{Value, json};

use super::Scene;
use crate::engines::{Engine, on_both_engines};
use crate::model::fake::{Script, answer, calls};
use crate::server::until;

on_both_engines![
    it_reads_by_tools_within_the_project_and_shows_what,
    what_the_question_brings_along_is_read,
    a_model_that_calls_no_tools_is_asked_without,
    it_does_not_go_round_in_circles,
    what_does_not_fit_is_told_in_short,
];

/// What the model was told in a request: everything that was said.
fn told(asked: &Value) -> String {
    let turns = asked["messages"].as_array().unwrap();
    turns.iter().map(|turn| turn["content"].as_str().unwrap_or_default()).collect::<Vec<_>>().join("\n---\n")
}

async fn it_reads_by_tools_within_the_project_and_shows_what(engine: Engine) {
    let scene = Scene::new(engine).await;
    scene.ann.create(scene.project, "src/a.rs", "one\ntwo\nthree\n").await;
    let other = scene.ann.project().await;
    let foreign = scene.ann.create(other, "secret.txt", "hunter2").await;
    for script in [
        calls("list_files", &json!({})),
        calls("read_file", &json!({ "path": "src/a.rs", "first_line": 2, "last_line": 2 })),
        calls("search", &json!({ "text": "THREE" })),
        calls("read_file", &json!({ "path": foreign })),
        calls("read_file", &json!("no object")),
        calls("delete_all", &json!({})),
        answer(&["Line two says two."]),
    ] {
        scene.model.then(script);
    }
    let question = scene.say(&scene.ann, "@assistant what is in line two?").await;
    let answered = scene.ended(&question).await;
    assert_eq!(answered["body"], "Line two says two.", "{answered}");
    let asked = scene.model.asked();
    let results: Vec<String> = asked[6].body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|turn| turn["role"] == "tool")
        .map(|turn| turn["content"].as_str().unwrap().to_owned())
        .collect();
    assert!(results[0].contains("src/a.rs") && results[1].contains("\ntwo\n") && !results[1].contains("three"));
    assert!(results[2].contains("src/a.rs:3: three"), "{results:?}");
    assert!(
        results[3].contains("no such file") && results[4].contains("not the JSON") && results[5].contains("no tool")
    );
    assert!(!json!(results).to_string().contains("hunter2"));
    // Data stands between marks that it cannot know.
    let mark = results[1].split("[content ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert!(told(&asked[0].body).contains(&mark) && results[1].ends_with(&format!("[end {mark}]")), "{results:?}");
    let read = answered["context"]["read"].as_array().unwrap();
    assert!(read.iter().any(|one| one["kind"] == "file" && one["path"] == "src/a.rs" && one["range"] == json!([2, 2])));
    assert!(read.iter().any(|one| one["kind"] == "search"));
    assert_eq!(answered["usage"]["total_tokens"], 70, "of all rounds");
}

async fn what_the_question_brings_along_is_read(engine: Engine) {
    let scene = Scene::new(engine).await;
    let file = scene.ann.create(scene.project, "notes.md", "the answer is 42").await;
    scene.ann.create(scene.project, "mentioned.md", "seven times six").await;
    scene.ann.create(scene.project, ".coterie/memory.md", "We write British English.").await;
    scene.model.then(answer(&["colour"]));
    let question = scene
        .post(
            &scene.ann,
            json!({ "body": "and @mentioned.md?", "attachments": [
                { "kind": "file", "document_id": file },
                { "kind": "selection", "document_id": file, "start": "AA==", "end": "AA==", "text": "selected words" },
                { "kind": "diagnostics", "document_id": file,
                  "items": [{ "line": 3, "severity": "error", "message": "no such word" }] },
            ] }),
        )
        .await;
    let answered = scene.ended(&question).await;
    let told = told(&scene.model.asked()[0].body);
    for expected in [
        "the answer is 42",
        "seven times six",
        "British",
        "selected words",
        "line 3: error: no such word",
        "[Ann]\nand",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let kinds: Vec<&str> =
        answered["context"]["read"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    for kind in ["tree", "file", "selection", "diagnostics", "memory"] {
        assert!(kinds.contains(&kind), "{kind}: {kinds:?}");
    }
    scene.model.then(answer(&["yes"]));
    let question = scene.say(&scene.ann, "@assistant sure?").await;
    scene.ended(&question).await;
    let asked = scene.model.asked()[1].body.clone();
    let turns = asked["messages"].as_array().unwrap();
    let roles: Vec<&str> = turns.iter().map(|turn| turn["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "user", "assistant", "user"], "what was said before comes in order");
    assert_eq!(turns[3]["content"], "colour");
}

async fn a_model_that_calls_no_tools_is_asked_without(engine: Engine) {
    let scene = Scene::new(engine).await;
    let refusal = json!({ "error": { "message": "this model does not support tools" } }).to_string();
    scene.model.then(Script::Refuse(400, vec![], refusal));
    scene.model.then(answer(&["yes"]));
    let question = scene.say(&scene.ann, "@assistant?").await;
    assert_eq!(scene.ended(&question).await["body"], "yes");
    let asked = scene.model.asked();
    assert!(asked[0].body["tools"].is_array() && asked[1].body.get("tools").is_none());
    assert_eq!(scene.ann.get("/api/models").await.1["items"][0]["tools"], false);
}

async fn it_does_not_go_round_in_circles(engine: Engine) {
    let scene = Scene::new(engine).await;
    for _ in 0..coterie::limits::ASSISTANT_ROUNDS {
        scene.model.then(calls("list_files", &json!({})));
    }
    let question = scene.say(&scene.ann, "@assistant?").await;
    assert_eq!(scene.ended(&question).await["error"]["code"], "too_many_rounds");
    let asked = scene.model.asked();
    assert!(asked.last().unwrap().body.get("tools").is_none(), "the last time nothing may be called for");
}

async fn what_does_not_fit_is_told_in_short(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.models[0].context_tokens = 2_048).await;
    let bob = scene.member("Bob", "editor").await;
    let conversation = format!("/api/projects/{0}/conversations/{0}", scene.project);
    scene.ann.patch(&conversation, json!({ "answers": "mentioned" })).await;
    let mut first = Value::Null;
    for n in 0..30 {
        let said = scene.say(&bob, &format!("fact {n}: {}", "and so on ".repeat(20))).await;
        if n == 0 {
            first = said;
        }
    }
    // It is told in two parts, the second with what was told of the first.
    scene.model.then(answer(&["In short: ", "some facts."]));
    scene.model.then(answer(&["In short: facts."]));
    scene.model.then(answer(&["yes"]));
    let question = scene.say(&scene.ann, "@assistant what was said?").await;
    let answered = scene.ended(&question).await;
    assert_eq!(answered["body"], "yes", "{answered}");
    let asked = scene.model.asked();
    assert!(told(&asked[0].body).contains("fact 0:") && told(&asked[1].body).contains("In short: some facts."));
    assert!(told(&asked[2].body).contains("In short: facts.") && told(&asked[2].body).contains("fact 29:"));
    assert!(!told(&asked[2].body).contains("fact 0:") && asked.len() == 3);
    assert_eq!(answered["usage"]["total_tokens"], 30, "the summary is in it");
    let path = format!("{conversation}/summary");
    let (_, summary) = bob.get(&path).await;
    assert_eq!(summary["body"], "In short: facts.");
    assert!((10..31).contains(&summary["seq"].as_i64().unwrap()), "{summary}");
    // What was said in it is changed: it is wrong.
    let first = format!("{}/{}", scene.messages(), first["id"].as_str().unwrap());
    assert_eq!(bob.patch(&first, json!({ "body": "no fact" })).await.0, reqwest::StatusCode::OK);
    until("it is taken back", async || bob.get(&path).await.0 == reqwest::StatusCode::NOT_FOUND).await;
}
