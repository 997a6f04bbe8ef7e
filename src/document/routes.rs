//! Documents over HTTP: the tree, and a document's content as Yjs updates.

use anyhow::Context;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Changed, Document, DocumentView, Operation, Search, Target, Wanted, sql};
use crate::access::{Editor, Viewer};
use crate::auth;
use crate::db::Db;
use crate::error::{Error, ErrorView, Result};
use crate::extract::{Json, Octets, PlainText, Query};
use crate::feed::Feed;
use crate::filter::{Below, By, Words};
use crate::limits;
use crate::once::{Keyed, once};
use crate::page::{Page, PageQuery};
use crate::replica::{Part, Replicas};
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
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(change))
        .routes(routes!(read_text, write_text))
        .layer(DefaultBodyLimit::max(limits::CONTENT_BODY_BYTES))
        .routes(routes!(read_root))
        .routes(routes!(search))
        .routes(routes!(show, rename, remove))
        .merge(OpenApiRouter::new().routes(routes!(read, write)).layer(DefaultBodyLimit::max(limits::DOCUMENT_BYTES)))
}

#[derive(Deserialize, ToSchema)]
struct NewDocument {
    /// At most 255 bytes, without empty parts, `.` and `..`.
    #[schema(example = "notes/today.md", min_length = 1, max_length = 255)]
    path: String,
    /// The text it begins with, at most 16 MiB.
    #[serde(default)]
    content: String,
}

#[derive(Deserialize, ToSchema)]
struct Renaming {
    #[schema(example = "notes/yesterday.md", min_length = 1, max_length = 255)]
    path: String,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Since {
    /// The state vector of what one has, in base64url; everything is answered when left out.
    since: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Written {
    /// A row at which it is saved.
    head: i64,
}

/// The documents of a project.
#[utoipa::path(
    get, path = "/api/projects/{p}/documents", operation_id = "list_documents", tag = "documents",
    params(PageQuery, Words, Below, By),
    responses((status = 200, body = Page<DocumentView>))
)]
async fn list(
    access: Viewer,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(words): Query<Words>,
    Query(below): Query<Below>,
    Query(By { author }): Query<By>,
) -> Result<Json<Page<DocumentView>>> {
    let (needle, folder) = (words.needle()?, below.folder()?);
    let read = |after, limit| {
        let wanted = Wanted { after, words: needle.pattern(), folder, author };
        sql::list(&db, access.project, wanted, limit)
    };
    let is_wanted = |document: &Document| needle.is_in(&document.path);
    let documents = Page::sift(page.limit()?, page.after()?, read, |document| document.id, is_wanted).await?;
    Ok(Json(documents.map(|document| document.view())))
}

/// Creates a document with a text. For editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/documents", operation_id = "create_document", tag = "documents",
    params(("idempotency-key" = Option<String>, Header, description = "Carries it out once, however often it is sent.")),
    request_body = NewDocument,
    responses(
        (status = 201, body = DocumentView),
        (status = 409, description = "`path_taken`: something is in the way there; `in_progress`: the key's request is.", body = ErrorView),
        (status = 422, description = "The key was another request's.", body = ErrorView),
    )
)]
async fn create(
    access: Editor,
    State(feed): State<Feed>,
    State(rooms): State<Rooms>,
    wanted: Keyed<NewDocument>,
) -> Result<Response> {
    let (creator, db) = (access.caller.user.id, feed.db().clone());
    once(&db, creator, wanted.seal, StatusCode::CREATED, async move {
        let NewDocument { path, content } = wanted.value;
        Ok(super::create(&feed, rooms.quotas(), access.project, creator, &path, &content).await?.view())
    })
    .await
}

/// One document: where it is, and where its log stands.
#[utoipa::path(
    get, path = "/api/projects/{p}/documents/{d}", operation_id = "get_document", tag = "documents",
    responses((status = 200, body = DocumentView))
)]
async fn show(target: Target<Viewer>) -> Json<DocumentView> {
    Json(target.document.view())
}

/// Moves a document; its old path goes on leading to it. For editors.
#[utoipa::path(
    patch, path = "/api/projects/{p}/documents/{d}", operation_id = "rename_document", tag = "documents",
    request_body = Renaming,
    responses(
        (status = 200, body = DocumentView),
        (status = 409, description = "`path_taken`: something is in the way there.", body = ErrorView),
    )
)]
async fn rename(
    target: Target<Editor>,
    State(feed): State<Feed>,
    Json(wanted): Json<Renaming>,
) -> Result<Json<DocumentView>> {
    let Target { access, document } = target;
    let document = super::rename(&feed, access.project, access.caller.user.id, document.id, &wanted.path).await?;
    Ok(Json(document.view()))
}

/// Deletes a document for everybody. For editors.
#[utoipa::path(
    delete, path = "/api/projects/{p}/documents/{d}", operation_id = "delete_document", tag = "documents",
    responses((status = 204, description = "It is gone."))
)]
async fn remove(target: Target<Editor>, State(feed): State<Feed>, State(rooms): State<Rooms>) -> Result<StatusCode> {
    let Target { access, document } = target;
    super::delete(&feed, &rooms, access.project, access.caller.user.id, document.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a document holds beyond a state vector, as a Yjs update (v1).
#[utoipa::path(
    get, path = "/api/projects/{p}/documents/{d}/update", operation_id = "read_update", tag = "documents", params(Since),
    responses((
        status = 200, description = "The update.", content_type = "application/octet-stream", body = Vec<u8>,
        headers(("coterie-head" = i64, description = "The row it reaches to.")),
    ))
)]
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

/// Makes an edit, a Yjs update (v1); answered when it is saved. For editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/documents/{d}/update", operation_id = "write_update", tag = "documents",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, body = Written),
        (status = 409, description = "Not to be had: somebody else's clientID, or what it builds on is not here.", body = ErrorView),
    )
)]
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

/// A document's text, or a part of it: its root `content`.
#[utoipa::path(
    get, path = "/api/projects/{p}/documents/{d}/text", tag = "text", params(PartQuery),
    responses(
        (
            status = 200, description = "The text.", content_type = "text/plain", body = String,
            headers(
                ("etag" = String, description = "The row it was read at, for `If-Match`."),
                ("coterie-head" = i64, description = "The same as a number."),
            ),
        ),
        (status = 409, description = "`not_text`: its root is not a text.", body = ErrorView),
        (status = 413, description = "It says more than can be answered.", body = ErrorView),
    )
)]
async fn read_text(
    target: Target<Viewer>,
    State(rooms): State<Rooms>,
    State(replicas): State<Replicas>,
    Query(query): Query<PartQuery>,
) -> Result<impl IntoResponse> {
    let content = super::text(&rooms, &replicas, &target.document, query.part()?).await?;
    let head = content.head.seq;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::ETAG, format!("\"{head}\"")),
        (HEAD, head.to_string()),
    ];
    Ok((headers, content.text))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct PartQuery {
    /// Only these lines, both included, counted from 1; not with `range`.
    #[param(example = "1-20")]
    lines: Option<String>,
    /// Only these UTF-16 units, the last not included, counted from 0; not with `lines`.
    #[param(example = "0-100")]
    range: Option<String>,
}

impl PartQuery {
    fn part(&self) -> Result<Part> {
        let ends = |text: &str| {
            let (from, to) = text.split_once('-')?;
            Some((from.parse().ok()?, to.parse().ok()?)).filter(|(from, to): &(usize, usize)| from <= to)
        };
        let part = match (self.lines.as_deref(), self.range.as_deref()) {
            (None, None) => Some(Part::Whole),
            (Some(lines), None) => {
                ends(lines).filter(|&(first, _)| first > 0).map(|(first, last)| Part::Lines(first, last))
            }
            (None, Some(range)) => ends(range).map(|(from, to)| Part::Range(from, to)),
            (Some(_), Some(_)) => None,
        };
        part.ok_or_else(|| Error::invalid("bad_query", "ask for lines=1-20 or for range=0-100, the lower number first"))
    }
}

/// Any root of a document as JSON, whatever its type; `null` where there is none of that name.
#[utoipa::path(
    get, path = "/api/projects/{p}/documents/{d}/roots/{root}", tag = "text",
    params(("root" = String, Path, description = "The root's name, such as `content`.")),
    responses(
        (
            status = 200, description = "What the root holds.", body = serde_json::Value,
            headers(("coterie-head" = i64, description = "The last row in it.")),
        ),
        (status = 413, description = "It says more than can be answered.", body = ErrorView),
    )
)]
async fn read_root(
    target: Target<Viewer>,
    Path(path): Path<RootPath>,
    State(rooms): State<Rooms>,
    State(replicas): State<Replicas>,
) -> Result<impl IntoResponse> {
    let content = super::json(&rooms, &replicas, &target.document, path.root).await?;
    let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (HEAD, content.head.seq.to_string())];
    Ok((headers, content.text))
}

#[derive(Deserialize)]
struct RootPath {
    root: String,
}

/// Makes a document's text another, by the smallest edit: what others type meanwhile stays. For editors.
#[utoipa::path(
    put, path = "/api/projects/{p}/documents/{d}/text", tag = "text",
    params(("if-match" = Option<String>, Header, description = "The `ETag` of the text it was made from: only if it still says that.")),
    request_body(content = String, content_type = "text/plain"),
    responses(
        (
            status = 200, body = Written,
            headers(("etag" = String, description = "The text's new tag; only with `If-Match`.")),
        ),
        (status = 409, description = "`not_text`: its root holds more than text.", body = ErrorView),
        (status = 412, description = "It has moved on since.", body = ErrorView),
    )
)]
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
        let head = super::write(feed, rooms, replicas, document, &author, &text).await?;
        // No ETag: the text at this head may hold what others typed meanwhile.
        return Ok(Json(Written { head }).into_response());
    };
    let head = super::write_at(feed, rooms, replicas, document, &author, &text, expected).await?;
    Ok(([(header::ETAG, format!("\"{head}\""))], Json(Written { head })).into_response())
}

#[derive(Deserialize, ToSchema)]
struct Changes {
    #[schema(min_items = 1, max_items = 500)]
    operations: Vec<Operation>,
}

/// Creates, writes, renames and deletes documents: all of it or nothing. For editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/changes", operation_id = "change_documents", tag = "text", request_body = Changes,
    params(("idempotency-key" = Option<String>, Header, description = "Carries it out once, however often it is sent.")),
    responses(
        (status = 200, body = Changed),
        (status = 409, description = "`path_taken`, `not_text`: something is in the way.", body = ErrorView),
        (status = 412, description = "A document has moved on since the head that was named.", body = ErrorView),
        (status = 422, description = "The key was another request's.", body = ErrorView),
    )
)]
async fn change(access: Editor, State(state): State<AppState>, changes: Keyed<Changes>) -> Result<Response> {
    let author = auth::participant(&state.db, &access.caller.user).await?;
    let db = state.db.clone();
    once(&db, access.caller.user.id, changes.seal, StatusCode::OK, async move {
        let (feed, rooms, replicas) = (&state.feed, &state.rooms, &state.replicas);
        super::change(feed, rooms, replicas, access.project, &author, changes.value.operations).await
    })
    .await
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Needle {
    /// What to look for: one line.
    #[param(min_length = 1, max_length = 200)]
    q: String,
    /// Whether capital letters matter.
    #[serde(default)]
    case: bool,
}

/// Looks for a text in every document of a project.
#[utoipa::path(
    get, path = "/api/projects/{p}/search", tag = "text", params(Needle), responses((status = 200, body = Search))
)]
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
