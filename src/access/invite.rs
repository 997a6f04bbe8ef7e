//! Invites: links that make whoever opens them a member.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::member::person;
use super::{Role, lock_project, sql};
use crate::audit::Entry;
use crate::auth::{Caller, Secret, digest};
use crate::db::{Db, Tx, micros, now_us};
use crate::error::{Error, Result};
use crate::extract::lifetime;
use crate::feed::{self, Event, Feed, Person};
use crate::filter::By;
use crate::ids::{InviteId, ProjectId, UserId};
use crate::limits;
use crate::page::{Page, PageQuery};
use crate::rights::{self, Change, Rights};
use crate::timestamp::Timestamp;

/// An invite without its secret, which only its creator is told, once.
#[derive(Debug, Clone)]
pub(super) struct Invite {
    pub(super) id: InviteId,
    pub(super) role: Role,
    pub(super) created_by: UserId,
    pub(super) created_us: i64,
    pub(super) expires_us: Option<i64>,
    pub(super) max_uses: Option<i64>,
    pub(super) uses: i64,
}

/// What an invite shall be.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(super) struct NewInvite {
    role: Role,
    /// Seconds, at most a year; for ever when left out.
    #[schema(minimum = 1, maximum = 31_622_400)]
    expires_in: Option<i64>,
    /// How many people may come in by it; any number when left out.
    #[schema(minimum = 1)]
    max_uses: Option<i64>,
}

/// An invite as the API tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct InviteView {
    id: InviteId,
    role: Role,
    created_by: UserId,
    created_at: Timestamp,
    #[schema(required)]
    expires_at: Option<Timestamp>,
    #[schema(required)]
    max_uses: Option<i64>,
    uses: i64,
}

/// A new invite as its creator is told it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct InviteLink {
    #[serde(flatten)]
    invite: InviteView,
    /// The link to give away. It is told this once.
    url: String,
    /// The secret at its end.
    token: String,
}

impl Invite {
    pub(super) fn view(&self) -> InviteView {
        InviteView {
            id: self.id,
            role: self.role,
            created_by: self.created_by,
            created_at: Timestamp(self.created_us),
            expires_at: self.expires_us.map(Timestamp),
            max_uses: self.max_uses,
            uses: self.uses,
        }
    }

    /// The link for its creator; `base_url` is where people open the studio.
    pub(super) fn link(&self, secret: Secret, base_url: &str) -> InviteLink {
        let token = secret.reveal();
        InviteLink { invite: self.view(), url: format!("{base_url}/join/{token}"), token }
    }
}

pub(super) async fn create(
    db: &Db,
    project: ProjectId,
    creator: UserId,
    wanted: &NewInvite,
) -> Result<(Invite, Secret)> {
    let now = now_us();
    let lifetime = wanted.expires_in.map(|seconds| lifetime(seconds, limits::INVITE_LIFETIME_MAX)).transpose()?;
    if wanted.max_uses.is_some_and(|uses| uses < 1) {
        return Err(Error::invalid("bad_max_uses", "max_uses must be at least 1; leave it out for any number"));
    }
    let invite = Invite {
        id: InviteId::new(),
        role: wanted.role,
        created_by: creator,
        created_us: now,
        expires_us: lifetime.map(|lifetime| now.saturating_add(micros(lifetime))),
        max_uses: wanted.max_uses,
        uses: 0,
    };
    let secret = Secret::new();
    let mut tx = db.begin().await?;
    sql::insert_invite(&mut tx, project, &invite, secret.digest()).await?;
    let detail = json!({ "role": invite.role, "max_uses": invite.max_uses });
    Entry::new(creator, "invite.created", invite.id).within(project).saying(detail).record(&mut tx).await?;
    tx.commit().await?;
    Ok((invite, secret))
}

/// A link by which one person comes in as this; `base_url` is where people open the studio.
///
/// # Errors
/// When the database fails.
pub async fn link(db: &Db, project: ProjectId, creator: UserId, role: Role, base_url: &str) -> Result<String> {
    let wanted = NewInvite { role, expires_in: None, max_uses: Some(1) };
    let (invite, secret) = create(db, project, creator, &wanted).await?;
    Ok(invite.link(secret, base_url).url)
}

pub(super) async fn list(db: &Db, project: ProjectId, page: &PageQuery, by: By) -> Result<Page<Invite>> {
    let limit = page.limit()?;
    let invites = sql::invites(db, project, page.after()?, by.author, now_us(), limit + 1).await?;
    Ok(Page::cut(invites, limit, |invite| invite.id))
}

/// Takes an invite back. Who is here by a link only is here no more.
pub(super) async fn delete(
    feed: &Feed,
    rights: &Rights,
    project: ProjectId,
    actor: UserId,
    invite: InviteId,
) -> Result<()> {
    let mut tx = feed.db().begin().await?;
    if !sql::delete_invite(&mut tx, project, invite).await? {
        return Err(Error::NotFound);
    }
    Entry::new(actor, "invite.deleted", invite).within(project).record(&mut tx).await?;
    end_links(&mut tx, project, actor, Some(invite)).await?;
    feed.commit(tx, project).await?;
    rights.look();
    Ok(())
}

/// Takes all invites of a project back, in the transaction that closes it; answers how many.
///
/// # Errors
/// When the database fails.
pub async fn end_invites(tx: &mut Tx, project: ProjectId) -> Result<u64> {
    sql::delete_invites(tx, project).await
}

/// Ends the membership of those who are here by a link, or by any, in the transaction that disables it; owners and those
/// whom an owner gave a role by hand stay.
///
/// # Errors
/// When the database fails.
pub async fn end_links(tx: &mut Tx, project: ProjectId, actor: UserId, link: Option<InviteId>) -> Result<()> {
    let gone = sql::delete_by_link(tx, project, link).await?;
    for user in &gone {
        let event = Event::MemberRemoved { user: person(tx, *user).await? };
        feed::append(tx, project, Some(actor), &[event]).await?;
    }
    if !gone.is_empty() {
        rights::record(tx, Change::project(project)).await?;
    }
    Ok(())
}

/// Makes the caller a member by an invite's secret and returns the project. Who may already do as much is not changed,
/// and uses nothing up.
///
/// # Errors
/// [`Error::NotFound`] for an invite that is unknown, used up, expired, or of a deleted project; they look alike.
pub async fn accept(feed: &Feed, caller: &Caller, token: &str) -> Result<ProjectId> {
    let (db, hash) = (feed.db(), digest(token));
    let found = sql::invite_by_hash(db, hash, now_us()).await?;
    let (project, role) = found.ok_or(Error::NotFound)?;
    let mut tx = db.begin().await?;
    lock_project(&mut tx, project).await?;
    let current = sql::member_role(&mut tx, project, caller.user.id).await?;
    if current.is_some_and(|current| current.covers(role)) {
        return Ok(project);
    }
    let invite = sql::use_invite(&mut tx, hash, now_us()).await?.ok_or(Error::NotFound)?;
    // Who had a place in their own right keeps it when the link ends.
    let borrows = current.is_none() || sql::came_by_link(&mut tx, project, caller.user.id).await?;
    let by_link = if borrows && sql::is_by_link(&mut tx, project).await? { Some(invite) } else { None };
    sql::put_member(&mut tx, project, caller.user.id, role, by_link, now_us()).await?;
    let accepted = Entry::new(caller.user.id, "invite.accepted", invite).within(project);
    accepted.saying(json!({ "role": role })).record(&mut tx).await?;
    let user = Person { id: caller.user.id, name: caller.user.name.clone() };
    let event = match current {
        Some(was) => Event::MemberChanged { user, role, was },
        None => Event::MemberAdded { user, role },
    };
    feed::append(&mut tx, project, Some(caller.user.id), &[event]).await?;
    rights::record(&mut tx, Change::member(project, caller.user.id)).await?;
    feed.commit(tx, project).await?;
    Ok(project)
}
