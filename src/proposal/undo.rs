//! What was accepted of a proposal is taken back, as an edit like any other: what others did since stays.
//!
//! Of a text, what the proposal wrote and is still there goes, and what it removed comes back where it was. A file that it
//! made goes only if it still says what the proposal said; one that it moved goes back if it is still there; one that it
//! deleted is made anew. What cannot be taken back stays accepted.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;

use super::{File, Hunk, HunkState, Op, Proposal, State, get, sql};
use crate::access::lock_project;
use crate::db::{Tx, now_us};
use crate::document::{self, DocumentPath, Edit};
use crate::error::{Error, Result};
use crate::feed::{self, Event};
use crate::head::Head;
use crate::ids::{DocumentId, ProjectId, ProposalId};
use crate::journal;
use crate::limits;
use crate::replica::Part;
use crate::room::Participant;
use crate::state::{AppState, Shared};

/// What is to be done to documents, as workers said.
#[derive(Default)]
struct Asked {
    /// Edits of texts.
    reverts: BTreeMap<DocumentId, Edit>,
    /// Made by the proposal and unchanged, and the head at which that holds.
    unchanged: HashMap<DocumentId, Head>,
    /// Whether documents get larger, which their project's quota may forbid.
    grows: bool,
}

/// Takes back what was accepted, in the name of who does it. What still waits of the proposal is rejected with it.
///
/// # Errors
/// `undone` when that was done before, `not_accepted` when there is nothing to take back, `kept` when nothing of it can be
/// taken back any more, [`Error::NotFound`], 503 when a text cannot be had, or when the database fails.
pub async fn undo(state: &AppState, project: ProjectId, by: &Participant, id: ProposalId) -> Result<Proposal> {
    let (state, by) = (state.clone(), by.clone());
    // In a task of its own: who asked may go away, but open rooms must hear of what was committed.
    let undone = tokio::spawn(async move {
        for _ in 0..limits::ACCEPT_TRIES {
            let proposal = get(&state.db, project, id).await?;
            to_undo(&proposal)?;
            let asked = ask(&state, &proposal).await?;
            let deleted: Vec<DocumentId> = asked.unchanged.keys().copied().collect();
            let attempt = commit(&state, &proposal, &by, asked).await;
            let mut looks = Vec::new();
            for document in proposal.files.iter().filter_map(|file| file.document) {
                let gone = deleted.contains(&document)
                    && document::living(&state.db, project, document).await.is_ok_and(|found| found.is_none());
                if gone { state.rooms.deleted(document) } else { looks.push(state.rooms.look(document)) }
            }
            join_all(looks).await;
            if attempt? {
                return get(&state.db, project, id).await;
            }
        }
        Err(Error::unavailable("too much is going on in these documents; try again"))
    });
    undone.await.map_err(anyhow::Error::from)?
}

/// The hunks that are there to be taken back.
fn to_undo(proposal: &Proposal) -> Result<Vec<i64>> {
    let is = |wanted| proposal.hunks.iter().filter(move |hunk| hunk.state == wanted);
    let accepted: Vec<i64> = is(HunkState::Accepted).map(|hunk| hunk.hunk).collect();
    if !accepted.is_empty() {
        return Ok(accepted);
    }
    if is(HunkState::Undone).next().is_some() {
        return Err(Error::conflict("undone", "this proposal was taken back already"));
    }
    Err(Error::conflict("not_accepted", "nothing of this proposal was accepted"))
}

async fn ask(state: &Shared, proposal: &Proposal) -> Result<Asked> {
    let mut asked = Asked::default();
    let (rooms, replicas) = (&state.rooms, &state.replicas);
    for file in &proposal.files {
        let accepted = proposal.hunks.iter().any(|hunk| hunk.file == file.file && hunk.state == HunkState::Accepted);
        let Some(id) = file.document.filter(|_| accepted) else { continue };
        let Some(found) = document::living(&state.db, proposal.project, id).await? else { continue };
        match file.op {
            Op::Edit => {
                let written = || proposal.edits.iter().filter(|edit| edit.document == id && !edit.is_undone);
                let clients = written().map(|edit| edit.client).collect();
                let gone = written().flat_map(|edit| edit.gone.clone()).collect();
                let (read, update) = document::revert(rooms, replicas, &found, clients, gone).await?;
                asked.reverts.insert(id, Edit { document: id, read, only_there: false, update });
            }
            Op::Create => {
                let content = document::text(rooms, replicas, &found, Part::Whole).await?;
                let said = proposal.hunks.iter().find(|hunk| hunk.file == file.file).map(|hunk| &hunk.change.after);
                if said == Some(&content.text) {
                    asked.unchanged.insert(id, content.head);
                }
            }
            Op::Rename | Op::Delete => {}
        }
    }
    Ok(asked)
}

/// Answers false when something has moved on since it was asked about.
async fn commit(state: &Shared, seen: &Proposal, by: &Participant, mut asked: Asked) -> Result<bool> {
    let project = seen.project;
    let mut tx = state.db.begin().await?;
    lock_project(&mut tx, project).await?;
    let touched: Vec<DocumentId> = seen.files.iter().filter_map(|file| file.document).collect();
    journal::lock(&mut tx, &touched).await?;
    let proposal = sql::load(&mut tx, project, seen.id).await?.ok_or(Error::NotFound)?;
    let accepted = to_undo(&proposal)?;
    if accepted != to_undo(seen)? {
        return Ok(false);
    }
    let now = now_us();
    let (mut events, mut undone) = (Vec::new(), Vec::new());
    // Backwards: what came last stands on what came before.
    for file in proposal.files.iter().rev() {
        let hunks: Vec<&Hunk> = proposal.chosen(file, &accepted).collect();
        let Some(first) = hunks.first() else { continue };
        match take_back(&mut tx, &proposal, by, file, first, &mut asked, &mut events).await? {
            Taken::Back => undone.extend(hunks.iter().map(|hunk| hunk.hunk)),
            Taken::Kept => {}
            Taken::MovedOn => return Ok(false),
        }
    }
    if undone.is_empty() {
        return Err(Error::conflict(
            "kept",
            "what was accepted has changed or is gone since; nothing of it can be taken back",
        ));
    }
    undone.sort_unstable();
    let after = |hunk: &Hunk| match hunk.state {
        HunkState::Accepted if undone.contains(&hunk.hunk) => HunkState::Undone,
        HunkState::Pending => HunkState::Rejected,
        state => state,
    };
    for hunk in proposal.hunks.iter().filter(|hunk| after(hunk) != hunk.state) {
        sql::decide(&mut tx, proposal.id, hunk.hunk, (after(hunk), None), by.user, now).await?;
    }
    let stands = State::of(proposal.hunks.iter().map(after));
    sql::settle(&mut tx, proposal.id, stands, false, None, now).await?;
    let (summary, stands) = (proposal.summary.clone(), stands.word().to_owned());
    events.push(Event::ProposalUndone { proposal_id: proposal.id, summary, hunks: undone, state: stands });
    if asked.grows {
        state.rooms.quotas().hold(&mut tx, project).await?;
    }
    feed::append(&mut tx, project, Some(by.user), &events).await?;
    state.feed.commit(tx, project).await?;
    Ok(true)
}

/// What became of one file.
enum Taken {
    Back,
    Kept,
    MovedOn,
}

async fn take_back(
    tx: &mut Tx,
    proposal: &Proposal,
    by: &Participant,
    file: &File,
    hunk: &Hunk,
    asked: &mut Asked,
    events: &mut Vec<Event>,
) -> Result<Taken> {
    let project = proposal.project;
    if file.op == Op::Delete {
        let path = DocumentPath::new(&file.path)?;
        return match document::create_in(tx, project, by.user, path, &hunk.change.before).await {
            Ok((_, event)) => {
                asked.grows |= !hunk.change.before.is_empty();
                events.push(event);
                Ok(Taken::Back)
            }
            Err(Error::Conflict { code: "path_taken", .. }) => Ok(Taken::Kept),
            Err(error) => Err(error),
        };
    }
    let found = match file.document {
        Some(document) => document::living_in(tx, project, document).await?,
        None => None,
    };
    let Some(found) = found else { return Ok(Taken::Kept) };
    match file.op {
        Op::Edit => {
            let Some(edit) = asked.reverts.remove(&found.id) else { return Ok(Taken::MovedOn) };
            let is_written = edit.update.is_some();
            let (document, grown) = document::write_in(tx, project, by, edit).await?;
            asked.grows |= grown;
            sql::unwrote(tx, proposal.id, document.id, now_us()).await?;
            let (document_id, head) = (document.id, document.head.seq);
            events.extend(is_written.then_some(Event::FileChanged { document_id, path: document.path, head }));
            Ok(Taken::Back)
        }
        Op::Create => match asked.unchanged.get(&found.id) {
            Some(head) if *head == found.head => {
                events.push(document::delete_in(tx, project, found.id).await?);
                Ok(Taken::Back)
            }
            Some(_) => Ok(Taken::MovedOn),
            None => Ok(Taken::Kept),
        },
        // Moved on by somebody else.
        Op::Rename if Some(&found.path) != file.to.as_ref() => Ok(Taken::Kept),
        Op::Rename | Op::Delete => {
            match document::move_in(tx, project, found.id, &DocumentPath::new(&file.path)?).await {
                Ok((_, event)) => {
                    events.extend(event);
                    Ok(Taken::Back)
                }
                Err(Error::Conflict { code: "path_taken", .. }) => Ok(Taken::Kept),
                Err(error) => Err(error),
            }
        }
    }
}
