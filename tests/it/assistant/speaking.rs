//! When the assistant speaks, as whom, and what it says where it cannot.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{Scene, settings};
use crate::engines::{Engine, on_both_engines};
use crate::model::fake::answer;
use crate::server::until;

on_both_engines![
    it_answers_one_who_is_alone_and_several_when_it_is_meant,
    without_a_model_it_says_how_to_connect_one_to_who_asks,
    only_those_who_may_edit_ask,
    personas_are_chosen_by_mention_or_by_the_request,
    what_it_takes_is_told_by_day_person_and_model,
];

async fn it_answers_one_who_is_alone_and_several_when_it_is_meant(engine: Engine) {
    let scene = Scene::new(engine).await;
    let bob = scene.member("Bob", "editor").await;
    scene.model.then(answer(&["to one"]));
    let question = scene.say(&scene.ann, "hello").await;
    let first = scene.ended(&question).await;
    assert_eq!(first["body"], "to one");
    // Bob comes into the project.
    let _hers = scene.ann.room(scene.project).join().await;
    let _his = bob.room(scene.project).join().await;
    until("both are in the session", async || {
        coterie::session::people(scene.server.db(), scene.project).await.unwrap().len() == 2
    })
    .await;
    let unmeant = scene.say(&scene.ann, "Bob, what do you think?").await;
    scene.model.then(answer(&["to a reply"]));
    let reply = scene.post(&bob, json!({ "body": "why?", "reply_to": first["id"] })).await;
    assert_eq!(scene.ended(&reply).await["body"], "to a reply");
    scene.model.then(answer(&["to a mention"]));
    let mention = scene.say(&bob, "what says @assistant?").await;
    assert_eq!(scene.ended(&mention).await["body"], "to a mention");
    scene.model.then(answer(&["to an address"]));
    let addressed = scene.post(&bob, json!({ "body": "and?", "to": "debugger" })).await;
    assert_eq!(scene.ended(&addressed).await["persona"], "Debugger");
    // These were heard in order, so the one before was let pass.
    assert_eq!(scene.answers().await, 4, "{unmeant}");
    // A conversation in which everything is answered.
    let conversation = format!("/api/projects/{0}/conversations/{0}", scene.project);
    let (status, changed) = bob.patch(&conversation, json!({ "answers": "everything" })).await;
    assert_eq!((status, &changed["answers"]), (StatusCode::OK, &json!("everything")));
    scene.model.then(answer(&["to all"]));
    let any = scene.say(&scene.ann, "Bob?").await;
    assert_eq!(scene.ended(&any).await["body"], "to all");
}

async fn without_a_model_it_says_how_to_connect_one_to_who_asks(engine: Engine) {
    let scene = Scene::with(engine, |config| config.ai.models.clear()).await;
    assert_eq!(scene.ann.get("/api/models").await.1["items"], json!([]));
    scene.say(&scene.ann, "just a note").await;
    let question = scene.say(&scene.ann, "@assistant hello?").await;
    let told = scene.ended(&question).await;
    assert_eq!((&told["state"], &told["error"]["code"]), (&json!("failed"), &json!("model_not_connected")));
    assert!(told["body"].as_str().unwrap().contains("AI_BASE_URL"), "{told}");
    assert_eq!(scene.answers().await, 1);
}

async fn only_those_who_may_edit_ask(engine: Engine) {
    let scene = Scene::new(engine).await;
    let cyd = scene.member("Cyd", "commenter").await;
    let question = scene.say(&cyd, "@assistant hello?").await;
    assert_eq!(scene.ended(&question).await["error"]["code"], "forbidden");
    // Who may edit, but shows a token that may only chat, asks as one who may only chat.
    let key = scene.ann.token(scene.project, "commenter").await;
    let path = scene.messages();
    let (status, question) = scene.ann.by(Method::POST, &key, &path, Some(json!({ "body": "@assistant?" }))).await;
    assert_eq!(status, StatusCode::CREATED, "{question}");
    assert_eq!(scene.ended(&question).await["error"]["code"], "forbidden");
    assert!(scene.model.asked().is_empty());
    let (_, models) = scene.ann.get("/api/models").await;
    assert_eq!((&models["items"][0]["name"], &models["items"][0]["default"]), (&json!("small"), &json!(true)));
    assert_eq!(models["items"][0]["prices"], json!({ "prompt": 2.0, "completion": 10.0 }));
    assert!(!models.to_string().contains(&settings(&scene.model).base_url));
}

async fn personas_are_chosen_by_mention_or_by_the_request(engine: Engine) {
    let scene = Scene::new(engine).await;
    let file = "---\nname: Poet\nabout: Rhymes.\nwords: rhyme\n---\nAnswer in verse.";
    scene.ann.create(scene.project, ".coterie/personas/poet.md", file).await;
    let coder = "---\nname: Our Coder\nabout: Ours.\n---\nUse tabs.";
    scene.ann.create(scene.project, ".coterie/personas/coder.md", coder).await;
    let (_, personas) = scene.ann.get(&format!("/api/projects/{}/personas", scene.project)).await;
    let names: Vec<&str> =
        personas["items"].as_array().unwrap().iter().map(|persona| persona["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Our Coder", "Debugger", "WCAG Auditor", "Prompt Engineer", "Database Expert", "Poet"]);
    let cases = [
        ("@wcag-auditor look", "WCAG Auditor", "@wcag-auditor was mentioned"),
        ("@poet look", "Poet", "@poet was mentioned"),
        ("which index does this query need?", "Database Expert", "“query”"),
        ("good morning", "Our Coder", "nothing in the request"),
    ];
    for (number, (said, persona, reason)) in cases.into_iter().enumerate() {
        scene.model.then(answer(&["yes"]));
        let question = scene.say(&scene.ann, said).await;
        let answered = scene.ended(&question).await;
        assert_eq!(answered["persona"], persona, "{said}");
        let told = answered["context"]["persona"]["reason"].as_str().unwrap();
        assert!(told.contains(reason), "{said}: {told}");
        let system = scene.model.asked()[number].body["messages"][0]["content"].as_str().unwrap().to_owned();
        assert_eq!(system.contains("Answer in verse."), persona == "Poet");
        assert_eq!(system.contains("Use tabs."), persona == "Our Coder");
    }
}

async fn what_it_takes_is_told_by_day_person_and_model(engine: Engine) {
    let scene = Scene::new(engine).await;
    let bob = scene.member("Bob", "editor").await;
    for client in [&scene.ann, &scene.ann, &bob] {
        scene.model.then(answer(&["yes"]));
        let question = scene.say(client, "@assistant?").await;
        scene.ended(&question).await;
    }
    let path = format!("/api/projects/{}/usage", scene.project);
    until("all is written down", async || bob.get(&path).await.1["items"].as_array().unwrap().len() == 2).await;
    let (_, usage) = bob.get(&format!("{path}?days=1")).await;
    let of = |client: &crate::client::TestClient| {
        usage["items"].as_array().unwrap().iter().find(|row| row["user"]["id"] == json!(client.id)).unwrap().clone()
    };
    let (hers, his) = (of(&scene.ann), of(&bob));
    assert_eq!((&hers["runs"], &hers["total_tokens"], &hers["model"]), (&json!(2), &json!(20), &json!("small")));
    assert_eq!((&his["runs"], &his["prompt_tokens"], &his["completion_tokens"]), (&json!(1), &json!(7), &json!(3)));
    assert_eq!(his["cost"], json!(44.0 / 1e6));
    assert_eq!(usage["project_budget"], json!(null));
    assert_eq!(scene.ann.get(&format!("{path}?days=0")).await.0, StatusCode::BAD_REQUEST);
}
