//! The statements over `member` and `invite`, and what of `project` decides who may do what.

use anyhow::Context;

use super::Role;
use super::invite::Invite;
use super::member::Member;
use crate::auth::{Digest, UserRow};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{InviteId, ProjectId, UserId};
use crate::{on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct StandingRow {
    visibility: String,
    role: Option<String>,
}

#[derive(sqlx::FromRow)]
struct MemberRow {
    #[sqlx(flatten)]
    user: UserRow,
    role: String,
    created_us: i64,
}

#[derive(sqlx::FromRow)]
struct InviteRow {
    id: InviteId,
    role: String,
    created_by: UserId,
    created_us: i64,
    expires_us: Option<i64>,
    max_uses: Option<i64>,
    uses: i64,
}

fn known_role(word: &str) -> Result<Role> {
    Ok(Role::from_word(word).context("an unknown role is stored")?)
}

impl MemberRow {
    fn member(self) -> Result<Member> {
        Ok(Member { user: self.user.user()?, role: known_role(&self.role)?, created_us: self.created_us })
    }
}

impl InviteRow {
    fn invite(self) -> Result<Invite> {
        Ok(Invite {
            id: self.id,
            role: known_role(&self.role)?,
            created_by: self.created_by,
            created_us: self.created_us,
            expires_us: self.expires_us,
            max_uses: self.max_uses,
            uses: self.uses,
        })
    }
}

/// What a user may do in a living project: unknown and hidden take the same path and time.
pub(super) async fn role(db: &Db, user: UserId, project: ProjectId) -> Result<Option<Role>> {
    const TEXT: &str = "
        select p.visibility, m.role
        from project p
        left join member m on m.project_id = p.id and m.user_id = $2
        where p.id = $1 and p.deleted_us is null";
    let row: Option<StandingRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(user).fetch_optional(pool).await
    })?;
    match row {
        Some(StandingRow { role: Some(word), .. }) => known_role(&word).map(Some),
        Some(StandingRow { visibility, .. }) if visibility == "public" => Ok(Some(Role::Viewer)),
        _ => Ok(None),
    }
}

/// Locks a living project's row by writing it back; false when there is none.
pub(super) async fn lock_project(tx: &mut Tx, project: ProjectId) -> Result<bool> {
    const TEXT: &str = "update project set deleted_us = deleted_us where id = $1 and deleted_us is null";
    let found = on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(project).execute(conn).await.map(|done| done.rows_affected())
    })?;
    Ok(found == 1)
}

pub(super) async fn member_role(tx: &mut Tx, project: ProjectId, user: UserId) -> Result<Option<Role>> {
    const TEXT: &str = "select role from member where project_id = $1 and user_id = $2";
    let row: Option<(String,)> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(project).bind(user).fetch_optional(conn).await
    })?;
    row.map(|(word,)| known_role(&word)).transpose()
}

pub(super) async fn name(tx: &mut Tx, user: UserId) -> Result<Option<String>> {
    let row: Option<(String,)> = on_tx!(tx, conn => {
        sqlx::query_as("select name from users where id = $1").bind(user).fetch_optional(conn).await
    })?;
    Ok(row.map(|(name,)| name))
}

/// Makes somebody a member, or gives a member another role: by a link, with which it ends, or in their own right.
pub(super) async fn put_member(
    tx: &mut Tx,
    project: ProjectId,
    user: UserId,
    role: Role,
    by_link: Option<InviteId>,
    now_us: i64,
) -> Result<()> {
    const TEXT: &str = "
        insert into member (project_id, user_id, role, created_us, by_link) values ($1, $2, $3, $4, $5)
        on conflict (project_id, user_id) do update set role = excluded.role, by_link = excluded.by_link";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(project)
            .bind(user)
            .bind(role.as_str())
            .bind(now_us)
            .bind(by_link)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

pub(super) async fn delete_member(tx: &mut Tx, project: ProjectId, user: UserId) -> Result<bool> {
    const TEXT: &str = "delete from member where project_id = $1 and user_id = $2";
    let gone = on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(project).bind(user).execute(conn).await.map(|done| done.rows_affected())
    })?;
    Ok(gone == 1)
}

/// Whether people are in a project for as long as the link lives by which they came.
pub(super) async fn is_by_link(tx: &mut Tx, project: ProjectId) -> Result<bool> {
    let row: Option<(String,)> = on_tx!(tx, conn => {
        sqlx::query_as("select visibility from project where id = $1").bind(project).fetch_optional(conn).await
    })?;
    Ok(row.is_some_and(|(visibility,)| visibility == "link"))
}

/// Whether a member is one for as long as a link lives.
pub(super) async fn came_by_link(tx: &mut Tx, project: ProjectId, user: UserId) -> Result<bool> {
    const TEXT: &str = "select 1 from member where project_id = $1 and user_id = $2 and by_link is not null";
    let row: Option<(i32,)> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(project).bind(user).fetch_optional(conn).await
    })?;
    Ok(row.is_some())
}

/// Takes away who is in a project by a link, or by any; owners stay.
pub(super) async fn delete_by_link(tx: &mut Tx, project: ProjectId, link: Option<InviteId>) -> Result<Vec<UserId>> {
    const TEXT: &str = "
        delete from member
        where project_id = $1 and by_link is not null and ($2 is null or by_link = $2) and role <> 'owner'
        returning user_id";
    let rows: Vec<(UserId,)> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(project).bind(link).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// How many owners a project has besides this user.
pub(super) async fn owners_besides(tx: &mut Tx, project: ProjectId, user: UserId) -> Result<i64> {
    const TEXT: &str = "
        select count(*) from member
        where project_id = $1 and user_id <> $2 and role = 'owner'";
    let (count,): (i64,) = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(project).bind(user).fetch_one(conn).await
    })?;
    Ok(count)
}

pub(super) async fn members(
    db: &Db,
    project: ProjectId,
    after: Option<UserId>,
    words: Option<&str>,
    limit: i64,
) -> Result<Vec<Member>> {
    const TEXT: &str = "
        select u.id, u.name, u.kind, u.avatar, u.color, m.role, m.created_us
        from member m join users u on u.id = m.user_id
        where m.project_id = $1 and ($2 is null or m.user_id > $2)
          and ($3 is null or lower(u.name) like lower($3) escape '!')
        order by m.user_id limit $4";
    let rows: Vec<MemberRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(after).bind(words).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter().map(MemberRow::member).collect()
}

pub(super) async fn member(db: &Db, project: ProjectId, user: UserId) -> Result<Option<Member>> {
    const TEXT: &str = "
        select u.id, u.name, u.kind, u.avatar, u.color, m.role, m.created_us
        from member m join users u on u.id = m.user_id
        where m.project_id = $1 and m.user_id = $2";
    let row: Option<MemberRow> = on_pool!(db, write, pool => {
        sqlx::query_as(TEXT).bind(project).bind(user).fetch_optional(pool).await
    })?;
    row.map(MemberRow::member).transpose()
}

/// Whoever this user is by now, if they are a person or a guest who is let in here and somebody meets them in a project.
pub(super) async fn acquaintance(tx: &mut Tx, of: UserId, user: UserId) -> Result<Option<UserId>> {
    const TEXT: &str = "
        select u.id
        from users given join users u on u.id = coalesce(given.merged_into, given.id)
        where given.id = $2 and u.kind in ('guest', 'person') and u.suspended_us is null and exists (
            select 1 from member theirs
            join member own on own.project_id = theirs.project_id and own.user_id = $1
            join project p on p.id = own.project_id and p.deleted_us is null
            where theirs.user_id = u.id)";
    let row: Option<(UserId,)> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(of).bind(user).fetch_optional(conn).await
    })?;
    Ok(row.map(|(id,)| id))
}

pub(super) async fn insert_invite(tx: &mut Tx, project: ProjectId, invite: &Invite, hash: Digest) -> Result<()> {
    const TEXT: &str = "
        insert into invite (id, project_id, hash, role, created_by, created_us, expires_us, max_uses, uses)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(invite.id)
            .bind(project)
            .bind(hash.bytes())
            .bind(invite.role.as_str())
            .bind(invite.created_by)
            .bind(invite.created_us)
            .bind(invite.expires_us)
            .bind(invite.max_uses)
            .bind(invite.uses)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Invites that have not expired.
pub(super) async fn invites(
    db: &Db,
    project: ProjectId,
    after: Option<InviteId>,
    author: Option<UserId>,
    now_us: i64,
    limit: i64,
) -> Result<Vec<Invite>> {
    const TEXT: &str = "
        select id, role, created_by, created_us, expires_us, max_uses, uses
        from invite
        where project_id = $1 and ($2 is null or id > $2) and (expires_us is null or expires_us > $3)
          and ($4 is null or created_by = $4 or exists (select 1 from users g where g.id = created_by and g.merged_into = $4))
        order by id limit $5";
    let rows: Vec<InviteRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(after).bind(now_us).bind(author).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter().map(InviteRow::invite).collect()
}

pub(super) async fn delete_invite(tx: &mut Tx, project: ProjectId, invite: InviteId) -> Result<bool> {
    const TEXT: &str = "delete from invite where project_id = $1 and id = $2";
    let gone = on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(project).bind(invite).execute(conn).await.map(|done| done.rows_affected())
    })?;
    Ok(gone == 1)
}

pub(super) async fn delete_invites(tx: &mut Tx, project: ProjectId) -> Result<u64> {
    const TEXT: &str = "delete from invite where project_id = $1";
    Ok(on_tx!(tx, conn => sqlx::query(TEXT).bind(project).execute(conn).await.map(|done| done.rows_affected()))?)
}

/// The project and role of an invite that has not expired. Used-up ones are found too: who is a member already may
/// open the link again.
pub(super) async fn invite_by_hash(db: &Db, hash: Digest, now_us: i64) -> Result<Option<(ProjectId, Role)>> {
    const TEXT: &str = "
        select project_id, role from invite
        where hash = $1 and (expires_us is null or expires_us > $2)";
    let row: Option<(ProjectId, String)> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(hash.bytes()).bind(now_us).fetch_optional(pool).await
    })?;
    row.map(|(project, word)| Ok((project, known_role(&word)?))).transpose()
}

/// Uses an invite once; none when it has no use left, has expired, or was deleted.
pub(super) async fn use_invite(tx: &mut Tx, hash: Digest, now_us: i64) -> Result<Option<InviteId>> {
    const TEXT: &str = "
        update invite set uses = uses + 1
        where hash = $1 and (expires_us is null or expires_us > $2) and (max_uses is null or uses < max_uses)
        returning id";
    let used: Option<(InviteId,)> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(hash.bytes()).bind(now_us).fetch_optional(conn).await
    })?;
    Ok(used.map(|(id,)| id))
}
