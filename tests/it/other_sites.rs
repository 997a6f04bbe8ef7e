//! Pages of other sites: what a browser lets them do here.

use coterie::config::Config;
use reqwest::{Method, Response, StatusCode};

use crate::client::TestClient;
use crate::engines::{Database, Engine, in_time};
use crate::server::TestServer;

const SITE: &str = "https://app.example.com";

/// A server whose settings name these sites.
async fn server(sites: &[&str]) -> TestServer {
    let database = Database::create(Engine::Sqlite).await;
    let mut config = Config::local(database.folder.path().to_owned(), database.url.clone());
    config.origins = sites.iter().map(|site| site.parse().unwrap()).collect();
    TestServer::with(config, database).await
}

/// What a browser asks before it sends a page's request.
async fn preflight(client: &TestClient, site: &str) -> Response {
    let request = client.program(Method::OPTIONS, "/api/projects").header("origin", site);
    let request = request.header("access-control-request-method", "POST");
    request.header("access-control-request-headers", "authorization,content-type").send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn pages_of_the_sites_in_the_settings_may_use_a_token_and_never_a_cookie() {
    in_time(Box::pin(async {
        let server = server(&[SITE, "http://localhost:5173"]).await;
        let ann = TestClient::guest(server.place(), "Ann").await;
        let asked = preflight(&ann, SITE).await;
        assert!(asked.status().is_success());
        assert_eq!(header(&asked, "access-control-allow-origin"), Some(SITE));
        assert!(header(&asked, "access-control-allow-methods").unwrap().contains("POST"));
        assert!(header(&asked, "access-control-allow-headers").unwrap().contains("authorization"));
        assert_eq!(header(&asked, "access-control-allow-credentials"), None);

        let (_, key) = ann.post("/api/keys", serde_json::json!({ "name": "page", "scopes": ["read"] })).await;
        let request = ann.program(Method::GET, "/api/me").header("origin", SITE);
        let me = request.bearer_auth(key["key"].as_str().unwrap()).send().await.unwrap();
        assert_eq!((me.status(), header(&me, "access-control-allow-origin")), (StatusCode::OK, Some(SITE)));
        assert!(header(&me, "access-control-expose-headers").unwrap().contains("retry-after"));
        // Refusals can be read as well.
        let nobody = ann.program(Method::GET, "/api/me").header("origin", SITE).send().await.unwrap();
        assert_eq!(
            (nobody.status(), header(&nobody, "access-control-allow-origin")),
            (StatusCode::UNAUTHORIZED, Some(SITE))
        );
        // A cookie that came nevertheless writes nothing.
        let request = ann.program(Method::POST, "/api/projects").header("origin", SITE).header("cookie", ann.cookie());
        let made = request.json(&serde_json::json!({ "name": "x" })).send().await.unwrap();
        assert_eq!(made.status(), StatusCode::FORBIDDEN);

        assert_eq!(header(&preflight(&ann, "https://evil.example.com").await, "access-control-allow-origin"), None);
    }))
    .await;
}

#[tokio::test]
async fn pages_of_other_sites_may_do_nothing_where_the_settings_name_none() {
    in_time(Box::pin(async {
        let server = server(&[]).await;
        let nobody = TestClient::nobody(server.place());
        assert_eq!(header(&preflight(&nobody, SITE).await, "access-control-allow-origin"), None);
        let answer = nobody.program(Method::GET, "/api/auth").header("origin", SITE).send().await.unwrap();
        assert_eq!((answer.status(), header(&answer, "access-control-allow-origin")), (StatusCode::OK, None));
    }))
    .await;
}
