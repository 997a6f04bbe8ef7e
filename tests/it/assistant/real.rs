//! A real model, offline: llama.cpp's own server with small weights. What it says is poor; that it streams, is stopped and
//! is counted is what is tried.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use coterie::config::ModelSettings;
use serde_json::{Value, json};

use super::Scene;
use crate::engines::{Engine, in_time};
use crate::events::Events;

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
        serde_json::from_value(json!({ "base_url": self.base_url, "context_tokens": 4096, "tools": false })).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_model_streams_is_stopped_and_is_counted() {
    let model = tokio::task::spawn_blocking(RealModel::start).await.unwrap();
    in_time(Box::pin(async {
        let scene = Scene::with(Engine::Sqlite, |config| config.ai.models = vec![model.settings()]).await;
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

        let question = scene.say(&scene.ann, "Tell a very long story about the sea, with many chapters.").await;
        let answer = scene.answer(&question, &["streaming"]).await;
        crate::server::until("it says something", async || {
            !scene.message(&answer["id"]).await["body"].as_str().unwrap().is_empty()
        })
        .await;
        let (status, _) = scene.ask(&scene.ann, &answer, "stop").await;
        assert_eq!(status, reqwest::StatusCode::OK);
        let stopped = scene.answer(&question, &["stopped"]).await;
        assert!(!stopped["body"].as_str().unwrap().is_empty(), "{stopped}");
    }))
    .await;
}
