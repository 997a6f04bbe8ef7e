//! A real model, offline: llama.cpp's own server with small weights. What it says is poor; that it streams, is stopped, is
//! counted and proposes is what is tried.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use coterie::config::ModelSettings;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::Scene;
use crate::engines::Engine;
use crate::events::Events;

/// How long this model may take for an answer and a proposal.
const PATIENCE: Duration = Duration::from_secs(120);

/// What it is asked to change, until it proposes a change.
const WISHES: [&str; 8] = [
    "Change the greeting.",
    "Change line 1 to: Good morning.",
    "Replace line 2 by: Good bye.",
    "Rewrite the greeting in one line.",
    "Add a line to the greeting.",
    "Edit line 1: write Hi instead of Hello.",
    "Remove line 2 of the greeting.",
    "Improve the greeting.",
];

/// A model's server. Dropped, it ends.
struct RealModel {
    child: Child,
    base_url: String,
}

impl Drop for RealModel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl RealModel {
    fn start() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model");
        let python = folder.join("venv/bin/python");
        assert!(
            python.exists(),
            "{} is missing: run `make tests/model/venv/.installed` (`make test` does)",
            python.display()
        );
        let mut child = Command::new(python)
            .arg(folder.join("serve.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        assert!(address.starts_with("http://127.0.0.1:"), "{address:?}");
        Self { child, base_url: format!("{}/v1", address.trim()) }
    }

    fn settings(&self) -> ModelSettings {
        let settings = json!({ "base_url": self.base_url, "context_tokens": 4096, "tools": false });
        let settings: ModelSettings = serde_json::from_value(settings).unwrap();
        ModelSettings { first_byte: PATIENCE, idle: PATIENCE, ..settings }
    }
}

/// The answer to a question once this is true of it, by a model that takes its time on a busy machine.
async fn answered(scene: &Scene, question: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, page) = scene.ann.get(&scene.messages()).await;
        let answers = page["items"].as_array().unwrap().iter();
        let mut answers = answers.filter(|message| message["reply_to"] == question["id"]);
        if let Some(answer) = answers.find(|answer| is_so(answer)) {
            return answer.clone();
        }
        assert!(Instant::now() < deadline, "in vain: {page:#}");
        sleep(Duration::from_millis(50)).await;
    }
}

fn has_ended(answer: &Value) -> bool {
    !matches!(answer["state"].as_str(), Some("queued" | "streaming"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_model_streams_is_stopped_and_proposes_what_is_accepted() {
    let model = tokio::task::spawn_blocking(RealModel::start).await.unwrap();
    let tried = Box::pin(async {
        let scene = Scene::with(Engine::Sqlite, |config| {
            config.ai.models = vec![model.settings()];
            config.ai.runs_per_minute = 60;
        })
        .await;
        let mut hears = Events::open(&scene.ann, scene.project, None).await;
        let question = scene.say(&scene.ann, "Say hello to everybody in one short sentence.").await;
        let (mut text, mut pieces) = (String::new(), 0);
        let completed = loop {
            let event = hears.next().await.unwrap();
            if event["type"] == "message.delta" {
                text.push_str(event["text"].as_str().unwrap());
                pieces += 1;
            }
            if event["type"] == "message.completed" {
                break event["message"].clone();
            }
        };
        println!("{pieces} pieces: {text}");
        assert_eq!((&completed["state"], &completed["body"]), (&json!("done"), &json!(text)), "{completed}");
        assert!(pieces >= 2 && completed["usage"]["completion_tokens"].as_u64().unwrap() > 1, "{completed}");
        assert_eq!((&completed["usage"]["estimated"], &completed["cost"]), (&Value::Null, &Value::Null));
        assert_eq!(completed["reply_to"], question["id"]);
        assert_eq!(completed["context"]["model"], "SmolLM2-135M-Instruct.Q4_1", "not where its file is");

        let question = scene.say(&scene.ann, "Tell a very long story about the sea, with many chapters.").await;
        let says_something = |answer: &Value| !answer["body"].as_str().unwrap().is_empty();
        let answer = answered(&scene, &question, says_something).await;
        assert_eq!(answer["state"], "streaming", "{answer}");
        let (status, _) = scene.ask(&scene.ann, &answer, "stop").await;
        assert_eq!(status, reqwest::StatusCode::OK);
        let stopped = answered(&scene, &question, has_ended).await;
        assert!(stopped["state"] == "stopped" && says_something(&stopped), "{stopped}");

        // It proposes by a schema, and a person accepts.
        let before = "Hello.\nHow are you?\n";
        let file = scene.ann.create(scene.project, "greeting.txt", before).await;
        let mut proposal = None;
        // What so small a model wants may be no change at all, or two in one place: then it is asked in other words.
        for wish in WISHES {
            let asks = json!({ "body": wish, "attachments": [{ "kind": "file", "document_id": file }] });
            let question = scene.post(&scene.ann, asks).await;
            let answer = answered(&scene, &question, has_ended).await;
            println!("{wish}: {}", answer["body"]);
            proposal = answer["proposal"].as_str().map(str::to_owned);
            if proposal.is_some() {
                break;
            }
        }
        let proposal = proposal.expect("one of the wishes makes it propose something");
        let path = format!("/api/projects/{}/proposals/{proposal}", scene.project);
        let (_, proposed) = scene.ann.get(&path).await;
        println!("{proposed:#}");
        let hunk = &proposed["files"][0]["hunks"][0];
        assert!(hunk["before"] != hunk["after"], "{proposed}");
        let (status, accepted) = scene.ann.post(&format!("{path}/accept"), json!({ "hunks": [hunk["id"]] })).await;
        assert_eq!(status, reqwest::StatusCode::OK, "{accepted}");
        assert_eq!(accepted["files"][0]["hunks"][0]["state"], "accepted", "{accepted}");
        assert_ne!(scene.ann.text(scene.project, file).await, before);
    });
    timeout(5 * PATIENCE, tried).await.expect("the test does not hang");
}
