//! Signing in as a guest, signing out, and who one is. Signing in with GitHub is `sign_in`'s affair.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tower_sessions::Session;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::current::CurrentUser;
use super::user::{Kind, User, UserView};
use super::{Caller, Credential, bearer, by_cookie, by_token, key, login, operator, sql};
use crate::error::{Error, ErrorView, Result};
use crate::extract::Json;
use crate::state::{AppState, Shared};
use crate::text;

/// `/auth/guest`, `/auth/logout` and `/api/me`.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(ways_in))
        .routes(routes!(sign_in_as_guest))
        .routes(routes!(sign_out))
        .routes(routes!(me))
}

#[derive(Serialize, ToSchema)]
struct WaysIn {
    /// Whether anybody may come in with just a name.
    guests: bool,
    /// Whether people sign in with GitHub, at `/auth/github?next=/…`.
    github: bool,
    /// With what a terminal signs in: GitHub's device flow, whose token it gives up at `/auth/github/token`.
    #[schema(required)]
    device: Option<DeviceWay>,
}

/// What a terminal begins GitHub's device flow with.
#[derive(Serialize, ToSchema)]
struct DeviceWay {
    client_id: String,
    /// Where people sign in.
    url: String,
}

/// Who one is, and whether one looks after the server.
#[derive(Serialize, ToSchema)]
struct Me {
    #[serde(flatten)]
    user: UserView,
    operator: bool,
}

#[derive(Deserialize, ToSchema)]
struct Named {
    /// What others see, 1 to 80 characters.
    #[schema(example = "Ann", min_length = 1, max_length = 80)]
    name: String,
}

/// How one can sign in on this server.
#[utoipa::path(get, path = "/api/auth", tag = "sign-in", security(()), responses((status = 200, body = WaysIn)))]
async fn ways_in(State(state): State<AppState>) -> Json<WaysIn> {
    let app = state.config.github.as_ref();
    let device = app.map(|app| DeviceWay { client_id: app.client_id.clone(), url: app.url.clone() });
    Json(WaysIn { guests: state.allows_guests(), github: app.is_some(), device })
}

/// Comes in with just a name. A browser that is a guest already keeps being the same one, under the new name.
#[utoipa::path(
    post, path = "/auth/guest", tag = "sign-in", security(()), request_body = Named,
    responses(
        (status = 200, body = UserView, headers(("set-cookie" = String, description = "The login."))),
        (status = 409, description = "`signed_in`: a person is signed in here.", body = ErrorView),
    )
)]
async fn sign_in_as_guest(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    Json(given): Json<Named>,
) -> Result<Json<UserView>, Response> {
    let signed_in = async {
        let current = by_cookie(&state, &headers).await?;
        guest(&state, current, &session, &headers, &given.name).await
    };
    signed_in.await.map(|user| Json(user.view())).map_err(super::not_let_in)
}

/// Signs this browser out. A program that shows an API key ends that.
#[utoipa::path(
    post, path = "/auth/logout", tag = "sign-in", security(()),
    responses((status = 204, description = "The login has ended."))
)]
async fn sign_out(State(state): State<AppState>, session: Session, headers: HeaderMap) -> Result<impl IntoResponse> {
    match bearer(&headers) {
        Some(secret) => end_key(&state, secret).await?,
        None => login::sign_out(&session).await?,
    }
    Ok((StatusCode::NO_CONTENT, AppendHeaders(login::removal(&state).map(|cookie| (header::SET_COOKIE, cookie)))))
}

/// Ends the key that is shown; one that has ended needs no more.
async fn end_key(state: &Shared, secret: &str) -> Result<()> {
    let Some(caller) = by_token(&state.db, secret).await? else { return Ok(()) };
    caller.refuse_token()?;
    if let Credential::Key(grant) = caller.credential {
        key::revoke(&state.db, caller.user.id, grant.id).await?;
        state.rights.look();
    }
    Ok(())
}

/// Who one is, and whether one looks after the server.
#[utoipa::path(get, path = "/api/me", tag = "sign-in", responses((status = 200, body = Me)))]
async fn me(CurrentUser(caller): CurrentUser, State(state): State<AppState>) -> Result<Json<Me>> {
    let operator = operator::is_operator(&state, caller.user.id).await?;
    Ok(Json(Me { user: caller.user.view(), operator }))
}

/// The guest of this browser: a new one, or the one it already is, under the new name.
async fn guest(
    state: &Shared,
    current: Option<Caller>,
    session: &Session,
    headers: &HeaderMap,
    name: &str,
) -> Result<User> {
    if !state.allows_guests() {
        return Err(Error::Forbidden(
            "guests are not allowed on this server; sign in with GitHub, or ask its operator for COTERIE_GUESTS=on",
        ));
    }
    if let Some(Caller { user, .. }) = current {
        return renamed(state, user, name).await;
    }
    let user = super::create_guest(&state.db, name).await?;
    login::sign_in(&state.db, session, headers, user.id).await?;
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
