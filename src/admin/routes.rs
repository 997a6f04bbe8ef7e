//! `/api/admin/…`, for operators; for everybody else it does not exist.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{AdminProject, AdminUser, Quarantined, Quotas, UserChange};
use crate::audit::{self, Entry, EntryView};
use crate::auth::Operator;
use crate::db::Db;
use crate::error::{Error, ErrorView, Result};
use crate::extract::{Json, PathId, Query};
use crate::feed::Feed;
use crate::filter::{By, Words};
use crate::ids::{DocumentId, ProjectId, UserId};
use crate::page::{Page, PageQuery};
use crate::rights::Rights;
use crate::room::Rooms;
use crate::state::AppState;
use crate::{project, replica};

/// `/api/admin/…`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(users))
        .routes(routes!(change_user))
        .routes(routes!(projects))
        .routes(routes!(set_quotas, delete_project))
        .routes(routes!(restore_project))
        .routes(routes!(quarantined))
        .routes(routes!(quarantine, release))
        .routes(routes!(entries))
}

#[derive(Deserialize, ToSchema)]
struct Why {
    /// Shown to who asks for its text.
    reason: String,
}

/// Everybody the server knows.
#[utoipa::path(
    get, path = "/api/admin/users", operation_id = "admin_list_users", tag = "server", params(PageQuery, Words),
    responses((status = 200, body = Page<AdminUser>))
)]
async fn users(
    _operator: Operator,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(words): Query<Words>,
) -> Result<Json<Page<AdminUser>>> {
    Ok(Json(super::users(&db, &page, &words).await?))
}

/// Shuts somebody out, or lets them in again.
#[utoipa::path(
    patch, path = "/api/admin/users/{user}", operation_id = "admin_change_user", tag = "server", request_body = UserChange,
    responses((status = 200, body = AdminUser), (status = 409, description = "Not this user.", body = ErrorView))
)]
async fn change_user(
    Operator(caller): Operator,
    State(db): State<Db>,
    State(rights): State<Rights>,
    PathId(user): PathId<UserId>,
    Json(change): Json<UserChange>,
) -> Result<Json<AdminUser>> {
    Ok(Json(super::change_user(&db, &rights, caller.user.id, user, change).await?))
}

/// Every project, also deleted ones.
#[utoipa::path(
    get, path = "/api/admin/projects", operation_id = "admin_list_projects", tag = "server",
    params(PageQuery, Words, By),
    responses((status = 200, body = Page<AdminProject>))
)]
async fn projects(
    _operator: Operator,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(words): Query<Words>,
    Query(by): Query<By>,
) -> Result<Json<Page<AdminProject>>> {
    Ok(Json(super::projects(&db, &page, &words, by).await?))
}

/// Gives a project limits of its own; null means the server's.
#[utoipa::path(
    put, path = "/api/admin/projects/{project}", operation_id = "admin_set_quotas", tag = "server", request_body = Quotas,
    responses((status = 200, body = AdminProject))
)]
async fn set_quotas(
    Operator(caller): Operator,
    State(db): State<Db>,
    State(rooms): State<Rooms>,
    PathId(project): PathId<ProjectId>,
    Json(quotas): Json<Quotas>,
) -> Result<Json<AdminProject>> {
    let changed = super::set_quotas(&db, caller.user.id, project, quotas).await?;
    rooms.quotas().look(project);
    Ok(Json(changed))
}

/// Deletes a project for everybody in it.
#[utoipa::path(
    delete, path = "/api/admin/projects/{project}", operation_id = "admin_delete_project", tag = "server",
    responses((status = 204, description = "Done."))
)]
async fn delete_project(
    Operator(caller): Operator,
    State(feed): State<Feed>,
    State(rooms): State<Rooms>,
    State(rights): State<Rights>,
    PathId(project): PathId<ProjectId>,
) -> Result<StatusCode> {
    project::delete(&feed, &rooms, &rights, caller.user.id, project).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a deleted project back.
#[utoipa::path(
    post, path = "/api/admin/projects/{project}/restore", operation_id = "admin_restore_project", tag = "server",
    responses((status = 204, description = "Done. One that is not deleted, or too long ago, is not found."))
)]
async fn restore_project(
    Operator(caller): Operator,
    State(feed): State<Feed>,
    State(rights): State<Rights>,
    PathId(project): PathId<ProjectId>,
) -> Result<StatusCode> {
    project::restore(&feed, &rights, caller.user.id, false, project).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Documents that cost a worker, and those set aside.
#[utoipa::path(
    get, path = "/api/admin/documents", operation_id = "admin_list_documents", tag = "server",
    responses((status = 200, body = Page<Quarantined>))
)]
async fn quarantined(_operator: Operator, State(db): State<Db>) -> Result<Json<Page<Quarantined>>> {
    let faults = replica::faults(&db).await?;
    let view = |fault: replica::Fault| Quarantined {
        document_id: fault.document,
        crashes: fault.crashes,
        reason: fault.reason,
        set_aside: fault.set_aside,
    };
    Ok(Json(Page::whole(faults.into_iter().map(view).collect())))
}

/// Sets a document's text functions aside; it goes on syncing.
#[utoipa::path(
    put, path = "/api/admin/documents/{document}/quarantine", operation_id = "admin_quarantine", tag = "server", request_body = Why,
    responses((status = 204, description = "Done."))
)]
async fn quarantine(
    Operator(caller): Operator,
    State(db): State<Db>,
    PathId(document): PathId<DocumentId>,
    Json(why): Json<Why>,
) -> Result<StatusCode> {
    replica::quarantine(&db, document, &why.reason).await?;
    told(&db, caller.user.id, "document.quarantined", document).await
}

/// Takes a document's text functions back.
#[utoipa::path(
    delete, path = "/api/admin/documents/{document}/quarantine", operation_id = "admin_release", tag = "server",
    responses((status = 204, description = "Done."))
)]
async fn release(
    Operator(caller): Operator,
    State(db): State<Db>,
    PathId(document): PathId<DocumentId>,
) -> Result<StatusCode> {
    if !replica::release(&db, document).await? {
        return Err(Error::NotFound);
    }
    told(&db, caller.user.id, "document.released", document).await
}

async fn told(db: &Db, actor: UserId, action: &'static str, document: DocumentId) -> Result<StatusCode> {
    let mut tx = db.begin().await?;
    Entry::new(actor, action, document).record(&mut tx).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who did what to rights, keys and logins, on the whole server.
#[utoipa::path(
    get, path = "/api/admin/audit", operation_id = "admin_list_audit", tag = "server", params(PageQuery, Words, By),
    responses((status = 200, body = Page<EntryView>))
)]
async fn entries(
    _operator: Operator,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(words): Query<Words>,
    Query(by): Query<By>,
) -> Result<Json<Page<EntryView>>> {
    Ok(Json(audit::list(&db, None, &page, &words, by).await?))
}
