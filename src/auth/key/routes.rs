//! A user's API keys over HTTP. Only from a browser: a key must not be able to make another that outlives it.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{KeyView, NewKey, NewKeyView};
use crate::auth::ByLogin;
use crate::db::Db;
use crate::error::{ErrorView, Result};
use crate::extract::{Json, PathId, Query};
use crate::filter::Words;
use crate::ids::KeyId;
use crate::page::{Page, PageQuery};
use crate::rights::Rights;
use crate::state::AppState;

/// `/api/keys`.
pub(in crate::auth) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// One's API keys, without their secrets.
#[utoipa::path(
    get, path = "/api/keys", operation_id = "list_keys", tag = "sign-in", security(("login" = [])),
    params(PageQuery, Words),
    responses((status = 200, body = Page<KeyView>), (status = 403, description = "Only a browser that is signed in can do this.", body = ErrorView))
)]
async fn list(
    ByLogin(caller, _): ByLogin,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(words): Query<Words>,
) -> Result<Json<Page<KeyView>>> {
    Ok(Json(super::list(&db, caller.user.id, &page, &words).await?))
}

/// Makes an API key; its secret is told this once.
#[utoipa::path(
    post, path = "/api/keys", operation_id = "create_key", tag = "sign-in", security(("login" = [])), request_body = NewKey,
    responses((status = 201, body = NewKeyView), (status = 409, description = "There are too many.", body = ErrorView))
)]
async fn create(
    ByLogin(caller, _): ByLogin,
    State(state): State<AppState>,
    Json(wanted): Json<NewKey>,
) -> Result<(StatusCode, Json<NewKeyView>)> {
    Ok((StatusCode::CREATED, Json(super::create_and_show(&state, caller.user.id, &wanted).await?)))
}

/// Ends an API key; what it has open ends within a second.
#[utoipa::path(
    delete, path = "/api/keys/{key}", operation_id = "revoke_key", tag = "sign-in", security(("login" = [])),
    responses((status = 204, description = "Done."))
)]
async fn revoke(
    ByLogin(caller, _): ByLogin,
    State(db): State<Db>,
    State(rights): State<Rights>,
    PathId(key): PathId<KeyId>,
) -> Result<StatusCode> {
    super::revoke(&db, caller.user.id, key).await?;
    rights.look();
    Ok(StatusCode::NO_CONTENT)
}
