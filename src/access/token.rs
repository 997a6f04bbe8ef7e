//! Project tokens as they are asked for; how one is recognised is `auth`'s affair.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::{Access, Role, role_of};
use crate::audit::Entry;
use crate::auth::{self, By, Credential, EndUser, NewGrant, Scope};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::extract::lifetime;
use crate::ids::UserId;
use crate::limits;
use crate::timestamp::Timestamp;

/// What a token shall allow.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(super) struct NewToken {
    /// The most it allows. Left out: as much as the issuer; for an end user, editor.
    role: Option<Role>,
    /// Seconds, at most a day; an hour when left out.
    #[schema(minimum = 1, maximum = 86_400)]
    expires_in: Option<i64>,
    /// An end user of the issuer's application, who is to act with it.
    user: Option<EndUser>,
}

/// A new token as its issuer is told it, once.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct TokenView {
    token: String,
    role: Role,
    expires_at: Timestamp,
    /// Who acts with it.
    user_id: UserId,
}

/// Issues a token by which its issuer, or an end user of their application, acts in the project.
pub(super) async fn issue(db: &Db, access: &Access, wanted: &NewToken) -> Result<TokenView> {
    access.caller.refuse_token()?;
    let lifetime = match wanted.expires_in {
        Some(seconds) => lifetime(seconds, limits::TOKEN_LIFETIME_MAX)?,
        None => limits::TOKEN_LIFETIME,
    };
    let (by, key) = match &access.caller.credential {
        Credential::Key(grant) => (By::Key(grant.id), Some(grant)),
        Credential::Login { hash, .. } => (By::Login(*hash), None),
        Credential::Token(_) => return Err(Error::Unauthorized),
    };
    let issuer = &access.caller.user;
    let now = role_of(db, issuer, access.project).await?.ok_or(Error::NotFound)?;
    let (user, role) = match &wanted.user {
        None => {
            let role = wanted.role.unwrap_or(access.role);
            // A key's scopes bound for good what comes of it; what its owner may do is looked at at each use.
            (issuer.id, if key.is_some() { role.lesser(access.role) } else { role })
        }
        Some(end_user) => {
            let Some(key) = key.filter(|key| key.scopes.has(Scope::ActFor)) else {
                return Err(Error::Forbidden("acting for another user needs an API key with the scope act-for"));
            };
            // Who manages the project is not for a key to say that may not manage it itself.
            let most = if key.scopes.has(Scope::Manage) { Role::Owner } else { Role::Editor };
            let role = wanted.role.unwrap_or(Role::Editor).lesser(most);
            (auth::external(db, issuer.id, end_user).await?.id, role)
        }
    };
    let project = access.project;
    let mut tx = db.begin().await?;
    let grant = NewGrant { user, issuer: issuer.id, project, role, by };
    let (token, expires_us) = auth::issue_token(&mut tx, &grant, lifetime).await?;
    let detail = json!({ "role": role, "expires_at": Timestamp(expires_us), "key": key.map(|key| key.id) });
    Entry::new(issuer.id, "token.issued", user).within(project).saying(detail).record(&mut tx).await?;
    tx.commit().await?;
    let expires_at = Timestamp(expires_us);
    Ok(TokenView { token: token.reveal(), role: role.lesser(now), expires_at, user_id: user })
}
