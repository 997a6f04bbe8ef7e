//! Rights that are taken away while sockets are open: gone within a second, on every server process of the database.

use std::time::Duration;

use coterie::db::Db;
use coterie::ids::ProjectId;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines, on_postgres};
use crate::peer::{DIALECTS, Dialect, Peer, typed};
use crate::program::Program;
use crate::server::{Place, TestServer};

on_both_engines![
    five_hundred_changes_bite_within_a_second,
    whatever_ends_a_right_ends_sockets_of_y_websocket_too,
    nobody_elsewhere_is_cut,
];
on_postgres![whatever_ends_a_right_ends_sockets_at_another_process];

/// What the product promises.
const SOON: Duration = Duration::from_secs(1);
const LANES: usize = 10;
const CHANGES: usize = 50;
/// How long a token lives that is to expire, in seconds.
const TOKEN_SECONDS: u64 = 5;

/// How a right can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Demotion,
    Removal,
    Link,
    Visibility,
    Logout,
    Everywhere,
    Key,
    KeyOfToken,
    LogoutOfToken,
    LoginOfToken,
    EverywhereOfToken,
    Suspension,
    Expiry,
    Deletion,
}

const ENDS: [End; 14] = [
    End::Demotion,
    End::Removal,
    End::Link,
    End::Visibility,
    End::Logout,
    End::Everywhere,
    End::Key,
    End::KeyOfToken,
    End::LogoutOfToken,
    End::LoginOfToken,
    End::EverywhereOfToken,
    End::Suspension,
    End::Expiry,
    End::Deletion,
];

/// Somebody with a document open, and their right about to end.
struct Scene {
    ann: TestClient,
    bob: TestClient,
    project: ProjectId,
    peer: Peer,
    /// The invite that brought him, or the key he shows.
    id: String,
    /// When a token of his expires.
    expires: Instant,
}

/// Sets the scene: Bob has Ann's document open, by what is going to end. His socket is on the server at `place`.
async fn scene(ann: &TestClient, place: &Place, dialect: Dialect, end: End) -> Scene {
    let bob = TestClient::guest(place, "Bob").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    if end == End::Link {
        ann.patch(&format!("/api/projects/{project}"), json!({ "visibility": "link" })).await;
    }
    let mut id = String::new();
    if end == End::Visibility {
        ann.patch(&format!("/api/projects/{project}"), json!({ "visibility": "public" })).await;
    } else {
        let (_, invite) = ann.post(&format!("/api/projects/{project}/invites"), json!({ "role": "editor" })).await;
        let accept = format!("/api/invites/{}/accept", invite["token"].as_str().unwrap());
        assert_eq!(bob.post(&accept, json!({})).await.0, StatusCode::OK);
        invite["id"].as_str().unwrap().clone_into(&mut id);
    }
    let mut opening = bob.socket(dialect, project, document);
    let mut expires = Instant::now();
    let tokens = format!("/api/projects/{project}/tokens");
    match end {
        End::Key => {
            let (key, secret) = bob.key(&["write"]).await;
            id = key;
            opening = opening.token(&secret);
        }
        End::KeyOfToken => {
            let (key, secret) = bob.key(&["act-for"]).await;
            id = key;
            let user = json!({ "id": "7", "name": "End user" });
            let (status, token) = bob.by(Method::POST, &secret, &tokens, Some(json!({ "user": user }))).await;
            assert_eq!(status, StatusCode::OK, "{token}");
            opening = opening.token(token["token"].as_str().unwrap());
        }
        End::LogoutOfToken | End::LoginOfToken | End::EverywhereOfToken => {
            let (_, logins) = bob.get("/api/logins").await;
            logins["items"][0]["id"].as_str().unwrap().clone_into(&mut id);
            opening = opening.token(&bob.token(project, "editor").await);
        }
        End::Expiry => {
            let (_, token) = bob.post(&tokens, json!({ "expires_in": TOKEN_SECONDS })).await;
            expires = Instant::now() + Duration::from_secs(TOKEN_SECONDS);
            opening = opening.token(token["token"].as_str().unwrap());
        }
        _ => {}
    }
    let mut peer = opening.join().await;
    if end != End::Visibility {
        peer.insert(0, "before").await;
        peer.round_trip().await;
    }
    Scene { ann: ann.clone(), bob, project, peer, id, expires }
}

/// Ends the right, and answers since when it has ended.
async fn take_away(scene: &Scene, end: End, db: &Db) -> Instant {
    let Scene { ann, bob, project, id, .. } = scene;
    let member = format!("/api/projects/{project}/members/{}", bob.id);
    let at = format!("/api/projects/{project}");
    let status = match end {
        End::Demotion => ann.patch(&member, json!({ "role": "viewer" })).await.0,
        End::Removal => ann.delete(&member).await.0,
        End::Link => ann.delete(&format!("{at}/invites/{id}")).await.0,
        End::Visibility => ann.patch(&at, json!({ "visibility": "private" })).await.0,
        End::Logout | End::LogoutOfToken => bob.post("/auth/logout", json!({})).await.0,
        End::Everywhere | End::EverywhereOfToken => bob.delete("/api/logins").await.0,
        End::LoginOfToken => bob.delete(&format!("/api/logins/{id}")).await.0,
        End::Suspension => {
            let mut tx = db.begin().await.unwrap();
            coterie::auth::suspend(&mut tx, bob.id, true).await.unwrap();
            tx.commit().await.unwrap();
            StatusCode::OK
        }
        End::Key | End::KeyOfToken => bob.delete(&format!("/api/keys/{id}")).await.0,
        End::Expiry => {
            tokio::time::sleep_until(scene.expires).await;
            return scene.expires;
        }
        End::Deletion => ann.delete(&at).await.0,
    };
    assert!(status.is_success(), "{end:?}: {status}");
    Instant::now()
}

fn is_out(peer: &Peer) -> bool {
    peer.closed.is_some() || !peer.denied.is_empty() || peer.ended.is_some()
}

async fn five_hundred_changes_bite_within_a_second(engine: Engine) {
    let server = TestServer::start(engine).await;
    let other = TestServer::on(server.database.shared()).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let (ann, db) = (ann.clone(), server.db().clone());
        // Half of the sockets are on another server than the one that is told of the change.
        let place = if lane % 2 == 0 { server.place().clone() } else { other.place().clone() };
        lanes.spawn(async move {
            let mut took = Vec::new();
            for change in 0..CHANGES {
                let end = ENDS[(lane + change) % ENDS.len()];
                let mut scene = scene(&ann, &place, Dialect::Hocuspocus, end).await;
                let began = take_away(&scene, end, &db).await;
                scene.peer.until(&format!("{end:?} bites"), is_out).await;
                took.push((began.elapsed(), end, lane));
            }
            took
        });
    }
    let mut took: Vec<_> = lanes.join_all().await.into_iter().flatten().collect();
    took.sort_by_key(|(time, ..)| *time);
    let at = |share: usize| took[took.len() * share / 100];
    println!(
        "{} changes, {engine:?}: p50 {:?}, p99 {:?}, longest {:?}",
        took.len(),
        at(50),
        at(99),
        took[took.len() - 1]
    );
    assert!(at(99).0 < SOON, "{:?}", &took[took.len() - 10..]);
}

async fn whatever_ends_a_right_ends_sockets_of_y_websocket_too(engine: Engine) {
    let server = TestServer::start(engine).await;
    let other = TestServer::on(server.database.shared()).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    every_end(&ann, server.db(), Dialect::Yjs, [server.place(), other.place()]).await;
}

/// Nothing is shared but the database: the other process finds out by reading the log of changed rights.
async fn whatever_ends_a_right_ends_sockets_at_another_process() {
    let database = Database::create(Engine::Postgres).await;
    let here = Program::start(&database).await;
    let there = Program::start(&database).await;
    let db = database.connect().await;
    for dialect in DIALECTS {
        let ann = TestClient::guest(&here.place, "Ann").await;
        every_end(&ann, &db, dialect, [&there.place, &there.place]).await;
    }
}

/// Ends rights in every way, of people whose sockets are at these places by turns; what they write a second later is not
/// taken, and they are put out.
async fn every_end(ann: &TestClient, db: &Db, dialect: Dialect, places: [&Place; 2]) {
    let mut scenes = JoinSet::new();
    for (number, end) in ENDS.into_iter().enumerate() {
        let (ann, db, place) = (ann.clone(), db.clone(), places[number % 2].clone());
        scenes.spawn(async move {
            let mut scene = scene(&ann, &place, dialect, end).await;
            let began = take_away(&scene, end, &db).await;
            tokio::time::sleep_until(began + SOON).await;
            scene.peer.send_update(&typed(scene.peer.client(), "late")).await;
            scene.peer.until(&format!("{end:?} bites"), is_out).await;
            if let Some((code, _)) = &scene.peer.closed {
                let expected: &[u16] = match end {
                    End::Demotion => &[1013],
                    End::Removal | End::Link | End::Visibility => &[4404],
                    // Another server may notice by the document's epoch first.
                    End::Deletion => &[4404, 4410],
                    _ => &[4401],
                };
                assert!(expected.contains(code), "{end:?}: {code}");
            }
            if end != End::Deletion {
                let text = if end == End::Visibility { "" } else { "before" };
                let mut reader = scene.ann.socket(Dialect::Hocuspocus, scene.project, "a").join().await;
                reader.round_trip().await;
                assert_eq!(reader.text(), text, "{end:?}");
            }
        });
    }
    while let Some(done) = scenes.join_next().await {
        done.unwrap();
    }
}

async fn nobody_elsewhere_is_cut(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let elsewhere = bob.project().await;
    let mut his = bob.socket(Dialect::Hocuspocus, elsewhere, "a").join().await;
    let mut hers = ann.socket(Dialect::Yjs, project, "a").join().await;
    for role in ["viewer", "editor", "commenter", "owner"] {
        let member = format!("/api/projects/{project}/members/{}", bob.id);
        assert_eq!(ann.patch(&member, json!({ "role": role })).await.0, StatusCode::OK);
        his.insert(0, "x").await;
        his.until_saved().await;
        hers.insert(0, "x").await;
        hers.round_trip().await;
    }
    tokio::time::sleep(SOON).await;
    his.round_trip().await;
    hers.round_trip().await;
    assert_eq!(
        (his.text().as_str(), ann.socket(Dialect::Yjs, project, "a").join().await.text().as_str()),
        ("xxxx", "xxxx")
    );
    assert!(his.is_open() && hers.is_open());
}
