//! A proposal as the API tells it, with where its hunks are now.

use std::collections::HashMap;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{HunkState, Op, Proposal, Risk, Stale, State, sql};
use crate::db::Db;
use crate::document;
use crate::error::{Error, Result};
use crate::feed::Actor;
use crate::ids::{DocumentId, ProjectId, ProposalId};
use crate::state::Shared;
use crate::timestamp::Timestamp;

/// A proposal as the API tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProposalView {
    id: ProposalId,
    project_id: ProjectId,
    state: State,
    /// Whether some hunk still waits for a decision.
    is_open: bool,
    author: Actor,
    /// Who asked the author for it.
    #[schema(required)]
    via: Option<Actor>,
    #[schema(required, example = "Debugger")]
    persona: Option<String>,
    #[schema(required)]
    model: Option<String>,
    /// The message it came from.
    #[schema(required)]
    message_id: Option<Uuid>,
    summary: String,
    /// In Markdown, not to be trusted.
    rationale: String,
    /// In percent.
    #[schema(required)]
    confidence: Option<u8>,
    impact: Impact,
    /// Why it was rejected.
    #[schema(required)]
    reason: Option<String>,
    created_at: Timestamp,
    /// When something was decided last.
    #[schema(required)]
    decided_at: Option<Timestamp>,
    /// Left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<FileView>>,
    /// Left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    votes: Option<Vec<VoteView>>,
    /// What was written when hunks were accepted. Left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    written: Option<Vec<WrittenView>>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct Impact {
    lines_added: i64,
    lines_removed: i64,
    /// How much it may break, as its author says.
    #[schema(required)]
    risk: Option<Risk>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct FileView {
    op: Op,
    /// The document; null for one that was not created.
    #[schema(required)]
    document_id: Option<DocumentId>,
    /// Where it was when this was proposed, or is to be created.
    path: String,
    /// Where it is to be moved.
    #[schema(required)]
    to: Option<String>,
    /// The head it was made at; null for one that was not created.
    #[schema(required)]
    head: Option<i64>,
    /// What can be decided on by itself. All but edits have one, which is the file as a whole.
    hunks: Vec<HunkView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct HunkView {
    /// Its number in the proposal.
    id: i64,
    state: HunkState,
    /// Why it cannot be written any more.
    #[schema(required)]
    stale: Option<Stale>,
    /// Its first line in the text that it was made from.
    line: i64,
    /// Its first line in the text as it is now. Null for what was decided on, what does not fit any more and would become
    /// stale, and where no text is looked at.
    #[schema(required)]
    now: Option<usize>,
    /// Whether it would be written if it were accepted now; null where that is not known.
    #[schema(required)]
    fits: Option<bool>,
    /// Lines as they were, with their ends.
    before: String,
    /// Lines as they are to be.
    after: String,
    #[schema(required)]
    decided_by: Option<Actor>,
    #[schema(required)]
    decided_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct VoteView {
    user: Actor,
    /// 1 for it, -1 against it.
    value: i64,
}

/// A row of a document's log that says what a proposal said: the words of its author, written by who accepted them.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct WrittenView {
    document_id: DocumentId,
    /// The row.
    head: i64,
    /// The Yjs client that wrote this and nothing else.
    client_id: u64,
    accepted_by: Actor,
    at: Timestamp,
    is_undone: bool,
}

/// How proposals of one author as one persona and by one model fared. What a program says of itself stands with it, and
/// never with the assistant.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TrustView {
    author: Actor,
    #[schema(required)]
    persona: Option<String>,
    #[schema(required)]
    model: Option<String>,
    pending: i64,
    accepted: i64,
    partly: i64,
    rejected: i64,
    undone: i64,
    stale: i64,
}

impl Proposal {
    /// As lists tell it.
    pub(super) fn head(&self) -> ProposalView {
        ProposalView {
            id: self.id,
            project_id: self.project,
            state: self.state,
            is_open: self.is_open,
            author: self.author.clone(),
            via: self.via.clone(),
            persona: self.persona.clone(),
            model: self.model.clone(),
            message_id: self.message,
            summary: self.summary.clone(),
            rationale: self.rationale.clone(),
            confidence: self.confidence,
            impact: Impact { lines_added: self.added, lines_removed: self.removed, risk: self.risk },
            reason: self.reason.clone(),
            created_at: Timestamp(self.created_us),
            decided_at: self.decided_us.map(Timestamp),
            files: None,
            votes: None,
            written: None,
        }
    }
}

/// A proposal as the API tells it, after a look at where its hunks are now.
///
/// # Errors
/// When the database fails.
pub async fn view(state: &Shared, proposal: &Proposal) -> Result<ProposalView> {
    let now = stand(state, proposal).await?;
    let hunk = |hunk: &super::Hunk| {
        let found = now.get(&hunk.hunk).copied();
        HunkView {
            id: hunk.hunk,
            state: hunk.state,
            stale: hunk.stale,
            line: hunk.line,
            now: found.flatten(),
            fits: found.map(|line| line.is_some()),
            before: hunk.change.before.clone(),
            after: hunk.change.after.clone(),
            decided_by: hunk.decided_by.clone(),
            decided_at: hunk.decided_us.map(Timestamp),
        }
    };
    let file = |file: &super::File| FileView {
        op: file.op,
        document_id: file.document,
        path: file.path.clone(),
        to: file.to.clone(),
        head: file.head,
        hunks: proposal.hunks.iter().filter(|hunk| hunk.file == file.file).map(hunk).collect(),
    };
    let written = |edit: &super::Written| WrittenView {
        document_id: edit.document,
        head: edit.seq,
        client_id: edit.client,
        accepted_by: edit.accepted_by.clone(),
        at: Timestamp(edit.created_us),
        is_undone: edit.is_undone,
    };
    Ok(ProposalView {
        files: Some(proposal.files.iter().map(file).collect()),
        votes: Some(
            proposal.votes.iter().map(|(user, value)| VoteView { user: user.clone(), value: *value }).collect(),
        ),
        written: Some(proposal.edits.iter().map(written).collect()),
        ..proposal.head()
    })
}

/// Where hunks that wait are now; `None` for those that do not fit. What is not known is left out.
async fn stand(state: &Shared, proposal: &Proposal) -> Result<HashMap<i64, Option<usize>>> {
    let mut now = HashMap::new();
    for file in proposal.files.iter().filter(|file| matches!(file.op, Op::Edit | Op::Delete)) {
        let waits = |hunk: &&super::Hunk| hunk.file == file.file && hunk.state == HunkState::Pending;
        let hunks: Vec<_> = proposal.hunks.iter().filter(waits).collect();
        let Some(id) = file.document.filter(|_| !hunks.is_empty()) else { continue };
        let Some(found) = document::living(&state.db, proposal.project, id).await? else {
            now.extend(hunks.iter().map(|hunk| (hunk.hunk, None)));
            continue;
        };
        let held = hunks.iter().filter_map(|hunk| hunk.held(file.op)).collect();
        match document::fit(&state.rooms, &state.replicas, &found, held).await {
            Ok(fitted) => now.extend(hunks.iter().map(|hunk| hunk.hunk).zip(fitted.lines)),
            Err(Error::Database(error)) => return Err(error.into()),
            // Its text cannot be had now; the proposal can be read all the same.
            Err(error) => tracing::debug!(document = %id, %error, "hunks cannot be looked for"),
        }
    }
    Ok(now)
}

/// How the proposals of each author, persona and model fared.
///
/// # Errors
/// When the database fails.
pub(super) async fn trust(db: &Db, project: ProjectId) -> Result<Vec<TrustView>> {
    let mut views: Vec<TrustView> = Vec::new();
    for row in sql::trust(db, project).await? {
        let sql::TrustRow { author_id, author_name, author_kind, persona, model, state, count } = row;
        let is_new = views
            .last()
            .is_none_or(|last| (last.author.id, &last.persona, &last.model) != (author_id, &persona, &model));
        if is_new {
            let author = Actor { id: author_id, name: author_name, kind: author_kind };
            let (pending, accepted, partly, rejected, undone, stale) = (0, 0, 0, 0, 0, 0);
            views.push(TrustView { author, persona, model, pending, accepted, partly, rejected, undone, stale });
        }
        let (Some(view), Some(state)) = (views.last_mut(), State::from_word(&state)) else { continue };
        *match state {
            State::Pending => &mut view.pending,
            State::Accepted => &mut view.accepted,
            State::Partly => &mut view.partly,
            State::Rejected => &mut view.rejected,
            State::Stale => &mut view.stale,
            State::Undone => &mut view.undone,
        } = count;
    }
    Ok(views)
}
