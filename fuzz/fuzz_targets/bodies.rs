//! Bodies and queries of HTTP requests, through every layer of the server: an answer that is no fault of the server's.
#![no_main]

use std::net::Ipv4Addr;
use std::sync::{LazyLock, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use coterie::address::ClientAddress;
use coterie::config::Config;
use coterie::rate::Rate;
use coterie::server::Server;
use coterie_fuzz::tally::count;
use coterie_fuzz::{History, Plan};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower::ServiceExt;

struct Stage {
    runtime: Runtime,
    app: Router,
    cookie: String,
    place: Mutex<Place>,
    _server: Server,
    _folder: tempfile::TempDir,
}

/// Where bodies go; a new one after some, so that no limit of one project is all that is met.
#[derive(Debug, Clone, Default)]
struct Place {
    project: String,
    document: String,
    used: u32,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::local(folder.path().into(), format!("sqlite://{}/f.db", folder.path().display()));
    config.program = std::env::var_os("COTERIE_BIN").expect("COTERIE_BIN names the server's binary").into();
    let much = || Rate::new((1_000_000, 1_000_000));
    (config.rates.user, config.rates.project, config.rates.address) = (much(), much(), much());
    let server = runtime.block_on(Server::new(config)).unwrap();
    server.state().listens_on((Ipv4Addr::LOCALHOST, 1).into());
    let app = coterie::router::app(server.state().clone());
    let mut stage =
        Stage { runtime, app, cookie: String::new(), place: Mutex::default(), _server: server, _folder: folder };
    let guest = stage.ask(Method::POST, "/auth/guest", "application/json", json!({ "name": "Ann" }).to_string().into());
    assert_eq!(guest.0, StatusCode::OK);
    stage.cookie = guest.1;
    stage
});

impl Stage {
    /// Answers the status, the cookie that was set, and the body.
    fn ask(&self, method: Method, path: &str, kind: &str, body: Vec<u8>) -> (StatusCode, String, Vec<u8>) {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, kind);
        let request = request.header(header::COOKIE, &self.cookie).header(header::ORIGIN, "http://localhost:1");
        let Ok(mut request) = request.body(Body::from(body)) else { return Default::default() };
        request.extensions_mut().insert(ClientAddress::new(Ipv4Addr::LOCALHOST.into()));
        self.runtime.block_on(async {
            let response = self.app.clone().oneshot(request).await.unwrap();
            let status = response.status();
            let cookie = response.headers().get(header::SET_COOKIE).and_then(|value| value.to_str().ok());
            let cookie = cookie.and_then(|cookie| cookie.split(';').next()).unwrap_or_default().to_owned();
            let body = to_bytes(response.into_body(), 64 << 20).await.unwrap_or_default();
            (status, cookie, body.to_vec())
        })
    }

    fn made(&self, path: &str, body: &Value) -> String {
        let (status, _, body) = self.ask(Method::POST, path, "application/json", body.to_string().into());
        assert_eq!(status, StatusCode::CREATED);
        serde_json::from_slice::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned()
    }

    fn place(&self) -> Place {
        let mut place = self.place.lock().unwrap();
        if place.used % 500 == 0 {
            place.project = self.made("/api/projects", &json!({ "name": "Fuzz" }));
        }
        if place.used % 50 == 0 {
            let body = json!({ "path": format!("d{}", place.used), "content": "text" });
            place.document = self.made(&format!("/api/projects/{}/documents", place.project), &body);
        }
        place.used += 1;
        place.clone()
    }
}

/// The address after that of the project, the method, and what the body is.
const ADDRESSES: [(&str, Method, &str); 25] = [
    ("/documents", Method::POST, "application/json"),
    ("/documents/{d}", Method::PATCH, "application/json"),
    ("/documents/{d}/text", Method::PUT, "text/plain"),
    ("/documents/{d}/update", Method::POST, "application/octet-stream"),
    ("/documents/{d}/update?since=", Method::GET, ""),
    ("/changes", Method::POST, "application/json"),
    ("/invites", Method::POST, "application/json"),
    ("/tokens", Method::POST, "application/json"),
    ("", Method::PATCH, "application/json"),
    ("/members", Method::GET, ""),
    ("/feed?", Method::GET, ""),
    ("/search?q=", Method::GET, ""),
    ("/documents?", Method::GET, ""),
    ("/transfer", Method::POST, "application/json"),
    ("/messages", Method::POST, "application/json"),
    ("/conversations", Method::POST, "application/json"),
    ("/conversations/import", Method::POST, "application/json"),
    ("/proposals", Method::POST, "application/json"),
    ("/members", Method::POST, "application/json"),
    ("/typing", Method::POST, "application/json"),
    ("/completions", Method::POST, "application/json"),
    ("/images", Method::POST, "application/json"),
    ("/documents/{d}/analysis", Method::POST, "application/json"),
    ("/blobs?name=a", Method::PUT, "application/octet-stream"),
    ("/import", Method::POST, "application/zip"),
];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    count("inputs");
    let mut plan = Plan::new(bytes);
    let (path, method, kind) = ADDRESSES[plan.below(ADDRESSES.len())].clone();
    let Place { project, document, .. } = STAGE.place();
    let mut path = format!("/api/projects/{project}{}", path.replace("{d}", &document));
    let mut body = plan.rest().to_vec();
    if method == Method::GET {
        if path.contains('?') {
            let typed = |byte: &u8| char::from(*byte).is_ascii_graphic().then_some(char::from(*byte));
            path.extend(body.iter().filter_map(typed));
        }
        body.clear();
    } else if path.ends_with("/update") && plan.one_in(2) {
        body = History::default().update(&mut plan);
    }
    let (status, _, said) = STAGE.ask(method, &path, kind, body);
    count(match status.as_u16() {
        0 => return,
        200..=299 => "taken",
        400..=499 => "refused",
        503 => "text not to be had",
        _ => panic!("{path}: {status} {}", String::from_utf8_lossy(&said)),
    });
});
