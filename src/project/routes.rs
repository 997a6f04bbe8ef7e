//! Projects over HTTP, and the invites by which one comes into them.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::template::{Template, TemplateView};
use super::{DeletedView, NewProject, ProjectChange, ProjectView};
use crate::access::{self, Owner, Viewer};
use crate::auth::{ByLogin, CurrentUser, SignedIn};
use crate::db::Db;
use crate::error::{ErrorView, Result};
use crate::extract::{Json, PathId, Query};
use crate::feed::Feed;
use crate::filter::Words;
use crate::ids::ProjectId;
use crate::once::{Keyed, once};
use crate::page::{Page, PageQuery};
use crate::rights::Rights;
use crate::room::Rooms;
use crate::state::AppState;

/// `/api/projects`, `/api/templates`, and `/api/invites/{token}/accept`, whose answer is a project.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(templates))
        .routes(routes!(show, change, remove))
        .routes(routes!(deleted))
        .routes(routes!(restore))
        .routes(routes!(accept_invite))
}

/// The projects one is a member of, the newest first. A token sees its own project only.
#[utoipa::path(
    get, path = "/api/projects", operation_id = "list_projects", tag = "projects", params(PageQuery, Words),
    responses((status = 200, body = Page<ProjectView>))
)]
async fn list(
    CurrentUser(caller): CurrentUser,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(words): Query<Words>,
) -> Result<Json<Page<ProjectView>>> {
    Ok(Json(super::list(&db, &caller, &page, &words).await?))
}

/// Makes a project, with its maker as the owner and the files of a template, if one is named.
#[utoipa::path(
    post, path = "/api/projects", operation_id = "create_project", tag = "projects", security(("login" = [])),
    params(("idempotency-key" = Option<String>, Header, description = "Carries it out once, however often it is sent.")),
    request_body = NewProject,
    responses(
        (status = 201, body = ProjectView),
        (status = 409, description = "`in_progress`: the key's request is. `too_many_projects`: one has made as many as one may.", body = ErrorView),
        (status = 422, description = "The key was another request's.", body = ErrorView),
    )
)]
async fn create(
    SignedIn(caller): SignedIn,
    State(state): State<AppState>,
    wanted: Keyed<NewProject>,
) -> Result<Response> {
    let (creator, most, db) = (caller.user.id, state.config.projects_per_user, state.db.clone());
    once(&db, creator, wanted.seal, StatusCode::CREATED, async move {
        let quotas = state.rooms.quotas();
        let project = super::create(&state.feed, quotas, creator, most, &wanted.value).await?;
        Ok(project.view(access::Role::Owner))
    })
    .await
}

/// What a project can begin with, in the order to show it.
#[utoipa::path(
    get, path = "/api/templates", operation_id = "list_templates", tag = "projects",
    responses((status = 200, body = Page<TemplateView>))
)]
async fn templates(_: CurrentUser) -> Json<Page<TemplateView>> {
    Json(Page::whole(Template::all()))
}

/// One project.
#[utoipa::path(
    get, path = "/api/projects/{p}", operation_id = "get_project", tag = "projects",
    responses((status = 200, body = ProjectView))
)]
async fn show(access: Viewer, State(db): State<Db>, State(rooms): State<Rooms>) -> Result<Json<ProjectView>> {
    Ok(Json(super::show(&db, rooms.quotas(), access.project, access.role).await?))
}

/// Changes a project: what is left out stays. One that becomes private takes its invites back, and who came in by a link
/// is in it no more. For owners.
#[utoipa::path(
    patch, path = "/api/projects/{p}", operation_id = "change_project", tag = "projects", request_body = ProjectChange,
    responses((status = 200, body = ProjectView))
)]
async fn change(
    access: Owner,
    State(feed): State<Feed>,
    State(rights): State<Rights>,
    Json(change): Json<ProjectChange>,
) -> Result<Json<ProjectView>> {
    // A token is lent for a while; what a project is outlives it.
    access.caller.refuse_token()?;
    let project = super::change(&feed, &rights, access.project, access.caller.user.id, &change).await?;
    Ok(Json(project.view(access.role)))
}

/// Deletes a project for everybody in it. For owners.
#[utoipa::path(
    delete, path = "/api/projects/{p}", operation_id = "delete_project", tag = "projects",
    responses((status = 204, description = "It is gone."))
)]
async fn remove(
    access: Owner,
    State(feed): State<Feed>,
    State(rooms): State<Rooms>,
    State(rights): State<Rights>,
) -> Result<StatusCode> {
    access.caller.refuse_token()?;
    super::delete(&feed, &rooms, &rights, access.caller.user.id, access.project).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The deleted projects that one can take back, the newest first.
#[utoipa::path(
    get, path = "/api/projects/deleted", operation_id = "list_deleted_projects", tag = "projects",
    params(PageQuery, Words),
    responses(
        (status = 200, body = Page<DeletedView>),
        (status = 403, description = "A token, or a key that may not write, cannot do this.", body = ErrorView),
    )
)]
async fn deleted(
    SignedIn(caller): SignedIn,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(words): Query<Words>,
) -> Result<Json<Page<DeletedView>>> {
    Ok(Json(super::deleted(&db, &caller, &page, &words).await?))
}

/// Takes a project back that was deleted at most 30 days ago. For its owners.
#[utoipa::path(
    post, path = "/api/projects/{p}/restore", operation_id = "restore_project", tag = "projects",
    security(("login" = [])), responses((status = 200, body = ProjectView))
)]
async fn restore(
    ByLogin(caller, _): ByLogin,
    State(feed): State<Feed>,
    State(rights): State<Rights>,
    PathId(project): PathId<ProjectId>,
) -> Result<Json<ProjectView>> {
    super::restore(&feed, &rights, caller.user.id, true, project).await?;
    Ok(Json(super::seen_by(feed.db(), &caller, project).await?))
}

/// Becomes a member by an invite's secret. Whoever may do as much already stays what they are and uses nothing up.
#[utoipa::path(
    post, path = "/api/invites/{token}/accept", tag = "people", security(("login" = [])),
    responses((status = 200, body = ProjectView))
)]
async fn accept_invite(
    SignedIn(caller): SignedIn,
    State(feed): State<Feed>,
    PathId(token): PathId<String>,
) -> Result<Json<ProjectView>> {
    let project = access::accept(&feed, &caller, &token).await?;
    Ok(Json(super::seen_by(feed.db(), &caller, project).await?))
}
