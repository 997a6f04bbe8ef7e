//! A user's logins over HTTP.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get};
use serde::Deserialize;

use super::LoginView;
use crate::auth::ByLogin;
use crate::db::Db;
use crate::error::Result;
use crate::extract::{Json, PathId, Query};
use crate::ids::LoginId;
use crate::page::{Page, PageQuery};
use crate::rights::Rights;
use crate::state::AppState;

/// `/api/logins`.
pub(in crate::auth) fn routes() -> Router<AppState> {
    Router::new().route("/api/logins", get(list).delete(end_all)).route("/api/logins/{login}", delete(end))
}

#[derive(Deserialize)]
struct Which {
    /// Whether the login that asks stays.
    #[serde(default)]
    others: bool,
}

async fn list(
    ByLogin(caller, current): ByLogin,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<LoginView>>> {
    Ok(Json(super::list(&db, caller.user.id, current, &page).await?))
}

async fn end(
    ByLogin(caller, _): ByLogin,
    State(db): State<Db>,
    State(rights): State<Rights>,
    PathId(login): PathId<LoginId>,
) -> Result<StatusCode> {
    super::end(&db, caller.user.id, login).await?;
    rights.look();
    Ok(StatusCode::NO_CONTENT)
}

async fn end_all(
    ByLogin(caller, current): ByLogin,
    State(db): State<Db>,
    State(rights): State<Rights>,
    Query(which): Query<Which>,
) -> Result<StatusCode> {
    let kept = which.others.then_some(current);
    super::end_all(&db, caller.user.id, kept).await?;
    rights.look();
    Ok(StatusCode::NO_CONTENT)
}
