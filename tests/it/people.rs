//! Members, links, owners, deleted projects, logins, and the log of what was done to them.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::Dialect;
use crate::server::TestServer;

on_both_engines![
    a_project_always_has_an_owner,
    who_came_by_a_link_goes_with_it,
    owners_take_in_whom_they_know,
    what_begins_and_ends_a_login_is_kept,
    a_deleted_project_can_be_restored_for_a_while,
    logins_are_listed_and_ended,
    what_was_done_to_rights_is_kept_for_owners,
];

fn actions(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect()
}

async fn a_project_always_has_an_owner(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    let at = format!("/api/projects/{project}");
    let member = |who: &TestClient| format!("{at}/members/{}", who.id);
    ann.invite(project, &bob, "viewer").await;
    for (status, refusal) in
        [ann.patch(&member(&ann), json!({ "role": "editor" })).await, ann.delete(&member(&ann)).await]
    {
        assert_eq!((status, &refusal["error"]["code"]), (StatusCode::CONFLICT, &json!("last_owner")));
    }
    assert_eq!(bob.delete(&member(&ann)).await.0, StatusCode::FORBIDDEN);
    assert_eq!(bob.post(&format!("{at}/transfer"), json!({ "user_id": bob.id })).await.0, StatusCode::FORBIDDEN);
    let nobody = json!({ "user_id": coterie::ids::UserId::new() });
    assert_eq!(ann.post(&format!("{at}/transfer"), nobody).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.post(&format!("{at}/transfer"), json!({ "user_id": ann.id })).await.0, StatusCode::CONFLICT);
    assert_eq!(ann.post(&format!("{at}/transfer"), json!({ "user_id": bob.id })).await.1["role"], json!("owner"));
    assert_eq!(ann.get(&at).await.1["role"], json!("editor"));
    assert_eq!(ann.delete(&member(&ann)).await.0, StatusCode::NO_CONTENT, "now she may leave");
    assert_eq!(ann.get(&at).await.0, StatusCode::NOT_FOUND);
    assert_eq!(bob.delete(&member(&bob)).await.0, StatusCode::CONFLICT);
}

async fn who_came_by_a_link_goes_with_it(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let at = format!("/api/projects/{project}");
    let link = async |role: &str| {
        let (_, invite) = ann.post(&format!("{at}/invites"), json!({ "role": role })).await;
        let token = invite["token"].as_str().unwrap().to_owned();
        (format!("{at}/invites/{}", invite["id"].as_str().unwrap()), format!("/api/invites/{token}/accept"))
    };
    let come = async |name: &str, accept: &str| {
        let guest = TestClient::guest(server.place(), name).await;
        assert_eq!(guest.post(accept, json!({})).await.0, StatusCode::OK);
        guest
    };
    let may = async |guest: &TestClient| guest.get(&at).await.0.is_success();
    // Private: an invite makes a member, who stays when it is taken back.
    let (invite, accept) = link("editor").await;
    let bob = come("Bob", &accept).await;
    assert_eq!(ann.delete(&invite).await.0, StatusCode::NO_CONTENT);
    assert!(may(&bob).await);
    let late = TestClient::guest(server.place(), "Late").await;
    assert_eq!(late.post(&accept, json!({})).await.0, StatusCode::NOT_FOUND);
    // Link: who has it, for as long as it lives; but for those whom an owner gave a role by hand.
    ann.patch(&at, json!({ "visibility": "link" })).await;
    let ((one, by_one), (_, by_two)) = (link("viewer").await, link("editor").await);
    let (cid, dan, eve) = (come("Cid", &by_one).await, come("Dan", &by_one).await, come("Eve", &by_two).await);
    ann.patch(&format!("{at}/members/{}", dan.id), json!({ "role": "commenter" })).await;
    assert_eq!(ann.delete(&one).await.0, StatusCode::NO_CONTENT);
    assert_eq!((may(&cid).await, may(&dan).await, may(&eve).await, may(&bob).await), (false, true, true, true));
    ann.patch(&at, json!({ "visibility": "private" })).await;
    assert_eq!((may(&dan).await, may(&eve).await, may(&bob).await), (true, false, true));
    // A link from then opens nothing any more, for nobody and by nothing; one from now makes members as ever.
    assert_eq!(eve.post(&by_two, json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.get(&format!("{at}/invites")).await.1["items"], json!([]));
    let (_, page) = ann.get(&format!("{at}/audit?q=visibility")).await;
    assert_eq!(page["items"][0]["detail"], json!({ "visibility": "private", "invites_ended": 1 }));
    let (_, by_now) = link("viewer").await;
    come("Fay", &by_now).await;
    ann.patch(&at, json!({ "visibility": "private" })).await;
    come("Gus", &by_now).await;
    // From link to public and then to private is the same way.
    ann.patch(&at, json!({ "visibility": "link" })).await;
    let (_, by_three) = link("editor").await;
    ann.patch(&at, json!({ "visibility": "public" })).await;
    ann.patch(&at, json!({ "visibility": "private" })).await;
    assert_eq!(late.post(&by_three, json!({})).await.0, StatusCode::NOT_FOUND);
}

async fn a_deleted_project_can_be_restored_for_a_while(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "text").await;
    ann.invite(project, &bob, "editor").await;
    let (at, restore) = (format!("/api/projects/{project}"), format!("/api/projects/{project}/restore"));
    assert_eq!(ann.delete(&at).await.0, StatusCode::NO_CONTENT);
    assert_eq!((ann.get(&at).await.0, bob.get(&at).await.0), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    let (_, deleted) = ann.get("/api/projects/deleted").await;
    assert_eq!(deleted["items"][0]["id"], json!(project));
    assert_eq!(bob.get("/api/projects/deleted").await.1["items"], json!([]));
    assert_eq!(bob.post(&restore, json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.post(&restore, json!({})).await.0, StatusCode::OK);
    assert_eq!(ann.post(&restore, json!({})).await.0, StatusCode::NOT_FOUND, "it lives");
    assert_eq!(ann.text(project, document).await, "text");
    let mut editor = bob.socket(Dialect::Hocuspocus, project, "a").join().await;
    editor.insert(4, " goes on").await;
    editor.until_saved().await;
    assert_eq!(server.db_findings().await, Vec::<String>::new());

    // After its time nobody can, and nothing is left.
    assert_eq!(ann.delete(&at).await.0, StatusCode::NO_CONTENT);
    assert_eq!(coterie::project::sweep(server.db()).await.unwrap(), 0);
    server.database.execute("update project set deleted_us = 1 where deleted_us is not null".to_owned()).await;
    assert_eq!(ann.post(&restore, json!({})).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.get("/api/projects/deleted").await.1["items"], json!([]));
    assert_eq!(coterie::project::sweep(server.db()).await.unwrap(), 1);
    for table in ["project", "document", "document_update", "document_head", "member", "invite"] {
        assert!(server.database.dump(table).await.is_empty(), "{table}");
    }
}

async fn logins_are_listed_and_ended(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    // Her second browser, as a sign-in in it would make it.
    let other = TestClient::guest(server.place(), "Ann too").await;
    other.merge_into(server.db(), &ann).await;
    let (_, logins) = ann.get("/api/logins").await;
    let items = logins["items"].as_array().unwrap();
    let current: Vec<bool> = items.iter().map(|login| login["current"] == json!(true)).collect();
    assert_eq!(current, [true, false], "{logins}");
    assert_eq!(other.get("/api/me").await.1["id"], json!(ann.id));
    let second = format!("/api/logins/{}", items[1]["id"].as_str().unwrap());
    assert_eq!(bob.delete(&second).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.delete(&second).await.0, StatusCode::NO_CONTENT);
    assert_eq!(other.get("/api/me").await.0, StatusCode::UNAUTHORIZED);

    let project = ann.project().await;
    let token = ann.token(project, "owner").await;
    let public = Some(json!({ "visibility": "public" }));
    let change = ann.by(reqwest::Method::PATCH, &token, &format!("/api/projects/{project}"), public).await.0;
    assert_eq!(change, StatusCode::FORBIDDEN, "a token does nothing that outlives it");
    let third = TestClient::guest(server.place(), "Ann three").await;
    third.merge_into(server.db(), &ann).await;
    let of_third = third.token(project, "owner").await;
    let by_token = async |token: &str| ann.by(reqwest::Method::GET, token, "/api/me", None).await.0;
    assert_eq!(by_token(&of_third).await, StatusCode::OK);
    assert_eq!(ann.delete("/api/logins?others=true").await.0, StatusCode::NO_CONTENT);
    assert_eq!((ann.get("/api/me").await.0, third.get("/api/me").await.0), (StatusCode::OK, StatusCode::UNAUTHORIZED));
    assert_eq!(by_token(&of_third).await, StatusCode::UNAUTHORIZED, "what was issued from them ends with them");
    assert_eq!(by_token(&token).await, StatusCode::OK, "and nothing else");
    assert_eq!(ann.delete("/api/logins").await.0, StatusCode::NO_CONTENT);
    assert_eq!(by_token(&token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(ann.get("/api/me").await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(bob.get("/api/me").await.0, StatusCode::OK);
}

async fn what_was_done_to_rights_is_kept_for_owners(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    let (at, audit) = (format!("/api/projects/{project}"), format!("/api/projects/{project}/audit"));
    ann.invite(project, &bob, "editor").await;
    ann.patch(&format!("{at}/members/{}", bob.id), json!({ "role": "viewer" })).await;
    ann.patch(&at, json!({ "visibility": "public" })).await;
    bob.delete(&format!("{at}/members/{}", bob.id)).await;
    ann.delete(&at).await;
    ann.post(&format!("{at}/restore"), json!({})).await;
    let (_, page) = ann.get(&audit).await;
    let expected = [
        "project.restored",
        "project.deleted",
        "member.removed",
        "project.visibility",
        "member.role",
        "invite.accepted",
        "invite.created",
    ];
    assert_eq!(actions(&page), expected);
    let changed = &page["items"][4];
    assert_eq!((&changed["actor"]["name"], &changed["about"]), (&json!("Ann"), &json!(bob.id)));
    assert_eq!(changed["detail"], json!({ "role": "viewer", "was": "editor" }));
    let (_, first) = ann.get(&format!("{audit}?limit=2")).await;
    let (_, second) = ann.get(&format!("{audit}?limit=2&after={}", first["next"].as_str().unwrap())).await;
    assert_eq!(actions(&second), expected[2..4]);
    assert_eq!(bob.get(&audit).await.0, StatusCode::FORBIDDEN, "a reader of what is public");
    assert_eq!(bob.get("/api/admin/audit").await.0, StatusCode::NOT_FOUND);
}

async fn owners_take_in_whom_they_know(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let eve = TestClient::guest(server.place(), "Eve").await;
    let (first, second) = (ann.project().await, ann.project().await);
    ann.invite(first, &bob, "viewer").await;
    let members = format!("/api/projects/{second}/members");
    let add = async |by: &TestClient, user: coterie::ids::UserId, role: &str| {
        by.post(&members, json!({ "user_id": user, "role": role })).await
    };
    // Who is not known, or nobody, or no person does not exist.
    let (_, key) = ann.key(&["act-for"]).await;
    let zoe = json!({ "user": { "id": "7", "name": "Zoë" } });
    let (_, issued) = ann.by(reqwest::Method::POST, &key, &format!("/api/projects/{first}/tokens"), Some(zoe)).await;
    let zoe = serde_json::from_value(issued["user_id"].clone()).unwrap();
    for user in [eve.id, coterie::ids::UserId::new(), zoe, coterie::auth::ASSISTANT] {
        assert_eq!(add(&ann, user, "editor").await.0, StatusCode::NOT_FOUND);
    }
    let (status, member) = add(&ann, bob.id, "editor").await;
    assert_eq!((status, &member["id"], &member["role"]), (StatusCode::CREATED, &json!(bob.id), &json!("editor")));
    bob.socket(Dialect::Hocuspocus, second, "a").join().await;
    let (status, said) = add(&ann, bob.id, "viewer").await;
    assert_eq!((status, &said["error"]["code"]), (StatusCode::CONFLICT, &json!("already_member")));
    assert_eq!(add(&bob, eve.id, "viewer").await.0, StatusCode::FORBIDDEN);
    assert_eq!(add(&eve, bob.id, "viewer").await.0, StatusCode::NOT_FOUND);
    let token = ann.token(second, "owner").await;
    let by_token = json!({ "user_id": bob.id, "role": "owner" });
    assert_eq!(ann.by(reqwest::Method::POST, &token, &members, Some(by_token)).await.0, StatusCode::FORBIDDEN);
    let (_, page) = ann.get(&format!("/api/projects/{second}/audit?q=member.added")).await;
    assert_eq!((&page["items"][0]["about"], &page["items"][0]["detail"]["role"]), (&json!(bob.id), &json!("editor")));
    let told = crate::events::all(&ann, second).await;
    assert!(told.iter().any(|event| event["type"] == "member.added" && event["user"]["id"] == json!(bob.id)));
    // Under the id that a guest had before, it is who they became; and who only shares what was deleted is not known.
    let robert = TestClient::guest(server.place(), "Robert").await;
    bob.merge_into(server.db(), &robert).await;
    assert_eq!(add(&ann, bob.id, "viewer").await.0, StatusCode::CONFLICT);
    ann.delete(&format!("{members}/{}", robert.id)).await;
    ann.delete(&format!("/api/projects/{first}")).await;
    assert_eq!(add(&ann, robert.id, "viewer").await.0, StatusCode::NOT_FOUND);
}

async fn what_begins_and_ends_a_login_is_kept(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    let token = ann.token(project, "viewer").await;
    let (_, page) = ann.get(&format!("/api/projects/{project}/audit?q=token")).await;
    assert_eq!((&page["items"][0]["action"], &page["items"][0]["about"]), (&json!("token.issued"), &json!(ann.id)));
    assert_eq!(page["items"][0]["detail"]["role"], json!("viewer"));
    assert!(!page.to_string().contains(&token));
    ann.merge_into(server.db(), &bob).await;
    assert_eq!(bob.post("/auth/logout", json!({})).await.0, StatusCode::NO_CONTENT);
    let kept = server.database.dump("audit").await.concat();
    for action in ["login.guest", "token.issued", "user.merged", "login.ended"] {
        assert!(kept.contains(action), "{action}: {kept}");
    }
    // For a while.
    assert_eq!(coterie::audit::sweep(server.db()).await.unwrap(), 0);
    let db = server.database.connect().await;
    let old = uuid::Builder::from_unix_timestamp_millis(1_600_000_000_000, &[7; 10]).into_uuid();
    let update = "update audit set id = $1 where action = 'user.merged'";
    coterie::on_pool!(&db, write, pool => sqlx::query(update).bind(old).execute(pool).await.map(drop)).unwrap();
    db.close().await;
    assert_eq!(coterie::audit::sweep(server.db()).await.unwrap(), 1);
}
