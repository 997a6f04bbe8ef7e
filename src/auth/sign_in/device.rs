//! Signing in where there is no browser: who got a token from GitHub for this app gives it up for an API key.

use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::person;
use crate::auth::key::{self, NewKey};
use crate::auth::not_let_in;
use crate::auth::user::UserView;
use crate::error::{Error, Result};
use crate::extract::Json;
use crate::github::Fault;
use crate::state::{AppState, Shared};

/// `/auth/github/token`.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(sign_in))
}

#[derive(Deserialize, ToSchema)]
struct ByToken {
    /// A token that GitHub gave to this server's app by its device flow. It is ended there.
    token: String,
    /// What the key shall be called.
    #[schema(example = "coterie login", min_length = 1, max_length = 80)]
    name: String,
}

#[derive(Serialize, ToSchema)]
struct SignedIn {
    /// An API key of scopes read and write, for 90 days; told this once.
    key: String,
    user: UserView,
}

/// Gives a token of GitHub's device flow up for an API key: how one signs in at a terminal.
#[utoipa::path(
    post, path = "/auth/github/token", operation_id = "sign_in_at_terminal", tag = "sign-in", security(()),
    request_body = ByToken,
    responses(
        (status = 200, body = SignedIn),
        (status = 401, description = "It is no token of this server's app.", body = crate::error::ErrorView),
        (status = 404, description = "There is no sign-in with GitHub here.", body = crate::error::ErrorView),
        (status = 409, description = "There are too many keys.", body = crate::error::ErrorView),
    )
)]
async fn sign_in(State(state): State<AppState>, Json(given): Json<ByToken>) -> Result<Json<SignedIn>, Response> {
    key_for(&state, given).await.map(Json).map_err(not_let_in)
}

async fn key_for(state: &Shared, given: ByToken) -> Result<SignedIn> {
    let github = state.github.as_ref().ok_or(Error::NotFound)?;
    let profile = github.redeem(&given.token).await.map_err(|fault| {
        tracing::warn!(%fault, "a sign-in at a terminal came to nothing");
        Error::unavailable(match fault {
            Fault::Away(_) => "GitHub does not answer now; try again in a minute",
            _ => {
                "GitHub does not accept this server, or answers something unexpected; its operator finds out in the log"
            }
        })
    })?;
    let (user, suspended) = person(&state.db, &profile.ok_or(Error::Unauthorized)?).await?;
    if suspended {
        return Err(Error::Forbidden("an operator of this server has shut this account out"));
    }
    let key = key::create(state, user.id, &NewKey::of_terminal(given.name)).await?;
    Ok(SignedIn { key, user: user.view() })
}
