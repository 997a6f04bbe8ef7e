//! The AI teammate: when it speaks, what everybody sees of it, how it ends, and what it may not do.

mod alone;
mod budgets;
mod ends;
mod kills;
mod malice;
mod pictures;
mod proposing;
mod reading;
mod real;
mod speaking;
mod streams;

use coterie::chat::AnswerDetails;
use coterie::config::{Config, ModelSettings};
use coterie::ids::ProjectId;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::TestClient;
use crate::engines::{Database, Engine};
use crate::model::fake::FakeModel;
use crate::server::{TestServer, until};

/// A server with a model, and somebody with a project on it.
struct Scene {
    server: TestServer,
    model: FakeModel,
    ann: TestClient,
    project: ProjectId,
}

impl Scene {
    async fn new(engine: Engine) -> Self {
        Self::with(engine, |_| ()).await
    }

    /// With other settings.
    async fn with(engine: Engine, change: impl FnOnce(&mut Config)) -> Self {
        let model = FakeModel::start().await;
        let database = Database::create(engine).await;
        let mut config = TestServer::config(&database);
        config.ai.models = vec![settings(&model)];
        config.ai.runs_per_minute = 1_000;
        change(&mut config);
        let server = TestServer::with(config, database).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        Self { server, model, ann, project }
    }

    /// Another person in the project.
    async fn member(&self, name: &str, role: &str) -> TestClient {
        let client = TestClient::guest(self.server.place(), name).await;
        self.ann.invite(self.project, &client, role).await;
        client
    }

    fn messages(&self) -> String {
        format!("/api/projects/{}/messages", self.project)
    }

    /// Posts a message.
    async fn post(&self, client: &TestClient, message: Value) -> Value {
        let (status, message) = client.post(&self.messages(), message).await;
        assert_eq!(status, StatusCode::CREATED, "{message}");
        message
    }

    /// Says something.
    async fn say(&self, client: &TestClient, body: &str) -> Value {
        self.post(client, json!({ "body": body })).await
    }

    async fn message(&self, id: &Value) -> Value {
        self.ann.get(&format!("{}/{}", self.messages(), id.as_str().unwrap())).await.1
    }

    /// The answer to a message, once it is in one of these states.
    async fn answer(&self, question: &Value, states: &[&str]) -> Value {
        let mut found = Value::Null;
        until(&format!("an answer is {states:?}"), async || {
            let (_, page) = self.ann.get(&format!("{}?limit=200", self.messages())).await;
            let answers = page["items"].as_array().unwrap().iter().rev();
            let mut answers = answers
                .filter(|message| message["reply_to"] == question["id"] && message["author"]["kind"] == "assistant");
            found = answers.next().cloned().unwrap_or_default();
            found["state"].as_str().is_some_and(|state| states.contains(&state))
        })
        .await;
        serde_json::from_value::<AnswerDetails>(found.clone()).expect("an answer is as it is described");
        found
    }

    /// What of it comes to an end.
    async fn ended(&self, question: &Value) -> Value {
        self.answer(question, &["done", "stopped", "failed"]).await
    }

    /// Asks for the answer to be stopped, or given again.
    async fn ask(&self, client: &TestClient, answer: &Value, what: &str) -> (StatusCode, Value) {
        client.post(&format!("{}/{}/{what}", self.messages(), answer["id"].as_str().unwrap()), json!({})).await
    }

    /// How many answers there are.
    async fn answers(&self) -> usize {
        let (_, page) = self.ann.get(&format!("{}?limit=200", self.messages())).await;
        page["items"].as_array().unwrap().iter().filter(|message| message["author"]["kind"] == "assistant").count()
    }
}

fn settings(model: &FakeModel) -> ModelSettings {
    serde_json::from_value(json!({
        "name": "small", "model": "small", "base_url": model.base_url, "prices": { "prompt": 2.0, "completion": 10.0 },
    }))
    .unwrap()
}
