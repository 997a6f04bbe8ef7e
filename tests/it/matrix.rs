//! Who may ask for what: every operation of the description, and every frame that writes in every dialect, by everybody
//! there is. The operations are the router's own list, so one without a rule here fails.

mod rules;

use std::collections::{BTreeMap, BTreeSet};

use coterie::auth;
use coterie::chat::{self, NewMessage, State};
use coterie::ids::{DocumentId, ProjectId};
use coterie::{on_pool, router};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};
use uuid::Uuid;
use yrs::encoding::write::Write;

use rules::{EVERYBODY, For, Who, rule};

use crate::client::{TestClient, answer};
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect, Peer, typed};
use crate::server::TestServer;

on_both_engines![everybody_asks_for_everything, everybody_sends_every_frame_that_writes];

/// A project with everybody about it.
struct Scene<'a> {
    server: &'a TestServer,
    people: BTreeMap<Who, TestClient>,
    /// What those show who show no cookie.
    secrets: BTreeMap<Who, String>,
    /// A member for others to act on.
    target: TestClient,
    project: ProjectId,
}

/// Somebody whose login ended a moment ago.
async fn expired(server: &TestServer) -> TestClient {
    let expired = TestClient::guest(server.place(), "Expired").await;
    let cookie = expired.cookie();
    assert_eq!(expired.post("/auth/logout", json!({})).await.0, StatusCode::NO_CONTENT);
    TestClient::showing(server.place(), &cookie)
}

/// Everybody, and the key that has expired.
type Everybody = (BTreeMap<Who, TestClient>, String);

async fn scene<'a>(server: &'a TestServer, (known, key): &Everybody) -> Scene<'a> {
    let owner = &known[&Who::Owner];
    let project = owner.project().await;
    for who in EVERYBODY {
        if let Some(role) = who.role() {
            owner.invite(project, &known[&who], role).await;
        }
    }
    let removed = format!("/api/projects/{project}/members/{}", known[&Who::Removed].id);
    assert_eq!(owner.delete(&removed).await.0, StatusCode::NO_CONTENT);
    let target = TestClient::guest(server.place(), "Target").await;
    owner.invite(project, &target, "editor").await;
    let editor = &known[&Who::Editor];
    let token = editor.token(project, "editor").await;
    opens_until_it_expires(editor, &token, &format!("/api/projects/{project}")).await;
    expire(server, "update project_token set expires_us = 1").await;
    let secrets = BTreeMap::from([(Who::ExpiredToken, token), (Who::ExpiredKey, key.clone())]);
    Scene { server, people: known.clone(), secrets, target, project }
}

async fn opens_until_it_expires(editor: &TestClient, secret: &str, path: &str) {
    let (status, _) = editor.by(Method::GET, secret, path, None).await;
    assert_eq!(status, StatusCode::OK, "it opens the project until it expires");
}

async fn expire(server: &TestServer, statement: &'static str) {
    on_pool!(server.db(), write, pool => sqlx::query(statement).execute(pool).await.map(drop)).unwrap();
}

async fn everybody(server: &TestServer) -> Everybody {
    let mut people = BTreeMap::new();
    for who in EVERYBODY {
        let client = match who {
            Who::Nobody | Who::ExpiredToken | Who::ExpiredKey => TestClient::nobody(server.place()),
            Who::Expired => expired(server).await,
            _ => TestClient::guest(server.place(), &format!("{who:?}")).await,
        };
        people.insert(who, client);
    }
    let editor = &people[&Who::Editor];
    let project = editor.project().await;
    let (_, key) = editor.key(&["read", "write", "manage"]).await;
    opens_until_it_expires(editor, &key, &format!("/api/projects/{project}")).await;
    expire(server, "update api_key set expires_us = 1").await;
    (people, key)
}

impl Scene<'_> {
    fn owner(&self) -> &TestClient {
        &self.people[&Who::Owner]
    }

    /// The address with ids of what is really there, made anew for each who asks.
    async fn address(&self, who: Who, path: &str) -> String {
        let (owner, project) = (self.owner(), self.project);
        let base = format!("/api/projects/{project}");
        let mut address = path.replace("{p}", &project.to_string()).replace("{user}", &self.target.id.to_string());
        if address.contains("{d}") {
            let document = owner.create(project, &format!("{}", Uuid::now_v7()), "text").await;
            address = address.replace("{d}", &document.to_string());
        }
        if address.contains("{i}") {
            let (_, invite) = owner.post(&format!("{base}/invites"), json!({ "role": "viewer" })).await;
            address = address.replace("{i}", invite["id"].as_str().unwrap());
        }
        if address.contains("{m}") {
            // Their own, of those who may write one.
            let author = if who >= Who::Commenter { &self.people[&who] } else { owner };
            let message = match path.rsplit('/').next() {
                Some("stop") => self.answer(State::Queued).await,
                Some("retry") => self.answer(State::Failed).await,
                _ => {
                    let (_, message) = author.post(&format!("{base}/messages"), json!({ "body": "hello" })).await;
                    message["id"].as_str().unwrap().to_owned()
                }
            };
            address = address.replace("{m}", &message);
        }
        if address.contains("{c}") {
            let (_, conversation) = owner.post(&format!("{base}/conversations"), json!({ "title": "One" })).await;
            let id = conversation["id"].as_str().unwrap();
            if path.ends_with("/summary") {
                let id = self.server.database.literal(id.parse().unwrap());
                let columns = "conversation_id, seq, body, model, created_us";
                let row = format!("insert into conversation_summary ({columns}) values ({id}, 1, 'short', 'm', 1)");
                self.server.database.execute(row).await;
            }
            address = address.replace("{c}", id);
        }
        if address.contains("{sha256}") {
            let bytes = Uuid::now_v7().as_bytes().to_vec();
            let request = owner.request(Method::PUT, &format!("{base}/blobs?name=x"));
            let request = request.header(header::CONTENT_TYPE, "application/octet-stream").body(bytes);
            address = address.replace("{sha256}", answer(request).await.1["hash"].as_str().unwrap());
        }
        if address.contains("{proposal}") {
            let file = json!({ "op": "create", "path": Uuid::now_v7() });
            let (_, made) = owner.post(&format!("{base}/proposals"), json!({ "summary": "x", "files": [file] })).await;
            address = address.replace("{proposal}", made["id"].as_str().unwrap());
            if let Some(before) = address.strip_suffix("/undo") {
                assert_eq!(owner.post(&format!("{before}/accept"), json!({})).await.0, StatusCode::OK);
            }
        }
        let parts = address.split('/').map(|part| match part.strip_prefix('{') {
            Some("token}") => "no-invite".to_owned(),
            Some(_) => Uuid::now_v7().to_string(),
            None => part.to_owned(),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    /// An answer of the assistant in this state.
    async fn answer(&self, state: State) -> String {
        let assistant = auth::assistant(self.server.db()).await.unwrap();
        let wanted = NewMessage { state: Some(state), body: "hm".to_owned(), ..NewMessage::default() };
        let feed = &self.server.state().feed;
        chat::post(feed, self.project, assistant.id, wanted).await.unwrap().0.id.to_string()
    }

    /// A request with what somebody shows.
    fn request(&self, who: Who, method: Method, path: &str) -> RequestBuilder {
        match self.secrets.get(&who) {
            Some(secret) => self.people[&who].program(method, path).bearer_auth(secret),
            None => self.people[&who].request(method, path),
        }
    }

    /// What somebody is answered.
    async fn ask(&self, who: Who, operation: &str, method: &str, path: &str, body: Option<&Value>) -> StatusCode {
        let address = self.address(who, path).await;
        let into = format!("?into={}", Uuid::now_v7());
        let query = match operation {
            "search" | "search_messages" => "?q=text",
            "export_messages" => "?format=md",
            "put_blob" => "?name=a",
            "import_files" => into.as_str(),
            _ => "",
        };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.request(who, method, &format!("{address}{query}"));
        let octets = |bytes| (header::CONTENT_TYPE, "application/octet-stream", bytes);
        let (name, kind, bytes) = match operation {
            "put_blob" => octets(Uuid::now_v7().as_bytes().to_vec()),
            "write_update" => octets(typed(u64::from(rand::random::<u32>()), "more")),
            "import_files" => {
                (header::CONTENT_TYPE, "application/zip", crate::archive::archive_of(&[("a.md", b"text")]))
            }
            "write_text" => (header::CONTENT_TYPE, "text/plain", b"other".to_vec()),
            "transfer" => {
                let to = json!({ "user_id": self.target.id });
                return answer_of(request.json(&to)).await;
            }
            "add_member" => {
                // Somebody whom the owner knows.
                let known = TestClient::guest(self.server.place(), "Known").await;
                self.owner().invite(self.owner().project().await, &known, "viewer").await;
                let new = json!({ "user_id": known.id, "role": "viewer" });
                return answer_of(request.json(&new)).await;
            }
            _ => match body {
                Some(body) => return answer_of(request.json(&fresh(body))).await,
                None => return answer_of(request).await,
            },
        };
        answer_of(request.header(name, kind).body(bytes)).await
    }
}

/// A path that nobody has taken yet, where one is named.
fn fresh(body: &Value) -> Value {
    let text = body.to_string().replace("\"new\"", &format!("\"{}\"", Uuid::now_v7()));
    serde_json::from_str(&text.replace("\"elsewhere\"", &format!("\"{}\"", Uuid::now_v7()))).unwrap()
}

async fn answer_of(request: RequestBuilder) -> StatusCode {
    request.send().await.unwrap().status()
}

/// Whether an answer is what the rule says for somebody.
fn is_right(who: Who, wanted: For, status: StatusCode) -> bool {
    let let_in = !status.is_server_error() && !matches!(status.as_u16(), 401 | 403);
    match wanted {
        For::Everybody => let_in,
        For::SignedIn | For::Members(_) | For::Asking(_) | For::Operators if who.is_unknown() => {
            status == StatusCode::UNAUTHORIZED
        }
        For::SignedIn => let_in,
        For::Operators => status == StatusCode::NOT_FOUND,
        For::Members(_) | For::Asking(_) if who <= Who::Removed => status == StatusCode::NOT_FOUND,
        For::Members(least) | For::Asking(least) if who < least => status == StatusCode::FORBIDDEN,
        For::Asking(_) => status == StatusCode::CONFLICT,
        For::Members(_) => status.is_success(),
    }
}

async fn everybody_asks_for_everything(engine: Engine) {
    let server = TestServer::start(engine).await;
    let known = everybody(&server).await;
    // What is only read is there for all cases.
    let shared = scene(&server, &known).await;
    let description = router::description();
    let mut wrong = Vec::new();
    let mut asked = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, described) in item.as_object().unwrap() {
            let operation = described["operationId"].as_str().unwrap();
            let Some((wanted, body)) = rule(operation) else {
                wrong.push(format!("{operation}: no rule says who may do this"));
                continue;
            };
            asked.insert(operation.to_owned());
            if matches!(operation, "sign_out" | "sign_in_as_guest" | "end_logins" | "github_callback") {
                only_those_who_are_unknown(&shared, operation, method, path, &mut wrong).await;
                continue;
            }
            let method = method.to_uppercase();
            let statuses = if method == "GET" {
                join_all(EVERYBODY.map(|who| shared.ask(who, operation, &method, path, body.as_ref()))).await
            } else {
                let scene = scene(&server, &known).await;
                let mut statuses = Vec::new();
                for who in EVERYBODY {
                    statuses.push(scene.ask(who, operation, &method, path, body.as_ref()).await);
                }
                statuses
            };
            for (who, status) in EVERYBODY.into_iter().zip(statuses) {
                if !is_right(who, wanted, status) {
                    wrong.push(format!("{operation} by {who:?}: {status}, but it is for {wanted:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(asked.len() > 40, "{asked:?}");
}

/// What ends or begins a login is asked for without one, so that the people of the other cases stay who they are.
async fn only_those_who_are_unknown(
    scene: &Scene<'_>,
    operation: &str,
    method: &str,
    path: &str,
    wrong: &mut Vec<String>,
) {
    for who in EVERYBODY.into_iter().filter(|who| who.is_unknown()) {
        let fresh = scene.people[&who].without_keeping_cookies();
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let request = match scene.secrets.get(&who) {
            Some(secret) => fresh.program(method, path).bearer_auth(secret),
            None => fresh.request(method, path),
        };
        let request = if operation == "sign_in_as_guest" { request.json(&json!({ "name": "New" })) } else { request };
        let status = answer_of(request).await;
        let right = match operation {
            "end_logins" => status == StatusCode::UNAUTHORIZED,
            _ => !status.is_server_error() && status != StatusCode::UNAUTHORIZED,
        };
        if !right {
            wrong.push(format!("{operation} by {who:?}: {status}"));
        }
    }
}

/// A frame that brings something new into a document.
#[derive(Debug, Clone, Copy)]
enum Frame {
    Update,
    Step2,
    Deletion,
}

async fn send(peer: &mut Peer, frame: Frame) {
    match frame {
        Frame::Update => peer.send_update(&typed(peer.client(), "news")).await,
        Frame::Step2 => {
            let update = typed(peer.client(), "news");
            peer.send(&[0, 1], |out| out.write_buf(update)).await;
        }
        Frame::Deletion => peer.delete(0, 1).await,
    }
}

async fn everybody_sends_every_frame_that_writes(engine: Engine) {
    let server = TestServer::start(engine).await;
    let known = everybody(&server).await;
    let scene = scene(&server, &known).await;
    let (owner, project) = (scene.owner(), scene.project);
    for dialect in DIALECTS {
        for frame in [Frame::Update, Frame::Step2, Frame::Deletion] {
            for who in EVERYBODY {
                // Who was shown nothing has nothing to delete.
                if matches!(frame, Frame::Deletion) && who <= Who::Removed {
                    continue;
                }
                let what = format!("{frame:?} on {dialect:?} by {who:?}");
                let document = owner.create(project, &format!("{}", Uuid::now_v7()), "text").await;
                let mut watcher = owner.socket(Dialect::Hocuspocus, project, document).join().await;
                let opening = scene.people[&who].socket(dialect, project, document);
                let opening = match scene.secrets.get(&who) {
                    Some(secret) => opening.token(secret),
                    None => opening,
                };
                let mut peer = opening.presence(json!({})).open().await;
                if who <= Who::Removed {
                    // Sent at once, as providers do that do not wait to be let in.
                    send(&mut peer, frame).await;
                    refused_entry(&mut peer, dialect, &what).await;
                } else {
                    peer.until("it is let in", |peer| peer.synced).await;
                    send(&mut peer, frame).await;
                    peer.round_trip().await;
                }
                if who >= Who::Editor {
                    watcher.until("it is shown", |peer| peer.text() != "text").await;
                    peer.round_trip().await;
                    let written = text_and_head(owner, project, document).await;
                    assert_eq!(written, (watcher.text(), 2), "{what}");
                    assert!(peer.denied.is_empty() && !peer.statuses.contains(&false), "{what}: {peer:?}");
                } else {
                    watcher.round_trip().await;
                    let written = text_and_head(owner, project, document).await;
                    assert_eq!(written, ("text".to_owned(), 1), "{what}");
                    assert_eq!((watcher.text().as_str(), watcher.updates), ("text", 0), "{what}");
                }
                if matches!(who, Who::Viewer | Who::Commenter) {
                    let told = peer.statuses.contains(&false) || !peer.denied.is_empty();
                    assert!(told, "{what}: its author is told that it is not saved: {peer:?}");
                }
            }
        }
    }
}

/// Somebody who may not come in is told so, and shown nothing.
async fn refused_entry(peer: &mut Peer, dialect: Dialect, what: &str) {
    match dialect {
        Dialect::Yjs => {
            let code = peer.until_closed().await;
            assert!(matches!(code, 4401 | 4404), "{what}: {code}");
        }
        Dialect::Hocuspocus => {
            peer.until("it is refused", |peer| !peer.denied.is_empty()).await;
        }
    }
    assert!(!peer.synced && peer.text() != "text" && peer.statuses.is_empty(), "{what}: {peer:?}");
}

async fn text_and_head(owner: &TestClient, project: ProjectId, document: DocumentId) -> (String, i64) {
    let (update, head) = owner.read(project, document).await;
    (crate::peer::text_of(&update), head)
}
