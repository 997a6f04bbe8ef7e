//! Members: who they are, what they may do, and how that changes.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{Role, lock_project, sql};
use crate::audit::{self, Entry};
use crate::auth::{User, UserView};
use crate::db::{Db, Tx, now_us};
use crate::error::{Error, Result};
use crate::feed::{self, Event, Feed, Person};
use crate::filter::Words;
use crate::ids::{ProjectId, UserId};
use crate::page::{Page, PageQuery};
use crate::rights::{self, Change, Rights};
use crate::timestamp::Timestamp;

/// Somebody with a role in a project.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) user: User,
    pub(super) role: Role,
    pub(super) created_us: i64,
}

/// A member as the API tells it: the user with the role beside it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct MemberView {
    #[serde(flatten)]
    user: UserView,
    role: Role,
    created_at: Timestamp,
}

impl Member {
    pub(super) fn view(&self) -> MemberView {
        MemberView { user: self.user.view(), role: self.role, created_at: Timestamp(self.created_us) }
    }
}

pub(super) async fn list(db: &Db, project: ProjectId, page: &PageQuery, words: &Words) -> Result<Page<Member>> {
    let (limit, words) = (page.limit()?, words.pattern()?);
    let members = sql::members(db, project, page.after()?, words.as_deref(), limit + 1).await?;
    Ok(Page::cut(members, limit, |member| member.user.id))
}

/// Gives a member another role; the last owner stays one.
pub(super) async fn change(
    feed: &Feed,
    rights: &Rights,
    project: ProjectId,
    actor: UserId,
    user: UserId,
    role: Role,
) -> Result<Member> {
    let db = feed.db();
    let mut tx = db.begin().await?;
    lock_project(&mut tx, project).await?;
    let was = sql::member_role(&mut tx, project, user).await?.ok_or(Error::NotFound)?;
    if !role.can_manage() {
        keep_an_owner(&mut tx, project, user).await?;
    }
    sql::put_member(&mut tx, project, user, role, None, now_us()).await?;
    if was != role {
        note(&mut tx, project, actor, "member.role", user, json!({ "role": role, "was": was })).await?;
        let user = person(&mut tx, user).await?;
        feed::append(&mut tx, project, Some(actor), &[Event::MemberChanged { user, role, was }]).await?;
    }
    rights::record(&mut tx, Change::member(project, user)).await?;
    feed.commit(tx, project).await?;
    rights.look();
    sql::member(db, project, user).await?.ok_or(Error::NotFound)
}

/// Ends a membership; the last owner stays.
pub(super) async fn remove(
    feed: &Feed,
    rights: &Rights,
    project: ProjectId,
    actor: UserId,
    user: UserId,
) -> Result<()> {
    let mut tx = feed.db().begin().await?;
    lock_project(&mut tx, project).await?;
    keep_an_owner(&mut tx, project, user).await?;
    if !sql::delete_member(&mut tx, project, user).await? {
        return Err(Error::NotFound);
    }
    note(&mut tx, project, actor, "member.removed", user, json!({ "left": actor == user })).await?;
    let person = person(&mut tx, user).await?;
    feed::append(&mut tx, project, Some(actor), &[Event::MemberRemoved { user: person }]).await?;
    rights::record(&mut tx, Change::member(project, user)).await?;
    feed.commit(tx, project).await?;
    rights.look();
    Ok(())
}

/// Makes another member the owner in place of one, who goes on as an editor.
pub(super) async fn transfer(
    feed: &Feed,
    rights: &Rights,
    project: ProjectId,
    owner: UserId,
    to: UserId,
) -> Result<Member> {
    if owner == to {
        return Err(Error::conflict("already_owner", "you own this project already; name another member"));
    }
    let db = feed.db();
    let mut tx = db.begin().await?;
    lock_project(&mut tx, project).await?;
    let was = sql::member_role(&mut tx, project, to).await?.ok_or(Error::NotFound)?;
    let roles = [(to, Role::Owner, was), (owner, Role::Editor, Role::Owner)];
    for (user, role, was) in roles {
        sql::put_member(&mut tx, project, user, role, None, now_us()).await?;
        let user = person(&mut tx, user).await?;
        feed::append(&mut tx, project, Some(owner), &[Event::MemberChanged { user, role, was }]).await?;
    }
    note(&mut tx, project, owner, "project.transferred", to, json!({})).await?;
    for (user, ..) in roles {
        rights::record(&mut tx, Change::member(project, user)).await?;
    }
    feed.commit(tx, project).await?;
    rights.look();
    sql::member(db, project, to).await?.ok_or(Error::NotFound)
}

async fn note(
    tx: &mut Tx,
    project: ProjectId,
    actor: UserId,
    action: &'static str,
    user: UserId,
    detail: Value,
) -> Result<()> {
    let (actor, project, about) = (Some(actor), Some(project), user.to_string());
    audit::record(tx, &Entry { actor, project, action, about, detail }).await
}

/// Somebody as the feed names them.
pub(super) async fn person(tx: &mut Tx, user: UserId) -> Result<Person> {
    let name = sql::name(tx, user).await?.ok_or(Error::NotFound)?;
    Ok(Person { id: user, name })
}

async fn keep_an_owner(tx: &mut Tx, project: ProjectId, leaving: UserId) -> Result<()> {
    if sql::owners_besides(tx, project, leaving).await? == 0 {
        return Err(Error::conflict("last_owner", "a project needs an owner; make somebody else one first"));
    }
    Ok(())
}
