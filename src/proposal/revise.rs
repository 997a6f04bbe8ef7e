//! A proposal is put in other words while it waits, by who wrote it or asked for it.

use serde::Deserialize;
use utoipa::ToSchema;

use super::create::{reason, summary, within_limits};
use super::{HunkState, Op, Proposal, get, sql};
use crate::access::lock_project;
use crate::document;
use crate::error::{Error, Result};
use crate::feed::{self, Event};
use crate::ids::{ProjectId, ProposalId};
use crate::room::Participant;
use crate::state::Shared;

/// What is to be said instead; the rest stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// What it does, in a line.
    #[schema(min_length = 1, max_length = 200)]
    pub summary: Option<String>,
    /// Why, in Markdown.
    #[schema(max_length = 10_000)]
    pub rationale: Option<String>,
    /// Other lines for hunks that wait.
    #[schema(max_items = 500)]
    #[serde(default)]
    pub hunks: Vec<Rewording>,
}

/// Other lines for a hunk of an edit, or another text for a file that is to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rewording {
    /// The hunk's number.
    pub id: i64,
    /// The lines as they are to be, with their ends.
    pub after: String,
}

/// Puts a proposal in other words; what holds its hunks stays. For its author; what it says of itself also for who asked
/// them.
///
/// # Errors
/// [`Error::Forbidden`] for others; `decided` and `stale` for what does not wait, `bad_hunks`, `bad_proposal`,
/// [`Error::TooLarge`], [`Error::NotFound`], or when the database fails.
pub async fn revise(
    state: &Shared,
    project: ProjectId,
    by: &Participant,
    id: ProposalId,
    wanted: &Revision,
) -> Result<Proposal> {
    let mut tx = state.db.begin().await?;
    lock_project(&mut tx, project).await?;
    let mut proposal = sql::load(&mut tx, project, id).await?.ok_or(Error::NotFound)?;
    if !by.is(proposal.author.id) && !proposal.via.as_ref().is_some_and(|via| by.is(via.id)) {
        return Err(Error::Forbidden("only who proposed it, or asked for it, may put it in other words"));
    }
    if !wanted.hunks.is_empty() && !by.is(proposal.author.id) {
        // They would be told and counted as the words of somebody else.
        return Err(Error::Forbidden("only who wrote its hunks may put them in other words; propose your own instead"));
    }
    if !proposal.is_open {
        return Err(proposal.decided());
    }
    if let Some(words) = &wanted.summary {
        proposal.summary = summary(words)?;
    }
    if let Some(words) = &wanted.rationale {
        proposal.rationale = reason(words)?;
    }
    let numbers: Vec<i64> = wanted.hunks.iter().map(|hunk| hunk.id).collect();
    let chosen = if numbers.is_empty() { numbers } else { proposal.choose(Some(&numbers))? };
    if chosen.len() != wanted.hunks.len() {
        return Err(Error::invalid("bad_hunks", "name each hunk once"));
    }
    for Rewording { id: number, after } in &wanted.hunks {
        let after = document::content_of(after)?;
        let files = &proposal.files;
        let Some(hunk) = proposal.hunks.iter_mut().find(|hunk| hunk.hunk == *number) else { continue };
        let op = files.iter().find(|file| file.file == hunk.file).map(|file| file.op);
        if !matches!(op, Some(Op::Edit | Op::Create)) || (op == Some(Op::Edit) && after == hunk.change.before) {
            return Err(Error::invalid("bad_hunks", format!("hunk {number} cannot say that; reject it instead")));
        }
        hunk.change.after = after;
        debug_assert_eq!(hunk.state, HunkState::Pending);
    }
    within_limits(&mut proposal)?;
    sql::reword(&mut tx, &proposal, &chosen).await?;
    let (summary, stands) = (proposal.summary.clone(), proposal.state.word().to_owned());
    let event = Event::ProposalUpdated { proposal_id: id, summary, hunks: chosen, state: stands };
    feed::append(&mut tx, project, Some(by.user), &[event]).await?;
    state.feed.commit(tx, project).await?;
    get(&state.db, project, id).await
}
