//! The database goes away while people type, and comes back.

use coterie::config::Config;
use coterie::db::Db;
use coterie::ids::DocumentId;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::time::{Duration, Instant};

use crate::client::TestClient;
use crate::engines::{Database, Engine, in_time, on_both_engines, on_postgres};
use crate::hold::Hold;
use crate::peer::{Dialect, Peer};
use crate::proxy::{AtCommit, Proxy};
use crate::server::{TestServer, until};
use crate::stored::run;

on_both_engines![typing_goes_on_while_the_database_is_away_and_all_is_saved_when_it_returns];

on_postgres![
    a_commit_whose_answer_was_lost_is_found_by_its_batch,
    a_commit_that_was_lost_is_tried_again,
    the_server_says_that_its_database_is_away,
    a_wire_that_swallows_everything_loses_nothing_and_all_is_saved_soon_after,
    a_full_disk_of_postgres_keeps_edits_waiting,
    a_postgres_that_takes_no_writes_keeps_edits_waiting,
];

/// How a database goes away.
enum Storage {
    /// Its wire is cut.
    Wire(Proxy),
    /// Somebody else has locked it.
    Lock(DocumentId, Option<Hold>),
}

impl Storage {
    async fn go(&mut self, database: &Database) {
        match self {
            Self::Wire(proxy) => proxy.cut(),
            Self::Lock(document, hold) => *hold = Some(Hold::of(database, *document).await),
        }
    }

    async fn come_back(&mut self) {
        match self {
            Self::Wire(proxy) => proxy.mend(),
            Self::Lock(_, hold) => hold.take().unwrap().release().await,
        }
    }
}

async fn by_wire() -> (TestServer, Proxy) {
    let database = Database::create(Engine::Postgres).await;
    let proxy = Proxy::start(&database).await;
    let config = Config::local(database.folder.path().to_owned(), proxy.url(&database));
    (TestServer::with(config, database).await, proxy)
}

async fn typing_goes_on_while_the_database_is_away_and_all_is_saved_when_it_returns(engine: Engine) {
    let (server, proxy) = match engine {
        Engine::Sqlite => (TestServer::start(engine).await, None),
        Engine::Postgres => {
            let (server, proxy) = by_wire().await;
            (server, Some(proxy))
        }
    };
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut storage = proxy.map_or(Storage::Lock(document, None), Storage::Wire);
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    let mut peer = ann.socket(Dialect::Yjs, project, "a").join().await;
    author.insert(0, ".").await;
    author.until_saved().await;
    peer.until_text(".").await;

    storage.go(&server.database).await;
    for _ in 0..20 {
        author.insert(0, "x").await;
        author.round_trip().await;
    }
    peer.round_trip().await;
    assert!(!author.is_saved());
    assert_eq!(peer.text(), ".", "shown although it cannot be saved");
    let (status, body) = ann.post(&format!("/api/projects/{project}/documents"), json!({ "path": "b" })).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unavailable")));
    assert!(!author.is_saved());
    let saving = |peer: &Peer| peer.events.iter().rfind(|event| event["event"] == "saving").cloned();
    let expected = if engine == Engine::Sqlite { "database_slow" } else { "database_away" };
    author
        .until("it is told why nothing is saved", |peer| saving(peer).is_some_and(|told| told["state"] == expected))
        .await;
    let returned = Instant::now();

    storage.come_back().await;
    let all = format!("{}.", "x".repeat(20));
    author.until_saved().await;
    assert!(returned.elapsed() < Duration::from_secs(10), "{:?}", returned.elapsed());
    author.until("it is told that all is well", |peer| saving(peer).is_some_and(|told| told["state"] == "ok")).await;
    peer.until_text(&all).await;
    assert_eq!(ann.text(project, document).await, all);
}

async fn a_database_that_takes_no_writes_loses_nothing() {
    let mut server = TestServer::start(Engine::Sqlite).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    let mut peer = ann.socket(Dialect::Yjs, project, "a").join().await;
    // The server's only writing connection.
    let Db::Sqlite { write, .. } = server.db().clone() else { panic!("it is SQLite") };
    sqlx::raw_sql("pragma query_only = on").execute(&write).await.unwrap();
    author.insert(0, "typed").await;
    let told = |peer: &Peer| peer.events.last().is_some_and(|event| event["state"] == "database_read_only");
    author.until("it is told why", told).await;
    peer.round_trip().await;
    assert_eq!(peer.text(), "", "shown although it is not saved");
    assert!(!author.is_saved());
    sqlx::raw_sql("pragma query_only = off").execute(&write).await.unwrap();
    let back = Instant::now();
    author.until_saved().await;
    assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
    peer.until_text("typed").await;
    server.restart().await;
    assert_eq!(ann.text(project, document).await, "typed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_takes_no_writes_keeps_them_waiting() {
    in_time(Box::pin(a_database_that_takes_no_writes_loses_nothing())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_no_writing_for_good() {
    in_time(Box::pin(async {
        let mut server = TestServer::start(Engine::Sqlite).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let project = ann.project().await;
        let document = ann.create(project, "a", "").await;
        let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
        let Db::Sqlite { write, .. } = server.db().clone() else { panic!("it is SQLite") };
        // Full for this connection: SQLite then rolls back by itself, behind the back of who began the transaction.
        sqlx::raw_sql("pragma max_page_count = 1").execute(&write).await.unwrap();
        let text = "x".repeat(100_000);
        author.insert(0, &text).await;
        author.until_saved().await;
        let (status, _) = ann.post(&format!("/api/projects/{project}/documents"), json!({ "path": "b" })).await;
        assert_eq!(status, StatusCode::CREATED);
        server.restart().await;
        assert_eq!(ann.text(project, document).await, text);
    }))
    .await;
}

async fn at_commit(what: AtCommit) {
    const ROWS: &str = "select count(*) from document_update where document_id = $1";
    let (mut server, proxy) = by_wire().await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    let mut peer = ann.socket(Dialect::Yjs, project, "a").join().await;
    for round in 1..=5 {
        proxy.cut_at_commit(what);
        author.insert(0, "x").await;
        author.until_saved().await;
        assert!(!proxy.is_armed(), "the commit went through the wire");
        peer.until_text(&"x".repeat(round)).await;
        assert_eq!(ann.read(project, document).await.1, i64::try_from(round).unwrap());
    }
    assert_eq!(server.database.number(ROWS, document).await, 5, "no row twice");
    server.restart().await;
    assert_eq!(ann.text(project, document).await, "xxxxx");
}

async fn a_commit_whose_answer_was_lost_is_found_by_its_batch() {
    at_commit(AtCommit::LoseAnswer).await;
}

async fn a_commit_that_was_lost_is_tried_again() {
    at_commit(AtCommit::LoseCommit).await;
}

async fn the_server_says_that_its_database_is_away() {
    let (server, proxy) = by_wire().await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let ready = async || ann.program(Method::GET, "/readyz").send().await.unwrap().status();
    assert_eq!(ready().await, StatusCode::OK);
    proxy.cut();
    assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    let response = ann.request(Method::GET, "/api/me").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
    let alive = ann.program(Method::GET, "/healthz").send().await.unwrap();
    assert_eq!(alive.status(), StatusCode::OK, "the process itself is well");
    proxy.mend();
    until("it is ready again", async || ready().await == StatusCode::OK).await;
}

async fn a_wire_that_swallows_everything_loses_nothing_and_all_is_saved_soon_after() {
    let (mut server, proxy) = by_wire().await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    let mut peer = ann.socket(Dialect::Yjs, project, "a").join().await;
    author.insert(0, ".").await;
    author.until_saved().await;
    peer.until_text(".").await;

    // Nobody says that anything is wrong: every wait has to end by itself.
    proxy.swallow();
    for _ in 0..20 {
        author.insert(0, "x").await;
    }
    let told = |peer: &Peer| peer.events.last().is_some_and(|event| event["state"] != "ok");
    author.until("it is told that nothing is saved", told).await;
    peer.round_trip().await;
    assert!(!author.is_saved());
    assert_eq!(peer.text(), ".", "shown although it cannot be saved");
    tokio::time::sleep(Duration::from_secs(3)).await;

    proxy.mend();
    let returned = Instant::now();
    author.until_saved().await;
    let saved = returned.elapsed();
    // Also for those who come only now: no connection of the pool is a dead one for ever.
    until("another document can be made", async || {
        let body = json!({ "path": "b" });
        ann.post(&format!("/api/projects/{project}/documents"), body).await.0 == StatusCode::CREATED
    })
    .await;
    let others = returned.elapsed();
    println!("saved {saved:?} after the wire passed again, others served after {others:?}");
    assert!(saved < Duration::from_secs(10) && others < Duration::from_secs(10), "{saved:?} {others:?}");
    let all = format!("{}.", "x".repeat(20));
    peer.until_text(&all).await;
    server.restart().await;
    assert_eq!(ann.text(project, document).await, all);
}

async fn a_full_disk_of_postgres_keeps_edits_waiting() {
    refusing("53100", "database_full").await;
}

async fn a_postgres_that_takes_no_writes_keeps_edits_waiting() {
    refusing("25006", "database_read_only").await;
}

/// A Postgres that answers every row with this error for a while.
async fn refusing(error: &str, told: &str) {
    let mut server = TestServer::start(Engine::Postgres).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    let mut peer = ann.socket(Dialect::Yjs, project, "a").join().await;
    let refuse = format!(
        "create function refuse() returns trigger language plpgsql as \
         $$ begin raise exception 'refused' using errcode = '{error}'; end $$"
    );
    run(server.db(), refuse).await;
    let trigger = "create trigger refusing before insert on document_update for each row execute function refuse()";
    run(server.db(), trigger.to_owned()).await;
    author.insert(0, "typed").await;
    author.until("it is told why", |peer| peer.events.last().is_some_and(|event| event["state"] == told)).await;
    peer.round_trip().await;
    assert_eq!(peer.text(), "", "shown although it is not saved");
    assert!(!author.is_saved() && author.statuses.iter().all(|saved| *saved), "{author:?}");
    run(server.db(), "drop trigger refusing on document_update".to_owned()).await;
    let back = Instant::now();
    author.until_saved().await;
    assert!(back.elapsed() < Duration::from_secs(10), "{:?}", back.elapsed());
    peer.until_text("typed").await;
    server.restart().await;
    assert_eq!(ann.text(project, document).await, "typed");
}
