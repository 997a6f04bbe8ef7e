//! A server that does not listen, on a database of its own, with a project and as many documents as are asked for.

use std::net::Ipv4Addr;

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use coterie::address::ClientAddress;
use coterie::config::Config;
use coterie::document;
use coterie::head::Head;
use coterie::ids::{DocumentId, ProjectId, UserId};
use coterie::journal;
use coterie::server::Server;
use coterie::state::AppState;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// Where tests, and these benches, find a Postgres.
const POSTGRES: &str = "COTERIE_TEST_POSTGRES";

/// An answer of the server at most, in bytes.
const ANSWER_BYTES: usize = 64 * 1024;

pub(crate) struct Stage {
    /// The name of the database.
    pub(crate) engine: &'static str,
    pub(crate) runtime: Runtime,
    pub(crate) author: UserId,
    project: ProjectId,
    server: Server,
    _folder: TempDir,
}

/// A document without content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Empty {
    pub(crate) id: DocumentId,
    pub(crate) head: Head,
}

impl Stage {
    /// One on SQLite.
    pub(crate) fn sqlite() -> Self {
        Self::new("SQLite", None)
    }

    /// One on each engine; on Postgres where there is one.
    pub(crate) fn all() -> Vec<Self> {
        #[allow(clippy::disallowed_methods, reason = "a setting of the benches, not of the server")]
        let postgres = std::env::var(POSTGRES).ok();
        if postgres.is_none() {
            eprintln!("{POSTGRES} names no database: only SQLite is measured");
        }
        let postgres = postgres.map(|url| Self::new("Postgres", Some(url)));
        std::iter::once(Self::sqlite()).chain(postgres).collect()
    }

    fn new(engine: &'static str, url: Option<String>) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let url = url.unwrap_or_else(|| format!("sqlite://{}/bench.db", folder.path().display()));
        let mut config = Config::local(folder.path().to_owned(), url);
        config.program = std::env::current_exe().expect("where this program is");
        let server = runtime.block_on(Server::new(config)).expect("a server");
        server.state().listens_on((Ipv4Addr::LOCALHOST, 1).into());
        let (author, project) = runtime.block_on(project(server.state()));
        Self { engine, runtime, author, project, server, _folder: folder }
    }

    pub(crate) fn state(&self) -> &AppState {
        self.server.state()
    }

    /// So many new documents, in the order in which their logs are locked.
    pub(crate) fn documents(&self, count: usize) -> Vec<Empty> {
        self.runtime.block_on(async {
            let state = self.state();
            let mut made = Vec::with_capacity(count);
            for _ in 0..count {
                let path = format!("bench/{}", DocumentId::new());
                let quotas = state.rooms.quotas();
                let document = document::create(&state.feed, quotas, self.project, self.author, &path, "").await;
                let id = document.expect("a document").id;
                let heads = journal::heads(&state.db, &[id]).await.expect("a head");
                made.push(Empty { id, head: heads[0].1 });
            }
            made.sort_by_key(|document| document.id);
            made
        })
    }
}

/// A guest and their project, made as a browser makes them.
async fn project(state: &AppState) -> (UserId, ProjectId) {
    let (guest, cookie) = post(state, "/auth/guest", "", &json!({ "name": "bench" })).await;
    let (project, _) = post(state, "/api/projects", &cookie, &json!({ "name": "bench" })).await;
    let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    (id(&guest).parse().expect("a user's id"), id(&project).parse().expect("a project's id"))
}

/// Answers the body, and the cookie that was set.
async fn post(state: &AppState, path: &str, cookie: &str, body: &Value) -> (Value, String) {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ORIGIN, "http://localhost:1")
        .header(header::COOKIE, cookie);
    let mut request = request.body(Body::from(body.to_string())).expect("a request");
    request.extensions_mut().insert(ClientAddress::new(Ipv4Addr::LOCALHOST.into()));
    let answer = coterie::router::app(state.clone()).oneshot(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, ANSWER_BYTES).await.expect("a body");
    assert!(head.status.is_success(), "{path}: {} {}", head.status, String::from_utf8_lossy(&body));
    let cookie = head.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    (serde_json::from_slice(&body).expect("JSON"), cookie)
}
