//! How often one may ask, and what is said to those who ask too often.

use coterie::config::{Config, Guests};
use coterie::rate::Rate;
use futures_util::future::join_all;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::server::TestServer;
use crate::sign_in::{Browser, Mood, start};

on_both_engines! {
    a_user_who_asks_too_often_waits_and_nobody_else_does,
    an_address_behind_a_trusted_proxy_has_its_own_limit,
    a_project_can_be_asked_so_often_whoever_asks,
    an_address_whose_sign_ins_fail_has_to_wait,
    what_fails_at_github_counts_and_who_says_no_does_not,
}

async fn server(engine: Engine, change: impl FnOnce(&mut Config)) -> TestServer {
    let database = Database::create(engine).await;
    let mut config = Config::local(database.folder.path().to_owned(), database.url.clone());
    config.program = env!("CARGO_BIN_EXE_coterie").into();
    change(&mut config);
    TestServer::with(config, database).await
}

fn number(response: &Response, header: &str) -> u64 {
    response.headers().get(header).unwrap_or_else(|| panic!("no {header}")).to_str().unwrap().parse().unwrap()
}

async fn assert_limited(response: Response, least: u64) {
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait = number(&response, "retry-after");
    assert!(wait >= least, "{wait} s");
    let said: Value = response.json().await.unwrap();
    assert_eq!(said["error"]["code"], "rate_limited");
    assert!(said["error"]["request_id"].is_string(), "{said}");
}

async fn a_user_who_asks_too_often_waits_and_nobody_else_does(engine: Engine) {
    let server = server(engine, |config| config.rates.user = Rate::new((1, 3))).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    for left in [2, 1, 0] {
        let response = ann.request(Method::GET, "/api/me").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!((number(&response, "ratelimit-limit"), number(&response, "ratelimit-remaining")), (3, left));
        assert_eq!(number(&response, "ratelimit-reset"), 3 - left);
    }
    assert_limited(ann.request(Method::GET, "/api/me").send().await.unwrap(), 1).await;
    assert_eq!(bob.get("/api/me").await.0, StatusCode::OK);
}

async fn an_address_behind_a_trusted_proxy_has_its_own_limit(engine: Engine) {
    let server = server(engine, |config| {
        config.rates.address = Rate::new((1, 2));
        config.trusted_proxies = "127.0.0.1".parse().unwrap();
    })
    .await;
    let nobody = TestClient::nobody(server.place());
    let ask = async |from: &str| {
        nobody.program(Method::GET, "/api/auth").header("x-forwarded-for", from).send().await.unwrap()
    };
    assert_eq!(ask("203.0.113.1").await.status(), StatusCode::OK);
    assert_eq!(ask("203.0.113.1").await.status(), StatusCode::OK);
    assert_limited(ask("203.0.113.1").await, 1).await;
    assert_eq!(ask("203.0.113.2").await.status(), StatusCode::OK);
    // The machine itself may.
    for _ in 0..9 {
        assert_eq!(nobody.get("/api/auth").await.0, StatusCode::OK);
    }
}

async fn a_project_can_be_asked_so_often_whoever_asks(engine: Engine) {
    let server = server(engine, |config| config.rates.project = Rate::new((1, 4))).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob").await;
    let (project, other) = (ann.project().await, ann.project().await);
    ann.invite(project, &bob, "viewer").await;
    let address = format!("/api/projects/{project}");
    for _ in 0..3 {
        // Who is not let in uses nothing up.
        assert_eq!(TestClient::guest(server.place(), "Eve").await.get(&address).await.0, StatusCode::NOT_FOUND);
        assert_eq!(bob.get(&address).await.0, StatusCode::OK);
    }
    // However slow this machine is, a dozen at once are too many.
    let answers = join_all((0..12).map(|_| ann.request(Method::GET, &address).send())).await;
    let limited = answers.into_iter().map(Result::unwrap).find(|answer| answer.status() != StatusCode::OK);
    assert_limited(limited.expect("one that came too often"), 1).await;
    assert_eq!(ann.get(&format!("/api/projects/{other}")).await.0, StatusCode::OK);
}

async fn an_address_whose_sign_ins_fail_has_to_wait(engine: Engine) {
    let server = server(engine, |config| {
        config.guests = Guests::Off;
        config.trusted_proxies = "127.0.0.1".parse().unwrap();
    })
    .await;
    let nobody = TestClient::nobody(server.place());
    let sign_in = async |from: &str| {
        let request = nobody.request(Method::POST, "/auth/guest").json(&json!({ "name": "Ann" }));
        request.header("x-forwarded-for", from).send().await.unwrap()
    };
    for _ in 0..6 {
        let request = nobody.request(Method::POST, "/auth/guest").json(&json!({ "name": "Ann" }));
        let request = request.header("x-forwarded-for", "203.0.113.1").header("sec-fetch-site", "cross-site");
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "what other sites do locks nobody out");
    }
    for _ in 0..5 {
        assert_eq!(sign_in("203.0.113.1").await.status(), StatusCode::FORBIDDEN);
    }
    assert_limited(sign_in("203.0.113.1").await, 800).await;
    assert_eq!(sign_in("203.0.113.2").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(nobody.get("/api/auth").await.0, StatusCode::OK);
}

async fn what_fails_at_github_counts_and_who_says_no_does_not(engine: Engine) {
    let (server, github) = start(engine, |config| config.trusted_proxies = "127.0.0.1".parse().unwrap()).await;
    let nobody = TestClient::nobody(server.place());
    let come_back = async |from: &str, cookie: &str, query: &str| {
        let request = nobody.program(Method::GET, &format!("/auth/github/callback{query}"));
        request.header("x-forwarded-for", from).header("cookie", cookie).send().await.unwrap()
    };
    // People who change their mind.
    github.feels(Mood::Denies);
    for _ in 0..7 {
        let browser = Browser::new(server.place());
        let callback = browser.until_callback("/").await;
        let query = callback.split_once('?').map(|(_, query)| format!("?{query}")).unwrap();
        let answer = come_back("203.0.113.1", &browser.cookies(), &query).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
    // What somebody makes up.
    for _ in 0..5 {
        let answer = come_back("203.0.113.1", "", "?state=made-up&code=made-up").await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    }
    assert_limited(come_back("203.0.113.1", "", "?state=made-up&code=made-up").await, 800).await;
    assert_eq!(come_back("203.0.113.2", "", "?state=made-up").await.status(), StatusCode::BAD_REQUEST);
}
