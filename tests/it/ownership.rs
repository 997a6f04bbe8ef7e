//! You write as yourself: a clientID is the first principal's who wrote with it.

use yrs::updates::decoder::Decode;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect, Peer, typed};
use crate::server::TestServer;

on_both_engines![
    another_users_client_id_is_refused_also_after_a_restart,
    a_guest_who_signs_in_goes_on_under_the_same_client_id,
    a_seed_belongs_to_nobody,
];

async fn until_refused(peer: &mut Peer, dialect: Dialect, code: &str) {
    match dialect {
        Dialect::Yjs => peer.until("it is refused", |peer| !peer.denied.is_empty()).await,
        Dialect::Hocuspocus => {
            peer.until("it is refused", |peer| !peer.events.is_empty()).await;
            assert_eq!((peer.statuses.last(), &peer.events[0]["code"]), (Some(&false), &code.into()));
        }
    }
}

async fn another_users_client_id_is_refused_also_after_a_restart(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    let document = ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").client(777).join().await;
    author.insert(0, "Ann's").await;
    author.until_saved().await;
    author.leave().await;

    for _ in 0..2 {
        for dialect in DIALECTS {
            let mut forger = bob.socket(dialect, project, "a").client(777).join().await;
            forger.insert(5, " forged").await;
            until_refused(&mut forger, dialect, "foreign_client").await;
            assert!(forger.is_open());
        }
        let (status, body) = bob.write(project, document, typed(777, "Ann's forged")).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (409, &"foreign_client".into()));
        assert_eq!(ann.text(project, document).await, "Ann's");
        server.restart().await;
    }
    let mut honest = bob.socket(Dialect::Hocuspocus, project, "a").join().await;
    honest.insert(5, ", and Bob's").await;
    honest.until_saved().await;
    author.connect().await;
    author.until("it is back", |peer| peer.synced).await;
    author.insert(0, "Still ").await;
    author.until_saved().await;
    assert_eq!(ann.text(project, document).await, "Still Ann's, and Bob's");
}

async fn a_guest_who_signs_in_goes_on_under_the_same_client_id(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let guest = TestClient::guest(server.place(), "guest").await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = guest.project().await;
    guest.invite(project, &bob, "editor").await;
    let document = guest.create(project, "a", "").await;
    let mut page = guest.socket(Dialect::Hocuspocus, project, "a").client(777).join().await;
    page.insert(0, "1").await;
    page.until_saved().await;

    guest.merge_into(server.db(), &ann).await;
    page.insert(0, "2").await;
    page.until_saved().await;
    // The page comes back under the login that is now Ann's, with the same Yjs document.
    page.leave().await;
    page.connect().await;
    page.insert(0, "3").await;
    page.until_saved().await;
    server.restart().await;
    page.leave().await;
    page.connect().await;
    page.insert(0, "4").await;
    page.until_saved().await;
    assert_eq!(ann.text(project, document).await, "4321");

    let mut forger = bob.socket(Dialect::Hocuspocus, project, "a").client(777).join().await;
    forger.insert(0, "5").await;
    until_refused(&mut forger, Dialect::Hocuspocus, "foreign_client").await;
}

async fn a_seed_belongs_to_nobody(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a", "seed").await;
    let (seed, _) = ann.read(project, document).await;
    let client = yrs::Update::decode_v1(&seed).unwrap().state_vector();
    let client = client.iter().next().unwrap().0.get();
    let mut forger = ann.socket(Dialect::Hocuspocus, project, "a").client(client).join().await;
    forger.insert(4, "!").await;
    until_refused(&mut forger, Dialect::Hocuspocus, "closed_client").await;
    assert_eq!(ann.text(project, document).await, "seed");
}
