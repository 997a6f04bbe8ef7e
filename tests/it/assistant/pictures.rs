//! Pictures: asked for by a request or for an answer, kept among the project's files, and paid for.

use std::time::Duration;

use coterie::config::{Budget, ModelSettings};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Scene, settings};
use crate::engines::{Engine, on_both_engines};
use crate::events::all;
use crate::model::fake::{FakeModel, PNG, Script, answer, calls, picture, picture_at};
use crate::server::{PATIENCE, until};

on_both_engines![
    a_picture_is_made_kept_and_paid_for,
    what_is_no_picture_or_has_no_place_is_refused,
    whoever_may_not_edit_any_more_keeps_none,
    the_assistant_makes_pictures_and_attaches_them,
    no_picture_is_made_beyond_a_budget,
];

/// A scene with another model, which makes pictures.
async fn with_painter(engine: Engine, change: impl FnOnce(&mut coterie::config::Config)) -> (Scene, FakeModel) {
    let painter = FakeModel::start().await;
    let (name, idle) = ("painter".to_owned(), Duration::from_secs(3));
    let images = ModelSettings { name, images: true, idle, ..settings(&painter) };
    let scene = Scene::with(engine, |config| {
        config.ai.models.push(images);
        change(config);
    });
    (scene.await, painter)
}

impl Scene {
    fn images(&self) -> String {
        format!("/api/projects/{}/images", self.project)
    }

    async fn blobs(&self) -> Vec<Value> {
        let (_, page) = self.ann.get(&format!("/api/projects/{}/blobs", self.project)).await;
        page["items"].as_array().unwrap().clone()
    }

    async fn bytes(&self, hash: &Value) -> Vec<u8> {
        let path = format!("/api/projects/{}/blobs/{}", self.project, hash.as_str().unwrap());
        let response = self.ann.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (StatusCode::OK, &"image/png".parse().unwrap())
        );
        response.bytes().await.unwrap().to_vec()
    }
}

async fn a_picture_is_made_kept_and_paid_for(engine: Engine) {
    let (scene, painter) = with_painter(engine, |config| {
        config.ai.project_budget = Some(Budget::Tokens(20_000));
        config.ai.runs_per_minute = 3;
    })
    .await;
    let (_, models) = scene.ann.get("/api/models").await;
    let of = |field: &str| models["items"].as_array().unwrap().iter().map(|one| one[field].clone()).collect::<Vec<_>>();
    assert_eq!((of("images"), of("default")), (vec![json!(false), json!(true)], vec![json!(true), json!(true)]));
    painter.then(picture(PNG));
    let wanted = json!({ "prompt": "A red fox, in snow", "size": "1024x1024" });
    let (status, made) = scene.ann.post(&scene.images(), wanted).await;
    assert_eq!((status, &made["model"]), (StatusCode::CREATED, &json!("painter")), "{made}");
    assert_eq!(
        (&made["blob"]["media_type"], &made["blob"]["name"]),
        (&json!("image/png"), &json!("A red fox in snow.png"))
    );
    assert_eq!(made["blob"]["created_by"], json!(scene.ann.id));
    assert_eq!((&made["usage"]["total_tokens"], &made["cost"]), (&json!(107), &json!(1_014.0 / 1e6)));
    assert_eq!(scene.bytes(&made["blob"]["hash"]).await, PNG);
    let told = all(&scene.ann, scene.project).await;
    assert!(told.iter().any(|event| event["type"] == "blob.added" && event["hash"] == made["blob"]["hash"]));
    let path = format!("/api/projects/{}/usage", scene.project);
    let (_, usage) = scene.ann.get(&path).await;
    assert_eq!((&usage["items"][0]["model"], &usage["items"][0]["runs"]), (&json!("painter"), &json!(1)));
    assert_eq!(usage["project_budget"]["used"], 107.0);
    // Where nobody counts, it counts as a large one. From the model's own server it is fetched.
    let own = painter.base_url.replace("/v1", "/kept/b.png");
    painter.then(picture_at(&own));
    painter.then(Script::Stream(vec![[PNG, b" of another"].concat()]));
    let (status, made) = scene.ann.post(&scene.images(), json!({ "prompt": "…" })).await;
    assert_eq!((status, &made["blob"]["name"]), (StatusCode::CREATED, &json!("picture.png")), "{made}");
    assert_eq!((&made["usage"]["completion_tokens"], &made["usage"]["estimated"]), (&json!(4_160), &json!(true)));
    // It counts as an answer.
    painter.then(picture(PNG));
    assert_eq!(scene.ann.post(&scene.images(), json!({ "prompt": "x" })).await.0, StatusCode::CREATED);
    assert_eq!(scene.ann.post(&scene.images(), json!({ "prompt": "x" })).await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!((painter.asked().len(), scene.model.asked().len(), scene.blobs().await.len()), (4, 0, 2));
}

async fn what_is_no_picture_or_has_no_place_is_refused(engine: Engine) {
    let (scene, painter) =
        with_painter(engine, |config| config.ai.project_budget = Some(Budget::Tokens(200_000))).await;
    for wrong in [
        json!({ "prompt": " " }),
        json!({ "prompt": "x".repeat(4_001) }),
        json!({ "prompt": "x", "size": "large" }),
        json!({ "prompt": "x", "model": "small" }),
    ] {
        assert_eq!(scene.ann.post(&scene.images(), wrong.clone()).await.0, StatusCode::BAD_REQUEST, "{wrong}");
    }
    assert!(painter.asked().is_empty());
    let elsewhere = FakeModel::start().await;
    let policy = json!({ "error": { "message": "no foxes", "code": "content_policy_violation" } }).to_string();
    let large = [PNG, &vec![7; coterie::limits::BLOB_BYTES]].concat();
    let cases = [
        (Script::Refuse(400, vec![], policy), 409, "content_policy", 0.0),
        (Script::Refuse(401, vec![], "no".to_owned()), 503, "unavailable", 0.0),
        (picture(b"<svg onload=alert(1)>"), 409, "no_picture", 107.0),
        (picture(&large), 413, "too_large", 107.0),
        (picture_at(&elsewhere.base_url.replace("/v1", "/kept/a.png")), 503, "unavailable", 4_161.0),
        (Script::Hang(Vec::new()), 503, "unavailable", 4_161.0),
    ];
    let mut counted = 0.0;
    for (script, status, code, costs) in cases {
        painter.then(script);
        let (told, refused) = scene.ann.post(&scene.images(), json!({ "prompt": "x" })).await;
        assert_eq!((told.as_u16(), &refused["error"]["code"]), (status, &json!(code)), "{refused}");
        counted += costs;
        let path = format!("/api/projects/{}/usage", scene.project);
        let used = scene.ann.get(&path).await.1["project_budget"]["used"].as_f64().unwrap();
        assert!((used - counted).abs() < 0.5, "{code}: {used} and not {counted}");
    }
    // One that was made and is not given is paid for.
    painter.then(picture_at(&painter.base_url.replace("/v1", "/kept/c.png")));
    painter.then(Script::Refuse(401, vec![], "no".to_owned()));
    assert_eq!(scene.ann.post(&scene.images(), json!({ "prompt": "x" })).await.0, StatusCode::SERVICE_UNAVAILABLE);
    counted += 4_161.0;
    let path = format!("/api/projects/{}/usage", scene.project);
    let used = scene.ann.get(&path).await.1["project_budget"]["used"].as_f64().unwrap();
    assert!((used - counted).abs() < 0.5, "{used} and not {counted}");
    assert!(elsewhere.asked().is_empty() && scene.blobs().await.is_empty());
    // Where there is no room for it, nothing is asked.
    let asked = painter.asked().len();
    scene.server.database.execute("update project set blob_bytes_max = 0".to_owned()).await;
    assert_eq!(scene.ann.post(&scene.images(), json!({ "prompt": "x" })).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(painter.asked().len(), asked);
    // Where none makes pictures.
    let other = Scene::new(engine).await;
    let (status, refused) = other.ann.post(&other.images(), json!({ "prompt": "x" })).await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::CONFLICT, &json!("no_model")), "{refused}");
}

async fn whoever_may_not_edit_any_more_keeps_none(engine: Engine) {
    let (scene, painter) = with_painter(engine, |_| ()).await;
    let bob = scene.member("Bob", "editor").await;
    let (pieces, script) = crate::model::fake::fed();
    painter.then(script);
    let (his, path) = (bob.clone(), scene.images());
    let asking = tokio::spawn(async move { his.post(&path, json!({ "prompt": "x" })).await });
    until("it is asked", async || !painter.asked().is_empty()).await;
    let member = format!("/api/projects/{}/members/{}", scene.project, bob.id);
    assert_eq!(scene.ann.patch(&member, json!({ "role": "viewer" })).await.0, StatusCode::OK);
    let Script::Refuse(_, _, body) = picture(PNG) else { panic!("it comes at once") };
    pieces.send(body.into_bytes()).await.unwrap();
    drop(pieces);
    assert_eq!(asking.await.unwrap().0, StatusCode::FORBIDDEN);
    assert!(scene.blobs().await.is_empty());
}

async fn the_assistant_makes_pictures_and_attaches_them(engine: Engine) {
    let (scene, painter) = with_painter(engine, |_| ()).await;
    let wanted = json!({ "prompt": "a red fox" });
    for script in
        [calls("make_image", &wanted), calls("make_image", &wanted), calls("make_image", &wanted), answer(&[])]
    {
        scene.model.then(script);
    }
    painter.then(picture(PNG));
    painter.then(Script::Refuse(500, vec![], String::new()));
    painter.then(picture(&[PNG, b" of another"].concat()));
    let question = scene.say(&scene.ann, "@assistant draw a fox").await;
    let answered = scene.ended(&question).await;
    assert_eq!(answered["state"], "done", "pictures are an answer: {answered}");
    let attached = answered["attachments"].as_array().unwrap();
    assert_eq!(
        (attached.len(), &attached[0]["kind"], &attached[0]["name"]),
        (2, &json!("blob"), &json!("a red fox.png"))
    );
    assert_eq!(scene.bytes(&attached[0]["hash"]).await, PNG);
    assert_eq!(answered["usage"]["total_tokens"], 4 * 10 + 2 * 107, "of both models");
    let asked = scene.model.asked();
    assert!(asked[0].body["tools"].to_string().contains("make_image"));
    let results: Vec<&str> = asked[3].body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|turn| turn["role"] == "tool")
        .map(|turn| turn["content"].as_str().unwrap())
        .collect();
    assert!(results[0].contains("attached") && results[1].contains("No picture was made"), "{results:?}");
    let path = format!("/api/projects/{}/usage", scene.project);
    let (_, usage) = scene.ann.get(&path).await;
    let runs: u64 = usage["items"].as_array().unwrap().iter().map(|row| row["runs"].as_u64().unwrap()).sum();
    assert_eq!((usage["items"].as_array().unwrap().len(), runs), (2, 1), "one answer: {usage}");
    // One that is stopped meanwhile is given up at once.
    scene.model.then(calls("make_image", &wanted));
    painter.then(Script::Hang(Vec::new()));
    let question = scene.say(&scene.ann, "@assistant and another").await;
    until("it is asked", async || painter.asked().len() == 4).await;
    let running = scene.answer(&question, &["streaming"]).await;
    assert_eq!(scene.ask(&scene.ann, &running, "stop").await.0, StatusCode::OK);
    timeout(PATIENCE, painter.asked()[3].over.cancelled()).await.expect("the request ended");
    // Without such a model there is no such tool.
    let other = Scene::new(engine).await;
    other.model.then(answer(&["no"]));
    let question = other.say(&other.ann, "@assistant draw a fox").await;
    other.ended(&question).await;
    assert!(!other.model.asked()[0].body["tools"].to_string().contains("make_image"));
}

async fn no_picture_is_made_beyond_a_budget(engine: Engine) {
    let (scene, painter) = with_painter(engine, |config| config.ai.project_budget = Some(Budget::Tokens(4_100))).await;
    let (status, refused) = scene.ann.post(&scene.images(), json!({ "prompt": "x" })).await;
    assert_eq!((status, &refused["error"]["code"]), (StatusCode::CONFLICT, &json!("budget_used_up")), "{refused}");
    assert!(refused["error"]["message"].as_str().unwrap().starts_with("the project's budget"), "{refused}");
    let path = format!("/api/projects/{}/usage", scene.project);
    assert_eq!(scene.ann.get(&path).await.1["project_budget"]["used"], 0.0, "nothing stays set aside");
    // The assistant is told so, and has words left.
    scene.model.then(calls("make_image", &json!({ "prompt": "a red fox" })));
    scene.model.then(answer(&["I cannot draw it."]));
    let question = scene.say(&scene.ann, "@assistant draw a fox").await;
    let answered = scene.ended(&question).await;
    assert_eq!((&answered["body"], &answered["attachments"]), (&json!("I cannot draw it."), &json!([])), "{answered}");
    assert!(painter.asked().is_empty());
    assert_eq!(scene.ann.get(&path).await.1["project_budget"]["used"], 20.0);
}
