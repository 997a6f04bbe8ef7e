//! Projects over HTTP, and the invites by which one comes into them.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};

use super::{NewProject, ProjectChange, ProjectView};
use crate::access::{self, Owner, Viewer};
use crate::auth::{CurrentUser, SignedIn};
use crate::db::Db;
use crate::error::Result;
use crate::extract::{Json, PathId, Query};
use crate::feed::Feed;
use crate::page::{Page, PageQuery};
use crate::room::Rooms;
use crate::state::AppState;

/// `/api/projects`, and `/api/invites/{token}/accept`, whose answer is a project.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/projects", get(list).post(create))
        .route("/api/projects/{p}", get(show).patch(change).delete(remove))
        .route("/api/invites/{token}/accept", post(accept_invite))
}

async fn list(
    CurrentUser(caller): CurrentUser,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ProjectView>>> {
    Ok(Json(super::list(&db, &caller, &page).await?))
}

async fn create(
    SignedIn(caller): SignedIn,
    State(db): State<Db>,
    Json(wanted): Json<NewProject>,
) -> Result<(StatusCode, Json<ProjectView>)> {
    let project = super::create(&db, caller.user.id, &wanted).await?;
    Ok((StatusCode::CREATED, Json(project.view(access::Role::Owner))))
}

async fn show(access: Viewer, State(db): State<Db>) -> Result<Json<ProjectView>> {
    let project = super::find(&db, access.project).await?;
    Ok(Json(project.view(access.role)))
}

async fn change(
    access: Owner,
    State(feed): State<Feed>,
    Json(change): Json<ProjectChange>,
) -> Result<Json<ProjectView>> {
    let project = super::change(&feed, access.project, access.caller.user.id, &change).await?;
    Ok(Json(project.view(access.role)))
}

async fn remove(access: Owner, State(db): State<Db>, State(rooms): State<Rooms>) -> Result<StatusCode> {
    super::delete(&db, &rooms, access.project).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn accept_invite(
    SignedIn(caller): SignedIn,
    State(feed): State<Feed>,
    PathId(token): PathId<String>,
) -> Result<Json<ProjectView>> {
    let project = access::accept(&feed, &caller, &token).await?;
    Ok(Json(super::seen_by(feed.db(), &caller, project).await?))
}
