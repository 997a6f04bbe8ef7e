//! Signing in at a terminal: the real command, a GitHub that is strict about its device flow, and what is kept.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::client::TestClient;
use crate::engines::{Engine, in_time, on_both_engines};
use crate::program::PROGRAM;
use crate::server::TestServer;
use crate::sign_in::{Browser, account, start};

on_both_engines![one_signs_in_at_a_terminal_and_out_again, only_tokens_of_this_app_sign_anybody_in];

/// Somebody's terminal.
struct Terminal {
    home: TempDir,
    server: String,
}

impl Terminal {
    fn new(server: &TestServer) -> Self {
        Self { home: tempfile::tempdir().unwrap(), server: format!("http://{}", server.place().address()) }
    }

    async fn run(&self, command: &str) -> Output {
        let mut run = Command::new(PROGRAM);
        run.args([command, "--server", &self.server]).env_clear().env("HOME", self.home.path());
        run.output().await.unwrap()
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".config/coterie/credentials.json")
    }

    /// The key that is kept.
    fn key(&self) -> String {
        let kept: Value = serde_json::from_slice(&std::fs::read(self.file()).unwrap()).unwrap();
        kept["servers"][&self.server]["key"].as_str().unwrap().to_owned()
    }
}

fn said(output: &Output) -> (bool, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn one_signs_in_at_a_terminal_and_out_again(engine: Engine) {
    let (server, github) = start(engine, |_| {}).await;
    let terminal = Terminal::new(&server);
    let nobody = TestClient::nobody(server.place());
    let me = async |key: &str| nobody.by(Method::GET, key, "/api/me", None).await;
    github.device_says(&["authorization_pending"]);
    let (fine, told, complained) = said(&terminal.run("login").await);
    assert!(fine, "{told} {complained}");
    assert!(told.contains("/login/device in a browser, and enter WDJB-MJHT"), "{told}");
    assert!(told.contains("as Ann.") && told.contains("credentials.json"), "{told}");
    assert_eq!((mode(&terminal.file()), mode(terminal.file().parent().unwrap())), (0o600, 0o700));
    let key = terminal.key();
    assert!(key.starts_with("cot_") && !told.contains(&key), "{told}");
    let (status, user) = me(&key).await;
    assert_eq!((status, &user["name"], &user["kind"]), (StatusCode::OK, &json!("Ann"), &json!("person")));
    assert_eq!(github.living_tokens(), 0, "what GitHub gave is ended");
    assert_eq!(github.hasty(), 0, "GitHub is not asked more often than it allows");

    // It is the same person as in a browser, who sees the key there and could revoke it.
    let browser = Browser::new(server.place());
    browser.sign_in("/").await;
    let ann = browser.person().await;
    assert_eq!(json!(ann.id), user["id"]);
    let (_, keys) = ann.get("/api/keys?q=login").await;
    assert_eq!(
        (&keys["items"][0]["name"], &keys["items"][0]["scopes"]),
        (&json!("coterie login"), &json!(["read", "write"]))
    );
    assert!(keys["items"][0]["expires_at"].is_string());

    // Again: one key, the new one.
    let (fine, _, complained) = said(&terminal.run("login").await);
    assert!(fine, "{complained}");
    let again = terminal.key();
    assert_eq!((me(&key).await.0, me(&again).await.0), (StatusCode::UNAUTHORIZED, StatusCode::OK));

    let (fine, told, complained) = said(&terminal.run("logout").await);
    assert!(fine && told.starts_with("Ann is signed out of "), "{told} {complained}");
    assert!(!terminal.file().exists());
    assert_eq!(me(&again).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(ann.get("/api/keys").await.1["items"], json!([]));
    let (fine, _, complained) = said(&terminal.run("logout").await);
    assert!(!fine && complained.contains("nobody is signed in"), "{complained}");
    for table in ["api_key", "users", "audit"] {
        for row in server.database.dump(table).await {
            assert!(!row.contains("canary") && !row.contains(&key) && !row.contains(&again), "{table}: {row}");
        }
    }
}

async fn only_tokens_of_this_app_sign_anybody_in(engine: Engine) {
    let (server, github) = start(engine, |config| config.admins = vec!["root".to_owned()]).await;
    let nobody = TestClient::nobody(server.place());
    let give = async |token: &str| nobody.post("/auth/github/token", json!({ "token": token, "name": "t" })).await;
    let own = github.token(account(5, "eve", "Eve"));
    let of_another = github.token_of_another_app(account(1, "root", "Root"));
    for bad in [&*of_another, "gho_nonsense", "line\nbreak"] {
        let (status, told) = give(bad).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{bad}: {told}");
    }
    assert_eq!(github.living_tokens(), 2, "nobody's token is ended who is not signed in by it");
    let (status, signed) = give(&own).await;
    assert_eq!(status, StatusCode::OK, "{signed}");
    assert_eq!(give(&own).await.0, StatusCode::UNAUTHORIZED, "a token signs in once");
    // Who is shut out stays out, with the key too.
    server.database.execute("update users set suspended_us = 1".to_owned()).await;
    let late = github.token(account(5, "eve", "Eve"));
    assert_eq!(give(&late).await.0, StatusCode::FORBIDDEN);
    let key = signed["key"].as_str().unwrap();
    assert_eq!(nobody.by(Method::GET, key, "/api/me", None).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(give(&late).await.0, StatusCode::TOO_MANY_REQUESTS, "those were five that failed");
    // What opens nothing ends nothing.
    let (status, _) = nobody.by(Method::POST, "no-such-token", "/auth/logout", None).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_comes_of_the_code_is_said() {
    in_time(Box::pin(async {
        let (server, github) = start(Engine::Sqlite, |_| {}).await;
        let terminal = Terminal::new(&server);
        for (says, words) in [
            (&["authorization_pending", "access_denied"][..], "GitHub was told not to say who you are"),
            (&["expired_token"], "the code is too old; begin again"),
            (&["device_flow_disabled"], "GitHub does not accept the app"),
        ] {
            github.device_says(says);
            let (fine, _, complained) = said(&terminal.run("login").await);
            assert!(!fine && complained.contains(words), "{says:?}: {complained}");
            assert_eq!(complained.lines().count(), 1, "{complained}");
            assert!(!terminal.file().exists());
        }
        // Asked to be slower, it is.
        github.device_says(&["slow_down"]);
        let (fine, _, complained) = said(&terminal.run("login").await);
        assert!(fine, "{complained}");
        assert_eq!(github.hasty(), 0);

        let guests = TestServer::start(Engine::Sqlite).await;
        let (fine, _, complained) = said(&Terminal::new(&guests).run("login").await);
        assert!(!fine && complained.contains("has no sign-in with GitHub"), "{complained}");
        let mut elsewhere = Terminal::new(&guests);
        for (address, words) in [
            ("http://coterie.example.com", "must begin with https://"),
            ("nonsense", "must be the address"),
            ("http://127.0.0.1:9", "cannot be reached"),
        ] {
            address.clone_into(&mut elsewhere.server);
            let (fine, _, complained) = said(&elsewhere.run("login").await);
            assert!(!fine && complained.contains(words), "{address}: {complained}");
        }
    }))
    .await;
}
