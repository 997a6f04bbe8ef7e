//! `/api/admin/…`, for operators; for everybody else it does not exist.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, patch, post, put};
use serde::Deserialize;
use serde_json::json;

use super::{AdminProject, AdminUser, Quarantined, Quotas, UserChange, note};
use crate::audit::{self, EntryView};
use crate::auth::Operator;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::extract::{Json, PathId, Query};
use crate::ids::{DocumentId, ProjectId, UserId};
use crate::page::{Page, PageQuery};
use crate::rights::Rights;
use crate::room::Rooms;
use crate::state::AppState;
use crate::{project, replica};

/// `/api/admin/…`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/admin/users", get(users))
        .route("/api/admin/users/{user}", patch(change_user))
        .route("/api/admin/projects", get(projects))
        .route("/api/admin/projects/{project}", put(set_quotas).delete(delete_project))
        .route("/api/admin/projects/{project}/restore", post(restore_project))
        .route("/api/admin/documents", get(quarantined))
        .route("/api/admin/documents/{document}/quarantine", put(quarantine).delete(release))
        .route("/api/admin/audit", get(entries))
}

#[derive(Deserialize)]
struct Why {
    /// Shown to who asks for its text.
    reason: String,
}

async fn users(
    Operator(_): Operator,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AdminUser>>> {
    Ok(Json(super::users(&db, &page).await?))
}

async fn change_user(
    Operator(caller): Operator,
    State(db): State<Db>,
    State(rights): State<Rights>,
    PathId(user): PathId<UserId>,
    Json(change): Json<UserChange>,
) -> Result<Json<AdminUser>> {
    Ok(Json(super::change_user(&db, &rights, caller.user.id, user, change).await?))
}

async fn projects(
    Operator(_): Operator,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AdminProject>>> {
    Ok(Json(super::projects(&db, &page).await?))
}

async fn set_quotas(
    Operator(caller): Operator,
    State(db): State<Db>,
    PathId(project): PathId<ProjectId>,
    Json(quotas): Json<Quotas>,
) -> Result<Json<AdminProject>> {
    Ok(Json(super::set_quotas(&db, caller.user.id, project, quotas).await?))
}

async fn delete_project(
    Operator(caller): Operator,
    State(db): State<Db>,
    State(rooms): State<Rooms>,
    State(rights): State<Rights>,
    PathId(project): PathId<ProjectId>,
) -> Result<StatusCode> {
    project::delete(&db, &rooms, &rights, caller.user.id, project).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn restore_project(
    Operator(caller): Operator,
    State(db): State<Db>,
    State(rights): State<Rights>,
    PathId(project): PathId<ProjectId>,
) -> Result<StatusCode> {
    project::restore(&db, &rights, caller.user.id, false, project).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn quarantined(Operator(_): Operator, State(db): State<Db>) -> Result<Json<Page<Quarantined>>> {
    let faults = replica::faults(&db).await?;
    let view = |fault: replica::Fault| Quarantined {
        document_id: fault.document,
        crashes: fault.crashes,
        reason: fault.reason,
        set_aside: fault.set_aside,
    };
    Ok(Json(Page { items: faults.into_iter().map(view).collect(), next: None }))
}

async fn quarantine(
    Operator(caller): Operator,
    State(db): State<Db>,
    PathId(document): PathId<DocumentId>,
    Json(why): Json<Why>,
) -> Result<StatusCode> {
    replica::quarantine(&db, document, &why.reason).await?;
    told(&db, caller.user.id, "document.quarantined", document).await
}

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
    note(&mut tx, actor, None, action, document.to_string(), json!({})).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn entries(
    Operator(_): Operator,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<EntryView>>> {
    Ok(Json(audit::list(&db, None, &page).await?))
}
