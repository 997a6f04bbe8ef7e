//! A user's API keys over HTTP. Only from a browser: a key must not be able to make another that outlives it.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get};

use super::{KeyView, NewKey, NewKeyView};
use crate::auth::ByLogin;
use crate::db::Db;
use crate::error::Result;
use crate::extract::{Json, PathId, Query};
use crate::ids::KeyId;
use crate::page::{Page, PageQuery};
use crate::rights::Rights;
use crate::state::AppState;

/// `/api/keys`.
pub(in crate::auth) fn routes() -> Router<AppState> {
    Router::new().route("/api/keys", get(list).post(create)).route("/api/keys/{key}", delete(revoke))
}

async fn list(
    ByLogin(caller, _): ByLogin,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<KeyView>>> {
    Ok(Json(super::list(&db, caller.user.id, &page).await?))
}

async fn create(
    ByLogin(caller, _): ByLogin,
    State(state): State<AppState>,
    Json(wanted): Json<NewKey>,
) -> Result<(StatusCode, Json<NewKeyView>)> {
    Ok((StatusCode::CREATED, Json(super::create(&state, caller.user.id, &wanted).await?)))
}

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
