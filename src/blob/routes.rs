//! Bytes over HTTP.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Blob, BlobView, Hash, sql};
use crate::access::{Commenter, Editor, Viewer};
use crate::bodies::Weighed;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::extract::{Holders, Json, Octets, PathId, Query};
use crate::feed::Feed;
use crate::filter::{By, Words};
use crate::limits;
use crate::page::{Page, PageQuery};
use crate::state::AppState;

/// What a browser may do with bytes from here, should it show them: nothing.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; sandbox; frame-ancestors 'none'";

/// `/api/projects/{p}/blobs`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, put))
        .layer(DefaultBodyLimit::max(limits::BLOB_BYTES))
        .routes(routes!(show, remove))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Name {
    /// The file's name, for a download.
    #[param(min_length = 1, max_length = 255)]
    name: String,
}

/// The files of bytes of a project, without the bytes.
#[utoipa::path(
    get, path = "/api/projects/{p}/blobs", operation_id = "list_blobs", tag = "blobs", params(PageQuery, Words, By),
    responses((status = 200, body = Page<BlobView>))
)]
async fn list(
    access: Viewer,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(words): Query<Words>,
    Query(By { author }): Query<By>,
) -> Result<Json<Page<BlobView>>> {
    let needle = words.needle()?;
    let after = page.after::<String>()?.map(|text| text.parse::<Hash>()).transpose();
    let after = after.map_err(|()| Error::invalid("bad_cursor", "after must be the `next` of the page before"))?;
    let read = |after, limit| sql::list(&db, access.project, after, needle.pattern(), author, limit);
    let blobs = Page::sift(page.limit()?, after, read, |blob| blob.hash, |blob| needle.is_in(&blob.name)).await?;
    Ok(Json(blobs.map(|blob| blob.view())))
}

/// Keeps bytes, named by their SHA-256; those that are there already stay as they are. For who may chat.
#[utoipa::path(
    put, path = "/api/projects/{p}/blobs", operation_id = "put_blob", tag = "blobs", params(Name),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "They are there already.", body = BlobView),
        (status = 201, description = "They are kept.", body = BlobView),
    )
)]
async fn put(
    access: Commenter,
    State(feed): State<Feed>,
    Query(name): Query<Name>,
    Octets(bytes): Octets,
) -> Result<(StatusCode, Json<BlobView>)> {
    let (blob, is_new) = super::put(&feed, access.project, access.caller.user.id, &name.name, &bytes).await?;
    Ok((if is_new { StatusCode::CREATED } else { StatusCode::OK }, Json(blob.view())))
}

/// The bytes: a picture is shown, all else is a download.
#[utoipa::path(
    get, path = "/api/projects/{p}/blobs/{sha256}", operation_id = "get_blob", tag = "blobs",
    params(("if-none-match" = Option<String>, Header, description = "The `ETag` of what one has.")),
    responses(
        (
            status = 200, description = "The bytes.", content_type = "application/octet-stream", body = Vec<u8>,
            headers(("etag" = String, description = "Their hash.")),
        ),
        (status = 304, description = "One has them."),
    )
)]
async fn show(
    access: Viewer,
    State(state): State<AppState>,
    PathId(hash): PathId<Hash>,
    Holders(holders): Holders,
    headers: HeaderMap,
) -> Result<Response> {
    let db = &state.db;
    let blob = sql::find(db, access.project, hash).await?.ok_or(Error::NotFound)?;
    let etag = format!("\"{hash}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let place = state.outflow.place(&holders, usize::try_from(blob.size).unwrap_or(usize::MAX)).await?;
        let bytes = sql::bytes(db, access.project, hash).await?.ok_or(Error::NotFound)?;
        place.on(bytes.into()).into_response()
    };
    response.extensions_mut().insert(Weighed);
    for (name, value) in [
        (header::CONTENT_TYPE, blob.media_type.clone()),
        (header::CONTENT_DISPOSITION, disposition(&blob)),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        // Asked for anew each time, so that a right taken away is taken away.
        (header::CACHE_CONTROL, "private, no-cache".to_owned()),
        (header::ETAG, etag),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_str(&value).map_err(anyhow::Error::from)?);
    }
    Ok(response)
}

/// Deletes bytes; what points to them points to nothing. For editors.
#[utoipa::path(
    delete, path = "/api/projects/{p}/blobs/{sha256}", operation_id = "delete_blob", tag = "blobs",
    responses((status = 204, description = "They are gone."))
)]
async fn remove(access: Editor, State(feed): State<Feed>, PathId(hash): PathId<Hash>) -> Result<StatusCode> {
    super::delete(&feed, access.project, access.caller.user.id, hash).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A picture may be shown; everything else is saved under its name.
fn disposition(blob: &Blob) -> String {
    let how = if blob.media_type.starts_with("image/") { "inline" } else { "attachment" };
    format!("{how}; filename*=UTF-8''{}", utf8_percent_encode(&blob.name, NON_ALPHANUMERIC))
}
