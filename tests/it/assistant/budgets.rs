//! What answers take, and the budgets that they stay within.

use coterie::config::Budget;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Scene;
use crate::engines::{Engine, on_both_engines};
use crate::model::fake::{Script, answer, calls, ends, event, fed, says};
use crate::server::{PATIENCE, until};

on_both_engines![
    a_budget_that_is_used_up_ends_answers,
    answers_that_are_given_at_once_share_a_budget,
    money_is_set_aside_as_tokens_are,
    what_is_stopped_is_paid_for_as_far_as_it_came,
    what_is_refused_costs_nothing,
    what_is_set_aside_without_an_answer_is_given_back,
];

impl Scene {
    /// What was used today in the project: tokens read and written.
    async fn used(&self) -> (u64, u64) {
        let (_, usage) = self.ann.get(&format!("/api/projects/{}/usage", self.project)).await;
        let sum = |field: &str| usage["items"].as_array().unwrap().iter().map(|row| row[field].as_u64().unwrap()).sum();
        (sum("prompt_tokens"), sum("completion_tokens"))
    }

    /// What counts against the project's budget.
    async fn counted(&self) -> f64 {
        let (_, usage) = self.ann.get(&format!("/api/projects/{}/usage", self.project)).await;
        usage["project_budget"]["used"].as_f64().unwrap()
    }

    async fn conversation(&self, title: &str) -> Value {
        let path = format!("/api/projects/{}/conversations", self.project);
        self.ann.post(&path, json!({ "title": title })).await.1["id"].clone()
    }

    /// The answer in a conversation in which one thing was asked, once it is in one of these states.
    async fn only_answer(&self, conversation: &Value, states: &[&str]) -> Value {
        let mut found = Value::Null;
        until(&format!("the only answer is {states:?}"), async || {
            let path = format!("{}?conversation={}", self.messages(), conversation.as_str().unwrap());
            found = self.ann.get(&path).await.1["items"][1].clone();
            found["state"].as_str().is_some_and(|state| states.contains(&state))
        })
        .await;
        found
    }
}

async fn a_budget_that_is_used_up_ends_answers(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.project_budget = Some(Budget::Tokens(2_500))).await;
    // In its middle: a model that does not stop is stopped.
    let flood: Vec<Vec<u8>> = (0..200).map(|_| says(&"word ".repeat(20))).collect();
    scene.model.then(Script::Hang(flood));
    let question = scene.say(&scene.ann, "@assistant go on").await;
    let cut = scene.ended(&question).await;
    assert_eq!((&cut["state"], &cut["error"]["code"]), (&json!("failed"), &json!("budget_used_up")), "{cut}");
    assert!(cut["body"].as_str().unwrap().starts_with("word "));
    assert_eq!(cut["usage"]["total_tokens"], 2_500, "all of it, and not one more");
    let asked = scene.model.asked().remove(0);
    assert!(asked.body["max_tokens"].as_u64().unwrap() < 2_048, "it is told how much is left");
    timeout(PATIENCE, asked.over.cancelled()).await.expect("the request ended");
    // And none begins.
    let question = scene.say(&scene.ann, "@assistant again").await;
    assert_eq!(scene.ended(&question).await["error"]["code"], "budget_used_up");
    assert_eq!(scene.model.asked().len(), 1);
    let (_, usage) = scene.ann.get(&format!("/api/projects/{}/usage", scene.project)).await;
    assert_eq!(usage["items"][0]["total_tokens"], cut["usage"]["total_tokens"]);
    assert_eq!(usage["project_budget"], json!({ "unit": "tokens", "limit": 2_500.0, "used": 2_500.0 }));
    // Another project has its own.
    let other = scene.ann.project().await;
    scene.model.then(answer(&["yes"]));
    scene.ann.post(&format!("/api/projects/{other}/messages"), json!({ "body": "@assistant?" })).await;
    until("another project is answered", async || {
        let (_, page) = scene.ann.get(&format!("/api/projects/{other}/messages")).await;
        page["items"][1]["state"] == "done"
    })
    .await;
}

async fn answers_that_are_given_at_once_share_a_budget(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.project_budget = Some(Budget::Tokens(5_000))).await;
    let (first, script) = fed();
    scene.model.then(script);
    let question = scene.say(&scene.ann, "@assistant one").await;
    scene.answer(&question, &["streaming"]).await;
    until("it is asked", async || scene.model.asked().len() == 1).await;
    let held = scene.counted().await;
    assert!(held > 2_048.0, "what it reads and may write is set aside: {held}");
    // A second one gets what is left, and a third finds nothing.
    scene.model.then(Script::Hang(Vec::new()));
    let (second, third) = (scene.conversation("two").await, scene.conversation("three").await);
    scene.post(&scene.ann, json!({ "body": "@assistant?", "conversation": second })).await;
    until("it is asked", async || scene.model.asked().len() == 2).await;
    let most: Vec<u64> = scene.model.asked().iter().map(|asked| asked.body["max_tokens"].as_u64().unwrap()).collect();
    assert!(most[0] == 2_048 && most[1] < 2_048, "{most:?}");
    assert!((scene.counted().await - 5_000.0).abs() < 0.5, "all of it is set aside");
    scene.post(&scene.ann, json!({ "body": "@assistant?", "conversation": third })).await;
    let refused = scene.only_answer(&third, &["failed"]).await;
    assert_eq!(refused["error"]["code"], "budget_used_up", "{refused}");
    assert_eq!(scene.model.asked().len(), 2);
    // The first ends, and gives back what it did not take.
    for event in [vec![says("yes")], ends("stop")].concat() {
        first.send(event).await.unwrap();
    }
    drop(first);
    assert_eq!(scene.ended(&question).await["usage"]["total_tokens"], 10);
    until("the rest is free again", async || scene.counted().await < 5_000.0 - held + 11.0).await;
}

async fn money_is_set_aside_as_tokens_are(engine: Engine) {
    // A hundredth of a dollar at 2 and 10 dollars for a million tokens.
    let scene = Scene::with(engine, |config| config.ai.user_budget = Some(Budget::Micros(10_000))).await;
    let flood: Vec<Vec<u8>> = (0..200).map(|_| says(&"word ".repeat(20))).collect();
    scene.model.then(Script::Hang(flood));
    let question = scene.say(&scene.ann, "@assistant go on").await;
    let cut = scene.ended(&question).await;
    assert_eq!(cut["error"]["code"], "budget_used_up", "{cut}");
    let cost = cut["cost"].as_f64().unwrap();
    assert!((0.009..=0.01).contains(&cost), "{cut}");
    let (_, usage) = scene.ann.get(&format!("/api/projects/{}/usage", scene.project)).await;
    assert_eq!(usage["user_budget"], json!({ "unit": "dollars", "limit": 0.01, "used": cost }));
}

async fn what_is_stopped_is_paid_for_as_far_as_it_came(engine: Engine) {
    let scene = Scene::new(engine).await;
    // Before the first word.
    scene.model.then(Script::Hang(Vec::new()));
    let question = scene.say(&scene.ann, "@assistant go on").await;
    let answer = scene.answer(&question, &["streaming"]).await;
    until("it is asked", async || scene.model.asked().len() == 1).await;
    assert_eq!(scene.ask(&scene.ann, &answer, "stop").await.0, StatusCode::OK);
    until("it is written down", async || scene.used().await.0 > 0).await;
    let (read, written) = scene.used().await;
    assert!(read > 500 && written == 0, "{read} {written}");
    // In the middle of a call.
    let call = json!([{ "index": 0, "id": "c", "function": { "name": "read_file", "arguments": "x".repeat(3_000) } }]);
    scene.model.then(Script::Hang(vec![event(&json!({ "choices": [{ "delta": { "tool_calls": call } }] }))]));
    let question = scene.say(&scene.ann, "@assistant go on").await;
    let answer = scene.answer(&question, &["streaming"]).await;
    until("it is asked", async || scene.model.asked().len() == 2).await;
    let asked = scene.model.asked().remove(1);
    // There is nothing to be seen of it.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(scene.ask(&scene.ann, &answer, "stop").await.0, StatusCode::OK);
    timeout(PATIENCE, asked.over.cancelled()).await.expect("the request ended");
    until("it is written down", async || scene.used().await.1 == 1_000).await;
    // The second request of one answer.
    scene.ann.create(scene.project, "a.txt", "one").await;
    scene.model.then(calls("read_file", &json!({ "path": "a.txt" })));
    scene.model.then(Script::Hang(vec![says("abcdef")]));
    let question = scene.say(&scene.ann, "@assistant go on").await;
    let answer = scene.answer(&question, &["streaming"]).await;
    until("it says something", async || scene.message(&answer["id"]).await["body"] == "abcdef").await;
    assert_eq!(scene.ask(&scene.ann, &answer, "stop").await.0, StatusCode::OK);
    until("it is written down", async || scene.message(&answer["id"]).await["usage"].is_object()).await;
    let usage = scene.message(&answer["id"]).await["usage"].clone();
    assert_eq!((&usage["completion_tokens"], &usage["estimated"]), (&json!(3 + 2), &json!(true)), "{usage}");
    assert!(usage["prompt_tokens"].as_u64().unwrap() > 507, "{usage}");
}

async fn what_is_refused_costs_nothing(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.project_budget = Some(Budget::Tokens(50_000))).await;
    for status in [401, 429, 500] {
        scene.model.then(Script::Refuse(status, vec![], "no".to_owned()));
        let question = scene.say(&scene.ann, "@assistant?").await;
        assert_eq!(scene.ended(&question).await["state"], "failed");
    }
    assert!(scene.counted().await.abs() < 0.5);
    assert_eq!(scene.used().await, (0, 0));
}

async fn what_is_set_aside_without_an_answer_is_given_back(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.project_budget = Some(Budget::Tokens(50_000))).await;
    let (pieces, script) = fed();
    scene.model.then(script);
    let question = scene.say(&scene.ann, "@assistant go on").await;
    until("it is asked", async || scene.model.asked().len() == 1).await;
    let held = scene.counted().await;
    // As by a commit of which nobody was told that it came through.
    let more = "update assistant_run set held_tokens = held_tokens + 700 where held_day is not null;
        update assistant_account set tokens = tokens + 700";
    scene.server.database.execute(more.to_owned()).await;
    assert!((scene.counted().await - held - 700.0).abs() < 0.5);
    for event in [vec![says("yes")], ends("stop")].concat() {
        pieces.send(event).await.unwrap();
    }
    drop(pieces);
    assert_eq!(scene.ended(&question).await["usage"]["total_tokens"], 10);
    until("all the rest is given back", async || (scene.counted().await - 10.0).abs() < 0.5).await;
}
