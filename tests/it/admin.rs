//! What operators do, and that nobody else does.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::Dialect;
use crate::sign_in::{Browser, account, start};

on_both_engines![operators_look_after_users_projects_and_documents];

async fn operators_look_after_users_projects_and_documents(engine: Engine) {
    let (server, github) = start(engine, |config| config.guests = coterie::config::Guests::On).await;
    github.is(account(1, "root", "Root"));
    let browser = Browser::new(server.place());
    browser.sign_in("/").await;
    let root = browser.person().await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "text").await;
    let (_, key) = ann.key(&["read", "write", "act-for"]).await;

    // Nobody else.
    let addresses = [
        (Method::GET, "/api/admin/users".to_owned()),
        (Method::PATCH, format!("/api/admin/users/{}", root.id)),
        (Method::GET, "/api/admin/projects".to_owned()),
        (Method::PUT, format!("/api/admin/projects/{project}")),
        (Method::DELETE, format!("/api/admin/projects/{project}")),
        (Method::POST, format!("/api/admin/projects/{project}/restore")),
        (Method::GET, "/api/admin/documents".to_owned()),
        (Method::PUT, format!("/api/admin/documents/{document}/quarantine")),
        (Method::DELETE, format!("/api/admin/documents/{document}/quarantine")),
        (Method::GET, "/api/admin/audit".to_owned()),
    ];
    for (method, path) in &addresses {
        let refused =
            crate::client::answer(ann.request(method.clone(), path).json(&json!({ "suspended": true }))).await;
        assert_eq!(refused.0, StatusCode::NOT_FOUND, "{path}");
    }
    let (_, plain) = root.key(&["read", "write", "manage"]).await;
    assert_eq!(root.by(Method::GET, &plain, "/api/admin/users", None).await.0, StatusCode::NOT_FOUND);
    let (_, admin) = root.key(&["admin"]).await;
    assert_eq!(root.by(Method::GET, &admin, "/api/admin/users", None).await.0, StatusCode::OK);

    // Users: shut out, with all that acts for them and all they have open.
    let mut open = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    let user = format!("/api/admin/users/{}", ann.id);
    assert!(root.patch(&user, json!({ "suspended": true })).await.1["suspended_at"].is_string());
    open.until("she is put out", |peer| !peer.denied.is_empty()).await;
    assert_eq!(ann.get("/api/me").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ann.by(Method::GET, &key, "/api/me", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(
        root.patch(&format!("/api/admin/users/{}", root.id), json!({ "suspended": true })).await.0,
        StatusCode::CONFLICT
    );
    root.patch(&user, json!({ "suspended": false })).await;
    assert_eq!(ann.get("/api/me").await.0, StatusCode::OK);
    github.is(account(2, "bob", "Bob"));
    let other = Browser::new(server.place());
    other.sign_in("/").await;
    let bob = other.person().await;
    root.patch(&format!("/api/admin/users/{}", bob.id), json!({ "suspended": true })).await;
    let step = other.sign_in("/").await;
    assert_eq!((step.status, step.says("suspended")), (StatusCode::FORBIDDEN, true));

    // Projects: what they may have.
    let quotas = json!({ "documents_max": 1, "blob_bytes_max": null });
    let admin_project = format!("/api/admin/projects/{project}");
    assert_eq!(
        crate::client::answer(root.request(Method::PUT, &admin_project).json(&quotas)).await.1["documents"],
        json!(1)
    );
    let full = ann.post(&format!("/api/projects/{project}/documents"), json!({ "path": "b" })).await;
    assert_eq!(full.0, StatusCode::PAYLOAD_TOO_LARGE, "{full:?}");
    assert_eq!(root.get("/api/admin/projects").await.1["items"][0]["documents_max"], json!(1));
    assert_eq!(root.get(&format!("/api/projects/{project}")).await.0, StatusCode::NOT_FOUND, "not theirs to read");
    assert_eq!(root.delete(&admin_project).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ann.get(&format!("/api/projects/{project}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(root.post(&format!("{admin_project}/restore"), json!({})).await.0, StatusCode::NO_CONTENT);

    // Documents.
    let quarantine = format!("/api/admin/documents/{document}/quarantine");
    let why = json!({ "reason": "under repair" });
    assert_eq!(
        crate::client::answer(root.request(Method::PUT, &quarantine).json(&why)).await.0,
        StatusCode::NO_CONTENT
    );
    assert_eq!(root.get("/api/admin/documents").await.1["items"][0]["reason"], json!("under repair"));
    assert_eq!(ann.read_text(project, document).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(root.delete(&quarantine).await.0, StatusCode::NO_CONTENT);
    assert_eq!(root.delete(&quarantine).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.read_text(project, document).await.0, StatusCode::OK);
    let (_, audit) = root.get("/api/admin/audit").await;
    for action in ["user.suspended", "project.quotas", "document.quarantined", "login.github", "key.created"] {
        assert!(audit["items"].as_array().unwrap().iter().any(|entry| entry["action"] == action), "{action}");
    }
}
