//! `/auth/github` and where GitHub sends a browser back to.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Deserialize;
use tower_sessions::Session;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Refusal, Return, begin, end, new_browser};
use crate::auth::login::cookie_value;
use crate::auth::origin;
use crate::extract::Query;
use crate::limits;
use crate::state::{AppState, Shared};

/// `/auth/github` and `/auth/github/callback`.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(go)).routes(routes!(come_back))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// A path on this server to go on to.
    next: Option<String>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Brought {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

/// Sends a browser to GitHub to sign in.
#[utoipa::path(
    get, path = "/auth/github", operation_id = "sign_in_with_github", tag = "sign-in", security(()), params(Wanted),
    responses((status = 303, description = "To GitHub."), (status = 400, description = "A page that says what to do.", content_type = "text/html", body = String), (status = 403, description = "A page that says what to do.", content_type = "text/html", body = String), (status = 404, description = "A page that says what to do.", content_type = "text/html", body = String), (status = 502, description = "A page that says what to do.", content_type = "text/html", body = String), (status = 503, description = "A page that says what to do.", content_type = "text/html", body = String))
)]
async fn go(
    State(state): State<AppState>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Refusal> {
    let next = wanted.next.as_deref().map(str::parse).transpose().map_err(|_| Refusal::Elsewhere)?.unwrap_or_default();
    let browser = browser(&state, &headers).map_or_else(new_browser, str::to_owned);
    let url = begin(&state, &browser, next, &origin::base_url(&state, &headers)).await?;
    let cookie = AppendHeaders([(header::SET_COOKIE, cookie(&state, &browser))]);
    Ok((cookie, see_other(&url)).into_response())
}

/// Where GitHub sends a browser back to.
#[utoipa::path(
    get, path = "/auth/github/callback", operation_id = "github_callback", tag = "sign-in", security(()), params(Brought),
    responses((status = 303, description = "Signed in; on to where one wanted to go."), (status = 400, description = "A page that says what to do.", content_type = "text/html", body = String), (status = 403, description = "A page that says what to do.", content_type = "text/html", body = String), (status = 404, description = "A page that says what to do.", content_type = "text/html", body = String), (status = 502, description = "A page that says what to do.", content_type = "text/html", body = String), (status = 503, description = "A page that says what to do.", content_type = "text/html", body = String))
)]
async fn come_back(
    State(state): State<AppState>,
    session: Session,
    headers: HeaderMap,
    Query(brought): Query<Brought>,
) -> Result<Response, Refusal> {
    let given = brought.state.ok_or(Refusal::Unknown)?;
    let browser = browser(&state, &headers).ok_or(Refusal::Unknown)?.to_owned();
    let code = match (brought.code, brought.error) {
        (_, Some(error)) => Err(error),
        (Some(code), None) => Ok(code),
        (None, None) => Err("no code".to_owned()),
    };
    let back = Return { state: given, code };
    let next = end(&state, &browser, &session, &headers, back, &origin::base_url(&state, &headers)).await?;
    Ok(see_other(next.as_str()))
}

fn see_other(url: &str) -> Response {
    match HeaderValue::from_str(url) {
        Ok(url) => (StatusCode::SEE_OTHER, [(header::LOCATION, url)]).into_response(),
        Err(_) => Refusal::Elsewhere.into_response(),
    }
}

fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-coterie-sign-in" } else { "coterie-sign-in" }
}

/// What a browser is known by while it signs in. Only what could be ours: it is written back.
fn browser<'h>(state: &Shared, headers: &'h HeaderMap) -> Option<&'h str> {
    let value = cookie_value(headers, cookie_name(state.is_https()))?;
    let ours = value.len() == 43 && value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    ours.then_some(value)
}

fn cookie(state: &Shared, browser: &str) -> String {
    let (name, secure) = (cookie_name(state.is_https()), if state.is_https() { "; Secure" } else { "" });
    let age = limits::SIGN_IN_TIME.as_secs();
    format!("{name}={browser}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}")
}
