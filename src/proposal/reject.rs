//! What changes no document: hunks are rejected, and people say what they think.

use super::create::reason as checked;
use super::{HunkState, Proposal, State, get, sql};
use crate::access::lock_project;
use crate::db::now_us;
use crate::error::{Error, Result};
use crate::feed::{self, Event};
use crate::ids::{ProjectId, ProposalId};
use crate::role::Role;
use crate::room::Participant;
use crate::state::Shared;

/// Rejects some hunks, or all that wait. For who may edit, and for who proposed.
///
/// # Errors
/// [`Error::Forbidden`] for others; `decided` when one of them was decided on before, `stale`, `bad_hunks`, `bad_proposal` for
/// reasons that cannot be kept, [`Error::NotFound`], or when the database fails.
pub async fn reject(
    state: &Shared,
    project: ProjectId,
    (by, role): (&Participant, Role),
    id: ProposalId,
    wanted: Option<&[i64]>,
    reason: Option<&str>,
) -> Result<Proposal> {
    let reason = reason.map(checked).transpose()?.filter(|reason| !reason.trim().is_empty());
    let mut tx = state.db.begin().await?;
    lock_project(&mut tx, project).await?;
    let proposal = sql::load(&mut tx, project, id).await?.ok_or(Error::NotFound)?;
    if !role.can_write() && !by.is(proposal.author.id) {
        return Err(Error::Forbidden("only who may edit decides on proposals; you may withdraw your own"));
    }
    let chosen = proposal.choose(wanted)?;
    let now = now_us();
    for hunk in &chosen {
        sql::decide(&mut tx, id, *hunk, (HunkState::Rejected, None), by.user, now).await?;
    }
    let states =
        proposal.hunks.iter().map(|hunk| if chosen.contains(&hunk.hunk) { HunkState::Rejected } else { hunk.state });
    let (stands, is_open) = (State::of(states.clone()), states.clone().any(|state| state == HunkState::Pending));
    sql::settle(&mut tx, id, stands, is_open, reason.as_deref(), now).await?;
    let (summary, stands) = (proposal.summary.clone(), stands.word().to_owned());
    let event = Event::ProposalRejected { proposal_id: id, summary, hunks: chosen, state: stands };
    feed::append(&mut tx, project, Some(by.user), &[event]).await?;
    state.feed.commit(tx, project).await?;
    get(&state.db, project, id).await
}

/// Keeps what somebody thinks of a proposal: 1 for it, -1 against it, 0 for nothing any more.
///
/// # Errors
/// `bad_vote` for another value, `decided` when nothing of it waits any more, [`Error::NotFound`], or when the database fails.
pub async fn vote(
    state: &Shared,
    project: ProjectId,
    by: &Participant,
    id: ProposalId,
    value: i64,
) -> Result<Proposal> {
    if !(-1..=1).contains(&value) {
        return Err(Error::invalid("bad_vote", "value must be 1, -1, or 0 to take a vote back"));
    }
    let mut tx = state.db.begin().await?;
    lock_project(&mut tx, project).await?;
    let proposal = sql::load(&mut tx, project, id).await?.ok_or(Error::NotFound)?;
    if !proposal.is_open {
        return Err(proposal.decided());
    }
    sql::vote(&mut tx, id, by.user, value, now_us()).await?;
    feed::append(&mut tx, project, Some(by.user), &[Event::ProposalVoted { proposal_id: id, value }]).await?;
    state.feed.commit(tx, project).await?;
    get(&state.db, project, id).await
}
