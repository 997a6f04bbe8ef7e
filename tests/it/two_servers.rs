//! Two servers in one process share nothing.

use reqwest::StatusCode;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect};
use crate::server::TestServer;

on_both_engines![two_servers_in_one_process_share_nothing];

async fn two_servers_in_one_process_share_nothing(engine: Engine) {
    let mut first = TestServer::start(engine).await;
    let mut second = TestServer::start(engine).await;
    let ann = TestClient::guest(first.place(), "Ann").await;
    let bob = TestClient::guest(second.place(), "Bob").await;
    let (hers, his) = (ann.project().await, bob.project().await);
    for dialect in DIALECTS {
        let mut left = ann.socket(dialect, hers, "a").join().await;
        let mut right = bob.socket(dialect, his, "a").join().await;
        left.insert(0, "first").await;
        right.insert(0, "second").await;
        left.round_trip().await;
        right.round_trip().await;
    }
    // A login of one opens nothing on the other.
    let here = bob.program(reqwest::Method::GET, "/api/me").header("cookie", ann.cookie()).send().await.unwrap();
    assert_eq!(here.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(bob.get(&format!("/api/projects/{hers}")).await.0, StatusCode::NOT_FOUND);

    first.shutdown().await;
    let mut right = bob.socket(Dialect::Hocuspocus, his, "a").join().await;
    right.insert(0, "still ").await;
    right.until_saved().await;
    second.restart().await;
    first.start_again().await;
    assert_eq!(ann.socket(Dialect::Yjs, hers, "a").join().await.text(), "firstfirst");
    assert_eq!(bob.socket(Dialect::Yjs, his, "a").join().await.text(), "still secondsecond");
}
