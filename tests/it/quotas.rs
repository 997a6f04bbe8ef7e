//! What the documents of a project may take: counted in every way in which bytes come, and refused beyond it.

use coterie::compaction::{Folded, fold};
use coterie::ids::{DocumentId, ProjectId};
use coterie::limits;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::archive::{archive_of, import};
use crate::client::{TestClient, answer};
use crate::engines::{Database, Engine, on_both_engines};
use crate::events::all;
use crate::peer::{DIALECTS, Dialect, Peer, typed};
use crate::server::{TestServer, until};
use crate::sign_in::{Browser, account, start};

on_both_engines![
    what_a_document_takes_is_counted_however_it_comes,
    sockets_are_told_that_the_project_is_full,
    requests_are_refused_as_a_whole,
    what_another_server_wrote_is_known_soon,
    owners_and_operators_see_it,
    nobody_keeps_more_by_deleting,
    what_was_deleted_long_ago_is_removed_for_good,
    one_makes_so_many_projects_and_no_more,
];

/// What a project may take here, in bytes.
const MOST: i64 = 20_000;

async fn small(engine: Engine) -> TestServer {
    let database = Database::create(engine).await;
    small_on(database).await
}

async fn small_on(database: Database) -> TestServer {
    let mut config = TestServer::config(&database);
    config.document_bytes = MOST;
    TestServer::with(config, database).await
}

/// What is noted that a document takes, and what it does take.
async fn noted_and_measured(server: &TestServer, document: DocumentId) -> (i64, i64) {
    let noted = "select bytes + 0 * head from document_head where document_id = $1";
    let measured = "
        select coalesce((select length(bytes) from document_snapshot where document_id = $1 order by seq desc limit 1), 0)
            + coalesce((select sum(length(bytes)) from document_update where document_id = $1 and seq >
                coalesce((select max(seq) from document_snapshot where document_id = $1), 0)), 0)";
    (server.database.number(noted, document).await, server.database.number(measured, document).await)
}

async fn used(client: &TestClient, project: ProjectId) -> i64 {
    client.get(&format!("/api/projects/{project}")).await.1["usage"]["document_bytes"].as_i64().unwrap()
}

async fn what_a_document_takes_is_counted_however_it_comes(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let empty = ann.create(project, "empty", "").await;
    assert_eq!(noted_and_measured(&server, empty).await, (0, 0));
    let document = ann.create(project, "a", "a text to begin with").await;
    let mut last = 0;
    let mut grown = async |what: &str| {
        let (noted, measured) = noted_and_measured(&server, document).await;
        assert_eq!(noted, measured, "{what}");
        assert!(noted > last, "{what}: {noted}");
        last = noted;
        assert_eq!(used(&ann, project).await, noted, "{what}");
    };
    grown("as it was created").await;
    for dialect in DIALECTS {
        let mut peer = ann.socket(dialect, project, document).join().await;
        let before = ann.read(project, document).await.1;
        for word in ["some ", "words ", "typed "] {
            peer.insert(0, word).await;
        }
        until("it is saved", async || ann.text(project, document).await.starts_with("typed words some ")).await;
        assert!(ann.read(project, document).await.1 > before);
        peer.delete(0, 17).await;
        until("it is gone", async || !ann.text(project, document).await.starts_with("typed")).await;
        grown("from a socket").await;
    }
    assert_eq!(ann.write(project, document, typed(77, "posted")).await.0, StatusCode::OK);
    grown("posted").await;
    assert_eq!(ann.put_text(project, document, "a new text", None).await.0, StatusCode::OK);
    grown("put").await;
    let write = json!([{ "op": "write", "document": "a", "content": "another text, and a longer one" }]);
    assert_eq!(ann.change(project, write).await.0, StatusCode::OK);
    grown("changed").await;

    let before = noted_and_measured(&server, document).await.0;
    assert_eq!(fold(server.db(), &server.state().replicas, document).await.unwrap(), Folded::Replica);
    let (noted, measured) = noted_and_measured(&server, document).await;
    assert_eq!(noted, measured);
    assert!(noted < before, "{noted} after {before}: what is folded takes less");
    ann.write(project, document, typed(78, "after the fold")).await;
    let (noted, measured) = noted_and_measured(&server, document).await;
    assert_eq!(noted, measured);
    assert_eq!(used(&ann, project).await, noted);
    ann.delete(&format!("/api/projects/{project}/documents/{document}")).await;
    assert_eq!(used(&ann, project).await, 0);
}

/// That a peer was told that its project is full, in its dialect's way.
async fn told_that_it_is_full(peer: &mut Peer, dialect: Dialect, most: i64) {
    let said = format!("limit of {most} bytes");
    match dialect {
        Dialect::Yjs => {
            peer.until("it is told", |peer| !peer.denied.is_empty()).await;
            assert!(peer.denied[0].contains(&said), "{peer:?}");
        }
        Dialect::Hocuspocus => {
            peer.until("it is told", |peer| !peer.events.is_empty()).await;
            assert_eq!(peer.events[0]["code"], json!("project_full"), "{peer:?}");
            assert!(peer.events[0]["message"].as_str().unwrap().contains(&said), "{peer:?}");
            assert_eq!(peer.statuses.iter().filter(|saved| !**saved).count(), 1, "{peer:?}");
        }
    }
    assert!(peer.is_open());
}

async fn sockets_are_told_that_the_project_is_full(engine: Engine) {
    let server = small(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let elsewhere = ann.project().await;
    for dialect in DIALECTS {
        let project = ann.project().await;
        let (first, second) = (ann.create(project, "a", "").await, ann.create(project, "b", "").await);
        let mut one = ann.socket(dialect, project, first).join().await;
        let mut other = ann.socket(dialect, project, second).join().await;
        let mut watcher = ann.socket(Dialect::Hocuspocus, project, second).join().await;
        one.insert(0, &"x".repeat(12_000)).await;
        until("it is saved", async || used(&ann, project).await > 12_000).await;
        other.insert(0, &"y".repeat(12_000)).await;
        told_that_it_is_full(&mut other, dialect, MOST).await;
        watcher.round_trip().await;
        assert_eq!((watcher.updates, ann.read(project, second).await.1), (0, 0), "{dialect:?}");
        // What there is room for goes on, and so do deletions and other projects.
        one.insert(0, &"x".repeat(7_000)).await;
        until("it is saved", async || used(&ann, project).await > 19_000).await;
        one.delete(0, 18_999).await;
        until("it is gone", async || ann.text(project, first).await == "x").await;
        let mut free = ann.socket(dialect, elsewhere, format!("{dialect:?}")).join().await;
        free.insert(0, &"z".repeat(7_000)).await;
        until("it is saved", async || free_text(&ann, elsewhere, dialect).await == 7_000).await;
        if dialect == Dialect::Hocuspocus {
            one.until_saved().await;
        }
        assert!(one.denied.is_empty());
        // Another document makes room.
        ann.delete(&format!("/api/projects/{project}/documents/{first}")).await;
        until("there is room", async || {
            let mut late = ann.socket(dialect, project, second).presence(json!({})).join().await;
            late.insert(0, &"y".repeat(12_000)).await;
            late.round_trip().await;
            late.denied.is_empty() && late.events.is_empty()
        })
        .await;
        until("it is saved", async || ann.text(project, second).await.len() == 12_000).await;
    }
}

async fn free_text(client: &TestClient, project: ProjectId, dialect: Dialect) -> usize {
    let (_, page) = client.get(&format!("/api/projects/{project}/documents?q={dialect:?}")).await;
    let id: DocumentId = serde_json::from_value(page["items"][0]["id"].clone()).unwrap();
    client.text(project, id).await.len()
}

fn says_how_much(said: &Value) {
    let message = said["error"]["message"].as_str().unwrap();
    assert_eq!(said["error"]["code"], json!("too_large"), "{said}");
    assert!(message.contains("20000 bytes"), "{said}");
}

async fn requests_are_refused_as_a_whole(engine: Engine) {
    let server = small(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let documents = format!("/api/projects/{project}/documents");
    let tree = async || {
        let (_, page) = ann.get(&documents).await;
        let paths = page["items"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap().to_owned());
        paths.collect::<Vec<_>>()
    };
    let text = |length: usize| "x".repeat(length);
    let (status, said) = ann.post(&documents, json!({ "path": "a", "content": text(21_000) })).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    says_how_much(&said);
    assert!(tree().await.is_empty() && all(&ann, project).await.is_empty());

    let document = ann.create(project, "a", &text(15_000)).await;
    let (status, said, _) = ann.put_text(project, document, &"y".repeat(15_000), None).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    says_how_much(&said);
    let (status, said) = ann.write(project, document, typed(7, &text(6_000))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    says_how_much(&said);
    let change = |operations: Value| ann.change(project, operations);
    let (status, said) = change(json!([
        { "op": "create", "path": "b", "content": text(3_000) },
        { "op": "create", "path": "c", "content": text(3_000) },
        { "op": "rename", "document": "a", "path": "d" },
    ]))
    .await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    says_how_much(&said);
    let (status, said) =
        import(&ann, project, "", archive_of(&[("b", &[b'x'; 3_000]), ("c", &[b'x'; 3_000]), ("d.bin", b"\0")])).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    says_how_much(&said);
    assert_eq!((tree().await, ann.read(project, document).await.1), (vec!["a".to_owned()], 1));
    assert_eq!(all(&ann, project).await.len(), 1);
    assert_eq!(ann.get(&format!("/api/projects/{project}/blobs")).await.1["items"], json!([]));

    // What makes it smaller, and what does in the end.
    assert_eq!(ann.put_text(project, document, &text(10), None).await.0, StatusCode::OK);
    let (status, said) = change(json!([
        { "op": "delete", "document": "a" },
        { "op": "create", "path": "b", "content": text(15_000) },
    ]))
    .await;
    assert_eq!(status, StatusCode::OK, "{said}");
    let (status, said) = import(&ann, project, "", archive_of(&[("c", &[b'x'; 3_000])])).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    assert_eq!(tree().await, ["b", "c"]);
    // Empty ones take nothing.
    assert_eq!(ann.post(&documents, json!({ "path": "empty" })).await.0, StatusCode::CREATED);
}

async fn what_another_server_wrote_is_known_soon(engine: Engine) {
    let server = small(engine).await;
    let other = small_on(server.database.shared()).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let (first, second) = (ann.create(project, "a", "").await, ann.create(project, "b", "").await);
    let mut here = ann.socket(Dialect::Hocuspocus, project, first).join().await;
    let mut there = ann.at(other.place()).socket(Dialect::Hocuspocus, project, second).join().await;
    here.insert(0, &"x".repeat(15_000)).await;
    here.until_saved().await;
    // What is promised is a time.
    tokio::time::sleep(limits::QUOTA_LOOK + limits::QUOTA_LOOK / 4).await;
    there.insert(0, &"y".repeat(6_000)).await;
    told_that_it_is_full(&mut there, Dialect::Hocuspocus, MOST).await;
    assert_eq!(ann.read(project, second).await.1, 0);
}

async fn owners_and_operators_see_it(engine: Engine) {
    let (server, github) = start(engine, |config| config.guests = coterie::config::Guests::On).await;
    github.is(account(1, "root", "Root"));
    let browser = Browser::new(server.place());
    browser.sign_in("/").await;
    let root = browser.person().await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let document = ann.create(project, "a", &"x".repeat(1_000)).await;
    let taken = noted_and_measured(&server, document).await.0;
    let at = format!("/api/projects/{project}");
    let usage = json!({
        "documents": 1, "documents_max": limits::DOCUMENTS_PER_PROJECT,
        "document_bytes": taken, "document_bytes_max": limits::DOCUMENTS_BYTES,
        "blob_bytes": 0, "blob_bytes_max": limits::BLOBS_BYTES,
    });
    assert_eq!(ann.get(&at).await.1["usage"], usage);
    assert_eq!(bob.get(&at).await.1["usage"], Value::Null, "it is the owners' to see");

    let mut peer = bob.socket(Dialect::Hocuspocus, project, document).join().await;
    let admin = format!("/api/admin/projects/{project}");
    let allow = async |most: Value| {
        answer(root.request(Method::PUT, &admin).json(&json!({ "document_bytes_max": most }))).await
    };
    assert_eq!(allow(json!(-1)).await.0, StatusCode::BAD_REQUEST);
    let (status, seen) = allow(json!(2_000)).await;
    assert_eq!(
        (status, &seen["document_bytes"], &seen["document_bytes_max"]),
        (StatusCode::OK, &json!(taken), &json!(2_000))
    );
    assert_eq!(ann.get(&at).await.1["usage"]["document_bytes_max"], json!(2_000));
    tokio::time::sleep(limits::QUOTA_LOOK + limits::QUOTA_LOOK / 4).await;
    peer.insert(0, &"y".repeat(1_500)).await;
    told_that_it_is_full(&mut peer, Dialect::Hocuspocus, 2_000).await;
    let (_, page) = root.get("/api/admin/projects?q=notes").await;
    assert_eq!(page["items"][0]["document_bytes"], json!(taken));
    assert_eq!(allow(Value::Null).await.1["document_bytes_max"], Value::Null);
}

/// How many rows a table has.
async fn rows(server: &TestServer, table: &str) -> usize {
    server.database.dump(table).await.len()
}

async fn nobody_keeps_more_by_deleting(engine: Engine) {
    let server = small(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let documents = format!("/api/projects/{project}/documents");
    let stored = async || {
        let db = server.database.connect().await;
        let sum = "select coalesce(sum(bytes), 0) from document_head";
        let (bytes,): (i64,) = coterie::on_pool!(&db, read, pool => sqlx::query_as(sum).fetch_one(pool).await).unwrap();
        db.close().await;
        bytes
    };
    // Made and deleted, again and again.
    let mut refused = None;
    for number in 0..20 {
        let made = ann.post(&documents, json!({ "path": format!("{number}"), "content": "x".repeat(6_000) })).await;
        if made.0 != StatusCode::CREATED {
            refused = Some(made);
            break;
        }
        ann.delete(&format!("{documents}/{}", made.1["id"].as_str().unwrap())).await;
    }
    let (status, said) = refused.expect("it comes to an end");
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("is being removed"), "{said}");
    assert!(stored().await <= 2 * MOST + 6_100, "{}", stored().await);
    assert!(used(&ann, project).await > 0, "what is too much of it counts");
    // Sockets are held to it as well.
    let path = ann.create(project, "typed", "").await;
    let mut peer = ann.socket(Dialect::Hocuspocus, project, path).join().await;
    peer.insert(0, &"y".repeat(9_000)).await;
    told_that_it_is_full(&mut peer, Dialect::Hocuspocus, MOST).await;
    // What is too much is removed soon, the oldest first, and there is room again.
    coterie::document::sweep::sweep(server.db(), MOST, 0).await.unwrap();
    assert_eq!(used(&ann, project).await, 0);
    assert!(stored().await <= MOST);
    let (status, said) = ann.post(&documents, json!({ "path": "again", "content": "x".repeat(15_000) })).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
    // The latest deletions are still told from what never was.
    let nobody = TestClient::guest(server.place(), "Bob").await;
    ann.invite(project, &nobody, "editor").await;
    let mut late = nobody.socket(Dialect::Yjs, project, "4").open().await;
    assert_eq!(late.until_closed().await, 4404);
    assert_eq!(server.db_findings().await, Vec::<String>::new());
}

async fn what_was_deleted_long_ago_is_removed_for_good(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let kept = ann.create(project, "kept", "stays").await;
    let deleted = ann.create(project, "deleted", "goes").await;
    let lately = ann.create(project, "lately", "goes later").await;
    fold(server.db(), &server.state().replicas, deleted).await.unwrap();
    for document in [deleted, lately] {
        ann.delete(&format!("/api/projects/{project}/documents/{document}")).await;
    }
    coterie::document::sweep::sweep(server.db(), limits::DOCUMENTS_BYTES, 0).await.unwrap();
    assert_eq!(rows(&server, "document").await, 3, "it was not long ago");
    server.database.change("update document set deleted_us = 1 where id = $1", deleted).await;
    coterie::document::sweep::sweep(server.db(), limits::DOCUMENTS_BYTES, i64::MAX).await.unwrap();
    assert_eq!((rows(&server, "document").await, rows(&server, "document_path").await), (2, 2));
    assert_eq!((rows(&server, "document_update").await, rows(&server, "document_snapshot").await), (2, 0));
    assert_eq!(ann.text(project, kept).await, "stays");
    // Its path is one that never was.
    ann.socket(Dialect::Yjs, project, "deleted").join().await;
}

async fn one_makes_so_many_projects_and_no_more(engine: Engine) {
    let database = Database::create(engine).await;
    let mut config = TestServer::config(&database);
    config.projects_per_user = 5;
    let server = TestServer::with(config, database).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let mine = ann.project().await;
    let made = join_all((0..12).map(|_| ann.post("/api/projects", json!({ "name": "One more" })))).await;
    assert_eq!(made.iter().filter(|(status, _)| *status == StatusCode::CREATED).count(), 4);
    let refused = made.iter().find(|(status, _)| *status != StatusCode::CREATED).unwrap();
    assert_eq!((refused.0, &refused.1["error"]["code"]), (StatusCode::CONFLICT, &json!("too_many_projects")));
    // Others are not asked, a deleted one counts while it can be restored, and a guest's count as whose they became.
    bob.project().await;
    ann.delete(&format!("/api/projects/{mine}")).await;
    let more = async |client: &TestClient| client.post("/api/projects", json!({ "name": "One more" })).await.0;
    assert_eq!(more(&ann).await, StatusCode::CONFLICT);
    ann.merge_into(server.db(), &bob).await;
    assert_eq!(more(&bob).await, StatusCode::CONFLICT);
    server.database.execute("update project set deleted_us = 1 where deleted_us is not null".to_owned()).await;
    coterie::project::sweep(server.db()).await.unwrap();
    assert_eq!(more(&bob).await, StatusCode::CONFLICT, "he has made one himself");
}
