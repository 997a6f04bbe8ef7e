//! Projects: what people share. Made by anybody who is signed in, found by their members.

mod demo;
mod routes;
mod sql;
mod template;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

pub use self::demo::demo;
pub use self::routes::routes;
pub use self::template::Template;

use crate::access::{self, Role};
use crate::audit::Entry;
use crate::auth::{self, Caller, Credential};
use crate::blob;
use crate::db::{Db, Tx, micros, now_us};
use crate::document::{self, DocumentPath};
use crate::error::{Error, Result};
use crate::feed::{self, Event, Feed};
use crate::filter::Words;
use crate::ids::{DocumentId, ProjectId, UserId};
use crate::limits;
use crate::page::{Page, PageQuery};
use crate::quota::{Quotas, Usage};
use crate::rights::{self, Change, Rights};
use crate::room::{Rooms, Subject};
use crate::text;
use crate::timestamp::Timestamp;

/// A project as its row says.
#[derive(Debug, Clone)]
pub(crate) struct Project {
    id: ProjectId,
    name: String,
    description: String,
    visibility: Visibility,
    created_by: UserId,
    created_us: i64,
}

/// Who may read a project besides its members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Nobody.
    Private,
    /// Nobody until they have opened an invite's link.
    Link,
    /// Everybody who is signed in.
    Public,
}

impl Visibility {
    fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Link => "link",
            Self::Public => "public",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Private, Self::Link, Self::Public].into_iter().find(|visibility| visibility.as_str() == word)
    }
}

/// A project as the API tells it to somebody.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProjectView {
    id: ProjectId,
    name: String,
    description: String,
    visibility: Visibility,
    /// What the caller may do in it.
    role: Role,
    created_at: Timestamp,
    /// What it takes and may take; told to its owners, where one project is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<UsageView>,
}

/// What a project takes and may take.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ProjectUsage)]
struct UsageView {
    documents: i64,
    documents_max: i64,
    /// What its documents take together, in bytes.
    document_bytes: i64,
    document_bytes_max: i64,
    /// What its files that are no documents take together, in bytes.
    blob_bytes: i64,
    blob_bytes_max: i64,
}

/// A project that was deleted, as its owners are told of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeletedView {
    id: ProjectId,
    name: String,
    deleted_at: Timestamp,
    /// When it can be restored no more.
    gone_at: Timestamp,
}

/// What a new project shall be.
#[derive(Debug, Clone, Deserialize, ToSchema)]
struct NewProject {
    #[schema(example = "Notes", min_length = 1, max_length = 80)]
    name: String,
    #[schema(max_length = 2_000)]
    description: Option<String>,
    /// `private` when left out.
    visibility: Option<Visibility>,
    /// What it begins with; `blank` when left out.
    template: Option<Template>,
}

/// What shall change in a project; what is left out stays.
#[derive(Debug, Clone, Deserialize, ToSchema)]
struct ProjectChange {
    #[schema(min_length = 1, max_length = 80)]
    name: Option<String>,
    #[schema(max_length = 2_000)]
    description: Option<String>,
    visibility: Option<Visibility>,
}

impl Project {
    fn view(&self, role: Role) -> ProjectView {
        ProjectView {
            id: self.id,
            name: self.name.clone(),
            description: self.description.clone(),
            visibility: self.visibility,
            role,
            created_at: Timestamp(self.created_us),
            usage: None,
        }
    }
}

/// A project as somebody sees it who asks for it alone.
async fn show(db: &Db, quotas: &Quotas, project: ProjectId, role: Role) -> Result<ProjectView> {
    let mut view = find(db, project).await?.view(role);
    if role.can_manage() {
        let (documents, documents_max) = document::counted(db, project).await?;
        let (blob_bytes, blob_bytes_max) = blob::stored(db, project).await?;
        let Usage { used, most } = quotas.of(project).await?;
        view.usage = Some(UsageView {
            documents,
            documents_max,
            document_bytes: used,
            document_bytes_max: most,
            blob_bytes,
            blob_bytes_max,
        });
    }
    Ok(view)
}

/// A project that has its creator as owner, with the files of its template. The creator may have made `most` in all.
async fn create(feed: &Feed, quotas: &Quotas, creator: UserId, most: i64, wanted: &NewProject) -> Result<Project> {
    let mut tx = feed.db().begin().await?;
    auth::lock(&mut tx, creator).await?;
    if sql::made_by(&mut tx, creator).await? >= most {
        let said =
            format!("you have made {most} projects, and may have no more; one that is deleted counts for 30 days");
        return Err(Error::conflict("too_many_projects", said));
    }
    let project = create_in(&mut tx, quotas, creator, wanted).await?;
    access::add_member(&mut tx, project.id, creator, Role::Owner).await?;
    feed.commit(tx, project.id).await?;
    Ok(project)
}

/// A project that nobody is in yet.
async fn create_in(tx: &mut Tx, quotas: &Quotas, creator: UserId, wanted: &NewProject) -> Result<Project> {
    let project = Project {
        id: ProjectId::new(),
        name: text::name(&wanted.name)?,
        description: text::description(wanted.description.as_deref().unwrap_or_default())?,
        visibility: wanted.visibility.unwrap_or(Visibility::Private),
        created_by: creator,
        created_us: now_us(),
    };
    sql::insert(tx, &project).await?;
    let mut events = Vec::new();
    for (path, content) in wanted.template.unwrap_or_default().files() {
        let path = DocumentPath::new(path)?;
        events.push(document::create_in(tx, project.id, creator, path, content).await?.1);
    }
    if !events.is_empty() {
        quotas.hold(tx, project.id).await?;
        feed::append(tx, project.id, Some(creator), &events).await?;
    }
    Ok(project)
}

/// The projects a caller is a member of, the newest first; a token sees its own project only.
async fn list(db: &Db, caller: &Caller, page: &PageQuery, words: &Words) -> Result<Page<ProjectView>> {
    let (limit, after, needle) = (page.limit()?, page.after()?, words.needle()?);
    let most = match &caller.credential {
        Credential::Login { .. } => Some(Role::Owner),
        Credential::Key(grant) => grant.scopes.role(),
        Credential::Token(grant) => {
            let Some(role) = access::role(db, caller, grant.project).await? else { return Ok(Page::whole(Vec::new())) };
            let project = find(db, grant.project).await?;
            let is_wanted = after.is_none_or(|after| project.id < after) && needle.is_in(&project.name);
            return Ok(Page::whole(is_wanted.then(|| project.view(role)).into_iter().collect()));
        }
    };
    let Some(most) = most else { return Ok(Page::whole(Vec::new())) };
    let read = |after, limit| sql::of_member(db, caller.user.id, after, needle.pattern(), limit);
    let is_wanted = |(project, _): &(Project, Role)| needle.is_in(&project.name);
    let projects = Page::sift(limit, after, read, |(project, _)| project.id, is_wanted).await?;
    Ok(projects.map(|(project, role)| project.view(role.lesser(most))))
}

/// A living project.
async fn find(db: &Db, project: ProjectId) -> Result<Project> {
    sql::find(db, project).await?.ok_or(Error::NotFound)
}

/// A project as a caller sees it who was just let in.
async fn seen_by(db: &Db, caller: &Caller, project: ProjectId) -> Result<ProjectView> {
    let role = access::role(db, caller, project).await?.ok_or(Error::NotFound)?;
    Ok(find(db, project).await?.view(role))
}

async fn change(
    feed: &Feed,
    rights: &Rights,
    project: ProjectId,
    actor: UserId,
    change: &ProjectChange,
) -> Result<Project> {
    let name = change.name.as_deref().map(text::name).transpose()?;
    let description = change.description.as_deref().map(text::description).transpose()?;
    let visibility = change.visibility.map(Visibility::as_str);
    let mut tx = feed.db().begin().await?;
    access::lock_project(&mut tx, project).await?;
    let was = sql::visibility(&mut tx, project).await?;
    let changed = sql::update(&mut tx, project, name.as_deref(), description.as_deref(), visibility).await?;
    let changed = changed.ok_or(Error::NotFound)?;
    let event = Event::ProjectChanged {
        name: changed.name.clone(),
        description: changed.description.clone(),
        visibility: changed.visibility.as_str().to_owned(),
    };
    feed::append(&mut tx, project, Some(actor), &[event]).await?;
    if let Some(visibility) = change.visibility {
        let mut detail = json!({ "visibility": visibility });
        if visibility == Visibility::Private && was != Visibility::Private {
            // What was handed out while it was open would let people in for good from here on.
            detail["invites_ended"] = access::end_invites(&mut tx, project).await?.into();
            access::end_links(&mut tx, project, actor, None).await?;
        }
        Entry::new(actor, "project.visibility", project).within(project).saying(detail).record(&mut tx).await?;
        rights::record(&mut tx, Change::project(project)).await?;
    }
    feed.commit(tx, project).await?;
    rights.look();
    Ok(changed)
}

/// Deletes a project for everybody in it. An owner can restore it for [`limits::PROJECT_GRACE`], then [`sweep`] takes it.
///
/// # Errors
/// [`Error::NotFound`] when it was deleted meanwhile, or when the database fails.
pub async fn delete(feed: &Feed, rooms: &Rooms, rights: &Rights, actor: UserId, project: ProjectId) -> Result<()> {
    let mut tx = feed.db().begin().await?;
    access::lock_project(&mut tx, project).await?;
    let documents: Vec<DocumentId> = document::end_all(&mut tx, project).await?;
    sql::mark_deleted(&mut tx, project, now_us()).await?;
    Entry::new(actor, "project.deleted", project).within(project).record(&mut tx).await?;
    feed::append(&mut tx, project, Some(actor), &[Event::ProjectDeleted {}]).await?;
    rights::record(&mut tx, Change::project(project)).await?;
    feed.commit(tx, project).await?;
    rights.look();
    for document in documents {
        rooms.deleted(document);
    }
    rooms.deleted(Subject::Project(project));
    Ok(())
}

/// Takes a project back that was deleted a while ago: as one of its owners, or, for an operator, whoever owned it. Its
/// documents begin a new epoch.
///
/// # Errors
/// [`Error::NotFound`] for any other project, or when the database fails.
pub async fn restore(feed: &Feed, rights: &Rights, actor: UserId, as_owner: bool, project: ProjectId) -> Result<()> {
    let since_us = now_us().saturating_sub(micros(limits::PROJECT_GRACE));
    let mut tx = feed.db().begin().await?;
    if !sql::restore(&mut tx, project, as_owner.then_some(actor), since_us).await? {
        return Err(Error::NotFound);
    }
    Entry::new(actor, "project.restored", project).within(project).record(&mut tx).await?;
    feed::append(&mut tx, project, Some(actor), &[Event::ProjectRestored {}]).await?;
    rights::record(&mut tx, Change::project(project)).await?;
    feed.commit(tx, project).await?;
    rights.look();
    Ok(())
}

/// The deleted projects that a caller can take back, the newest first.
async fn deleted(db: &Db, caller: &Caller, page: &PageQuery, words: &Words) -> Result<Page<DeletedView>> {
    let needle = words.needle()?;
    let since_us = now_us().saturating_sub(micros(limits::PROJECT_GRACE));
    let read = |after, limit| sql::deleted(db, caller.user.id, after, needle.pattern(), since_us, limit);
    let is_wanted = |project: &DeletedView| needle.is_in(&project.name);
    Page::sift(page.limit()?, page.after()?, read, |project| project.id, is_wanted).await
}

/// Removes projects for good that nobody restored in time: document by document, so that others can write in between.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &Db) -> Result<u64> {
    let before_us = now_us().saturating_sub(micros(limits::PROJECT_GRACE));
    let mut gone = 0;
    for project in sql::expired(db, before_us).await? {
        while sql::remove_documents(db, project).await? > 0 {}
        gone += sql::remove(db, project, before_us).await?;
    }
    Ok(gone)
}
