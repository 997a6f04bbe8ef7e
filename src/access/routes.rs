//! Members, invites and tokens of a project over HTTP.

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Role;
use super::invite::{self, InviteLink, InviteView, NewInvite};
use super::member::{self, MemberView};
use super::permission::{Owner, Viewer};
use super::token::{self, NewToken, TokenView};
use crate::audit::{self, EntryView};
use crate::db::Db;
use crate::error::{Error, ErrorView, Result};
use crate::extract::{Json, PathId, Query};
use crate::feed::Feed;
use crate::filter::{By, Words};
use crate::ids::{InviteId, UserId};
use crate::page::{Page, PageQuery};
use crate::rights::Rights;
use crate::state::AppState;

/// `/api/projects/{p}/members`, `…/invites`, `…/tokens`, `…/transfer` and `…/audit`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(members, add_member))
        .routes(routes!(change_member, remove_member))
        .routes(routes!(invites, create_invite))
        .routes(routes!(delete_invite))
        .routes(routes!(issue_token))
        .routes(routes!(transfer))
        .routes(routes!(entries))
}

#[derive(Deserialize, ToSchema)]
struct NewOwner {
    /// A member.
    user_id: UserId,
}

#[derive(Deserialize, ToSchema)]
struct NewMember {
    /// A person or guest whom one meets in another project.
    user_id: UserId,
    role: Role,
}

#[derive(Deserialize, ToSchema)]
struct MemberChange {
    role: Role,
}

/// The members of a project.
#[utoipa::path(
    get, path = "/api/projects/{p}/members", operation_id = "list_members", tag = "people", params(PageQuery, Words),
    responses((status = 200, body = Page<MemberView>))
)]
async fn members(
    access: Viewer,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(words): Query<Words>,
) -> Result<Json<Page<MemberView>>> {
    let members = member::list(&db, access.project, &page, &words).await?;
    Ok(Json(members.map(|member| member.view())))
}

/// Makes somebody a member without an invite: one whom the caller meets in another project. Others do not exist here, so
/// that nobody finds out who there is. For owners.
#[utoipa::path(
    post, path = "/api/projects/{p}/members", operation_id = "add_member", tag = "people", security(("login" = [])),
    request_body = NewMember,
    responses(
        (status = 201, body = MemberView),
        (status = 409, description = "`already_member`: they are one.", body = ErrorView),
    )
)]
async fn add_member(
    access: Owner,
    State(feed): State<Feed>,
    State(rights): State<Rights>,
    Json(new): Json<NewMember>,
) -> Result<(StatusCode, Json<MemberView>)> {
    access.caller.refuse_token()?;
    let member = member::add(&feed, &rights, access.project, access.caller.user.id, new.user_id, new.role).await?;
    Ok((StatusCode::CREATED, Json(member.view())))
}

/// Gives a member another role; in force on open sockets at once. For owners.
#[utoipa::path(
    patch, path = "/api/projects/{p}/members/{user}", tag = "people", security(("login" = [])),
    request_body = MemberChange,
    responses(
        (status = 200, body = MemberView),
        (status = 409, description = "`last_owner`: a project needs an owner.", body = ErrorView),
    )
)]
async fn change_member(
    access: Owner,
    State(feed): State<Feed>,
    State(rights): State<Rights>,
    PathId(user): PathId<UserId>,
    Json(change): Json<MemberChange>,
) -> Result<Json<MemberView>> {
    access.caller.refuse_token()?;
    let member = member::change(&feed, &rights, access.project, access.caller.user.id, user, change.role).await?;
    Ok(Json(member.view()))
}

/// Ends a membership; in force on open sockets at once. Owners remove anybody; everybody may leave.
#[utoipa::path(
    delete, path = "/api/projects/{p}/members/{user}", tag = "people", security(("login" = [])),
    responses(
        (status = 204, description = "They are no member any more."),
        (status = 409, description = "`last_owner`: a project needs an owner.", body = ErrorView),
    )
)]
async fn remove_member(
    access: Viewer,
    State(feed): State<Feed>,
    State(rights): State<Rights>,
    PathId(user): PathId<UserId>,
) -> Result<StatusCode> {
    access.caller.refuse_token()?;
    if !access.role.can_manage() && access.caller.user.id != user {
        return Err(Error::Forbidden("only an owner of the project can do this"));
    }
    member::remove(&feed, &rights, access.project, access.caller.user.id, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The invites of a project that have not expired, without their secrets. For owners.
#[utoipa::path(
    get, path = "/api/projects/{p}/invites", operation_id = "list_invites", tag = "people", params(PageQuery, By),
    responses(
        (status = 200, body = Page<InviteView>),
        (status = 403, description = "Only an owner of the project can do this.", body = ErrorView),
    )
)]
async fn invites(
    access: Owner,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(by): Query<By>,
) -> Result<Json<Page<InviteView>>> {
    let invites = invite::list(&db, access.project, &page, by).await?;
    Ok(Json(invites.map(|invite| invite.view())))
}

/// Makes an invite: a link that makes whoever opens it a member. For owners.
#[utoipa::path(
    post, path = "/api/projects/{p}/invites", tag = "people", security(("login" = [])), request_body = NewInvite,
    responses((status = 201, body = InviteLink))
)]
async fn create_invite(
    access: Owner,
    State(state): State<AppState>,
    Json(wanted): Json<NewInvite>,
) -> Result<(StatusCode, Json<InviteLink>)> {
    access.caller.refuse_token()?;
    let (invite, secret) = invite::create(&state.db, access.project, access.caller.user.id, &wanted).await?;
    Ok((StatusCode::CREATED, Json(invite.link(secret, &state.base_url()))))
}

/// Revokes an invite; who came in by it stays, but for those in a project of visibility link. For owners.
#[utoipa::path(
    delete, path = "/api/projects/{p}/invites/{i}", tag = "people",
    responses((status = 204, description = "It opens nothing any more."))
)]
async fn delete_invite(
    access: Owner,
    State(feed): State<Feed>,
    State(rights): State<Rights>,
    PathId(invite): PathId<InviteId>,
) -> Result<StatusCode> {
    access.caller.refuse_token()?;
    invite::delete(&feed, &rights, access.project, access.caller.user.id, invite).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes another member the owner in one's place; one goes on as an editor. For owners.
#[utoipa::path(
    post, path = "/api/projects/{p}/transfer", tag = "people", security(("login" = [])), request_body = NewOwner,
    responses(
        (status = 200, body = MemberView),
        (status = 409, description = "`already_owner`: that is oneself.", body = ErrorView),
    )
)]
async fn transfer(
    access: Owner,
    State(feed): State<Feed>,
    State(rights): State<Rights>,
    Json(to): Json<NewOwner>,
) -> Result<Json<MemberView>> {
    access.caller.refuse_token()?;
    let member = member::transfer(&feed, &rights, access.project, access.caller.user.id, to.user_id).await?;
    Ok(Json(member.view()))
}

/// Who did what to rights here, the newest first. For owners.
#[utoipa::path(
    get, path = "/api/projects/{p}/audit", operation_id = "list_audit", tag = "people", params(PageQuery, Words, By),
    responses(
        (status = 200, body = Page<EntryView>),
        (status = 403, description = "Only an owner of the project can do this.", body = ErrorView),
    )
)]
async fn entries(
    access: Owner,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
    Query(words): Query<Words>,
    Query(by): Query<By>,
) -> Result<Json<Page<EntryView>>> {
    Ok(Json(audit::list(&db, Some(access.project), &page, &words, by).await?))
}

/// Issues a short-lived token for sockets and programs. It allows the lesser of its role and what its issuer may do by
/// then, in this project only.
#[utoipa::path(
    post, path = "/api/projects/{p}/tokens", tag = "people", security(("login" = [])), request_body = NewToken,
    responses((status = 200, body = TokenView))
)]
async fn issue_token(access: Viewer, State(db): State<Db>, Json(wanted): Json<NewToken>) -> Result<Json<TokenView>> {
    Ok(Json(token::issue(&db, &access, &wanted).await?))
}
