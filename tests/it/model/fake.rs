//! A model's server that does what a script says, byte for byte, and notes what it was asked and when it was left.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub enum Script {
    /// Answers with this status, headers and body at once.
    Refuse(u16, Vec<(&'static str, &'static str)>, String),
    /// Streams these bytes, piece by piece, and ends.
    Stream(Vec<Vec<u8>>),
    /// Streams these bytes and then breaks the connection.
    Break(Vec<Vec<u8>>),
    /// Streams these bytes and then says nothing more until it is left.
    Hang(Vec<Vec<u8>>),
    /// Streams what comes from elsewhere, and ends with that.
    Fed(Arc<Mutex<Option<mpsc::Receiver<Vec<u8>>>>>),
}

/// One request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub headers: HeaderMap,
    /// Null where there was none.
    pub body: Value,
    /// Cancelled once the client has gone, or the answer was given whole.
    pub over: CancellationToken,
}

#[derive(Debug, Default)]
struct Shared {
    scripts: Mutex<VecDeque<Script>>,
    asked: Mutex<Vec<Asked>>,
}

/// A running fake.
#[derive(Debug)]
pub struct FakeModel {
    shared: Arc<Shared>,
    pub base_url: String,
    serving: JoinHandle<()>,
}

impl Drop for FakeModel {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl FakeModel {
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1", listener.local_addr().unwrap());
        let listed =
            || async { axum::Json(json!({"object": "list", "data": [{"id": "first-listed"}, {"id": "second"}]})) };
        let app = Router::new()
            .route("/v1/chat/completions", post(complete))
            .route("/v1/images/generations", post(complete))
            .route("/kept/{name}", get(complete))
            .route("/v1/models", get(listed))
            .with_state(shared.clone());
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { shared, base_url, serving }
    }

    /// What the next request gets that nothing was said about yet.
    pub fn then(&self, script: Script) {
        self.shared.scripts.lock().push_back(script);
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().clone()
    }
}

async fn complete(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let over = CancellationToken::new();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("a request is JSON") };
    shared.asked.lock().push(Asked { path: uri.path().to_owned(), headers, body, over: over.clone() });
    let script = shared.scripts.lock().pop_front().expect("a script for every request");
    let (pieces, last) = match script {
        Script::Refuse(status, headers, body) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            return response;
        }
        Script::Stream(pieces) => (pieces, Last::End),
        Script::Break(pieces) => (pieces, Last::Break),
        Script::Hang(pieces) => (pieces, Last::Hang),
        Script::Fed(fed) => (Vec::new(), Last::Fed(fed.lock().take().expect("it is fed once"))),
    };
    let state = (VecDeque::from(pieces), last, over.drop_guard());
    let body = stream::unfold(state, |(mut pieces, last, guard)| async move {
        if let Some(piece) = pieces.pop_front() {
            // Lets the piece go out on its own.
            tokio::time::sleep(Duration::from_millis(1)).await;
            return Some((Ok(piece), (pieces, last, guard)));
        }
        match last {
            Last::End => None,
            Last::Fed(mut fed) => {
                let piece = fed.recv().await?;
                Some((Ok(piece), (pieces, Last::Fed(fed), guard)))
            }
            // What came before goes out first.
            Last::Break => {
                tokio::time::sleep(Duration::from_millis(1)).await;
                Some((Err(std::io::Error::other("broken on purpose")), (pieces, Last::End, guard)))
            }
            Last::Hang => std::future::pending().await,
        }
    });
    let mut response = Response::new(Body::from_stream(body));
    response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
    response
}

enum Last {
    End,
    Break,
    Hang,
    Fed(mpsc::Receiver<Vec<u8>>),
}

/// An answer that a test writes as it goes on.
pub fn fed() -> (mpsc::Sender<Vec<u8>>, Script) {
    let (pieces, fed) = mpsc::channel(64);
    (pieces, Script::Fed(Arc::new(Mutex::new(Some(fed)))))
}

/// The events by which a model calls for something.
pub fn calls(name: &str, arguments: &Value) -> Script {
    let call = json!({ "index": 0, "id": "call", "type": "function",
        "function": { "name": name, "arguments": arguments.to_string() } });
    let delta = event(&json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [call] } }] }));
    Script::Stream([delta].into_iter().chain(ends("tool_calls")).collect())
}

/// What begins a PNG, and some more.
pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\nand more";

/// A picture that comes with the answer.
pub fn picture(bytes: &[u8]) -> Script {
    let usage = json!({ "input_tokens": 7, "output_tokens": 100, "total_tokens": 107 });
    let body = json!({ "created": 1, "data": [{ "b64_json": STANDARD.encode(bytes) }], "usage": usage });
    Script::Refuse(200, vec![], body.to_string())
}

/// One that is kept somewhere.
pub fn picture_at(url: &str) -> Script {
    Script::Refuse(200, vec![], json!({ "created": 1, "data": [{ "url": url, "b64_json": null }] }).to_string())
}

/// One event of a stream.
pub fn event(data: &Value) -> Vec<u8> {
    format!("data: {data}\n\n").into_bytes()
}

/// An event with more text.
pub fn says(text: &str) -> Vec<u8> {
    event(&json!({"id": "x", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}))
}

/// The events that end an answer: why, what it took, and the mark of the end.
pub fn ends(reason: &str) -> Vec<Vec<u8>> {
    vec![
        event(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})),
        event(&json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}})),
        b"data: [DONE]\n\n".to_vec(),
    ]
}

/// An answer of these texts.
pub fn answer(texts: &[&str]) -> Script {
    Script::Stream(texts.iter().map(|text| says(text)).chain(ends("stop")).collect())
}
