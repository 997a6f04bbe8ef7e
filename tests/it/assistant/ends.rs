//! How answers end: stopped, failed, broken off, given again.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use super::{Scene, settings};
use crate::engines::{Engine, on_both_engines};
use crate::events::all;
use crate::model::fake::{FakeModel, Script, answer, fed, says};
use crate::server::{PATIENCE, until};

on_both_engines![
    who_may_edit_stops_an_answer_and_the_request_ends_at_once,
    what_fails_says_why_keeps_what_came_and_is_given_again,
    silence_is_ended,
    an_answer_that_waits_or_is_deleted_is_not_given,
    a_restart_ends_what_was_being_given,
    who_asks_too_often_waits,
    an_answer_is_given_again_by_the_right_of_who_asks_now,
    an_answer_is_given_again_by_another_model_or_persona,
];

async fn who_may_edit_stops_an_answer_and_the_request_ends_at_once(engine: Engine) {
    let scene = Scene::new(engine).await;
    let (bob, cyd) = (scene.member("Bob", "editor").await, scene.member("Cyd", "commenter").await);
    scene.model.then(Script::Hang(vec![says("so far")]));
    let question = scene.say(&scene.ann, "@assistant go on").await;
    let answer = scene.answer(&question, &["streaming"]).await;
    until("it says something", async || scene.message(&answer["id"]).await["body"] == "so far").await;
    let asked = scene.model.asked().remove(0);
    assert!(!asked.over.is_cancelled());
    assert_eq!(scene.ask(&cyd, &answer, "stop").await.0, StatusCode::FORBIDDEN);
    assert_eq!(scene.ask(&bob, &question, "stop").await.0, StatusCode::CONFLICT, "no answer");
    let (status, stopped) = scene.ask(&bob, &answer, "stop").await;
    assert_eq!((status, &stopped["state"]), (StatusCode::OK, &json!("stopped")));
    timeout(PATIENCE, asked.over.cancelled()).await.expect("the request ended");
    assert_eq!(scene.ask(&bob, &answer, "stop").await.0, StatusCode::CONFLICT, "once");
    until("its end is told", async || {
        let events = all(&scene.ann, scene.project).await;
        events.iter().any(|event| event["type"] == "message.completed" && event["message"]["state"] == "stopped")
    })
    .await;
    let stored = scene.message(&answer["id"]).await;
    assert_eq!((&stored["body"], &stored["state"]), (&json!("so far"), &json!("stopped")));
    assert_eq!(stored["usage"]["estimated"], true, "nobody counted what was cut off");
}

async fn what_fails_says_why_keeps_what_came_and_is_given_again(engine: Engine) {
    let scene = Scene::new(engine).await;
    let refuse = |status, headers| Script::Refuse(status, headers, json!({ "error": { "message": "no" } }).to_string());
    let cases = [
        (refuse(401, vec![]), "model_unauthorized", "", None),
        (refuse(404, vec![]), "model_unknown", "", None),
        (refuse(429, vec![("retry-after", "7")]), "model_rate_limited", "", Some(7)),
        (refuse(500, vec![]), "model_server_failed", "", None),
        (Script::Break(vec![says("par"), says("tial")]), "model_broke_off", "partial", None),
        (Script::Stream(vec![says("half"), b"data: {no\n\n".to_vec()]), "model_unreadable", "half", None),
        (answer(&[]), "model_said_nothing", "", None),
    ];
    for (script, code, body, retry_after) in cases {
        scene.model.then(script);
        let question = scene.say(&scene.ann, "@assistant go on").await;
        let failed = scene.ended(&question).await;
        assert_eq!((&failed["state"], &failed["error"]["code"]), (&json!("failed"), &json!(code)), "{failed}");
        assert_eq!((&failed["body"], failed["error"]["retry_after"].as_u64()), (&json!(body), retry_after), "{failed}");
        assert!(failed["error"]["message"].as_str().unwrap().len() > 10, "{failed}");
        scene.model.then(answer(&["better"]));
        assert_eq!(scene.ask(&scene.ann, &failed, "retry").await.0, StatusCode::OK);
        let again = scene.answer(&question, &["done"]).await;
        assert_eq!((&again["id"], &again["body"]), (&failed["id"], &json!("better")));
        assert!(again.get("error").is_none());
        assert_eq!(scene.ask(&scene.ann, &again, "retry").await.0, StatusCode::CONFLICT, "it did not fail");
    }
}

async fn silence_is_ended(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.models[0].idle = Duration::from_millis(300)).await;
    scene.model.then(Script::Hang(vec![says("then")]));
    let question = scene.say(&scene.ann, "@assistant go on").await;
    let failed = scene.ended(&question).await;
    assert_eq!((&failed["error"]["code"], &failed["body"]), (&json!("model_silent"), &json!("then")));
}

async fn an_answer_that_waits_or_is_deleted_is_not_given(engine: Engine) {
    let scene = Scene::new(engine).await;
    let (pieces, script) = fed();
    scene.model.then(script);
    let one = scene.say(&scene.ann, "@assistant one").await;
    let first = scene.answer(&one, &["streaming"]).await;
    let two = scene.say(&scene.ann, "@assistant two").await;
    let second = scene.answer(&two, &["queued"]).await;
    assert_eq!(scene.ask(&scene.ann, &second, "stop").await.0, StatusCode::OK);
    pieces.send(says("secret")).await.unwrap();
    until("it says something", async || scene.message(&first["id"]).await["body"] == "secret").await;
    // An owner takes it away while it is written.
    let path = format!("{}/{}", scene.messages(), first["id"].as_str().unwrap());
    assert_eq!(scene.ann.delete(&path).await.0, StatusCode::NO_CONTENT);
    let asked = scene.model.asked().remove(0);
    timeout(PATIENCE, asked.over.cancelled()).await.expect("the request ended");
    scene.model.then(answer(&["third"]));
    let three = scene.say(&scene.ann, "@assistant three").await;
    assert_eq!(scene.ended(&three).await["body"], "third");
    let gone = scene.message(&first["id"]).await;
    assert_eq!((&gone["body"], gone["deleted_at"].is_string()), (&json!(""), true));
    assert_eq!(scene.message(&second["id"]).await["state"], "stopped");
    assert_eq!(scene.model.asked().len(), 2, "the one that was stopped while it waited was not asked");
}

async fn a_restart_ends_what_was_being_given(engine: Engine) {
    let mut scene = Scene::new(engine).await;
    scene.model.then(Script::Hang(vec![says("so far")]));
    let question = scene.say(&scene.ann, "@assistant go on").await;
    let answer = scene.answer(&question, &["streaming"]).await;
    until("it says something", async || scene.message(&answer["id"]).await["body"] == "so far").await;
    scene.server.restart().await;
    let failed = scene.message(&answer["id"]).await;
    assert_eq!((&failed["state"], &failed["error"]["code"]), (&json!("failed"), &json!("interrupted")));
    assert_eq!(failed["body"], "so far");
    scene.model.then(crate::model::fake::answer(&["again"]));
    assert_eq!(scene.ask(&scene.ann, &failed, "retry").await.0, StatusCode::OK);
    assert_eq!(scene.answer(&question, &["done"]).await["body"], "again");
}

async fn who_asks_too_often_waits(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.runs_per_minute = 3).await;
    let bob = scene.member("Bob", "editor").await;
    for _ in 0..3 {
        scene.model.then(answer(&["yes"]));
        let question = scene.say(&scene.ann, "@assistant?").await;
        assert_eq!(scene.ended(&question).await["state"], "done");
    }
    let question = scene.say(&scene.ann, "@assistant?").await;
    let refused = scene.ended(&question).await;
    assert_eq!((&refused["state"], &refused["error"]["code"]), (&json!("failed"), &json!("rate_limited")));
    let wait = refused["error"]["retry_after"].as_u64().unwrap();
    assert!((1..=60).contains(&wait), "{refused}");
    scene.model.then(answer(&["yes"]));
    let question = scene.say(&bob, "@assistant?").await;
    assert_eq!(scene.ended(&question).await["state"], "done", "others may ask");
    assert_eq!(scene.model.asked().len(), 4);
}

async fn an_answer_is_given_again_by_the_right_of_who_asks_now(engine: Engine) {
    let scene = Scene::new(engine).await;
    let cyd = scene.member("Cyd", "commenter").await;
    let question = scene.say(&cyd, "@assistant?").await;
    let refused = scene.ended(&question).await;
    assert_eq!(refused["error"]["code"], "forbidden");
    // Cyd becomes an editor.
    scene.ann.invite(scene.project, &cyd, "editor").await;
    scene.model.then(answer(&["now"]));
    assert_eq!(scene.ask(&cyd, &refused, "retry").await.0, StatusCode::OK);
    let answered = scene.answer(&question, &["done"]).await;
    assert_eq!((&answered["id"], &answered["body"]), (&refused["id"], &json!("now")));
}

async fn an_answer_is_given_again_by_another_model_or_persona(engine: Engine) {
    let big = FakeModel::start().await;
    let mut other = settings(&big);
    other.name = "big".to_owned();
    let scene = Scene::with(engine, |config| config.ai.models.push(other)).await;
    let refuse = || Script::Refuse(500, vec![], String::new());
    scene.model.then(refuse());
    let question = scene.say(&scene.ann, "@coder go on").await;
    let failed = scene.ended(&question).await;
    let path = format!("{}/{}/retry", scene.messages(), failed["id"].as_str().unwrap());
    for (wanted, code) in [
        (json!({ "model": "none" }), "model_not_listed"),
        (json!({ "persona": "nobody" }), "no_persona"),
        (json!({ "modle": "big" }), "bad_json"),
    ] {
        let (status, refused) = scene.ann.post(&path, wanted).await;
        assert_eq!((status, &refused["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(code)), "{refused}");
    }
    big.then(refuse());
    let (status, queued) = scene.ann.post(&path, json!({ "model": "big", "persona": "wcag" })).await;
    assert_eq!(
        (status, &queued["state"], &queued["model"]),
        (StatusCode::OK, &json!("queued"), &json!("big")),
        "{queued}"
    );
    let again = scene.answer(&question, &["failed"]).await;
    assert_eq!(
        (&again["id"], &again["persona"], &again["context"]["model"]),
        (&failed["id"], &json!("WCAG Auditor"), &json!("big"))
    );
    let reason = again["context"]["persona"]["reason"].as_str().unwrap();
    assert!(reason.contains("asked again"), "{reason}");
    // Who says nothing has it given as the question asks, also without a body.
    scene.model.then(answer(&["better"]));
    let asked = scene.ann.request(reqwest::Method::POST, &path).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::OK);
    let last = scene.answer(&question, &["done"]).await;
    assert_eq!((&last["persona"], &last["context"]["model"]), (&json!("Coder"), &json!("small")), "{last}");
    assert!(last.get("model").is_none() && last.get("to").is_none(), "{last}");
    assert_eq!((scene.model.asked().len(), big.asked().len()), (2, 1));
}
