//! The page at `/api/docs` that shows the description: Swagger UI out of the binary, from our own origin. It runs under
//! the same content security policy as everything else.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa_swagger_ui::{Config, SwaggerFile};

use super::ADDRESS;
use crate::error::{Error, Result};

/// `/api/docs/`, and the files of the page below it.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/api/docs", get(async || Redirect::permanent("/api/docs/")))
        .route("/api/docs/", get(async || file("index.html")))
        .route("/api/docs/{file}", get(async |Path(name): Path<String>| file(&name)))
}

fn file(name: &str) -> Result<Response> {
    // The validator is somebody else's server; nothing goes there.
    let config = Config::from(ADDRESS).validator_url("none").display_request_duration(true);
    let found = utoipa_swagger_ui::serve(name, Arc::new(config));
    let found = found.map_err(|error| anyhow::anyhow!("the page's own file is unreadable: {error}"))?;
    let SwaggerFile { bytes, content_type, .. } = found.ok_or(Error::NotFound)?;
    let headers = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-cache".to_owned())];
    Ok((headers, Body::from(bytes.into_owned())).into_response())
}
