//! Members: who they are, what they may do, and how that changes.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{Role, lock_project, sql};
use crate::audit::Entry;
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
    let needle = words.needle()?;
    let read = |after, limit| sql::members(db, project, after, needle.pattern(), limit);
    let id = |member: &Member| member.user.id;
    Page::sift(page.limit()?, page.after()?, read, id, |member| needle.is_in(&member.user.name)).await
}

/// Makes somebody a member whom the actor knows from another project. Who is one already is not changed.
pub(super) async fn add(
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
    let user = sql::acquaintance(&mut tx, actor, user).await?.ok_or(Error::NotFound)?;
    if sql::member_role(&mut tx, project, user).await?.is_some() {
        return Err(Error::conflict("already_member", "they are a member already; change their role instead"));
    }
    sql::put_member(&mut tx, project, user, role, None, now_us()).await?;
    let entry = Entry::new(actor, "member.added", user).within(project);
    entry.saying(json!({ "role": role })).record(&mut tx).await?;
    let event = Event::MemberAdded { user: person(&mut tx, user).await?, role };
    feed::append(&mut tx, project, Some(actor), &[event]).await?;
    rights::record(&mut tx, Change::member(project, user)).await?;
    feed.commit(tx, project).await?;
    rights.look();
    sql::member(db, project, user).await?.ok_or(Error::NotFound)
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
        let entry = Entry::new(actor, "member.role", user).within(project);
        entry.saying(json!({ "role": role, "was": was })).record(&mut tx).await?;
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
    let entry = Entry::new(actor, "member.removed", user).within(project);
    entry.saying(json!({ "left": actor == user })).record(&mut tx).await?;
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
    Entry::new(owner, "project.transferred", to).within(project).record(&mut tx).await?;
    for (user, ..) in roles {
        rights::record(&mut tx, Change::member(project, user)).await?;
    }
    feed.commit(tx, project).await?;
    rights.look();
    sql::member(db, project, to).await?.ok_or(Error::NotFound)
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
