//! Lists that are asked for less than all: by words, by path and by author, alike wherever they make sense.

use coterie::ids::ProjectId;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::client::{TestClient, answer};
use crate::engines::{Engine, on_both_engines};
use crate::events::Events;
use crate::peer::Dialect;
use crate::server::{TestServer, until};
use crate::sign_in::{Browser, account, start};

on_both_engines![
    documents_by_words_by_path_and_by_author,
    what_happened_by_path_and_by_author,
    streams_of_what_happens_by_path_and_by_author,
    projects_people_keys_and_bytes_by_words_and_author,
    invites_sessions_and_the_audit_log_by_author,
    operators_find_users_and_projects,
    letters_of_every_alphabet_are_found_in_both_sizes,
    a_token_finds_its_project_as_others_do,
];

/// One field of each item that a list answers, sorted.
async fn found(client: &TestClient, list: &str, field: &str) -> Vec<String> {
    let (status, page) = client.get(list).await;
    assert_eq!(status, StatusCode::OK, "{list}: {page}");
    let field = |item: &Value| item[field].as_str().unwrap_or_default().to_owned();
    let mut found: Vec<String> = page["items"].as_array().unwrap().iter().map(field).collect();
    found.sort();
    found
}

/// Two people in a project of the first.
async fn two(server: &TestServer) -> (TestClient, TestClient, ProjectId) {
    let ann = TestClient::guest(server.place(), "Ann").await;
    let bob = TestClient::guest(server.place(), "Bob 100%").await;
    let project = ann.project().await;
    ann.invite(project, &bob, "editor").await;
    (ann, bob, project)
}

async fn documents_by_words_by_path_and_by_author(engine: Engine) {
    let server = TestServer::start(engine).await;
    let (ann, bob, project) = two(&server).await;
    for path in ["docs/Plan.md", "docs/50%_off.md", "docs2/plan.txt", "élan.md"] {
        ann.create(project, path, "").await;
    }
    bob.create(project, "docs/deep/plan.md", "").await;
    let list = format!("/api/projects/{project}/documents");
    let paths = async |query: &str| found(&ann, &format!("{list}{query}"), "path").await;
    assert_eq!(paths("?q=PLAN").await, ["docs/Plan.md", "docs/deep/plan.md", "docs2/plan.txt"]);
    assert_eq!(paths("?q=%25_").await, ["docs/50%_off.md"], "what patterns are made of stands for itself");
    assert_eq!(paths("?q=%C3%A9lan").await, ["élan.md"]);
    assert_eq!(paths("?q=!").await, [""; 0]);
    for folder in ["docs", "docs/"] {
        let below = paths(&format!("?path={folder}")).await;
        assert_eq!(below, ["docs/50%_off.md", "docs/Plan.md", "docs/deep/plan.md"]);
    }
    assert_eq!(paths("?path=docs/Plan.md").await, ["docs/Plan.md"]);
    assert_eq!(paths(&format!("?author={}", bob.id)).await, ["docs/deep/plan.md"]);
    assert_eq!(paths(&format!("?author={}&q=plan&path=docs", ann.id)).await, ["docs/Plan.md"]);
    assert_eq!(paths(&format!("?author={}", ProjectId::new())).await, [""; 0]);
    assert_eq!(paths("?q=&path=").await.len(), 5, "nothing asked for is anything");
    let (_, page) = ann.get(&format!("{list}?author={}", bob.id)).await;
    assert_eq!(page["items"][0]["created_by"], json!(bob.id));

    // Pages of what was asked for go on after each other.
    let (_, first) = ann.get(&format!("{list}?q=plan&limit=2")).await;
    let next = first["next"].as_str().unwrap();
    let rest = paths(&format!("?q=plan&limit=2&after={next}")).await;
    assert_eq!((first["items"].as_array().unwrap().len(), rest.len()), (2, 1));

    // Who signed in since is the same author.
    let bobby = TestClient::guest(server.place(), "Bobby").await;
    bob.merge_into(server.db(), &bobby).await;
    assert_eq!(found(&bobby, &format!("{list}?author={}", bobby.id), "path").await, ["docs/deep/plan.md"]);

    for bad in ["?q=%00", "?path=%00", "?author=bob", &format!("?q={}", "x".repeat(201))] {
        let (status, said) = ann.get(&format!("{list}{bad}")).await;
        assert_eq!((status, &said["error"]["code"]), (StatusCode::BAD_REQUEST, &json!("bad_query")), "{bad}");
    }
}

async fn what_happened_by_path_and_by_author(engine: Engine) {
    let server = TestServer::start(engine).await;
    let (ann, bob, project) = two(&server).await;
    let plan = ann.create(project, "docs/plan.md", "").await;
    bob.create(project, "other.md", "").await;
    let renamed = bob.patch(&format!("/api/projects/{project}/documents/{plan}"), json!({ "path": "moved.md" })).await;
    assert_eq!(renamed.0, StatusCode::OK);
    let feed = format!("/api/projects/{project}/feed");
    let kinds = async |query: &str| found(&ann, &format!("{feed}{query}"), "type").await;
    assert_eq!(kinds("?path=docs").await, ["file.created", "file.renamed"], "also by where it was");
    assert_eq!(kinds("?path=moved.md").await, ["file.created", "file.renamed"]);
    assert_eq!(kinds("?path=other.md").await, ["file.created"]);
    assert_eq!(kinds("?path=none").await, [""; 0]);
    assert_eq!(kinds(&format!("?path=docs&author={}", bob.id)).await, ["file.renamed"]);
    assert_eq!(kinds("?path=docs&before=1000").await, ["file.created", "file.renamed"]);
    let (_, page) = ann.get(&format!("{feed}?path=docs&limit=1")).await;
    let next = page["next"].as_str().unwrap();
    assert_eq!(kinds(&format!("?path=docs&after={next}")).await, ["file.renamed"]);
}

async fn streams_of_what_happens_by_path_and_by_author(engine: Engine) {
    let server = TestServer::start(engine).await;
    let (ann, bob, project) = two(&server).await;
    ann.create(project, "docs/first.md", "").await;
    for number in 0..120 {
        ann.create(project, &format!("other/{number}.md"), "").await;
    }
    let plan = bob.create(project, "docs/plan.md", "").await;
    let by_bob = format!("?author={}", bob.id);
    let of_plan = format!("?document={plan}");
    let mut below = Events::open_some(&ann, project, "?path=docs", Some("0")).await;
    let mut his = Events::open_some(&ann, project, &by_bob, Some("0")).await;
    let mut live = Events::open_some(&ann, project, &of_plan, None).await;
    // Neither what concerns others nor a signal comes between.
    ann.create(project, "elsewhere.md", "").await;
    ann.post(&format!("/api/projects/{project}/typing"), json!({})).await;
    let renamed = bob.patch(&format!("/api/projects/{project}/documents/{plan}"), json!({ "path": "moved.md" })).await;
    assert_eq!(renamed.0, StatusCode::OK);
    ann.create(project, "docs/last.md", "").await;
    let told = async |events: &mut Events, number: usize| {
        let mut told = Vec::new();
        for _ in 0..number {
            let event = events.next().await.unwrap();
            told.push(format!("{} {}", event["type"].as_str().unwrap(), event["path"].as_str().unwrap_or_default()));
        }
        told
    };
    let created = |path: &str| format!("file.created {path}");
    let moved = "file.renamed moved.md".to_owned();
    assert_eq!(
        told(&mut below, 4).await,
        [created("docs/first.md"), created("docs/plan.md"), moved.clone(), created("docs/last.md")]
    );
    assert_eq!(told(&mut his, 3).await, ["member.added ".to_owned(), created("docs/plan.md"), moved.clone()]);
    assert_eq!(told(&mut live, 1).await, std::slice::from_ref(&moved));
    // Who comes back goes on where they were.
    let mut again = Events::open_some(&ann, project, "?path=docs", Some(&live.last_id)).await;
    assert_eq!(told(&mut again, 1).await, [created("docs/last.md")]);
    let backwards = format!("/api/projects/{project}/feed?before=9");
    let request = ann.request(Method::GET, &backwards).header(header::ACCEPT, "text/event-stream");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
}

async fn projects_people_keys_and_bytes_by_words_and_author(engine: Engine) {
    let server = TestServer::start(engine).await;
    let (ann, bob, project) = two(&server).await;
    for name in ["Recipes", "More recipes"] {
        ann.post("/api/projects", json!({ "name": name })).await;
    }
    assert_eq!(found(&ann, "/api/projects?q=RECIPES", "name").await, ["More recipes", "Recipes"]);
    assert_eq!(found(&ann, "/api/projects?q=more&limit=1", "name").await, ["More recipes"]);
    assert_eq!(found(&ann, "/api/projects", "name").await.len(), 3);
    let (_, page) = ann.get("/api/projects?q=more").await;
    ann.delete(&format!("/api/projects/{}", page["items"][0]["id"].as_str().unwrap())).await;
    assert_eq!(found(&ann, "/api/projects/deleted?q=more", "name").await, ["More recipes"]);
    assert_eq!(found(&ann, "/api/projects/deleted?q=less", "name").await, [""; 0]);
    let (_, key) = ann.key(&["read"]).await;
    let (_, page) = ann.by(Method::GET, &key, "/api/projects?q=recipes", None).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");

    let members = format!("/api/projects/{project}/members");
    assert_eq!(found(&ann, &format!("{members}?q=bob"), "name").await, ["Bob 100%"]);
    assert_eq!(found(&ann, &format!("{members}?q=0%25"), "name").await, ["Bob 100%"]);
    assert_eq!(found(&ann, &format!("{members}?q=carol"), "name").await, [""; 0]);

    ann.post("/api/keys", json!({ "name": "Deploy" })).await;
    assert_eq!(found(&ann, "/api/keys?q=deploy", "name").await, ["Deploy"]);
    assert_eq!(found(&ann, "/api/keys", "name").await, ["Deploy", "a bot"]);

    let blobs = format!("/api/projects/{project}/blobs");
    for (client, name) in [(&ann, "Cat.png"), (&ann, "dog.png"), (&bob, "cat.gif")] {
        let request = client.request(Method::PUT, &blobs).query(&[("name", name)]);
        let put = request.header(header::CONTENT_TYPE, "application/octet-stream").body(name.as_bytes().to_vec());
        assert_eq!(answer(put).await.0, StatusCode::CREATED);
    }
    assert_eq!(found(&ann, &format!("{blobs}?q=cat"), "name").await, ["Cat.png", "cat.gif"]);
    assert_eq!(found(&ann, &format!("{blobs}?author={}", ann.id), "name").await, ["Cat.png", "dog.png"]);
    assert_eq!(found(&ann, &format!("{blobs}?author={}&q=cat", ann.id), "name").await, ["Cat.png"]);
}

async fn invites_sessions_and_the_audit_log_by_author(engine: Engine) {
    let server = TestServer::start(engine).await;
    let (ann, bob, project) = two(&server).await;
    let at = format!("/api/projects/{project}");
    ann.patch(&format!("{at}/members/{}", bob.id), json!({ "role": "owner" })).await;
    bob.post(&format!("{at}/invites"), json!({ "role": "viewer" })).await;
    let roles = async |who: &TestClient| found(&ann, &format!("{at}/invites?author={}", who.id), "role").await;
    assert_eq!(roles(&bob).await, ["viewer"]);
    assert_eq!(roles(&ann).await, ["editor"]);

    let actions = async |query: &str| found(&ann, &format!("{at}/audit{query}"), "action").await;
    assert_eq!(actions(&format!("?author={}", bob.id)).await, ["invite.accepted", "invite.created"]);
    assert_eq!(actions(&format!("?author={}&q=accept", bob.id)).await, ["invite.accepted"]);
    assert_eq!(actions("?q=member.").await, ["member.role"]);

    let _here = ann.socket(Dialect::Hocuspocus, project, "a").join().await;
    let sessions = async |who: &TestClient| found(&ann, &format!("{at}/sessions?author={}", who.id), "id").await.len();
    until("she was there", async || sessions(&ann).await == 1).await;
    assert_eq!(sessions(&bob).await, 0);
}

async fn operators_find_users_and_projects(engine: Engine) {
    let (server, github) = start(engine, |config| config.guests = coterie::config::Guests::On).await;
    github.is(account(1, "rootlogin", "Root"));
    let browser = Browser::new(server.place());
    browser.sign_in("/").await;
    let root = browser.person().await;
    let (ann, bob, project) = two(&server).await;
    bob.project().await;
    ann.patch(&format!("/api/projects/{project}"), json!({ "name": "Recipes" })).await;
    let names = async |query: &str| found(&root, &format!("/api/admin/users?q={query}"), "name").await;
    assert_eq!(names("ROOTLOGIN").await, ["Root"]);
    assert_eq!(names("bob").await, ["Bob 100%"]);
    let projects = async |query: &str| found(&root, &format!("/api/admin/projects?{query}"), "name").await;
    assert_eq!(projects("q=recipes").await, ["Recipes"]);
    assert_eq!(projects(&format!("author={}", bob.id)).await, ["Notes"]);
    let entries = format!("/api/admin/audit?author={}&q=login", root.id);
    assert_eq!(found(&root, &entries, "action").await, ["login.github"]);
}

async fn letters_of_every_alphabet_are_found_in_both_sizes(engine: Engine) {
    let (server, github) = start(engine, |config| config.guests = coterie::config::Guests::On).await;
    github.is(account(1, "root", "Root"));
    let browser = Browser::new(server.place());
    browser.sign_in("/").await;
    let root = browser.person().await;
    let ann = TestClient::guest(server.place(), "Änne Straßer").await;
    let (_, made) = ann.post("/api/projects", json!({ "name": "ПРИВЕТ, Élan" })).await;
    let at = format!("/api/projects/{}", made["id"].as_str().unwrap());
    for path in ["ÜBER/Öl.md", "über.txt", "uber.md"] {
        assert_eq!(ann.post(&format!("{at}/documents"), json!({ "path": path })).await.0, StatusCode::CREATED);
    }
    ann.post("/api/keys", json!({ "name": "Ключ" })).await;
    let request = ann.request(Method::PUT, &format!("{at}/blobs")).query(&[("name", "CAFÉ.png")]);
    let request = request.header(header::CONTENT_TYPE, "application/octet-stream").body("bytes");
    assert_eq!(answer(request).await.0, StatusCode::CREATED);
    let paths = async |q: &str| found(&ann, &format!("{at}/documents?q={q}"), "path").await;
    assert_eq!(paths("über").await, ["ÜBER/Öl.md", "über.txt"]);
    assert_eq!(paths("ÜBER").await, ["ÜBER/Öl.md", "über.txt"]);
    assert_eq!(paths("ö").await, ["ÜBER/Öl.md"]);
    assert_eq!(paths("uber").await, ["uber.md"]);
    let name = "ПРИВЕТ, Élan";
    assert_eq!(found(&ann, "/api/projects?q=привет", "name").await, [name]);
    assert_eq!(found(&ann, "/api/projects?q=ÉLAN", "name").await, [name]);
    assert_eq!(found(&ann, "/api/projects?q=élen", "name").await, [""; 0]);
    assert_eq!(found(&ann, &format!("{at}/members?q=ÄNNE"), "name").await, ["Änne Straßer"]);
    assert_eq!(found(&ann, "/api/keys?q=КЛЮЧ", "name").await, ["Ключ"]);
    assert_eq!(found(&ann, &format!("{at}/blobs?q=café"), "name").await, ["CAFÉ.png"]);
    assert_eq!(found(&root, "/api/admin/users?q=änne", "name").await, ["Änne Straßer"]);
    assert_eq!(found(&root, "/api/admin/projects?q=привет", "name").await, [name]);
    assert_eq!(found(&ann, &format!("{at}/audit?q=é"), "action").await, [""; 0]);
    ann.delete(&at).await;
    assert_eq!(found(&ann, "/api/projects/deleted?q=Привет", "name").await, [name]);
}

async fn a_token_finds_its_project_as_others_do(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let token = ann.token(project, "viewer").await;
    let seen = async |query: &str| {
        let (status, page) = ann.by(Method::GET, &token, &format!("/api/projects{query}"), None).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        page["items"].as_array().unwrap().len()
    };
    assert_eq!((seen("").await, seen("?q=NOTES").await, seen("?q=other").await), (1, 1, 0));
    assert_eq!(seen(&format!("?after={project}")).await, 0);
    let bad = ann.by(Method::GET, &token, "/api/projects?after=x", None).await.0;
    assert_eq!(bad, StatusCode::BAD_REQUEST);
}
