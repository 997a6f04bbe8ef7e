//! A user's logins over HTTP.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::LoginView;
use crate::auth::ByLogin;
use crate::db::Db;
use crate::error::{ErrorView, Result};
use crate::extract::{Json, PathId, Query};
use crate::ids::LoginId;
use crate::page::{Page, PageQuery};
use crate::rights::Rights;
use crate::state::AppState;

/// `/api/logins`.
pub(in crate::auth) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, end_all)).routes(routes!(end))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Which {
    /// Whether the login that asks stays.
    #[serde(default)]
    others: bool,
}

/// The browsers in which one is signed in.
#[utoipa::path(
    get, path = "/api/logins", operation_id = "list_logins", tag = "sign-in", security(("login" = [])), params(PageQuery),
    responses((status = 200, body = Page<LoginView>), (status = 403, description = "Only a browser that is signed in can do this.", body = ErrorView))
)]
async fn list(
    ByLogin(caller, current): ByLogin,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<LoginView>>> {
    Ok(Json(super::list(&db, caller.user.id, current, &page).await?))
}

/// Signs one browser out; what it has open ends within a second.
#[utoipa::path(
    delete, path = "/api/logins/{login}", operation_id = "end_login", tag = "sign-in", security(("login" = [])),
    responses((status = 204, description = "Done."))
)]
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

/// Signs out everywhere.
#[utoipa::path(
    delete, path = "/api/logins", operation_id = "end_logins", tag = "sign-in", security(("login" = [])), params(Which),
    responses((status = 204, description = "Done."))
)]
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
