//! Who is here: named by the login, removed when gone, steady over a reconnect.

use std::time::Duration;

use coterie::limits;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::TestClient;
use crate::engines::{Engine, on_both_engines};
use crate::peer::{DIALECTS, Dialect};
use crate::server::TestServer;

on_both_engines![
    a_caret_bears_the_name_of_the_login_whatever_the_frame_says,
    presence_under_somebody_elses_id_is_dropped,
    an_id_that_somebody_wrote_with_cannot_be_announced_by_another,
    who_leaves_is_removed_at_the_same_clock_after_the_grace,
    who_returns_within_the_grace_does_not_flicker,
    a_guest_who_signs_in_stays_visible_under_the_same_id,
    a_flood_of_presence_is_told_some_times_a_second_and_its_last_is_not_lost,
    what_clients_repeat_to_the_server_is_not_told_again,
];

async fn a_caret_bears_the_name_of_the_login_whatever_the_frame_says(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "viewer").await;
    ann.create(project, "a", "").await;
    let (_, me) = ann.get("/api/me").await;

    for (hers, his) in [(Dialect::Yjs, Dialect::Hocuspocus), (Dialect::Hocuspocus, Dialect::Yjs)] {
        let mut watcher = bob.socket(his, project, "a").presence(json!({})).join().await;
        let forged = json!({
            "user": { "id": bob.id, "name": "Mallory", "kind": "assistant", "color": "#000000", "avatar": "x", "pet": "cat" },
            "cursor": { "anchor": 1 },
        });
        let author = ann.socket(hers, project, "a").presence(forged).join().await;
        let client = author.client();
        watcher.until("it sees Ann", |peer| peer.presence.contains_key(&client)).await;
        let (_, state) = &watcher.presence[&client];
        assert_eq!(state["cursor"], json!({ "anchor": 1 }));
        assert_eq!(
            state["user"],
            json!({
                "id": ann.id, "name": "Ann", "kind": "guest", "avatar": Value::Null, "pet": "cat",
                "color": me["color"], "colorLight": me["color_light"],
            })
        );
    }
}

async fn presence_under_somebody_elses_id_is_dropped(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    ann.create(project, "a", "").await;
    for dialect in DIALECTS {
        let mut author = ann.socket(dialect, project, "a").presence(json!({ "cursor": 1 })).join().await;
        let mut watcher = ann.socket(dialect, project, "a").join().await;
        let mut forger = bob.socket(dialect, project, "a").presence(json!({})).join().await;
        let (hers, his) = (author.client(), forger.client());
        watcher.until("it sees both", |peer| [hers, his].iter().all(|id| peer.presence.contains_key(id))).await;

        forger.send_presence(&[(hers, 100, json!({ "cursor": 2 })), (his, 7, json!({ "cursor": 3 }))]).await;
        forger.send_presence(&[(hers, 1, Value::Null), (hers, 101, Value::Null)]).await;
        forger.round_trip().await;
        watcher.until("it sees Bob's own", |peer| peer.presence[&his].0 == 7).await;
        watcher.round_trip().await;
        author.round_trip().await;
        assert_eq!(watcher.presence[&hers].1["cursor"], 1);
        assert!(watcher.presence_told.iter().all(|(client, clock, _)| *client != hers || *clock == 1));
        assert!(author.presence_told.iter().all(|(client, clock, _)| *client != hers || *clock == 1), "nor is she");
    }
}

async fn an_id_that_somebody_wrote_with_cannot_be_announced_by_another(engine: Engine) {
    let mut server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    ann.create(project, "a", "").await;
    let mut author = ann.socket(Dialect::Hocuspocus, project, "a").client(777).join().await;
    author.insert(0, "Ann's").await;
    author.until_saved().await;
    author.leave().await;
    server.restart().await;

    let mut watcher = ann.socket(Dialect::Yjs, project, "a").join().await;
    let mut forger = bob.socket(Dialect::Yjs, project, "a").join().await;
    let own = forger.client();
    forger.send_presence(&[(777, 5, json!({})), (own, 1, json!({}))]).await;
    watcher.until("it sees Bob's own", |peer| peer.presence.contains_key(&own)).await;
    watcher.round_trip().await;
    assert!(!watcher.presence.contains_key(&777));
}

async fn who_leaves_is_removed_at_the_same_clock_after_the_grace(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "a", "").await;
    for dialect in DIALECTS {
        let mut watcher = ann.socket(dialect, project, "a").join().await;
        let mut author = ann.socket(dialect, project, "a").presence(json!({})).join().await;
        author.announce(json!({ "cursor": 2 })).await;
        let client = author.client();
        watcher
            .until("it sees Ann move", |peer| peer.presence.get(&client).is_some_and(|(clock, _)| *clock == 2))
            .await;
        let left = Instant::now();
        author.leave().await;
        watcher.until("it sees Ann gone", |peer| !peer.presence.contains_key(&client)).await;
        assert!(left.elapsed() > limits::PRESENCE_GRACE - Duration::from_millis(100));
        assert_eq!(watcher.presence_told.last(), Some(&(client, 2, Value::Null)));
        // Who comes back later is shown with the next clock.
        author.connect().await;
        author.announce(json!({ "cursor": 3 })).await;
        watcher.until("it sees Ann again", |peer| peer.presence.contains_key(&client)).await;
    }
}

async fn who_returns_within_the_grace_does_not_flicker(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "a", "").await;
    for dialect in DIALECTS {
        let mut watcher = ann.socket(dialect, project, "a").join().await;
        let mut returner = ann.socket(dialect, project, "a").presence(json!({ "cursor": 1 })).join().await;
        let mut leaver = ann.socket(dialect, project, "a").presence(json!({})).join().await;
        let (stays, goes) = (returner.client(), leaver.client());
        watcher.until("it sees both", |peer| [stays, goes].iter().all(|id| peer.presence.contains_key(id))).await;
        returner.leave().await;
        returner.connect().await;
        leaver.leave().await;
        // Both left at nearly the same time, so when one is told gone, the other's grace is over too.
        watcher.until("it sees one gone", |peer| !peer.presence.contains_key(&goes)).await;
        watcher.round_trip().await;
        assert!(watcher.presence.contains_key(&stays));
        assert!(watcher.presence_told.iter().all(|(client, _, state)| *client != stays || !state.is_null()));
    }
}

async fn a_guest_who_signs_in_stays_visible_under_the_same_id(engine: Engine) {
    let server = TestServer::start(engine).await;
    let guest = TestClient::guest(server.place(), "guest").await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = guest.project().await;
    guest.create(project, "a", "").await;
    let mut watcher = guest.socket(Dialect::Yjs, project, "a").join().await;
    let mut page = guest.socket(Dialect::Hocuspocus, project, "a").presence(json!({})).join().await;
    let client = page.client();
    watcher.until("it sees the guest", |peer| peer.presence.contains_key(&client)).await;

    guest.merge_into(server.db(), &ann).await;
    page.leave().await;
    page.connect().await;
    page.announce(json!({ "cursor": 1 })).await;
    watcher
        .until("it sees the guest under the new name", |peer| {
            peer.presence.get(&client).is_some_and(|(_, state)| state["user"]["name"] == "Ann")
        })
        .await;
    assert!(watcher.presence_told.iter().all(|(_, _, state)| !state.is_null()));
}

async fn a_flood_of_presence_is_told_some_times_a_second_and_its_last_is_not_lost(engine: Engine) {
    const FLOOD: usize = 400;
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "a", "").await;
    for dialect in DIALECTS {
        let mut watcher = ann.socket(dialect, project, "a").join().await;
        let mut author = ann.socket(dialect, project, "a").presence(json!({ "cursor": 0 })).join().await;
        let client = author.client();
        watcher.until("it sees Ann", |peer| peer.presence.contains_key(&client)).await;
        watcher.presence_told.clear();
        let began = Instant::now();
        for cursor in 1..=FLOOD {
            author.announce(json!({ "cursor": cursor })).await;
        }
        watcher.until("it sees the last", |peer| peer.presence[&client].1["cursor"] == FLOOD).await;
        let most = usize::try_from(began.elapsed().as_millis() / limits::PRESENCE_INTERVAL.as_millis()).unwrap() + 3;
        let told = watcher.presence_told.len();
        println!("{FLOOD} states in {:?} were told in {told}", began.elapsed());
        assert!(told <= most, "{told} in {:?}", began.elapsed());
    }
}

async fn what_clients_repeat_to_the_server_is_not_told_again(engine: Engine) {
    const PEOPLE: usize = 12;
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "a", "").await;
    let mut people = Vec::new();
    for _ in 0..PEOPLE {
        people.push(ann.socket(Dialect::Yjs, project, "a").presence(json!({ "cursor": 0 })).join().await);
    }
    for round in 1..=3 {
        // Each repeats what it is shown, as y-websocket does.
        people[0].announce(json!({ "cursor": round })).await;
        let client = people[0].client();
        for peer in people.iter_mut().skip(1) {
            peer.until("it sees it", |peer| {
                peer.presence.get(&client).is_some_and(|(_, state)| state["cursor"] == round)
            })
            .await;
            peer.round_trip().await;
        }
        for peer in people.iter_mut().skip(1) {
            peer.round_trip().await;
            let told = peer.presence_told.iter().filter(|(id, _, state)| *id == client && state["cursor"] == round);
            assert_eq!(told.count(), 1, "once, whoever repeats it");
        }
    }
}
