//! A GitHub of our own, as strict as the real one: it compares verifier, redirect and secret, takes a code once, answers
//! with a form unless JSON is asked for, and tells errors with status 200. In its device flow it counts who asks too often, and
//! it knows for which app a token is.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Form, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use coterie::config::GithubApp;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const CLIENT_ID: &str = "Iv1.coterie";
const CLIENT_SECRET: &str = "canary-client-secret";

/// How it behaves beside its rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// The person says no.
    Denies,
    /// It limits the rate of its API, with 403.
    Limits,
    /// It is broken: 502 with a page.
    Down,
    /// It answers what is no JSON.
    Garbles,
    /// It never answers.
    Hangs,
    /// Its answer never ends.
    Floods,
}

#[derive(Debug)]
struct Inner {
    mood: Mood,
    /// Who is signed in there.
    account: Value,
    /// What each code was given for: challenge, redirect and account.
    codes: HashMap<String, (String, String, Value)>,
    /// Whose each token is.
    tokens: HashMap<String, Value>,
    /// Tokens that are another app's.
    foreign: HashSet<String>,
    /// What the device flow answers before it grants.
    device_says: VecDeque<String>,
    devices: HashMap<String, Device>,
    /// How often it was asked before its interval was over.
    hasty: usize,
    /// What was asked of it besides the rules, in order.
    scopes: Vec<Option<String>>,
}

/// A device flow that has begun.
#[derive(Debug)]
struct Device {
    account: Value,
    interval: Duration,
    asked: Instant,
}

/// A running one.
#[derive(Debug, Clone)]
pub struct Github {
    inner: Arc<Mutex<Inner>>,
    address: SocketAddr,
}

/// Somebody's account there.
pub fn account(id: i64, login: &str, name: &str) -> Value {
    json!({ "id": id, "login": login, "name": name, "avatar_url": format!("https://avatars.example/{id}"), "type": "User" })
}

impl Github {
    pub async fn start() -> Self {
        let inner = Arc::new(Mutex::new(Inner {
            mood: Mood::Well,
            account: account(1, "ann", "Ann"),
            codes: HashMap::new(),
            tokens: HashMap::new(),
            foreign: HashSet::new(),
            device_says: VecDeque::new(),
            devices: HashMap::new(),
            hasty: 0,
            scopes: Vec::new(),
        }));
        let app = Router::new()
            .route("/login/oauth/authorize", get(authorize))
            .route("/login/oauth/access_token", post(access_token))
            .route("/login/device/code", post(device_code))
            .route("/api/v3/user", get(user))
            .route("/api/v3/applications/{client}/token", post(about_token).delete(end_token))
            .with_state(inner.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { inner, address }
    }

    /// The app that a server is configured with.
    pub fn app(&self) -> GithubApp {
        GithubApp {
            client_id: CLIENT_ID.to_owned(),
            client_secret: CLIENT_SECRET.to_owned(),
            url: format!("http://{}", self.address),
            api_url: format!("http://{}/api/v3", self.address),
        }
    }

    /// Who is signed in there from now on.
    pub fn is(&self, account: Value) {
        self.inner.lock().account = account;
    }

    pub fn feels(&self, mood: Mood) {
        self.inner.lock().mood = mood;
    }

    /// What the device flow answers from now on, before it grants.
    pub fn device_says(&self, words: &[&str]) {
        self.inner.lock().device_says = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// How often it was asked in a device flow before its interval was over.
    pub fn hasty(&self) -> usize {
        self.inner.lock().hasty
    }

    /// How many tokens it gave out that are not ended.
    pub fn living_tokens(&self) -> usize {
        self.inner.lock().tokens.len()
    }

    /// A token for this app.
    pub fn token(&self, account: Value) -> String {
        self.inner.lock().grant(account)
    }

    /// A token for another app.
    pub fn token_of_another_app(&self, account: Value) -> String {
        let mut inner = self.inner.lock();
        let token = inner.grant(account);
        inner.foreign.insert(token.clone());
        token
    }

    /// The scopes that were asked for, each time.
    pub fn scopes(&self) -> Vec<Option<String>> {
        self.inner.lock().scopes.clone()
    }
}

impl Inner {
    fn grant(&mut self, account: Value) -> String {
        let token = format!("gho_canary{:032x}", rand::random::<u128>());
        self.tokens.insert(token.clone(), account);
        token
    }

    /// Grants or answers the word for why it does not, yet or at all.
    fn device(&mut self, code: &str) -> Result<String, String> {
        let word = self.device_says.pop_front();
        let device = self.devices.get_mut(code).ok_or("incorrect_device_code")?;
        let early = device.asked.elapsed() < device.interval;
        device.asked = Instant::now();
        if early {
            self.hasty += 1;
            device.interval += Duration::from_secs(5);
            return Err("slow_down".to_owned());
        }
        match word {
            None => {
                let account = device.account.clone();
                self.devices.remove(code);
                Ok(self.grant(account))
            }
            Some(word) => {
                if word == "slow_down" {
                    device.interval += Duration::from_secs(5);
                }
                Err(word)
            }
        }
    }
}

type Shared = State<Arc<Mutex<Inner>>>;
type Fields = HashMap<String, String>;

fn field<'f>(fields: &'f Fields, name: &str) -> &'f str {
    fields.get(name).map(String::as_str).unwrap_or_default()
}

async fn authorize(State(inner): Shared, Query(asked): Query<Fields>) -> Response {
    let mut inner = inner.lock();
    let redirect = field(&asked, "redirect_uri").to_owned();
    let fine = field(&asked, "client_id") == CLIENT_ID
        && field(&asked, "response_type") == "code"
        && field(&asked, "code_challenge_method") == "S256"
        && field(&asked, "code_challenge").len() == 43
        && field(&asked, "state").len() >= 16
        && redirect.ends_with("/auth/github/callback");
    if !fine {
        return (StatusCode::NOT_FOUND, "no such app, or asked wrongly").into_response();
    }
    inner.scopes.push(asked.get("scope").cloned());
    let state = field(&asked, "state");
    if inner.mood == Mood::Denies {
        let said = "error=access_denied&error_description=The+user+has+denied+your+application+access.";
        return Redirect::to(&format!("{redirect}?{said}&state={state}")).into_response();
    }
    let code = format!("{:032x}", rand::random::<u128>());
    let account = inner.account.clone();
    inner.codes.insert(code.clone(), (field(&asked, "code_challenge").to_owned(), redirect.clone(), account));
    Redirect::to(&format!("{redirect}?code={code}&state={state}")).into_response()
}

async fn access_token(State(inner): Shared, headers: HeaderMap, Form(asked): Form<Fields>) -> Response {
    let mood = inner.lock().mood;
    match mood {
        Mood::Down => return (StatusCode::BAD_GATEWAY, "<html>unicorn</html>").into_response(),
        Mood::Garbles => return (StatusCode::OK, "{\"access_token\": \"half").into_response(),
        Mood::Hangs => std::future::pending().await,
        Mood::Floods => {
            let chunk = || Ok::<_, std::io::Error>(axum::body::Bytes::from_static(&[b' '; 8192]));
            let endless = futures_util::stream::repeat_with(chunk);
            return axum::body::Body::from_stream(endless).into_response();
        }
        Mood::Well | Mood::Denies | Mood::Limits => {}
    }
    let mut inner = inner.lock();
    let error = |word: &str| json!({ "error": word, "error_description": "…", "error_uri": "https://docs.example" });
    let answer = if field(&asked, "grant_type") == "urn:ietf:params:oauth:grant-type:device_code" {
        // No secret: a terminal has none.
        if field(&asked, "client_id") != CLIENT_ID || asked.contains_key("client_secret") {
            error("incorrect_client_credentials")
        } else {
            match inner.device(field(&asked, "device_code")) {
                Ok(token) => json!({ "access_token": token, "scope": "", "token_type": "bearer" }),
                Err(word) => error(&word),
            }
        }
    } else if field(&asked, "client_id") != CLIENT_ID || field(&asked, "client_secret") != CLIENT_SECRET {
        error("incorrect_client_credentials")
    } else {
        // Taken once, whatever comes of it.
        match inner.codes.remove(field(&asked, "code")) {
            None => error("bad_verification_code"),
            Some((_, redirect, _)) if redirect != field(&asked, "redirect_uri") => error("redirect_uri_mismatch"),
            Some((challenge, ..)) if challenge != challenge_of(field(&asked, "code_verifier")) => {
                error("bad_verification_code")
            }
            Some((_, _, account)) => {
                let token = inner.grant(account);
                json!({ "access_token": token, "scope": "", "token_type": "bearer" })
            }
        }
    };
    let wants_json = headers.get(header::ACCEPT).is_some_and(|kind| kind == "application/json");
    if wants_json {
        return Json(answer).into_response();
    }
    let pairs = answer.as_object().unwrap().iter();
    let form: Vec<String> = pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    ([(header::CONTENT_TYPE, "application/x-www-form-urlencoded")], form.join("&")).into_response()
}

async fn device_code(State(inner): Shared, headers: HeaderMap, Form(asked): Form<Fields>) -> Response {
    let mut inner = inner.lock();
    if headers.get(header::ACCEPT).is_none_or(|kind| kind != "application/json") {
        return (StatusCode::NOT_ACCEPTABLE, "this one answers JSON only").into_response();
    }
    if field(&asked, "client_id") != CLIENT_ID {
        return Json(json!({ "error": "Not Found" })).into_response();
    }
    if inner.device_says.front().is_some_and(|word| word == "device_flow_disabled") {
        inner.device_says.clear();
        return Json(json!({ "error": "device_flow_disabled", "error_description": "…" })).into_response();
    }
    inner.scopes.push(asked.get("scope").cloned());
    let code = format!("{:040x}", rand::random::<u128>());
    let interval = Duration::from_secs(1);
    let device = Device { account: inner.account.clone(), interval, asked: Instant::now() - interval };
    inner.devices.insert(code.clone(), device);
    Json(json!({
        "device_code": code, "user_code": "WDJB-MJHT", "verification_uri": "https://github.com/login/device",
        "expires_in": 900, "interval": interval.as_secs(),
    }))
    .into_response()
}

/// Whether the app itself asks of one of its tokens; else what it is answered.
fn of_app(inner: &Inner, headers: &HeaderMap, client: &str, body: &Value) -> Result<String, StatusCode> {
    let basic = STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if shown != format!("Basic {basic}") || client != CLIENT_ID || headers.get(header::USER_AGENT).is_none() {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let token = body["access_token"].as_str().filter(|token| !token.is_empty());
    let token = token.ok_or(StatusCode::UNPROCESSABLE_ENTITY)?.to_owned();
    let known = inner.tokens.contains_key(&token) && !inner.foreign.contains(&token);
    if known { Ok(token) } else { Err(StatusCode::NOT_FOUND) }
}

async fn about_token(
    State(inner): Shared,
    headers: HeaderMap,
    Path(client): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let inner = inner.lock();
    match of_app(&inner, &headers, &client, &body) {
        Ok(token) => Json(json!({ "app": { "client_id": CLIENT_ID }, "user": inner.tokens[&token] })).into_response(),
        Err(status) => status.into_response(),
    }
}

async fn end_token(
    State(inner): Shared,
    headers: HeaderMap,
    Path(client): Path<String>,
    Json(body): Json<Value>,
) -> StatusCode {
    let mut inner = inner.lock();
    match of_app(&inner, &headers, &client, &body) {
        Ok(token) => {
            inner.tokens.remove(&token);
            StatusCode::NO_CONTENT
        }
        Err(status) => status,
    }
}

fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

async fn user(State(inner): Shared, headers: HeaderMap) -> Response {
    let inner = inner.lock();
    if inner.mood == Mood::Limits {
        let left = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1900000000")];
        return (StatusCode::FORBIDDEN, left, Json(json!({ "message": "API rate limit exceeded" }))).into_response();
    }
    if headers.get(header::USER_AGENT).is_none() {
        return (StatusCode::FORBIDDEN, "Request forbidden by administrative rules.").into_response();
    }
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match bearer.strip_prefix("Bearer ").and_then(|token| inner.tokens.get(token)) {
        Some(account) => Json(account.clone()).into_response(),
        None => (StatusCode::UNAUTHORIZED, Json(json!({ "message": "Bad credentials" }))).into_response(),
    }
}
