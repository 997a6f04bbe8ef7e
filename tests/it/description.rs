//! The description of the HTTP interface, held against the server that it describes.

use std::collections::{BTreeMap, BTreeSet};

use coterie::router;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use uuid::Uuid;

use crate::client::TestClient;
use crate::engines::{Engine, in_time};
use crate::server::TestServer;
use crate::tidy::sources;

/// Addresses that the description leaves out, each with its reason.
const ELSEWHERE: [(&str, &str); 11] = [
    ("/", "the studio"),
    ("/{*__private__axum_fallback}", "the studio, as the framework calls it"),
    ("/api", "an address that is none, told as JSON"),
    ("/api/{*rest}", "the same for everything below it"),
    ("/api/docs", "the page that shows the description"),
    ("/api/docs/", "the same"),
    ("/api/docs/{file}", "its files"),
    ("/api/openapi.json", "the description itself"),
    ("/hocuspocus", "a socket; PROTOCOL.md describes it"),
    ("/hocuspocus/", "the same"),
    ("/yjs/{project}/{*document}", "a socket; PROTOCOL.md describes it"),
];

/// The operations of the description, by path and method.
fn operations(description: &Value) -> Vec<(String, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            found.push((path.clone(), method.to_uppercase(), operation.clone()));
        }
    }
    found
}

/// The paths of a router, as the framework prints them: it gives them out in no other way.
fn paths_of(router: &axum::Router) -> BTreeSet<String> {
    let printed = format!("{router:?}");
    let mut found = BTreeSet::new();
    for table in printed.split("Node { paths: {").skip(1) {
        let table = table.split("} }").next().unwrap();
        found.extend(table.split('"').skip(1).step_by(2).map(str::to_owned));
    }
    found
}

#[tokio::test]
async fn every_route_is_described_and_every_description_is_a_route() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let description = router::description();
        let routed = paths_of(&router::app(server.state().clone()));
        let elsewhere: BTreeSet<String> = ELSEWHERE.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert!(elsewhere.is_subset(&routed), "no route: {:?}", elsewhere.difference(&routed));
        let described: BTreeSet<String> = operations(&description).into_iter().map(|(path, ..)| path).collect();
        assert_eq!(routed.difference(&elsewhere).cloned().collect::<BTreeSet<_>>(), described);

        let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (path, method, _) in operations(&description) {
            methods.entry(path).or_default().insert(method);
        }
        let nobody = TestClient::nobody(server.place());
        for (path, described) in methods {
            let address = with_ids(&path);
            let response = nobody.program(Method::from_bytes(b"BREW").unwrap(), &address).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
            let allowed = response.headers()["allow"].to_str().unwrap().split(',');
            let allowed: BTreeSet<String> = allowed.filter(|method| *method != "HEAD").map(str::to_owned).collect();
            assert_eq!(allowed, described, "{path}");
        }
    }))
    .await;
}

/// A path with an id for each of its parts.
fn with_ids(path: &str) -> String {
    let parts =
        path.split('/').map(|part| if part.starts_with('{') { Uuid::nil().to_string() } else { part.to_owned() });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn every_operation_says_what_it_is() {
    let description = router::description();
    let tags: BTreeSet<&str> =
        description["tags"].as_array().unwrap().iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&description) {
        let what = format!("{method} {path}: {operation:#}");
        assert!(operation["summary"].as_str().is_some_and(|summary| summary.ends_with('.')), "{what}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "two of one name: {what}");
        let tagged = operation["tags"].as_array().unwrap();
        assert!(tagged.iter().all(|tag| tags.contains(tag.as_str().unwrap())), "an unknown tag: {what}");
        let described = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
        for part in path.split('/').filter_map(|part| part.strip_prefix('{')) {
            let part = part.trim_end_matches('}');
            let known = described.iter().any(|parameter| parameter["in"] == "path" && parameter["name"] == part);
            assert!(known, "no {part}: {what}");
        }
        let statuses = operation["responses"].as_object().unwrap();
        // Signing in only leads elsewhere.
        assert!(statuses.keys().any(|status| status.starts_with(['2', '3'])), "{what}");
    }
}

#[test]
fn whatever_the_description_refers_to_is_there() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let description = router::description();
    let mut found = BTreeSet::new();
    references(&description, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for reference in found {
        assert!(description.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

/// Types of one name would silently be described as one.
#[test]
fn every_type_has_a_name_of_its_own() {
    let mut named: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources("src", "rs") {
        for derived in text.split("#[derive(").skip(1).filter(|derived| is_described(derived)) {
            let head = derived.split_once('{').map_or(derived, |(head, _)| head);
            let declared = head.split_once("struct ").or_else(|| head.split_once("enum "));
            let Some(name) = declared.and_then(|(_, rest)| rest.split(|c: char| !c.is_alphanumeric()).next()) else {
                continue;
            };
            let renamed = head.split_once("schema(as = ").and_then(|(_, rest)| rest.split([',', ')']).next());
            named.entry(renamed.unwrap_or(name).to_owned()).or_default().insert(format!("{path}: {name}"));
        }
    }
    assert!(named.len() > 50, "{named:?}");
    named.retain(|_, places| places.len() > 1);
    assert!(named.is_empty(), "give one of them another name (#[schema(as = …)]): {named:#?}");
}

fn is_described(derived: &str) -> bool {
    derived.split(']').next().is_some_and(|traits| traits.contains("ToSchema"))
}

#[tokio::test]
async fn the_description_and_its_page_are_served_to_anybody() {
    in_time(Box::pin(async {
        let server = TestServer::start(Engine::Sqlite).await;
        let nobody = TestClient::nobody(server.place());
        let (status, served) = nobody.get("/api/openapi.json").await;
        assert_eq!((status, &served), (StatusCode::OK, &router::description()));
        let page = nobody.request(Method::GET, "/api/docs").send().await.unwrap();
        assert_eq!((page.status(), page.url().path()), (StatusCode::OK, "/api/docs/"));
        let page = page.text().await.unwrap();
        let mut scripts = 0;
        for script in page.split("<script").skip(1) {
            let source = script.split("src=\"").nth(1).and_then(|rest| rest.split('"').next());
            let source = source.expect("no script is written into the page");
            let address = format!("/api/docs/{}", source.trim_start_matches("./"));
            let file = nobody.request(Method::GET, &address).send().await.unwrap();
            assert_eq!(
                (file.status(), file.headers()["content-type"].to_str().unwrap()),
                (StatusCode::OK, "text/javascript")
            );
            scripts += 1;
        }
        assert!(scripts > 0 && !page.contains("<style"), "{page}");
        assert_eq!(nobody.get("/api/docs/none.js").await.0, StatusCode::NOT_FOUND);
    }))
    .await;
}
