//! Who may do what: roles in projects, members, invites, and the extractors that make permission a parameter.
//!
//! Who is asking is `auth`'s affair; which documents a project has is `document`'s.

mod invite;
mod member;
mod permission;
mod routes;
mod sql;
mod token;

pub use self::invite::{accept, end_invites, end_links, link};
pub use self::permission::{Access, Commenter, Editor, Owner, Viewer};
pub use self::routes::routes;
pub use crate::role::Role;

use crate::auth::{self, Caller, Credential, User};
use crate::db::{Db, Tx, now_us};
use crate::error::{Error, Result};
use crate::ids::{ProjectId, UserId};

/// What a caller may do in a project; `None` when it does not exist, was deleted, or is hidden from the caller.
///
/// A member has the role given to them, everybody else may read what is public. A key allows the lesser of its scopes
/// and what its owner may do now; a token the lesser of its own role and what its issuer may do now, in its project only.
///
/// # Errors
/// When the database fails.
pub async fn role(db: &Db, caller: &Caller, project: ProjectId) -> Result<Option<Role>> {
    match &caller.credential {
        Credential::Login { .. } => sql::role(db, caller.user.id, project).await,
        Credential::Key(grant) => {
            let Some(most) = grant.scopes.role() else { return Ok(None) };
            Ok(sql::role(db, caller.user.id, project).await?.map(|role| role.lesser(most)))
        }
        Credential::Token(grant) if grant.project == project => {
            let issuer = sql::role(db, grant.issuer, project).await?;
            Ok(issuer.map(|role| role.lesser(grant.role)))
        }
        Credential::Token(_) => Ok(None),
    }
}

/// What a user may do in a project by themselves, whatever they showed.
///
/// # Errors
/// When the database fails.
pub(crate) async fn role_of(db: &Db, user: &User, project: ProjectId) -> Result<Option<Role>> {
    sql::role(db, user.id, project).await
}

/// The same of a user that is known by id only.
///
/// # Errors
/// When the database fails.
pub async fn role_of_user(db: &Db, user: UserId, project: ProjectId) -> Result<Option<Role>> {
    sql::role(db, user, project).await
}

/// The same caller and what they may do now, for what stays open, such as a socket: [`role`] alone does not see a logout.
///
/// # Errors
/// [`Error::Unauthorized`] when their login, key or token has ended, [`Error::NotFound`] when their membership or the
/// project has. When the database fails nothing is known, and what is open may stay so for the moment.
pub async fn recheck(db: &Db, caller: &Caller, project: ProjectId) -> Result<(Caller, Role)> {
    let caller = auth::refresh(db, caller).await?.ok_or(Error::Unauthorized)?;
    let role = role(db, &caller, project).await?.ok_or(Error::NotFound)?;
    Ok((caller, role))
}

/// Makes somebody a member in the transaction that creates a project or takes them in; a higher role they have stays.
///
/// # Errors
/// When the database fails.
pub async fn add_member(tx: &mut Tx, project: ProjectId, user: UserId, role: Role) -> Result<()> {
    let current = sql::member_role(tx, project, user).await?;
    if current.is_none_or(|current| !current.covers(role)) {
        sql::put_member(tx, project, user, role, None, now_us()).await?;
    }
    Ok(())
}

/// Locks a living project until the transaction ends: whatever decides by what is there (paths, counts, members)
/// takes turns here.
///
/// # Errors
/// [`Error::NotFound`] when it was deleted meanwhile, or when the database fails.
pub async fn lock_project(tx: &mut Tx, project: ProjectId) -> Result<()> {
    if sql::lock_project(tx, project).await? { Ok(()) } else { Err(Error::NotFound) }
}
