//! After a backup was restored, every document begins a new epoch: nothing from before is merged in.

use coterie::journal;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect};
use crate::server::TestServer;

on_both_engines![
    who_writes_on_after_a_new_epoch_is_told_to_begin_anew,
    after_a_new_epoch_no_client_id_of_before_writes_on,
];

async fn who_writes_on_after_a_new_epoch_is_told_to_begin_anew(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    for dialect in DIALECTS {
        let document = ann.create(project, &format!("{dialect:?}"), "text").await;
        let mut author = ann.socket(dialect, project, document).join().await;
        let mut other = ann.socket(Dialect::Yjs, project, document).join().await;
        assert!(journal::new_epoch(server.db()).await.unwrap() >= 1);
        author.insert(0, "lost ").await;
        match dialect {
            Dialect::Yjs => assert_eq!(author.until_closed().await, 4410),
            Dialect::Hocuspocus => {
                author.until("the document ends", |peer| peer.ended.is_some()).await;
                assert!(!author.is_saved());
            }
        }
        assert_eq!(other.until_closed().await, 4410, "nobody stays in the old epoch");
        assert_eq!(other.text(), "text");

        // A page that is loaded anew has nothing of the old epoch.
        let mut fresh = ann.socket(Dialect::Hocuspocus, project, document).join().await;
        assert_eq!(fresh.text(), "text");
        fresh.insert(0, "new ").await;
        fresh.until_saved().await;
        assert_eq!(ann.text(project, document).await, "new text");
    }
}

async fn after_a_new_epoch_no_client_id_of_before_writes_on(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    author.insert(0, "text").await;
    author.until_saved().await;
    author.leave().await;
    journal::new_epoch(server.db()).await.unwrap();
    server.restart().await;

    let (_, view) = ann.get(&format!("/api/projects/{project}/documents/{document}")).await;
    assert_eq!(view["epoch"], 2);
    author.insert(0, "from before: ").await;
    author.connect().await;
    author.until("it is refused", |peer| !peer.events.is_empty()).await;
    assert_eq!(author.events[0]["code"], "closed_client");
    assert_eq!(ann.text(project, document).await, "text");
    let mut fresh = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    fresh.insert(0, "new ").await;
    fresh.until_saved().await;
    assert_eq!(ann.text(project, document).await, "new text");
}
