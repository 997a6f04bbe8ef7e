//! Binary files: named by their bytes, bounded, and never run by a browser from here.

use coterie::limits;
use reqwest::{Method, RequestBuilder, StatusCode, header};
use serde_json::json;

use crate::client::{TestClient, answer};
use crate::engines::{Engine, on_both_engines};
use crate::events::all;
use crate::server::TestServer;

on_both_engines![
    bytes_are_kept_once_and_served_as_they_came,
    what_is_no_picture_is_a_download,
    who_may_do_what_with_bytes,
    bytes_are_bounded,
];

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

fn put(client: &TestClient, project: coterie::ids::ProjectId, name: &str, bytes: Vec<u8>) -> RequestBuilder {
    let request = client.request(Method::PUT, &format!("/api/projects/{project}/blobs")).query(&[("name", name)]);
    request.header(header::CONTENT_TYPE, "application/octet-stream").body(bytes)
}

async fn bytes_are_kept_once_and_served_as_they_came(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let (status, blob) = answer(put(&ann, project, "a b.png", PNG.to_vec())).await;
    assert_eq!(status, StatusCode::CREATED, "{blob}");
    assert_eq!(
        (&blob["media_type"], &blob["name"], &blob["size"]),
        (&json!("image/png"), &json!("a b.png"), &json!(PNG.len()))
    );
    let (status, again) = answer(put(&ann, project, "other.png", PNG.to_vec())).await;
    assert_eq!((status, &again), (StatusCode::OK, &blob));
    let base = format!("/api/projects/{project}/blobs");
    let (_, page) = ann.get(&base).await;
    assert_eq!((page["items"].as_array().unwrap().len(), &page["items"][0]), (1, &blob));

    let path = format!("{base}/{}", blob["hash"].as_str().unwrap());
    let response = ann.request(Method::GET, &path).send().await.unwrap();
    let headers = response.headers().clone();
    assert_eq!(headers[header::CONTENT_TYPE], "image/png");
    assert_eq!(headers[header::CONTENT_DISPOSITION], "inline; filename*=UTF-8''a%20b%2Epng");
    assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("sandbox"));
    assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(response.bytes().await.unwrap(), PNG);
    let known = ann.request(Method::GET, &path).header(header::IF_NONE_MATCH, &headers[header::ETAG]);
    assert_eq!(known.send().await.unwrap().status(), StatusCode::NOT_MODIFIED);

    assert_eq!(ann.delete(&path).await.0, StatusCode::NO_CONTENT);
    assert_eq!(ann.delete(&path).await.0, StatusCode::NOT_FOUND);
    assert_eq!(ann.get(&path).await.0, StatusCode::NOT_FOUND);
    let kinds: Vec<_> = all(&ann, project).await.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(kinds, ["blob.added", "blob.deleted"]);
}

async fn what_is_no_picture_is_a_download(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (name, bytes) in
        [("a.html", &b"<script>alert(1)</script>"[..]), ("a.svg", svg), ("a.png", b"<html>"), ("x", b"")]
    {
        let (status, blob) = answer(put(&ann, project, name, bytes.to_vec())).await;
        assert_eq!(status, StatusCode::CREATED, "{blob}");
        let path = format!("/api/projects/{project}/blobs/{}", blob["hash"].as_str().unwrap());
        let response = ann.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/octet-stream", "{name}");
        assert!(response.headers()[header::CONTENT_DISPOSITION].to_str().unwrap().starts_with("attachment;"));
    }
    for bad in ["", "a/b", "..", "a\nb"] {
        assert_eq!(answer(put(&ann, project, bad, vec![1])).await.0, StatusCode::BAD_REQUEST, "{bad:?}");
    }
}

async fn who_may_do_what_with_bytes(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let (_, blob) = answer(put(&ann, project, "a", vec![1])).await;
    let path = format!("/api/projects/{project}/blobs/{}", blob["hash"].as_str().unwrap());
    for (role, puts, deletes) in [("viewer", 403, 403), ("commenter", 201, 403), ("editor", 201, 204)] {
        let one = TestClient::guest(server.place(), role).await;
        assert_eq!(one.request(Method::GET, &path).send().await.unwrap().status(), StatusCode::NOT_FOUND);
        ann.invite(project, &one, role).await;
        assert_eq!(one.request(Method::GET, &path).send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(answer(put(&one, project, "b", role.into())).await.0.as_u16(), puts, "{role}");
        assert_eq!(one.delete(&path).await.0.as_u16(), deletes, "{role}");
    }
}

async fn bytes_are_bounded(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let largest = put(&ann, project, "a", vec![7; limits::BLOB_BYTES]);
    let (status, blob) = answer(largest).await;
    assert_eq!(status, StatusCode::CREATED, "{blob}");
    let (status, _) = answer(put(&ann, project, "a", vec![7; limits::BLOB_BYTES + 1])).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    // As if the project had nearly all that it may.
    let almost = limits::BLOBS_BYTES - 2;
    server.database.execute(format!("update blob set size = {almost}")).await;
    assert_eq!(answer(put(&ann, project, "b", vec![1; 3])).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer(put(&ann, project, "b", vec![1; 2])).await.0, StatusCode::CREATED);
    let other = ann.project().await;
    assert_eq!(answer(put(&ann, other, "b", vec![1; 3])).await.0, StatusCode::CREATED, "each project has its own");
}
