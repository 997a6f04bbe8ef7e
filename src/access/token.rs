//! Project tokens as members ask for them; how one is recognised is `auth`'s affair.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{Access, Role, invite};
use crate::auth;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::limits;
use crate::timestamp::Timestamp;

/// What a token shall allow.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(super) struct NewToken {
    /// The most it allows; the issuer's own role when left out.
    role: Option<Role>,
    /// Seconds, at most a day; an hour when left out.
    #[schema(minimum = 1, maximum = 86_400)]
    expires_in: Option<i64>,
    /// Somebody else to act for.
    #[schema(value_type = Option<Object>)]
    user: Option<Value>,
}

/// A new token as its issuer is told it, once.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct TokenView {
    token: String,
    role: Role,
    expires_at: Timestamp,
}

/// Issues a token by which its issuer acts in the project.
pub(super) async fn issue(db: &Db, access: &Access, wanted: &NewToken) -> Result<TokenView> {
    access.by_login()?;
    if wanted.user.is_some() {
        return Err(Error::Forbidden("acting for another user needs an API key with the scope act-for"));
    }
    let lifetime = match wanted.expires_in {
        Some(seconds) => invite::lifetime(seconds, limits::TOKEN_LIFETIME_MAX)?,
        None => limits::TOKEN_LIFETIME,
    };
    let user = access.caller.user.id;
    let role = wanted.role.unwrap_or(access.role);
    let (token, expires_us) = auth::issue_token(db, user, user, access.project, role, lifetime).await?;
    let role = role.lesser(access.role);
    Ok(TokenView { token: token.reveal(), role, expires_at: Timestamp(expires_us) })
}
