//! Proposals over HTTP.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::view::trust;
use super::{Author, NewProposal, ProposalView, Revision, TrustView, get, sql, view};
use crate::access::{Commenter, Editor, Viewer};
use crate::auth::{self, Credential};
use crate::db::Db;
use crate::error::{Error, ErrorView, Result};
use crate::extract::{Json, PathId, Query};
use crate::filter::By;
use crate::ids::ProposalId;
use crate::limits;
use crate::once::{Keyed, once};
use crate::page::{Page, PageQuery};
use crate::role::Role;
use crate::state::AppState;

/// `/api/projects/{p}/proposals` and `…/trust`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, propose))
        .routes(routes!(show, reword))
        .layer(DefaultBodyLimit::max(limits::PROPOSAL_BODY_BYTES))
        .routes(routes!(accept))
        .routes(routes!(reject))
        .routes(routes!(undo))
        .routes(routes!(vote))
        .routes(routes!(read_trust))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Only those of which something waits for a decision, or only the others.
    open: Option<bool>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Accepting {
    /// Which hunks; all that wait when left out.
    #[schema(min_items = 1, max_items = 500)]
    hunks: Option<Vec<i64>>,
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rejecting {
    /// Which hunks; all that wait when left out.
    #[schema(min_items = 1, max_items = 500)]
    hunks: Option<Vec<i64>>,
    /// Why.
    #[schema(max_length = 10_000)]
    reason: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Vote {
    /// 1 for it, -1 against it, 0 to take a vote back.
    #[schema(minimum = -1, maximum = 1)]
    value: i64,
}

#[derive(Serialize, ToSchema)]
struct Trust {
    items: Vec<TrustView>,
}

/// The proposals of a project, the latest first, without their files.
#[utoipa::path(
    get, path = "/api/projects/{p}/proposals", operation_id = "list_proposals", tag = "proposals", params(PageQuery, Which, By),
    responses((status = 200, body = Page<ProposalView>))
)]
async fn list(
    access: Viewer,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(which): Query<Which>,
    Query(by): Query<By>,
) -> Result<Json<Page<ProposalView>>> {
    let limit = page.limit()?;
    let proposals = sql::list(&db, access.project, which.open, by.author, page.after()?, limit + 1).await?;
    Ok(Json(Page::cut(proposals, limit, |proposal| proposal.id).map(|proposal| proposal.head())))
}

/// Suggests a change of files, which changes nothing before somebody accepts it. For who may chat.
///
/// Hunks are made here: of the whole text a document shall have, or of what is to be replaced in it. With `base`, the text
/// that `text` was made from, what others typed since is left alone.
#[utoipa::path(
    post, path = "/api/projects/{p}/proposals", operation_id = "create_proposal", tag = "proposals",
    request_body = NewProposal,
    params(("idempotency-key" = Option<String>, Header, description = "Carries it out once, however often it is sent.")),
    responses(
        (status = 201, body = ProposalView),
        (status = 409, description = "`stale`: all that it changes has changed since; `too_many`: too many wait; `not_text`.", body = ErrorView),
        (status = 412, description = "A document has moved on since the head that was named.", body = ErrorView),
        (status = 422, description = "The key was another request's.", body = ErrorView),
    )
)]
async fn propose(access: Commenter, State(state): State<AppState>, wanted: Keyed<NewProposal>) -> Result<Response> {
    let (user, db) = (access.caller.user.id, state.db.clone());
    let proposal = wanted.value;
    let is_program = matches!(access.caller.credential, Credential::Key(_));
    if !is_program && (proposal.persona.is_some() || proposal.model.is_some()) {
        return Err(Error::invalid("bad_proposal", "persona and model are for programs that come with an API key"));
    }
    once(&db, user, wanted.seal, StatusCode::CREATED, async move {
        let made = super::create(&state, access.project, Author::alone(user), proposal).await?;
        view(&state, &made).await
    })
    .await
}

/// One proposal, with where its hunks are now.
#[utoipa::path(
    get, path = "/api/projects/{p}/proposals/{proposal}", operation_id = "get_proposal", tag = "proposals",
    responses((status = 200, body = ProposalView))
)]
async fn show(
    access: Viewer,
    State(state): State<AppState>,
    PathId(id): PathId<ProposalId>,
) -> Result<Json<ProposalView>> {
    let found = get(&state.db, access.project, id).await?;
    view(&state, &found).await.map(Json)
}

/// Puts it in other words while it waits: what it says of itself, and, for editors, the lines that hunks are to become.
/// For who proposed it; what it says of itself also for who asked them.
#[utoipa::path(
    patch, path = "/api/projects/{p}/proposals/{proposal}", operation_id = "revise_proposal", tag = "proposals",
    request_body = Revision,
    responses(
        (status = 200, body = ProposalView),
        (status = 409, description = "`decided`, `stale`: it does not wait any more.", body = ErrorView),
    )
)]
async fn reword(
    access: Commenter,
    State(state): State<AppState>,
    PathId(id): PathId<ProposalId>,
    Json(wanted): Json<Revision>,
) -> Result<Json<ProposalView>> {
    if !wanted.hunks.is_empty() && !access.role.covers(Role::Editor) {
        // Whoever decides on it may look at what it said before.
        return Err(Error::Forbidden("only editors may put hunks in other words; withdraw it and propose anew"));
    }
    let by = auth::participant(&state.db, &access.caller.user).await?;
    let proposal = super::revise(&state, access.project, &by, id, &wanted).await?;
    view(&state, &proposal).await.map(Json)
}

/// Accepts some hunks, or all that wait: they are written in one transaction over all their files, by who accepts. Those of
/// which the text has changed become stale and are left; the others are written together, or none. For editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/proposals/{proposal}/accept", operation_id = "accept_proposal", tag = "proposals",
    request_body = Accepting,
    responses(
        (status = 200, body = ProposalView),
        (status = 409, description = "`decided`: on one of them it was decided before; `stale`: none can be written any more.", body = ErrorView),
    )
)]
async fn accept(
    access: Editor,
    State(state): State<AppState>,
    PathId(id): PathId<ProposalId>,
    Json(wanted): Json<Accepting>,
) -> Result<Json<ProposalView>> {
    let by = auth::participant(&state.db, &access.caller.user).await?;
    let proposal = super::accept(&state, access.project, &by, id, wanted.hunks).await?;
    view(&state, &proposal).await.map(Json)
}

/// Rejects some hunks, or all that wait. For editors, and for who proposed.
#[utoipa::path(
    post, path = "/api/projects/{p}/proposals/{proposal}/reject", operation_id = "reject_proposal", tag = "proposals",
    request_body = Rejecting,
    responses(
        (status = 200, body = ProposalView),
        (status = 409, description = "`decided`, `stale`: on one of them it was decided before.", body = ErrorView),
    )
)]
async fn reject(
    access: Commenter,
    State(state): State<AppState>,
    PathId(id): PathId<ProposalId>,
    Json(wanted): Json<Rejecting>,
) -> Result<Json<ProposalView>> {
    let by = auth::participant(&state.db, &access.caller.user).await?;
    let (hunks, reason) = (wanted.hunks.as_deref(), wanted.reason.as_deref());
    let proposal = super::reject(&state, access.project, (&by, access.role), id, hunks, reason).await?;
    view(&state, &proposal).await.map(Json)
}

/// Takes back what was accepted, as an edit of its own: what others did since stays. What still waits is rejected. For
/// editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/proposals/{proposal}/undo", operation_id = "undo_proposal", tag = "proposals",
    responses(
        (status = 200, body = ProposalView),
        (status = 409, description = "`undone`: it was before; `not_accepted`: there is nothing to take back; `kept`: nothing of it can be.", body = ErrorView),
    )
)]
async fn undo(
    access: Editor,
    State(state): State<AppState>,
    PathId(id): PathId<ProposalId>,
) -> Result<Json<ProposalView>> {
    let by = auth::participant(&state.db, &access.caller.user).await?;
    let proposal = super::undo(&state, access.project, &by, id).await?;
    view(&state, &proposal).await.map(Json)
}

/// Says what one thinks of it. For who may chat.
#[utoipa::path(
    post, path = "/api/projects/{p}/proposals/{proposal}/vote", operation_id = "vote_on_proposal", tag = "proposals",
    request_body = Vote,
    responses(
        (status = 200, body = ProposalView),
        (status = 409, description = "`decided`: nothing of it waits any more.", body = ErrorView),
    )
)]
async fn vote(
    access: Commenter,
    State(state): State<AppState>,
    PathId(id): PathId<ProposalId>,
    Json(wanted): Json<Vote>,
) -> Result<Json<ProposalView>> {
    let by = auth::participant(&state.db, &access.caller.user).await?;
    let proposal = super::vote(&state, access.project, &by, id, wanted.value).await?;
    view(&state, &proposal).await.map(Json)
}

/// How far proposals could be trusted: what became of those of each author, persona and model.
#[utoipa::path(
    get, path = "/api/projects/{p}/trust", operation_id = "read_trust", tag = "proposals",
    responses((status = 200, body = Trust))
)]
async fn read_trust(access: Viewer, State(db): State<Db>) -> Result<Json<Trust>> {
    Ok(Json(Trust { items: trust(&db, access.project).await? }))
}
