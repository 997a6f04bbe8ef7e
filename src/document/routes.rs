//! Documents over HTTP: the tree, and a document's content as Yjs updates.

use anyhow::Context;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};

use super::{Changed, DocumentView, Operation, Search, Target, sql};
use crate::access::{Editor, Viewer};
use crate::auth;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::extract::{Json, Octets, PlainText, Query};
use crate::feed::Feed;
use crate::limits;
use crate::page::{Page, PageQuery};
use crate::replica::Replicas;
use crate::room::Rooms;
use crate::state::AppState;
use crate::update::StateVector;

/// Base64url with or without padding.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The number of the last row that an answer contains.
const HEAD: HeaderName = HeaderName::from_static("coterie-head");

/// `/api/projects/{p}/documents`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/projects/{p}/documents", get(list).post(create))
        .route("/api/projects/{p}/changes", post(change))
        .route("/api/projects/{p}/documents/{d}/text", get(read_text).put(write_text))
        .layer(DefaultBodyLimit::max(limits::CONTENT_BODY_BYTES))
        .route("/api/projects/{p}/search", get(search))
        .route("/api/projects/{p}/documents/{d}", get(show).patch(rename).delete(remove))
        .merge(
            Router::new()
                .route("/api/projects/{p}/documents/{d}/update", get(read).post(write))
                .layer(DefaultBodyLimit::max(limits::DOCUMENT_BYTES)),
        )
}

#[derive(Deserialize)]
struct NewDocument {
    path: String,
    #[serde(default)]
    content: String,
}

#[derive(Deserialize)]
struct Renaming {
    path: String,
}

#[derive(Deserialize)]
struct Since {
    since: Option<String>,
}

#[derive(Serialize)]
struct Written {
    head: i64,
}

async fn list(access: Viewer, State(db): State<Db>, Query(page): Query<PageQuery>) -> Result<Json<Page<DocumentView>>> {
    let limit = page.limit()?;
    let documents = sql::list(&db, access.project, page.after()?, limit + 1).await?;
    Ok(Json(Page::cut(documents, limit, |document| document.id).map(|document| document.view())))
}

async fn create(
    access: Editor,
    State(feed): State<Feed>,
    Json(wanted): Json<NewDocument>,
) -> Result<(StatusCode, Json<DocumentView>)> {
    let creator = access.caller.user.id;
    let document = super::create(&feed, access.project, creator, &wanted.path, &wanted.content).await?;
    Ok((StatusCode::CREATED, Json(document.view())))
}

async fn show(target: Target<Viewer>) -> Json<DocumentView> {
    Json(target.document.view())
}

async fn rename(
    target: Target<Editor>,
    State(feed): State<Feed>,
    Json(wanted): Json<Renaming>,
) -> Result<Json<DocumentView>> {
    let Target { access, document } = target;
    let document = super::rename(&feed, access.project, access.caller.user.id, document.id, &wanted.path).await?;
    Ok(Json(document.view()))
}

async fn remove(target: Target<Editor>, State(feed): State<Feed>, State(rooms): State<Rooms>) -> Result<StatusCode> {
    let Target { access, document } = target;
    super::delete(&feed, &rooms, access.project, access.caller.user.id, document.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn read(
    target: Target<Viewer>,
    State(rooms): State<Rooms>,
    Query(query): Query<Since>,
) -> Result<impl IntoResponse> {
    let since = state_vector(query.since.as_deref().unwrap_or_default())?;
    let question = rooms.read(target.document.id, since).await?;
    let head = question.seq;
    // Merging and comparing megabytes keeps a thread busy; the others must not wait for that.
    let update = if question.bytes() > limits::INLINE_BYTES {
        let answered = tokio::task::spawn_blocking(move || question.update()).await;
        answered.context("an answer could not be made")?
    } else {
        question.update()
    };
    Ok(([(header::CONTENT_TYPE, "application/octet-stream".to_owned()), (HEAD, head.to_string())], update))
}

async fn write(
    target: Target<Editor>,
    State(db): State<Db>,
    State(rooms): State<Rooms>,
    Octets(update): Octets,
) -> Result<Json<Written>> {
    let author = auth::participant(&db, &target.access.caller.user).await?;
    let head = rooms.write(target.document.id, author, update).await?;
    Ok(Json(Written { head }))
}

async fn read_text(
    target: Target<Viewer>,
    State(rooms): State<Rooms>,
    State(replicas): State<Replicas>,
) -> Result<impl IntoResponse> {
    let content = super::text(&rooms, &replicas, target.document.id).await?;
    let head = content.head.seq;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::ETAG, format!("\"{head}\"")),
        (HEAD, head.to_string()),
    ];
    Ok((headers, content.text))
}

async fn write_text(
    target: Target<Editor>,
    State(state): State<AppState>,
    headers: HeaderMap,
    PlainText(text): PlainText,
) -> Result<impl IntoResponse> {
    let expected = expected_head(&headers)?;
    let author = auth::participant(&state.db, &target.access.caller.user).await?;
    let (feed, rooms, replicas, document) = (&state.feed, &state.rooms, &state.replicas, &target.document);
    let Some(expected) = expected else {
        let head = super::write(rooms, replicas, document.id, author, &text).await?;
        // No ETag: the text at this head may hold what others typed meanwhile.
        return Ok(Json(Written { head }).into_response());
    };
    let head = super::write_at(feed, rooms, replicas, document, &author, &text, expected).await?;
    Ok(([(header::ETAG, format!("\"{head}\""))], Json(Written { head })).into_response())
}

#[derive(Deserialize)]
struct Changes {
    operations: Vec<Operation>,
}

async fn change(access: Editor, State(state): State<AppState>, Json(changes): Json<Changes>) -> Result<Json<Changed>> {
    let author = auth::participant(&state.db, &access.caller.user).await?;
    let (rooms, replicas) = (&state.rooms, &state.replicas);
    super::change(&state.feed, rooms, replicas, access.project, &author, changes.operations).await.map(Json)
}

#[derive(Deserialize)]
struct Needle {
    q: String,
    #[serde(default)]
    case: bool,
}

async fn search(access: Viewer, State(state): State<AppState>, Query(needle): Query<Needle>) -> Result<Json<Search>> {
    let (rooms, replicas) = (&state.rooms, &state.replicas);
    super::search(&state.db, rooms, replicas, access.project, &needle.q, needle.case).await.map(Json)
}

/// The head that `If-Match` names; `None` where it is absent or matches anything.
fn expected_head(headers: &HeaderMap) -> Result<Option<i64>> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let head = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    head.map(Some).ok_or_else(|| Error::invalid("bad_if_match", "If-Match must be the ETag of a text, such as \"12\""))
}

/// A state vector as an address spells it; nothing stands for an empty one.
fn state_vector(text: &str) -> Result<StateVector> {
    if text.is_empty() {
        return Ok(StateVector::default());
    }
    let bytes = BASE64URL.decode(text).ok();
    bytes
        .and_then(|bytes| StateVector::decode(&bytes).ok())
        .ok_or_else(|| Error::invalid("bad_state_vector", "since must be a Yjs state vector in base64url"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_vector_may_be_absent_padded_or_not() {
        assert!(state_vector("").unwrap().is_empty());
        assert!(state_vector("AA").unwrap().is_empty());
        assert!(state_vector("AA==").unwrap().is_empty());
        for bad in ["A", "AAA", "!!", "_w"] {
            assert!(state_vector(bad).is_err(), "{bad}");
        }
    }
}
