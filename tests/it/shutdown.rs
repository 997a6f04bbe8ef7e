//! A server that stops: it tells its sockets, commits what is in flight, and takes no longer than it says.

use std::time::Duration;

use coterie::limits;
use reqwest::{Method, StatusCode};
use tokio::time::Instant;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::hold::Hold;
use crate::peer::{DIALECTS, Dialect};
use crate::server::TestServer;

on_both_engines![
    sockets_are_told_to_come_back_and_do,
    what_is_in_flight_is_committed_before_the_server_ends,
    a_database_that_does_not_answer_delays_the_end_no_longer_than_allowed,
];

async fn sockets_are_told_to_come_back_and_do(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "a", "").await;
    let mut peers = Vec::new();
    for _ in 0..4 {
        for dialect in DIALECTS {
            peers.push(ann.socket(dialect, project, "a").join().await);
        }
    }
    let began = Instant::now();
    let told = async {
        for peer in &mut peers {
            assert_eq!(peer.until_closed().await, 1012);
        }
    };
    tokio::join!(server.shutdown(), told);
    assert!(began.elapsed() < limits::GOODBYE, "nobody waits for those who answer: {:?}", began.elapsed());

    peers[1].insert(0, "offline ").await;
    server.start_again().await;
    for peer in &mut peers {
        peer.connect().await;
    }
    peers[1].until("its offline edit was asked for", |peer| peer.sent == 1).await;
    peers[1].until_saved().await;
    for peer in &mut peers {
        peer.until_text("offline ").await;
    }
}

async fn what_is_in_flight_is_committed_before_the_server_ends(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    let hold = Hold::of(&server.database, document).await;
    for text in ["one ", "two ", "three "] {
        author.insert(0, text).await;
        author.round_trip().await;
    }
    let began = Instant::now();
    let released = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        hold.release().await;
    };
    let told = async { assert_eq!(author.until_closed().await, 1012) };
    tokio::join!(server.shutdown(), released, told);
    assert!(began.elapsed() < limits::SHUTDOWN_DEADLINE);
    server.start_again().await;
    assert_eq!(ann.text(project, document).await, "three two one ");
}

async fn a_database_that_does_not_answer_delays_the_end_no_longer_than_allowed(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    author.until_saved().await;
    let hold = Hold::of(&server.database, document).await;
    author.insert(0, "kept by its author").await;
    author.round_trip().await;
    let began = Instant::now();
    let told = async {
        assert_eq!(author.until_closed().await, 1012);
        assert!(!author.is_saved(), "it was not committed, so it is not acknowledged");
    };
    tokio::join!(server.shutdown(), told);
    assert!(began.elapsed() < limits::SHUTDOWN_DEADLINE + Duration::from_secs(1), "{:?}", began.elapsed());
    let gone = ann.program(Method::GET, "/healthz").send().await;
    assert!(gone.is_err_and(|error| error.is_connect()));
    hold.release().await;

    server.start_again().await;
    author.connect().await;
    author.until("it is back", |peer| peer.synced).await;
    author.until_saved().await;
    assert_eq!(ann.text(project, document).await, "kept by its author");
    let ready = ann.program(Method::GET, "/readyz").send().await.unwrap();
    assert_eq!(ready.status(), StatusCode::OK);
}
