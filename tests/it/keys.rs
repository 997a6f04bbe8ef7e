//! API keys, and tokens for an application's own end users.

use std::time::Duration;

use coterie::auth::{self, By, NewGrant};
use coterie::error::Error;
use coterie::ids::KeyId;
use coterie::role::Role;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect, typed};
use crate::server::TestServer;

on_both_engines![
    a_key_acts_for_its_owner_as_far_as_its_scopes_go,
    a_key_is_told_once_and_ends_when_it_is_revoked,
    an_end_user_acts_as_themselves,
    a_key_that_may_not_manage_lets_no_end_user_manage,
    keys_are_counted_one_after_the_other,
    a_token_allows_the_lesser_of_its_role_and_its_issuers_now,
    a_token_of_a_project_that_was_removed_just_now_is_refused_as_unknown,
];

async fn a_key_acts_for_its_owner_as_far_as_its_scopes_go(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.create(project, "a", "text").await;
    ann.invite(project, &bob, "viewer").await;
    let (at, documents) = (format!("/api/projects/{project}"), format!("/api/projects/{project}/documents"));
    let member = format!("{at}/members/{}", bob.id);
    let cases = [
        (&["read"][..], [true, false, false, false]),
        (&["write"], [true, true, true, false]),
        (&["manage"], [true, true, true, true]),
        (&["act-for"], [true, false, false, false]),
    ];
    for (number, (scopes, may)) in cases.into_iter().enumerate() {
        let (_, key) = ann.key(scopes).await;
        let did = [
            ann.by(Method::GET, &key, &at, None).await.0.is_success(),
            ann.by(Method::POST, &key, &documents, Some(json!({ "path": format!("b{number}") }))).await.0.is_success(),
            ann.by(Method::POST, &key, "/api/projects", Some(json!({ "name": "More" }))).await.0.is_success(),
            ann.by(Method::PATCH, &key, &member, Some(json!({ "role": "viewer" }))).await.0.is_success(),
        ];
        assert_eq!(did, may, "{scopes:?}");
        for dialect in DIALECTS {
            let mut bot = ann.socket(dialect, project, "a").token(&key).presence(json!({})).join().await;
            assert!(bot.text().contains("text"));
            bot.send_update(&typed(bot.client(), "x")).await;
            bot.round_trip().await;
            let (_, head) = ann.get(&documents).await;
            let written = head["items"][0]["head"].as_i64().unwrap();
            ann.socket(Dialect::Hocuspocus, project, "a").join().await;
            assert_eq!(
                bot.denied.is_empty() && !bot.statuses.contains(&false),
                may[1],
                "{scopes:?} {dialect:?} {written}"
            );
        }
        // No key makes others, or looks after logins.
        for (method, path) in [(Method::GET, "/api/keys"), (Method::POST, "/api/keys"), (Method::GET, "/api/logins")] {
            let body = (method == Method::POST).then(|| json!({ "name": "more" }));
            assert_eq!(ann.by(method, &key, path, body).await.0, StatusCode::FORBIDDEN, "{path}");
        }
    }
    // A key allows nothing that its owner may not.
    let (_, key) = bob.key(&["read", "write", "manage"]).await;
    assert_eq!(bob.by(Method::GET, &key, &at, None).await.1["role"], json!("viewer"));
    assert_eq!(bob.by(Method::POST, &key, &documents, Some(json!({ "path": "c" }))).await.0, StatusCode::FORBIDDEN);
    let (status, _) = bob.post("/api/keys", json!({ "scopes": ["admin"] })).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    for bad in
        [json!({ "scopes": [] }), json!({ "scopes": ["fly"] }), json!({ "expires_in": 0 }), json!({ "name": "" })]
    {
        assert_eq!(bob.post("/api/keys", bad.clone()).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
}

async fn a_key_is_told_once_and_ends_when_it_is_revoked(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let (id, key) = ann.key(&["read"]).await;
    let (_, listed) = ann.get("/api/keys").await;
    let item = &listed["items"][0];
    assert!(key.starts_with(item["prefix"].as_str().unwrap()) && item["prefix"].as_str().unwrap().len() <= 10);
    assert_eq!((&item["used_at"], &item["scopes"]), (&Value::Null, &json!(["read"])));
    assert!(!listed.to_string().contains(&key));
    for table in ["api_key", "audit"] {
        assert!(server.database.dump(table).await.iter().all(|row| !row.contains(&key[10..])), "{table}");
    }
    assert_eq!(ann.by(Method::GET, &key, "/api/me", None).await.1["id"], json!(ann.id));
    assert!(ann.get("/api/keys").await.1["items"][0]["used_at"].is_string());
    assert_eq!(bob.delete(&format!("/api/keys/{id}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.delete(&format!("/api/keys/{id}")).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ann.by(Method::GET, &key, "/api/me", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ann.get("/api/keys").await.1["items"], json!([]));

    let (_, key) = ann.key(&["read"]).await;
    server.database.execute("update api_key set expires_us = 1".to_owned()).await;
    assert_eq!(ann.by(Method::GET, &key, "/api/me", None).await.0, StatusCode::UNAUTHORIZED);
}

async fn an_end_user_acts_as_themselves(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let eve = TestClient::guest(server.place(), "Eve").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let tokens = format!("/api/projects/{project}/tokens");
    let (_, key) = ann.key(&["act-for"]).await;
    let user = json!({ "id": "u-1", "name": "Zoë", "color": "#AB12EF", "avatar": "https://app.example/zoe.png" });
    let issue = async |who: &TestClient, key: &str, user: &Value| {
        who.by(Method::POST, key, &tokens, Some(json!({ "user": user }))).await
    };
    let (status, token) = issue(&ann, &key, &user).await;
    assert_eq!((status, &token["role"]), (StatusCode::OK, &json!("editor")), "{token}");
    let secret = token["token"].as_str().unwrap();
    let mut watcher = ann.socket(Dialect::Yjs, project, "a").join().await;
    for dialect in DIALECTS {
        let lied = json!({ "user": { "name": "Ann", "id": ann.id, "kind": "person" } });
        let client = if dialect == Dialect::Yjs { 501 } else { 502 };
        let mut zoe = ann.socket(dialect, project, "a").token(secret).client(client).presence(lied).join().await;
        zoe.insert(0, "z").await;
        watcher.until("she is seen", |peer| peer.presence.contains_key(&client) && peer.text().contains('z')).await;
        let seen = &watcher.presence[&client].1["user"];
        assert_eq!(
            *seen,
            json!({
                "id": token["user_id"], "name": "Zoë", "kind": "external", "color": "#ab12ef", "colorLight": "#ab12ef33",
                "avatar": "https://app.example/zoe.png",
            })
        );
        // What she wrote with is hers, and not her application's.
        let status = ann.write(project, document, typed(client, "forged")).await;
        assert_eq!(status.0, StatusCode::CONFLICT, "{status:?}");
        let authors = "select count(*) from document_update u join users p on p.id = u.author_id
            where p.kind = 'external' and u.document_id = $1";
        assert!(server.database.number(authors, document).await > 0);
    }
    // The same id is the same user, of this application; of another it is somebody else.
    let renamed = json!({ "id": "u-1", "name": "Zoe" });
    assert_eq!(issue(&ann, &key, &renamed).await.1["user_id"], token["user_id"]);
    ann.invite(project, &eve, "editor").await;
    let (_, of_eve) = eve.key(&["act-for"]).await;
    let theirs = issue(&eve, &of_eve, &renamed).await.1;
    assert!(theirs["user_id"].is_string() && theirs["user_id"] != token["user_id"]);
    // Nobody else acts for others, and nobody can be anything.
    let (_, plain) = ann.key(&["read", "write", "manage"]).await;
    assert_eq!(issue(&ann, &plain, &user).await.0, StatusCode::FORBIDDEN);
    assert_eq!(issue(&ann, secret, &user).await.0, StatusCode::FORBIDDEN);
    assert_eq!(ann.post(&tokens, json!({ "user": user })).await.0, StatusCode::FORBIDDEN);
    let bad = [
        json!({ "id": "", "name": "x" }),
        json!({ "id": "x".repeat(201), "name": "x" }),
        json!({ "id": "a\u{0}", "name": "x" }),
        json!({ "id": "1", "name": "" }),
        json!({ "id": "1", "name": "x", "color": "red" }),
        json!({ "id": "1", "name": "x", "color": "#123456;background:url(x)" }),
        json!({ "id": "1", "name": "x", "avatar": "javascript:alert(1)" }),
        json!({ "name": "x" }),
    ];
    for user in bad {
        assert_eq!(issue(&ann, &key, &user).await.0, StatusCode::BAD_REQUEST, "{user}");
    }
}

async fn a_key_that_may_not_manage_lets_no_end_user_manage(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "viewer").await;
    let member = format!("/api/projects/{project}/members/{}", bob.id);
    for (scopes, role) in
        [(&["act-for"][..], "editor"), (&["act-for", "write"], "editor"), (&["act-for", "manage"], "owner")]
    {
        let (_, key) = ann.key(scopes).await;
        let wanted = json!({ "role": "owner", "user": { "id": "u-1", "name": "Zoë" } });
        let tokens = format!("/api/projects/{project}/tokens");
        let (status, issued) = ann.by(Method::POST, &key, &tokens, Some(wanted)).await;
        assert_eq!((status, &issued["role"]), (StatusCode::OK, &json!(role)), "{scopes:?}: {issued}");
        let token = issued["token"].as_str().unwrap();
        let (_, seen) = ann.by(Method::GET, token, &format!("/api/projects/{project}"), None).await;
        assert_eq!(seen["role"], json!(role), "{scopes:?}");
        let changed = ann.by(Method::PATCH, token, &member, Some(json!({ "role": "editor" }))).await.0;
        assert_eq!(changed, StatusCode::FORBIDDEN, "a token does nothing that outlives it");
    }
}

async fn keys_are_counted_one_after_the_other(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let most = usize::try_from(coterie::limits::KEYS_PER_USER).unwrap();
    let making = (0..most + 12).map(|_| ann.post("/api/keys", json!({ "name": "one of many" })));
    let made = join_all(making).await;
    let created = made.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
    let refused = made.iter().filter(|(_, said)| said["error"]["code"] == json!("too_many_keys")).count();
    assert_eq!((created, refused), (most, 12), "{:?}", made.iter().map(|(status, _)| status).collect::<Vec<_>>());
}

async fn a_token_allows_the_lesser_of_its_role_and_its_issuers_now(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.create(project, "a", "").await;
    ann.invite(project, &bob, "editor").await;
    let at = format!("/api/projects/{project}");
    let (_, key) = bob.key(&["act-for", "manage"]).await;
    let wanted = json!({ "role": "owner", "user": { "id": "1", "name": "Zoe" } });
    let (_, token) = bob.by(Method::POST, &key, &format!("{at}/tokens"), Some(wanted)).await;
    assert_eq!(token["role"], json!("editor"));
    let secret = token["token"].as_str().unwrap();
    let role = async || bob.by(Method::GET, secret, &at, None).await;
    for (now, allowed) in [("viewer", "viewer"), ("commenter", "commenter"), ("owner", "owner"), ("editor", "editor")] {
        ann.patch(&format!("{at}/members/{}", bob.id), json!({ "role": now })).await;
        assert_eq!(role().await.1["role"], json!(allowed));
    }
    // By a token nobody stays: no members, invites, tokens or deletions.
    ann.patch(&format!("{at}/members/{}", bob.id), json!({ "role": "owner" })).await;
    let tries = [
        (Method::POST, format!("{at}/invites"), Some(json!({ "role": "owner" }))),
        (Method::POST, format!("{at}/tokens"), Some(json!({}))),
        (Method::PATCH, format!("{at}/members/{}", ann.id), Some(json!({ "role": "viewer" }))),
        (Method::POST, format!("{at}/transfer"), Some(json!({ "user_id": bob.id }))),
        (Method::DELETE, at.clone(), None),
        (Method::POST, "/api/projects".to_owned(), Some(json!({ "name": "x" }))),
    ];
    for (method, path, body) in tries {
        assert_eq!(bob.by(method, secret, &path, body).await.0, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(ann.delete(&format!("{at}/members/{}", bob.id)).await.0, StatusCode::NO_CONTENT);
    assert_eq!(role().await.0, StatusCode::NOT_FOUND);
}

async fn a_token_of_a_project_that_was_removed_just_now_is_refused_as_unknown(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let (kept, removed) = (ann.project().await, ann.project().await);
    let (key, _) = ann.key(&["manage"]).await;
    let key: KeyId = serde_json::from_value(json!(key)).unwrap();
    assert_eq!(ann.delete(&format!("/api/projects/{removed}")).await.0, StatusCode::NO_CONTENT);
    let issue = async |project, key| {
        let mut tx = server.db().begin().await.unwrap();
        let grant = NewGrant { user: ann.id, issuer: ann.id, project, role: Role::Editor, by: By::Key(key) };
        auth::issue_token(&mut tx, &grant, Duration::from_secs(60)).await.map(drop)
    };
    assert!(issue(kept, key).await.is_ok());
    assert!(matches!(issue(removed, key).await, Err(Error::NotFound)));
    assert!(matches!(issue(coterie::ids::ProjectId::new(), key).await, Err(Error::NotFound)));
    assert!(matches!(issue(kept, KeyId::new()).await, Err(Error::Unauthorized)), "what it is issued with has ended");
}
