//! Signing in with GitHub.

mod browser;
mod github;

use coterie::config::Guests;
use reqwest::StatusCode;
use serde_json::{Value, json};

pub use browser::Browser;
pub use github::{Github, Mood, account};

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::peer::Dialect;
use crate::server::TestServer;

on_both_engines![
    a_person_signs_in_and_is_known_by_their_number,
    a_sign_in_ends_once_and_in_the_browser_that_began_it,
    two_tabs_sign_in_beside_each_other,
    an_id_from_before_the_sign_in_opens_nothing,
    nobody_is_sent_elsewhere_afterwards,
    what_github_has_against_it_is_told_by_a_page,
    a_guest_keeps_projects_and_authorship,
    whoever_switches_accounts_is_somebody_else,
    guests_are_let_in_on_their_own_only_without_github,
    operators_are_named_or_were_the_first,
];

/// A server with a GitHub of its own.
pub async fn start(engine: Engine, change: impl FnOnce(&mut coterie::config::Config)) -> (TestServer, Github) {
    let github = Github::start().await;
    let database = Database::create(engine).await;
    let mut config = TestServer::config(&database);
    config.github = Some(github.app());
    change(&mut config);
    (TestServer::with(config, database).await, github)
}

async fn signed_in(server: &TestServer, github: &Github, as_whom: Value) -> (Browser, TestClient) {
    github.is(as_whom);
    let browser = Browser::new(server.place());
    let step = browser.sign_in("/").await;
    assert_eq!((step.status, step.location()), (StatusCode::SEE_OTHER, "/"), "{step:?}");
    let person = browser.person().await;
    (browser, person)
}

async fn a_person_signs_in_and_is_known_by_their_number(engine: Engine) {
    let (server, github) = start(engine, |_| {}).await;
    let browser = Browser::new(server.place());
    let step = browser.sign_in("/p/1?file=a%2Fb").await;
    assert_eq!((step.status, step.location()), (StatusCode::SEE_OTHER, "/p/1?file=a/b"));
    let ann = browser.person().await;
    let (_, me) = ann.get("/api/me").await;
    assert_eq!((&me["name"], &me["kind"]), (&json!("Ann"), &json!("person")));
    assert_eq!(me["avatar"], json!("https://avatars.example/1"));
    assert_eq!(github.scopes(), [None], "who somebody is needs no scope");

    // Renamed there: the same person, under the new name.
    let (_, again) = signed_in(&server, &github, account(1, "ann-arbor", "Ann\u{202e} Arbor")).await;
    assert_eq!((again.id, again.name.as_str()), (ann.id, "Ann Arbor"));
    // Somebody else took the name that Ann gave up, and is nobody that was here before.
    let (_, other) = signed_in(&server, &github, account(2, "ann", "")).await;
    assert_ne!(other.id, ann.id);
    assert_eq!(other.name, "ann", "without a name there it is the login");
    let db = server.database.connect().await;
    let kept = "select count(*) from users where github_login = 'ann' and github_id = 2";
    assert_eq!(count(&db, kept).await, 1);
    // Nothing of GitHub's is kept that would open anything there.
    for table in ["login", "users", "audit"] {
        for value in server.database.dump(table).await {
            assert!(!value.contains("canary"), "{table}: {value}");
        }
    }
    assert_eq!(count(&db, "select count(*) from sign_in").await, 0);
    db.close().await;
}

async fn count(db: &coterie::db::Db, statement: &'static str) -> i64 {
    let (count,): (i64,) =
        coterie::on_pool!(db, read, pool => sqlx::query_as(statement).fetch_one(pool).await).unwrap();
    count
}

async fn a_sign_in_ends_once_and_in_the_browser_that_began_it(engine: Engine) {
    let (server, github) = start(engine, |_| {}).await;
    let (browser, other) = (Browser::new(server.place()), Browser::new(server.place()));
    let callback = browser.until_callback("/").await;
    // A link that somebody was sent: in a browser that began nothing, and in one that began something else.
    for _ in 0..2 {
        let step = other.open(&callback).await;
        assert_eq!(step.status, StatusCode::BAD_REQUEST);
        assert!(step.says("This sign-in is over"), "{step:?}");
        assert_eq!(other.login(), None);
        other.until_callback("/").await;
    }
    assert_eq!(browser.open(&callback).await.status, StatusCode::SEE_OTHER);
    // Once only: the state is gone, and with another state the code is.
    let again = browser.open(&callback).await;
    assert_eq!((again.status, again.says("This sign-in is over")), (StatusCode::BAD_REQUEST, true));
    let fresh = Browser::new(server.place());
    let mixed = mix(&callback, &fresh.until_callback("/").await);
    let step = fresh.open(&mixed).await;
    assert_eq!((step.status, step.says("too old")), (StatusCode::BAD_REQUEST, true), "{step:?}");
    // A code that was got with another verifier.
    let (one, two) = (browser.until_callback("/").await, browser.until_callback("/").await);
    assert!(browser.open(&mix(&one, &two)).await.says("too old"));
    // And what never was a state.
    for odd in ["", "?", "?state=", "?code=a", "?state=a&code=b", "?state=%00&code=b", "?state=a&state=b"] {
        let step = browser.open(&format!("/auth/github/callback{odd}")).await;
        assert_eq!(step.status, StatusCode::BAD_REQUEST, "{odd}");
    }
    // One that was begun too long ago.
    let late = browser.until_callback("/").await;
    server.database.execute("update sign_in set expires_us = 1".to_owned()).await;
    assert!(browser.open(&late).await.says("This sign-in is over"));
    drop(github);
}

/// The code of one callback with the state of another.
fn mix(code_of: &str, state_of: &str) -> String {
    let part = |url: &str, name: &str| {
        let query = url.split('?').nth(1).unwrap().to_owned();
        query.split('&').find(|pair| pair.starts_with(name)).unwrap().to_owned()
    };
    format!("/auth/github/callback?{}&{}", part(code_of, "code="), part(state_of, "state="))
}

async fn two_tabs_sign_in_beside_each_other(engine: Engine) {
    let (server, _github) = start(engine, |_| {}).await;
    let browser = Browser::new(server.place());
    let first = browser.until_callback("/first").await;
    let second = browser.until_callback("/second").await;
    assert_eq!(browser.open(&second).await.location(), "/second");
    let before = browser.login();
    assert_eq!(browser.open(&first).await.location(), "/first");
    assert_ne!(browser.login(), before);
    browser.person().await;
    // However many are begun, the last ones work.
    let mut last = String::new();
    for _ in 0..40 {
        last = browser.until_callback("/").await;
    }
    assert_eq!(browser.open(&last).await.status, StatusCode::SEE_OTHER);
}

async fn an_id_from_before_the_sign_in_opens_nothing(engine: Engine) {
    let (server, _github) = start(engine, |config| config.guests = Guests::On).await;
    // The attacker's own login, put into the victim's browser.
    let attacker = TestClient::guest(server.place(), "Mallory").await;
    let fixed = attacker.cookie();
    let victim = Browser::of(server.place(), &attacker);
    assert_eq!(victim.sign_in("/").await.status, StatusCode::SEE_OTHER);
    assert_ne!(victim.login().unwrap(), fixed);
    assert_eq!(attacker.get("/api/me").await.0, StatusCode::UNAUTHORIZED);
    // And one that never was a login.
    let victim = Browser::new(server.place());
    victim.put_cookie("coterie=AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(victim.sign_in("/").await.status, StatusCode::SEE_OTHER);
    assert_ne!(victim.login().unwrap(), "coterie=AAAAAAAAAAAAAAAAAAAAAA");
}

async fn nobody_is_sent_elsewhere_afterwards(engine: Engine) {
    let (server, _github) = start(engine, |_| {}).await;
    let browser = Browser::new(server.place());
    let elsewhere = [
        "//evil.example",
        "/%5Cevil.example",
        "%5C%5Cevil.example",
        "@evil.example",
        "%2f%2fevil.example",
        "/%2fevil.example",
        "/%252fevil.example",
        "https:evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/%09/evil.example",
        "/%0d%0aset-cookie:a=b",
        "%00",
        "%20/evil.example",
        "",
    ];
    for next in elsewhere {
        let step = browser.open(&format!("/auth/github?next={next}")).await;
        assert_eq!(step.status, StatusCode::BAD_REQUEST, "{next}");
        assert!(step.says("another place") && step.location.is_none(), "{next}");
    }
    assert_eq!(browser.sign_in("/join/abc%3Fa%3Db").await.location(), "/join/abc?a=b");
}

async fn what_github_has_against_it_is_told_by_a_page(engine: Engine) {
    let (server, github) = start(engine, |_| {}).await;
    let browser = Browser::new(server.place());
    let cases = [
        (Mood::Denies, StatusCode::FORBIDDEN, "You did not sign in"),
        (Mood::Limits, StatusCode::SERVICE_UNAVAILABLE, "GitHub does not answer now"),
        (Mood::Down, StatusCode::SERVICE_UNAVAILABLE, "GitHub does not answer now"),
        (Mood::Garbles, StatusCode::BAD_GATEWAY, "something unexpected"),
        (Mood::Floods, StatusCode::BAD_GATEWAY, "something unexpected"),
    ];
    for (mood, status, words) in cases {
        github.feels(mood);
        let step = browser.sign_in("/").await;
        assert_eq!(step.status, status, "{mood:?}: {step:?}");
        assert!(step.says(words) && step.body.contains("Begin again"), "{mood:?}: {step:?}");
        assert_eq!(browser.login(), None);
    }
    if engine == Engine::Sqlite {
        // Ten seconds of patience; once is enough.
        github.feels(Mood::Hangs);
        assert!(browser.sign_in("/").await.says("GitHub does not answer now"));
    }
    github.feels(Mood::Well);
    for odd in
        [json!({ "login": "x" }), json!({ "id": 0, "login": "x" }), json!({ "id": "1", "login": "x" }), json!([])]
    {
        github.is(odd);
        assert!(browser.sign_in("/").await.says("something unexpected"));
    }
    // GitHub that does not know this server.
    let (server, github) = start(engine, |config| {
        config.github.as_mut().unwrap().client_secret = "wrong".to_owned();
    })
    .await;
    let browser = Browser::new(server.place());
    let step = browser.sign_in("/").await;
    assert_eq!(step.status, StatusCode::BAD_GATEWAY);
    assert!(step.says("GitHub does not accept this server") && step.body.contains("GITHUB_CLIENT_SECRET"));
    // And its word for what it has against the redirect.
    let state = browser.until_callback("/").await;
    let state = state.split("state=").nth(1).unwrap();
    let step = browser.open(&format!("/auth/github/callback?error=redirect_uri_mismatch&state={state}")).await;
    assert!(step.says("GitHub does not accept this server"), "{step:?}");
    drop(github);
    // Nobody asked for GitHub.
    let server = TestServer::start(engine).await;
    let step = Browser::new(server.place()).open("/auth/github").await;
    assert_eq!((step.status, step.says("no sign-in with GitHub")), (StatusCode::NOT_FOUND, true));
}

async fn a_guest_keeps_projects_and_authorship(engine: Engine) {
    let (server, _github) = start(engine, |config| config.guests = Guests::On).await;
    let guest = TestClient::guest(server.place(), "Ann").await;
    let project = guest.project().await;
    let document = guest.create(project, "a", "").await;
    let mut open = guest.socket(Dialect::Hocuspocus, project, "a").client(77).join().await;
    open.insert(0, "as a guest").await;
    open.until_saved().await;

    let browser = Browser::of(server.place(), &guest);
    assert_eq!(browser.sign_in("/").await.status, StatusCode::SEE_OTHER);
    let ann = browser.person().await;
    assert_ne!(ann.id, guest.id);
    let (_, projects) = ann.get("/api/projects").await;
    assert_eq!((&projects["items"][0]["id"], &projects["items"][0]["role"]), (&json!(project), &json!("owner")));
    // What the guest wrote is hers to go on with.
    open.until("the guest's socket is over", |peer| !peer.denied.is_empty() || peer.closed.is_some()).await;
    let mut again = ann.socket(Dialect::Hocuspocus, project, document).client(77).join().await;
    again.insert(10, ", and as Ann").await;
    again.until_saved().await;
    assert_eq!(ann.text(project, document).await, "as a guest, and as Ann");
}

async fn whoever_switches_accounts_is_somebody_else(engine: Engine) {
    let (server, github) = start(engine, |_| {}).await;
    let (browser, ann) = signed_in(&server, &github, account(1, "ann", "Ann")).await;
    let project = ann.project().await;
    github.is(account(2, "bob", "Bob"));
    assert_eq!(browser.sign_in("/").await.status, StatusCode::SEE_OTHER);
    let bob = browser.person().await;
    assert_ne!(bob.id, ann.id);
    assert_eq!(bob.get("/api/projects").await.1["items"], json!([]));
    assert_eq!(bob.get(&format!("/api/projects/{project}")).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.get("/api/me").await.0, StatusCode::UNAUTHORIZED, "her login in this browser is over");
}

/// Whether guests are let in, and whether people sign in with GitHub, as a browser and as a terminal is told it.
async fn ways(nobody: &TestClient) -> (bool, bool) {
    let (_, ways) = nobody.get("/api/auth").await;
    assert_eq!(ways["github"].as_bool().unwrap(), ways["device"]["client_id"].is_string(), "{ways}");
    (ways["guests"].as_bool().unwrap(), ways["github"].as_bool().unwrap())
}

async fn guests_are_let_in_on_their_own_only_without_github(engine: Engine) {
    let (server, _github) = start(engine, |_| {}).await;
    let nobody = TestClient::nobody(server.place());
    assert_eq!(ways(&nobody).await, (false, true));
    let (status, refusal) = nobody.post("/auth/guest", json!({ "name": "Ann" })).await;
    assert_eq!((status, &refusal["error"]["code"]), (StatusCode::FORBIDDEN, &json!("forbidden")));
    let (server, _github) = start(engine, |config| config.guests = Guests::On).await;
    let nobody = TestClient::nobody(server.place());
    assert_eq!(ways(&nobody).await, (true, true));
    TestClient::guest(server.place(), "Ann").await;
    let server = TestServer::start(engine).await;
    let nobody = TestClient::nobody(server.place());
    assert_eq!(ways(&nobody).await, (true, false));
}

async fn operators_are_named_or_were_the_first(engine: Engine) {
    let operator = async |client: &TestClient| client.get("/api/me").await.1["operator"] == json!(true);
    let (server, github) = start(engine, |_| {}).await;
    let (_, ann) = signed_in(&server, &github, account(1, "ann", "Ann")).await;
    let (_, bob) = signed_in(&server, &github, account(2, "bob", "Bob")).await;
    assert_eq!((operator(&ann).await, operator(&bob).await), (true, false));
    let (server, github) = start(engine, |config| config.admins = vec!["BOB".to_owned(), "3".to_owned()]).await;
    let (_, ann) = signed_in(&server, &github, account(1, "ann", "Ann")).await;
    let (_, bob) = signed_in(&server, &github, account(2, "bob", "Bob")).await;
    let (_, cid) = signed_in(&server, &github, account(3, "cid", "Cid")).await;
    assert_eq!((operator(&ann).await, operator(&bob).await, operator(&cid).await), (false, true, true));
    // The name is somebody else's now, and with it the right.
    let (_, new_bob) = signed_in(&server, &github, account(4, "bob", "Bob")).await;
    assert_eq!((operator(&bob).await, operator(&new_bob).await), (false, true));
}
