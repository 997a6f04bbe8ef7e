//! Two people, two dialects, one document.

use serde_json::json;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect};
use crate::server::TestServer;

on_both_engines![clients_of_two_dialects_see_each_others_edits];

async fn clients_of_two_dialects_see_each_others_edits(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let document = ann.create(project, "notes/öffentlich.md", "Hello\r\n").await;

    let mut left = ann.socket(Dialect::Yjs, project, "notes/öffentlich.md").presence(json!({})).join().await;
    let mut right = bob.socket(Dialect::Hocuspocus, project, document).presence(json!({})).join().await;
    assert_eq!(left.text(), "Hello\n");
    left.insert(5, ", 🌍").await;
    right.until_text("Hello, 🌍\n").await;
    right.delete(0, 5).await;
    right.insert(0, "Goodbye").await;
    right.until_saved().await;
    left.until_text("Goodbye, 🌍\n").await;
    assert_eq!(ann.text(project, document).await, "Goodbye, 🌍\n");

    server.restart().await;
    for dialect in DIALECTS {
        let newcomer = ann.socket(dialect, project, document).join().await;
        assert_eq!(newcomer.text(), "Goodbye, 🌍\n");
    }
}
