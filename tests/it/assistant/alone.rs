//! What is asked of a model outside of conversations, and which model is asked.

use coterie::config::Budget;
use coterie::limits;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Scene, settings};
use crate::engines::{Engine, on_both_engines};
use crate::model::fake::{FakeModel, Script, answer, fed, says};
use crate::server::until;

on_both_engines![
    a_question_is_answered_once_and_paid_for,
    many_asked_at_once_are_as_many_as_one_after_the_other,
    who_stops_waiting_pays_for_what_was_written,
    a_file_is_analysed_and_the_findings_stay,
    a_message_or_a_persona_chooses_its_model,
    all_that_is_asked_of_models_shares_the_places,
];

async fn a_question_is_answered_once_and_paid_for(engine: Engine) {
    let scene = Scene::with(engine, |config| {
        config.ai.user_budget = Some(Budget::Tokens(3_000));
        config.ai.runs_per_minute = 4;
    })
    .await;
    let path = format!("/api/projects/{}/completions", scene.project);
    scene.model.then(answer(&["4", "2"]));
    let (status, said) =
        scene.ann.post(&path, json!({ "prompt": "What is it?", "system": "Be brief.", "max_tokens": 50 })).await;
    assert_eq!(status, StatusCode::OK, "{said}");
    assert_eq!((&said["text"], &said["model"], &said["cut"]), (&json!("42"), &json!("small"), &json!(false)));
    assert_eq!((&said["usage"]["total_tokens"], &said["cost"]), (&json!(10), &json!(44.0 / 1e6)));
    let asked = scene.model.asked()[0].body.clone();
    assert_eq!((&asked["max_tokens"], asked["messages"].as_array().unwrap().len()), (&json!(50), 2));
    let (_, usage) = scene.ann.get(&format!("/api/projects/{}/usage", scene.project)).await;
    assert_eq!((&usage["items"][0]["total_tokens"], &usage["items"][0]["runs"]), (&json!(10), &json!(1)));
    assert_eq!(usage["user_budget"]["used"], 10.0);
    for (wrong, status) in [
        (json!({ "prompt": " " }), StatusCode::BAD_REQUEST),
        (json!({ "prompt": "x", "max_tokens": 0 }), StatusCode::BAD_REQUEST),
        (json!({ "prompt": "x", "model": "no such" }), StatusCode::BAD_REQUEST),
        (json!({ "prompt": "x".repeat(30_000) }), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(scene.ann.post(&path, wrong.clone()).await.0, status, "{:.80}", wrong.to_string());
    }
    scene.model.then(Script::Refuse(429, vec![("retry-after", "7")], "no".to_owned()));
    let limited = scene.ann.request(Method::POST, &path).json(&json!({ "prompt": "x" })).send().await.unwrap();
    assert_eq!(limited.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(limited.headers()["retry-after"], "7", "as the model's server said");
    let (status, refused) = scene.ann.post(&path, json!({ "prompt": "x ".repeat(4_600) })).await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::CONFLICT, &json!("budget_used_up")), "{refused}");
    assert_eq!(scene.model.asked().len(), 2, "nothing else was asked");
    scene.model.then(answer(&["fourth"]));
    assert_eq!(scene.ann.post(&path, json!({ "prompt": "x" })).await.0, StatusCode::OK);
    assert_eq!(scene.ann.post(&path, json!({ "prompt": "x" })).await.0, StatusCode::TOO_MANY_REQUESTS);
    let (_, usage) = scene.ann.get(&format!("/api/projects/{}/usage", scene.project)).await;
    assert_eq!(usage["user_budget"]["used"], 20.0, "what was refused or went wrong took nothing");
}

async fn many_asked_at_once_are_as_many_as_one_after_the_other(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.runs_per_minute = 3).await;
    let path = format!("/api/projects/{}/completions", scene.project);
    (0..3).for_each(|_| scene.model.then(answer(&["yes"])));
    let asked = join_all((0..12).map(|_| scene.ann.post(&path, json!({ "prompt": "x" })))).await;
    let count = |wanted: StatusCode| asked.iter().filter(|(status, _)| *status == wanted).count();
    assert_eq!((count(StatusCode::OK), count(StatusCode::TOO_MANY_REQUESTS)), (3, 9), "{asked:?}");
    assert_eq!(scene.model.asked().len(), 3);
}

async fn who_stops_waiting_pays_for_what_was_written(engine: Engine) {
    let scene = Scene::new(engine).await;
    let path = format!("/api/projects/{}/completions", scene.project);
    let (pieces, script) = fed();
    scene.model.then(script);
    let usage = format!("/api/projects/{}/usage", scene.project);
    let writes = async {
        for _ in 0..20 {
            pieces.send(says("a word ")).await.unwrap();
            // The server has its turn to hear it.
            scene.ann.get(&usage).await;
        }
    };
    tokio::select! {
        answered = scene.ann.post(&path, json!({ "prompt": "x" })) => panic!("it goes on: {answered:?}"),
        () = writes => {}
    }
    until("what was written is paid for", async || {
        let (_, usage) = scene.ann.get(&usage).await;
        usage["items"][0]["completion_tokens"].as_u64().is_some_and(|tokens| tokens > 0)
    })
    .await;
}

async fn a_file_is_analysed_and_the_findings_stay(engine: Engine) {
    let scene = Scene::new(engine).await;
    let bob = scene.member("Bob", "viewer").await;
    let file = scene.ann.create(scene.project, "a.rs", "use std::fs;\nfn main() {}\n").await;
    let path = format!("/api/projects/{}/documents/{file}/analysis", scene.project);
    assert_eq!(bob.get(&path).await.1["items"], json!([]));
    let findings = |line: usize| {
        json!({
            "summary": "Does nothing.", "complexity": { "level": "low", "reason": "one function" },
            "quality": [{ "line": line, "severity": "medium", "message": "unused" }], "security": [],
            "suggestions": [], "dependencies": [{ "line": 1, "name": "std" }],
        })
    };
    scene.model.then(answer(&[&findings(1).to_string()]));
    let (status, found) = scene.ann.post(&path, json!({})).await;
    assert_eq!(status, StatusCode::CREATED, "{found}");
    assert_eq!((&found["quality"][0]["line"], &found["dependencies"][0]["name"]), (&json!(1), &json!("std")));
    assert_eq!((&found["model"], &found["user"]["name"], &found["head"]), (&json!("small"), &json!("Ann"), &json!(1)));
    let asked = scene.model.asked()[0].body.clone();
    assert_eq!(asked["response_format"]["json_schema"]["name"], "analysis");
    assert!(asked["messages"][1]["content"].as_str().unwrap().contains("2: fn main() {}"));
    // An answer that does not keep to it takes the place of none.
    for wrong in [findings(3).to_string(), "It is fine.".to_owned()] {
        scene.model.then(answer(&[&wrong]));
        let (status, refused) = scene.ann.post(&path, json!({})).await;
        assert_eq!((status, &refused["error"]["code"]), (StatusCode::CONFLICT, &json!("bad_answer")), "{refused}");
    }
    assert_eq!(bob.get(&path).await.1["items"], json!([found]));
    let large = scene.ann.create(scene.project, "large.txt", &"words of a large file\n".repeat(3_000)).await;
    let path = format!("/api/projects/{}/documents/{large}/analysis", scene.project);
    assert_eq!(scene.ann.post(&path, json!({})).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(scene.model.asked().len(), 3);
}

async fn a_message_or_a_persona_chooses_its_model(engine: Engine) {
    let big = FakeModel::start().await;
    let mut other = settings(&big);
    other.name = "big".to_owned();
    let scene = Scene::with(engine, |config| config.ai.models.push(other)).await;
    let file = "---\nname: Poet\nmodel: big\n---\nAnswer in verse.";
    scene.ann.create(scene.project, ".coterie/personas/poet.md", file).await;
    let (_, personas) = scene.ann.get(&format!("/api/projects/{}/personas", scene.project)).await;
    assert_eq!((&personas["items"][5]["model"], &personas["items"][0]["model"]), (&json!("big"), &json!(null)));
    let cases = [
        (json!({ "body": "@coder?" }), "small"),
        (json!({ "body": "@coder?", "model": "big" }), "big"),
        (json!({ "body": "@poet?" }), "big"),
        (json!({ "body": "@poet?", "model": "small" }), "small"),
    ];
    for (asks, model) in cases {
        if model == "big" {
            big.then(answer(&["yes"]))
        } else {
            scene.model.then(answer(&["yes"]))
        }
        let question = scene.post(&scene.ann, asks).await;
        assert_eq!(scene.ended(&question).await["context"]["model"], model, "{question}");
    }
    assert_eq!((scene.model.asked().len(), big.asked().len()), (2, 2));
    let question = scene.post(&scene.ann, json!({ "body": "@coder?", "model": "none" })).await;
    assert_eq!(question["model"], "none");
    assert_eq!(scene.ended(&question).await["error"]["code"], "model_not_listed");
}

async fn all_that_is_asked_of_models_shares_the_places(engine: Engine) {
    let scene = Scene::new(engine).await;
    let path = format!("/api/projects/{}/completions", scene.project);
    let (pieces, first) = fed();
    scene.model.then(first);
    (1..limits::ASSISTANT_RUNS).for_each(|_| scene.model.then(Script::Hang(Vec::new())));
    let ask = || {
        let (ann, path) = (scene.ann.clone(), path.clone());
        tokio::spawn(async move { ann.post(&path, json!({ "prompt": "x" })).await })
    };
    let asking: Vec<_> = (0..limits::ASSISTANT_RUNS).map(|_| ask()).collect();
    until("all are asked", async || scene.model.asked().len() == limits::ASSISTANT_RUNS).await;
    scene.model.then(answer(&["at last"]));
    let question = scene.say(&scene.ann, "@assistant?").await;
    let waits = scene.answer(&question, &["queued"]).await;
    // One too many is told so, after a while in which the answer has not begun either.
    let (status, refused) = scene.ann.post(&path, json!({ "prompt": "x" })).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable")),
        "{refused}"
    );
    assert_eq!(scene.message(&waits["id"]).await["state"], "queued");
    assert_eq!(scene.model.asked().len(), limits::ASSISTANT_RUNS);
    drop(pieces);
    assert_eq!(scene.answer(&question, &["done"]).await["body"], "at last");
    asking.iter().for_each(tokio::task::JoinHandle::abort);
}
