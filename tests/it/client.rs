//! Somebody with a browser: a guest's login, the HTTP calls of a studio, and the sockets it opens.

use std::sync::Arc;

use coterie::auth;
use coterie::ids::{DocumentId, ProjectId, UserId};
use reqwest::cookie::{CookieStore, Jar};
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::{Value, json};

use crate::peer::{Dialect, Opening, text_of};
use crate::server::Place;

/// A guest who is signed in.
#[derive(Debug, Clone)]
pub struct TestClient {
    pub id: UserId,
    pub name: String,
    http: reqwest::Client,
    jar: Arc<Jar>,
    place: Place,
}

impl TestClient {
    /// Signs in as a guest.
    pub async fn guest(place: &Place, name: &str) -> Self {
        let mut client = Self::nobody(place);
        let (status, user) = client.post("/auth/guest", json!({ "name": name })).await;
        assert_eq!(status, StatusCode::OK, "{user}");
        client.id = serde_json::from_value(user["id"].clone()).unwrap();
        name.clone_into(&mut client.name);
        client
    }

    /// Whoever a cookie is of.
    pub async fn with_cookie(place: &Place, cookie: &str) -> Self {
        let mut client = Self::nobody(place);
        client.jar.add_cookie_str(&format!("{cookie}; Path=/"), &client.origin().parse().unwrap());
        let (status, user) = client.get("/api/me").await;
        assert_eq!(status, StatusCode::OK, "{user}");
        client.id = serde_json::from_value(user["id"].clone()).unwrap();
        user["name"].as_str().unwrap().clone_into(&mut client.name);
        client
    }

    /// Whoever shows a cookie, of a login or of none.
    pub fn showing(place: &Place, cookie: &str) -> Self {
        let client = Self::nobody(place);
        client.jar.add_cookie_str(&format!("{cookie}; Path=/"), &client.origin().parse().unwrap());
        client
    }

    /// The same browser, which takes no cookies from here on.
    pub fn without_keeping_cookies(&self) -> Self {
        Self::showing(&self.place, &self.cookie())
    }

    /// Somebody who is not signed in.
    pub fn nobody(place: &Place) -> Self {
        let jar = Arc::new(Jar::default());
        let http = http().cookie_provider(jar.clone()).build().unwrap();
        Self { id: UserId::new(), name: String::new(), http, jar, place: place.clone() }
    }

    /// The same browser at another server.
    pub fn at(&self, place: &Place) -> Self {
        Self { place: place.clone(), ..self.clone() }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin())
    }

    /// What a browser that shows the studio sends as its origin.
    pub fn origin(&self) -> String {
        format!("http://{}", self.place.address())
    }

    /// The login's cookie as a browser sends it.
    pub fn cookie(&self) -> String {
        let url = self.origin().parse().unwrap();
        self.jar.cookies(&url).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    /// A request as the studio makes it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.url(path)).header(header::ORIGIN, self.origin())
    }

    /// The same browser without its cookies and without an origin: a program.
    pub fn program(&self, method: Method, path: &str) -> RequestBuilder {
        http().build().unwrap().request(method, self.url(path))
    }

    /// GET with a JSON answer.
    pub async fn get(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::GET, path)).await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::POST, path).json(&body)).await
    }

    /// PATCH of JSON.
    pub async fn patch(&self, path: &str, body: Value) -> (StatusCode, Value) {
        answer(self.request(Method::PATCH, path).json(&body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> (StatusCode, Value) {
        answer(self.request(Method::DELETE, path)).await
    }

    /// A request by a program that shows a key or token, with JSON if there is any.
    pub async fn by(&self, method: Method, secret: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let request = self.program(method, path).bearer_auth(secret);
        answer(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    /// A new project of this guest's.
    pub async fn project(&self) -> ProjectId {
        let (status, project) = self.post("/api/projects", json!({ "name": "Notes" })).await;
        assert_eq!(status, StatusCode::CREATED, "{project}");
        serde_json::from_value(project["id"].clone()).unwrap()
    }

    /// A new document with a text.
    pub async fn create(&self, project: ProjectId, path: &str, content: &str) -> DocumentId {
        let body = json!({ "path": path, "content": content });
        let (status, document) = self.post(&format!("/api/projects/{project}/documents"), body).await;
        assert_eq!(status, StatusCode::CREATED, "{document}");
        serde_json::from_value(document["id"].clone()).unwrap()
    }

    /// Takes somebody in, by an invite.
    pub async fn invite(&self, project: ProjectId, other: &Self, role: &str) {
        let (status, invite) = self.post(&format!("/api/projects/{project}/invites"), json!({ "role": role })).await;
        assert_eq!(status, StatusCode::CREATED, "{invite}");
        let token = invite["token"].as_str().unwrap();
        let (status, joined) = other.post(&format!("/api/invites/{token}/accept"), json!({})).await;
        assert_eq!(status, StatusCode::OK, "{joined}");
    }

    /// A token for sockets and programs.
    pub async fn token(&self, project: ProjectId, role: &str) -> String {
        let (status, token) = self.post(&format!("/api/projects/{project}/tokens"), json!({ "role": role })).await;
        assert_eq!(status, StatusCode::OK, "{token}");
        token["token"].as_str().unwrap().to_owned()
    }

    /// A new API key: its id and its secret.
    pub async fn key(&self, scopes: &[&str]) -> (String, String) {
        let (status, key) = self.post("/api/keys", json!({ "name": "a bot", "scopes": scopes })).await;
        assert_eq!(status, StatusCode::CREATED, "{key}");
        (key["id"].as_str().unwrap().to_owned(), key["key"].as_str().unwrap().to_owned())
    }

    /// A document's whole content as an update, and the head it is of.
    pub async fn read(&self, project: ProjectId, document: DocumentId) -> (Vec<u8>, i64) {
        let path = format!("/api/projects/{project}/documents/{document}/update");
        let response = self.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let head = response.headers()["coterie-head"].to_str().unwrap().parse().unwrap();
        (response.bytes().await.unwrap().to_vec(), head)
    }

    /// A document's text as HTTP gives it.
    pub async fn text(&self, project: ProjectId, document: DocumentId) -> String {
        text_of(&self.read(project, document).await.0)
    }

    /// Sends an edit over HTTP.
    pub async fn write(&self, project: ProjectId, document: DocumentId, update: Vec<u8>) -> (StatusCode, Value) {
        let path = format!("/api/projects/{project}/documents/{document}/update");
        let request = self.request(Method::POST, &path).header(header::CONTENT_TYPE, "application/octet-stream");
        answer(request.body(update)).await
    }

    /// A document's text as workers read it, and its ETag.
    pub async fn read_text(&self, project: ProjectId, document: DocumentId) -> (StatusCode, String, String) {
        let path = format!("/api/projects/{project}/documents/{document}/text");
        let response = self.request(Method::GET, &path).send().await.unwrap();
        let etag = response.headers().get(header::ETAG).map(|value| value.to_str().unwrap().to_owned());
        (response.status(), response.text().await.unwrap(), etag.unwrap_or_default())
    }

    /// Makes a document's text another; with an ETag, only if it is at that. Answers the new ETag, if there is one.
    pub async fn put_text(
        &self,
        project: ProjectId,
        document: DocumentId,
        text: &str,
        etag: Option<&str>,
    ) -> (StatusCode, Value, Option<String>) {
        let path = format!("/api/projects/{project}/documents/{document}/text");
        let mut request = self.request(Method::PUT, &path).header(header::CONTENT_TYPE, "text/plain");
        if let Some(etag) = etag {
            request = request.header(header::IF_MATCH, etag);
        }
        let response = request.body(text.to_owned()).send().await.unwrap();
        let etag = response.headers().get(header::ETAG).map(|value| value.to_str().unwrap().to_owned());
        (response.status(), response.json().await.unwrap(), etag)
    }

    /// Makes a change of many documents.
    pub async fn change(&self, project: ProjectId, operations: Value) -> (StatusCode, Value) {
        self.post(&format!("/api/projects/{project}/changes"), json!({ "operations": operations })).await
    }

    /// A socket to a document, by its id or path, as a page of the studio opens it.
    pub fn socket(&self, dialect: Dialect, project: ProjectId, document: impl std::fmt::Display) -> Opening {
        Opening::new(self.place.clone(), dialect, format!("{project}/{document}")).cookie(&self.cookie())
    }

    /// A socket to the project's room of people.
    pub fn room(&self, project: ProjectId) -> Opening {
        Opening::new(self.place.clone(), Dialect::Hocuspocus, project.to_string()).cookie(&self.cookie())
    }

    /// Makes this guest's all somebody else's, as a sign-in would.
    pub async fn merge_into(&self, db: &coterie::db::Db, other: &Self) {
        auth::merge_guest(db, self.id, other.id).await.unwrap();
    }
}

/// A client that is to be built. The library wants to be told who encrypts, also where nothing is encrypted.
pub fn http() -> reqwest::ClientBuilder {
    // One that is there already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // The server ends connections that ask nothing for ten seconds; one must not be used just then.
    reqwest::Client::builder().no_proxy().pool_idle_timeout(std::time::Duration::from_secs(4))
}

/// Sends a request and reads its JSON; null for an empty body.
pub async fn answer(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let body = response.bytes().await.unwrap();
    let value = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    (status, value)
}
