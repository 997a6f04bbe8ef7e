//! The studio: the browser application, embedded in the binary. Every address that is not the server's own is the
//! studio's, which finds its way by itself. Beside it, under `/sdk/`, is the package for pages of anybody's making.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::{Embed, EmbeddedFile};

use crate::error::Error;
use crate::policy;

/// What the studio's build left; nothing when it was not built before the server.
#[derive(Embed)]
#[folder = "client-sdk/app/dist/"]
#[allow_missing = true]
struct Files;

const PAGE: &str = "index.html";

/// The frame in which people's own pages are tried.
const PREVIEW: &str = "preview.html";

/// What stands in the page for the nonce, and for the origins of pictures.
const NONCE: &str = "%NONCE%";
const PICTURES: &str = "%PICTURES%";

/// Where the build puts files whose names change with their content.
const HASHED: [&str; 2] = ["assets/", "sdk/v1/parts/"];

/// Where the package is. It holds nothing that is anybody's, so pages of any site may load it.
const PACKAGE: &str = "sdk/";

/// Shown where a studio should be.
const WITHOUT_STUDIO: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Coterie</title>\
    <h1>Coterie is running</h1><p>The API is up, but this server was built without the studio.</p>\
    <p>Build both and start again with <code>make run</code>.</p></html>";

/// What every answer says of the program: its version, and which studio and package it was built with. Who is told
/// another one than before was loaded from an earlier program.
#[must_use]
pub fn version() -> HeaderValue {
    let built = [PAGE, "sdk/v1/index.js"].iter().filter_map(|path| Files::get(path));
    let marks: Vec<String> = built.map(|file| URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..6])).collect();
    let version = [env!("CARGO_PKG_VERSION"), &marks.concat()].join("+");
    HeaderValue::from_str(version.trim_end_matches('+')).expect("base64url is visible ASCII")
}

/// Answers with a file of the studio, or with its page for any other address a browser wants to look at.
pub async fn serve(request: Request, pictures: Arc<[String]>) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Error::NotFound.into_response();
    }
    let path = request.uri().path().trim_start_matches('/');
    if let Some(file) = Files::get(path).filter(|_| path != PAGE) {
        return answer(path, file, request.headers());
    }
    if is_hashed(path) || path.starts_with(PACKAGE) || !wants_page(request.headers()) {
        return Error::NotFound.into_response();
    }
    match Files::get(PAGE) {
        Some(page) => show(&page, &pictures),
        None => (no_cache(), Html(WITHOUT_STUDIO)).into_response(),
    }
}

fn answer(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&file.metadata.sha256_hash()[..16]));
    let mut headers = if is_hashed(path) { for_ever() } else { no_cache() };
    if path.starts_with(PACKAGE) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert("cross-origin-resource-policy", HeaderValue::from_static("cross-origin"));
    }
    headers.insert(header::ETAG, HeaderValue::from_str(&tag).expect("base64url is visible ASCII"));
    if path == PREVIEW {
        // Also where it did not change: browsers take over the headers of that answer.
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy::PREVIEW));
    }
    let known = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    if known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    if let Ok(kind) = HeaderValue::from_str(file.metadata.mimetype()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    (headers, Body::from(file.data)).into_response()
}

/// The page, with what it is to know: the nonce of its styles, and from where it may show pictures. Never kept by the
/// browser, since a nonce is for one answer.
fn show(page: &EmbeddedFile, pictures: &[String]) -> Response {
    let nonce = policy::nonce();
    let text = String::from_utf8_lossy(&page.data).replace(NONCE, &nonce).replace(PICTURES, &pictures.join(" "));
    let headers = [
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::CONTENT_SECURITY_POLICY, policy::of_page(&nonce, pictures)),
    ];
    (headers, Html(text)).into_response()
}

fn is_hashed(path: &str) -> bool {
    HASHED.iter().any(|folder| path.starts_with(folder))
}

fn wants_page(asked: &HeaderMap) -> bool {
    let accept = asked.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|kinds| kinds.contains("text/html"))
}

fn for_ever() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    headers
}

fn no_cache() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers
}
