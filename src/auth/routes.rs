//! Signing in as a guest, signing out, and who one is.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;

use super::current::CurrentUser;
use super::user::{Kind, User, UserView};
use super::{Caller, by_cookie, login, sql};
use crate::error::{Error, Result};
use crate::extract::Json;
use crate::state::{AppState, Shared};
use crate::text;

/// `/api/auth/…` and `/api/me`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/auth", get(ways_in))
        .route("/api/auth/guest", post(sign_in_as_guest))
        .route("/api/auth/logout", post(sign_out))
        .route("/api/me", get(me))
}

#[derive(Serialize)]
struct WaysIn {
    guests: bool,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn ways_in(State(state): State<AppState>) -> Json<WaysIn> {
    Json(WaysIn { guests: state.allows_guests() })
}

async fn sign_in_as_guest(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    Json(given): Json<Named>,
) -> Result<Json<UserView>> {
    let current = by_cookie(&state, &headers).await?;
    let user = guest(&state, current, &session, &given.name).await?;
    Ok(Json(user.view()))
}

async fn sign_out(State(state): State<AppState>, session: Session) -> Result<impl IntoResponse> {
    login::sign_out(&session).await?;
    Ok((StatusCode::NO_CONTENT, AppendHeaders(login::removal(&state).map(|cookie| (header::SET_COOKIE, cookie)))))
}

async fn me(CurrentUser(caller): CurrentUser) -> Json<UserView> {
    Json(caller.user.view())
}

/// The guest of this browser: a new one, or the one it already is, under the new name.
async fn guest(state: &Shared, current: Option<Caller>, session: &Session, name: &str) -> Result<User> {
    if !state.allows_guests() {
        return Err(Error::Forbidden(
            "guests are not allowed on this server; its operator can allow them with COTERIE_GUESTS=on",
        ));
    }
    if let Some(Caller { user, .. }) = current {
        return renamed(state, user, name).await;
    }
    let user = super::create_guest(&state.db, name).await?;
    login::sign_in(session, user.id).await?;
    Ok(user)
}

/// The same guest under another name. Other people's names come from where they signed in.
async fn renamed(state: &Shared, user: User, name: &str) -> Result<User> {
    if user.kind != Kind::Guest {
        return Err(Error::conflict("signed_in", "you are signed in already; sign out first"));
    }
    let name = text::name(name)?;
    sql::rename_user(&state.db, user.id, &name).await?;
    Ok(User { name, ..user })
}
