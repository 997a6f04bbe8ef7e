//! The feed and the sessions over HTTP.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::stream;
use crate::access::Viewer;
use crate::address::ClientAddress;
use crate::db::Db;
use crate::door::Uncounted;
use crate::error::{Error, Result};
use crate::extract::{Json, Query};
use crate::feed::{self, Entry, Wanted};
use crate::filter::{Below, By};
use crate::limits;
use crate::page::{self, Page, PageQuery};
use crate::session::{self, SessionView};
use crate::state::AppState;

/// `/api/projects/{p}/feed` and `…/sessions`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read)).routes(routes!(sessions))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct FeedQuery {
    /// Only what happened after this number, the oldest first.
    after: Option<i64>,
    /// Only what happened before this number, the newest first. Not together with `after`.
    before: Option<i64>,
    /// How many items are wanted; above 200 it means 200.
    #[param(minimum = 1, default = 50)]
    limit: Option<i64>,
    /// Only what concerns this document.
    document: Option<Uuid>,
}

/// A page of events.
#[derive(Debug, Serialize, ToSchema)]
struct FeedPage {
    #[schema(value_type = Vec<Object>)]
    items: Vec<Box<RawValue>>,
    /// What to hand back for the next page: as `after`, or as `before` where that was asked for; null on the last.
    #[schema(required)]
    next: Option<String>,
    /// The number of the last event of the project, at least.
    head: i64,
}

/// What happened in a project: a page of events, or a stream for those who accept `text/event-stream`.
///
/// A stream goes on with what happens, and resumes after the event that `Last-Event-ID` names. It counts as a socket of who
/// asks. Of a part of the feed there are no signals.
#[utoipa::path(
    get, path = "/api/projects/{p}/feed", operation_id = "read_feed", tag = "feed",
    params(FeedQuery, Below, By, ("last-event-id" = Option<String>, Header, description = "The id of the last event that was read.")),
    responses((status = 200, description = "The events.", content((FeedPage = "application/json"), (String = "text/event-stream"))))
)]
async fn read(
    access: Viewer,
    State(state): State<AppState>,
    Query(query): Query<FeedQuery>,
    Query(below): Query<Below>,
    Query(by): Query<By>,
    (address, uncounted): (ClientAddress, Option<Extension<Uncounted>>),
    headers: HeaderMap,
) -> Result<Response> {
    let wanted = Wanted {
        after: query.after.unwrap_or_default(),
        before: query.before,
        subject: query.document,
        folder: below.folder()?,
        actor: by.author,
    };
    if wants_stream(&headers) {
        if query.before.is_some() {
            return Err(Error::invalid("bad_cursor", "a stream goes on with what happens; give after, not before"));
        }
        let after = last_event(&headers)?.or(query.after);
        // A stream is open like a socket, and counts like one.
        let full = || Error::RateLimited { retry_after: limits::ADMISSION_TIME.as_secs() };
        let visit = uncounted.map(|_| state.door.visit(address).ok_or_else(full)).transpose()?;
        let sitting = state.door.sit(access.caller.user.id).ok_or_else(full)?;
        return Ok(stream::follow(state, access.0, after, &wanted, (visit, sitting)).into_response());
    }
    let limit = page::limit(query.limit)?;
    if query.after.is_some() && query.before.is_some() {
        return Err(Error::invalid("bad_cursor", "give after or before, not both"));
    }
    // Before the events, so that who reads on until this number has missed nothing.
    let head = feed::head(&state.db, access.project).await?;
    let mut entries = feed::read(&state.db, access.project, &wanted, limit + 1).await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = entries.len() > size;
    entries.truncate(size);
    let next = entries.last().filter(|_| more).map(|entry| entry.seq.to_string());
    let items = entries.iter().map(raw).collect::<Result<_>>()?;
    Ok(Json(FeedPage { items, next, head }).into_response())
}

/// The sessions of a project, the latest first: who met, from when to when.
#[utoipa::path(
    get, path = "/api/projects/{p}/sessions", operation_id = "list_sessions", tag = "feed", params(PageQuery, By),
    responses((status = 200, body = Page<SessionView>))
)]
async fn sessions(
    access: Viewer,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(by): Query<By>,
) -> Result<Json<Page<SessionView>>> {
    session::list(&db, access.project, &page, by).await.map(Json)
}

fn raw(entry: &Entry) -> Result<Box<RawValue>> {
    Ok(RawValue::from_string(entry.json().to_string()).map_err(anyhow::Error::from)?)
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accepted
        .split(',')
        .any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream")))
}

/// Where a reader who comes back left off.
fn last_event(headers: &HeaderMap) -> Result<Option<i64>> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let seq = value.to_str().ok().and_then(|text| text.trim().parse().ok()).filter(|seq| *seq >= 0);
    seq.map(Some).ok_or_else(|| Error::invalid("bad_cursor", "Last-Event-ID must be the id of an event of this feed"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_stream_is_for_those_who_accept_one() {
        let asks = |accept: &'static str| {
            wants_stream(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert!(asks("text/event-stream") && asks("application/json;q=0.5, Text/Event-Stream; q=1"));
        assert!(!asks("*/*") && !asks("application/json") && !wants_stream(&HeaderMap::new()));
    }
}
