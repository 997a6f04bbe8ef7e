//! Proposals: changes of files that somebody suggests and the people of a project decide on together, hunk by hunk.
//!
//! A proposal changes nothing. Who may edit accepts some of its hunks, which are then written in one transaction, in their
//! name; what the proposal says of its author is kept beside. A hunk is written only where what it was made from still
//! stands at that moment. *Absent: an edit that waits in a document, a merge of what has changed, a lock while people look.*
//!
//! Commenters may propose and vote, for neither changes a document; only editors decide. Who proposed may withdraw.

mod accept;
mod create;
mod reject;
mod revise;
mod routes;
mod sql;
mod stand;
mod undo;
mod view;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::accept::accept;
pub use self::create::create;
pub use self::reject::{reject, vote};
pub use self::revise::{Revision, Rewording, revise};
pub use self::routes::routes;
pub use self::stand::{HunkState, Stale, State};
pub use self::undo::undo;
pub use self::view::{ProposalView, TrustView, view};

use crate::db::Db;
use crate::error::{Error, Result};
use crate::feed::Actor;
use crate::ids::{DocumentId, ProjectId, ProposalId, UserId};
use crate::replica::{Anchor, Held};

/// Who suggests something.
#[derive(Debug, Clone)]
pub struct Author {
    /// The principal: a person, or the assistant.
    pub user: UserId,
    /// Who asked them to.
    pub via: Option<UserId>,
    /// The message it came from.
    pub message: Option<Uuid>,
}

impl Author {
    /// Somebody who suggests something of their own accord.
    #[must_use]
    pub fn alone(user: UserId) -> Self {
        Self { user, via: None, message: None }
    }
}

/// What somebody suggests.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProposal {
    /// What it does, in a line.
    #[schema(example = "Say hello", min_length = 1, max_length = 200)]
    pub summary: String,
    /// Why, in Markdown.
    #[serde(default)]
    #[schema(max_length = 10_000)]
    pub rationale: String,
    /// How sure its author is, in percent.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 100)]
    pub confidence: Option<u8>,
    /// How much it may break.
    #[serde(default)]
    pub risk: Option<Risk>,
    /// The role that the assistant or a program plays, such as `Debugger`; over HTTP with an API key only.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub persona: Option<String>,
    /// The model that wrote it; over HTTP with an API key only.
    #[serde(default)]
    #[schema(max_length = 100)]
    pub model: Option<String>,
    /// What it does to which file. A document is edited, moved or deleted once.
    #[schema(min_items = 1, max_items = 50)]
    pub files: Vec<NewFile>,
}

/// What is to be done to a file.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum NewFile {
    /// Another text for a document: the whole of it, or replacements.
    Edit {
        /// Its id or path.
        document: String,
        /// The text it shall have; not with `edits`.
        text: Option<String>,
        /// The text that `text` was made from, if people may have typed since; what changed meanwhile is left out.
        base: Option<String>,
        /// What is replaced in its text; not with `text`.
        edits: Option<Vec<NewEdit>>,
        /// Only if it is at this head.
        head: Option<i64>,
    },
    /// A new document.
    Create {
        /// Where.
        path: String,
        /// Its text.
        #[serde(default)]
        content: String,
    },
    /// Another path for a document.
    Rename {
        /// Its id or path.
        document: String,
        /// Where to.
        path: String,
    },
    /// The end of a document.
    Delete {
        /// Its id or path.
        document: String,
    },
}

/// One replacement: of the one place that says `find`, or of the UTF-16 units `from` up to `to`.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEdit {
    /// What is there, once.
    pub find: Option<String>,
    /// The first unit, counted from 0.
    pub from: Option<u32>,
    /// The unit after the last.
    pub to: Option<u32>,
    /// What it becomes.
    pub replace: String,
}

/// How much a proposal may break, as its author says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// Little.
    Low,
    /// Something.
    Medium,
    /// Much.
    High,
}

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// Its text becomes another.
    Edit,
    /// It is made.
    Create,
    /// It is moved.
    Rename,
    /// It is deleted.
    Delete,
}

/// A proposal with all that belongs to it.
#[derive(Debug, Clone)]
pub struct Proposal {
    id: ProposalId,
    project: ProjectId,
    author: Actor,
    via: Option<Actor>,
    persona: Option<String>,
    model: Option<String>,
    message: Option<Uuid>,
    summary: String,
    rationale: String,
    confidence: Option<u8>,
    risk: Option<Risk>,
    added: i64,
    removed: i64,
    state: State,
    is_open: bool,
    reason: Option<String>,
    created_us: i64,
    decided_us: Option<i64>,
    files: Vec<File>,
    hunks: Vec<Hunk>,
    votes: Vec<(Actor, i64)>,
    edits: Vec<Written>,
}

#[derive(Debug, Clone)]
struct File {
    file: i64,
    op: Op,
    document: Option<DocumentId>,
    path: String,
    to: Option<String>,
    head: Option<i64>,
}

#[derive(Debug, Clone)]
struct Hunk {
    hunk: i64,
    file: i64,
    line: i64,
    change: Change,
    state: HunkState,
    stale: Option<Stale>,
    decided_by: Option<Actor>,
    decided_us: Option<i64>,
}

/// The lines of a hunk, and what they are held by.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Change {
    before: String,
    after: String,
    anchor: Option<Anchor>,
}

/// What was written into a document.
#[derive(Debug, Clone)]
struct Written {
    document: DocumentId,
    seq: i64,
    client: u64,
    gone: Vec<crate::replica::Gone>,
    accepted_by: Actor,
    created_us: i64,
    is_undone: bool,
}

impl Proposal {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> ProposalId {
        self.id
    }

    /// Where its first edit is: in which document, and the first unit that holds it.
    #[must_use]
    pub fn place(&self) -> Option<(DocumentId, Option<(u64, u32)>)> {
        let file = self.files.iter().find(|file| file.op == Op::Edit)?;
        let hunk = self.hunks.iter().find(|hunk| hunk.file == file.file)?;
        Some((file.document?, hunk.change.anchor.as_ref().and_then(|anchor| anchor.start)))
    }

    /// The hunks of a file among those chosen.
    fn chosen<'a>(&'a self, file: &File, chosen: &'a [i64]) -> impl Iterator<Item = &'a Hunk> {
        let file = file.file;
        self.hunks.iter().filter(move |hunk| hunk.file == file && chosen.contains(&hunk.hunk))
    }

    /// What chosen hunks say.
    fn wording(&self, chosen: &[i64]) -> Vec<&str> {
        self.hunks.iter().filter(|hunk| chosen.contains(&hunk.hunk)).map(|hunk| hunk.change.after.as_str()).collect()
    }

    /// The hunks that are to be decided on: those named, or all that wait.
    fn choose(&self, wanted: Option<&[i64]>) -> Result<Vec<i64>> {
        let waits = |hunk: &&Hunk| hunk.state == HunkState::Pending;
        let Some(wanted) = wanted else {
            let all: Vec<i64> = self.hunks.iter().filter(waits).map(|hunk| hunk.hunk).collect();
            return if all.is_empty() { Err(self.decided()) } else { Ok(all) };
        };
        let mut chosen = wanted.to_vec();
        chosen.sort_unstable();
        chosen.dedup();
        if chosen.is_empty() {
            return Err(Error::invalid("bad_hunks", "name at least one hunk, or leave hunks out for all that wait"));
        }
        for number in &chosen {
            let hunk = self.hunks.iter().find(|hunk| hunk.hunk == *number);
            let hunk = hunk.ok_or_else(|| Error::invalid("bad_hunks", format!("there is no hunk {number} in it")))?;
            if hunk.state == HunkState::Stale {
                return Err(Error::conflict(
                    "stale",
                    format!("hunk {number}: {}", hunk.stale.unwrap_or_default().said()),
                ));
            }
            if hunk.state != HunkState::Pending {
                let by = hunk.decided_by.as_ref().map(|by| format!(" by {}", by.name)).unwrap_or_default();
                return Err(Error::conflict("decided", format!("hunk {number} is {} already{by}", hunk.state.word())));
            }
        }
        Ok(chosen)
    }

    fn decided(&self) -> Error {
        Error::conflict(
            "decided",
            format!("this proposal is {}: nothing of it waits for a decision", self.state.word()),
        )
    }
}

impl Hunk {
    /// As a worker looks for it; none for what was stale from the beginning.
    fn held(&self, op: Op) -> Option<Held> {
        let Change { before, after, anchor } = &self.change;
        let anchor = anchor.clone()?;
        // Of a file that is to be deleted it is only asked whether it says the same.
        let after = if op == Op::Delete { before } else { after };
        Some(Held { anchor, before: before.clone(), after: after.clone() })
    }
}

/// A proposal of a project.
///
/// # Errors
/// [`Error::NotFound`], or when the database fails.
pub async fn get(db: &Db, project: ProjectId, id: ProposalId) -> Result<Proposal> {
    let mut tx = db.begin_read().await?;
    sql::load(&mut tx, project, id).await?.ok_or(Error::NotFound)
}
