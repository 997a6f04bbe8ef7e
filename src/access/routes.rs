//! Members, invites and tokens of a project over HTTP.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, patch, post};
use serde::Deserialize;

use super::Role;
use super::invite::{self, InviteLink, InviteView, NewInvite};
use super::member::{self, MemberView};
use super::permission::{Owner, Viewer};
use super::token::{self, NewToken, TokenView};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::extract::{Json, PathId, Query};
use crate::feed::Feed;
use crate::ids::{InviteId, UserId};
use crate::page::{Page, PageQuery};
use crate::state::{AppState, Rights};

/// `/api/projects/{p}/members`, `…/invites` and `…/tokens`.
pub fn routes() -> Router<AppState> {
    Router::new()
        .route("/api/projects/{p}/members", get(members))
        .route("/api/projects/{p}/members/{user}", patch(change_member).delete(remove_member))
        .route("/api/projects/{p}/invites", get(invites).post(create_invite))
        .route("/api/projects/{p}/invites/{i}", delete(delete_invite))
        .route("/api/projects/{p}/tokens", post(issue_token))
}

#[derive(Deserialize)]
struct MemberChange {
    role: Role,
}

async fn members(
    access: Viewer,
    State(db): State<Db>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<MemberView>>> {
    let members = member::list(&db, access.project, &page).await?;
    Ok(Json(members.map(|member| member.view())))
}

async fn change_member(
    access: Owner,
    State(feed): State<Feed>,
    State(rights): State<Rights>,
    PathId(user): PathId<UserId>,
    Json(change): Json<MemberChange>,
) -> Result<Json<MemberView>> {
    access.by_login()?;
    let member = member::change(&feed, &rights, access.project, access.caller.user.id, user, change.role).await?;
    Ok(Json(member.view()))
}

/// Owners remove anybody; everybody may leave.
async fn remove_member(
    access: Viewer,
    State(feed): State<Feed>,
    State(rights): State<Rights>,
    PathId(user): PathId<UserId>,
) -> Result<StatusCode> {
    access.by_login()?;
    if !access.role.can_manage() && access.caller.user.id != user {
        return Err(Error::Forbidden("only an owner of the project can do this"));
    }
    member::remove(&feed, &rights, access.project, access.caller.user.id, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn invites(access: Owner, State(db): State<Db>, Query(page): Query<PageQuery>) -> Result<Json<Page<InviteView>>> {
    let invites = invite::list(&db, access.project, &page).await?;
    Ok(Json(invites.map(|invite| invite.view())))
}

async fn create_invite(
    access: Owner,
    State(state): State<AppState>,
    Json(wanted): Json<NewInvite>,
) -> Result<(StatusCode, Json<InviteLink>)> {
    access.by_login()?;
    let (invite, secret) = invite::create(&state.db, access.project, access.caller.user.id, &wanted).await?;
    Ok((StatusCode::CREATED, Json(invite.link(secret, &state.base_url()))))
}

async fn delete_invite(access: Owner, State(db): State<Db>, PathId(invite): PathId<InviteId>) -> Result<StatusCode> {
    invite::delete(&db, access.project, invite).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn issue_token(access: Viewer, State(db): State<Db>, Json(wanted): Json<NewToken>) -> Result<Json<TokenView>> {
    Ok(Json(token::issue(&db, &access, &wanted).await?))
}
