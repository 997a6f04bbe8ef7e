//! Hunks are accepted: written in one transaction over all their files, where they still fit.
//!
//! Whether they fit is asked of workers beside the people who type, and holds only at the head it was asked at; when that has
//! moved on, it is asked again, in the end while the documents are held. Hunks that do not fit are stale and left; the others
//! of those chosen are written together, or none of them.

use std::collections::HashMap;

use futures_util::future::join_all;

use super::{File, Hunk, HunkState, Op, Proposal, Stale, State, get, sql};
use crate::access::lock_project;
use crate::db::{Tx, now_us};
use crate::document::{self, DocumentPath, Edit};
use crate::error::{Error, Result};
use crate::feed::{self, Event};
use crate::head::Head;
use crate::ids::{DocumentId, ProjectId, ProposalId};
use crate::journal;
use crate::limits;
use crate::replica::{Fitted, Held};
use crate::room::Participant;
use crate::state::{AppState, Shared};

/// What workers said of files, by their numbers: at which head, and what became of the hunks that were asked about.
type Asked = HashMap<i64, (Head, Fitted)>;

/// What one attempt came to.
pub(super) enum Attempt {
    /// It was committed.
    Done {
        /// Whether anything was written.
        any: bool,
    },
    /// A document, or the proposal, has moved on since it was looked at.
    MovedOn,
}

/// Accepts some hunks, or all that wait, in the name of who accepts. Answers the proposal as it is then.
///
/// # Errors
/// `decided` when one of them was decided on before; `stale` when none of them could be written any more, which is noted;
/// `bad_hunks`, [`Error::NotFound`], [`Error::TooLarge`], what the gate refuses, 503 when a text cannot be had, or when the
/// database fails. Nothing was written then.
pub async fn accept(
    state: &AppState,
    project: ProjectId,
    by: &Participant,
    id: ProposalId,
    wanted: Option<Vec<i64>>,
) -> Result<Proposal> {
    let (state, by) = (state.clone(), by.clone());
    // In a task of its own: who asked may go away, but open rooms must hear of what was committed.
    let accepted = tokio::spawn(async move {
        for held in (0..=limits::ACCEPT_TRIES).map(|tries| tries == limits::ACCEPT_TRIES) {
            let proposal = get(&state.db, project, id).await?;
            let chosen = proposal.choose(wanted.as_deref())?;
            let asked = if held { Asked::new() } else { ask(&state, &proposal, &chosen).await? };
            let attempt = commit(&state, &proposal, &chosen, wanted.as_deref(), &by, asked, held).await;
            // After an error it may have been committed all the same; then rooms find out what became of it.
            tell(&state, &proposal, &chosen, attempt.is_ok()).await;
            match attempt? {
                Attempt::Done { any: true } => return get(&state.db, project, id).await,
                Attempt::Done { any: false } => {
                    return Err(Error::conflict("stale", "none of it can be written any more; see why in each hunk"));
                }
                Attempt::MovedOn => {}
            }
        }
        Err(Error::unavailable("too much is going on in these documents; try again"))
    });
    accepted.await.map_err(anyhow::Error::from)?
}

/// Tells open rooms of what was committed to their logs.
async fn tell(state: &Shared, proposal: &Proposal, chosen: &[i64], committed: bool) {
    let mut looks = Vec::new();
    for file in proposal.files.iter().filter(|file| proposal.chosen(file, chosen).next().is_some()) {
        let Some(document) = file.document else { continue };
        let gone = file.op == Op::Delete
            && committed
            && document::living(&state.db, proposal.project, document).await.is_ok_and(|found| found.is_none());
        if gone { state.rooms.deleted(document) } else { looks.push(state.rooms.look(document)) }
    }
    join_all(looks).await;
    state.rooms.quotas().look(proposal.project);
}

/// Asks workers what becomes of each file's hunks.
async fn ask(state: &Shared, proposal: &Proposal, chosen: &[i64]) -> Result<Asked> {
    let mut asked = Asked::new();
    for file in proposal.files.iter().filter(|file| matches!(file.op, Op::Edit | Op::Delete)) {
        let held = held(proposal, file, chosen);
        let Some(document) = file.document.filter(|_| !held.is_empty()) else { continue };
        let Some(found) = document::living(&state.db, proposal.project, document).await? else { continue };
        match document::apply(&state.rooms, &state.replicas, &found, held).await {
            Ok(fitted) => drop(asked.insert(file.file, fitted)),
            // Deleted just now; the transaction will see.
            Err(Error::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(asked)
}

fn held(proposal: &Proposal, file: &File, chosen: &[i64]) -> Vec<Held> {
    proposal.chosen(file, chosen).filter_map(|hunk| hunk.held(file.op)).collect()
}

/// One transaction, in which all that was said of a proposal so far is looked at again.
struct Deciding<'a> {
    state: &'a Shared,
    tx: Tx,
    proposal: &'a Proposal,
    by: &'a Participant,
    now_us: i64,
    events: Vec<Event>,
    decided: HashMap<i64, (HunkState, Option<Stale>)>,
    /// Whether documents get larger, which their project's quota may forbid.
    grows: bool,
}

async fn commit(
    state: &Shared,
    seen: &Proposal,
    chosen: &[i64],
    wanted: Option<&[i64]>,
    by: &Participant,
    asked: Asked,
    held: bool,
) -> Result<Attempt> {
    let mut tx = state.db.begin().await?;
    lock_project(&mut tx, seen.project).await?;
    let touched: Vec<DocumentId> = seen.files.iter().filter_map(|file| file.document).collect();
    journal::lock(&mut tx, &touched).await?;
    let proposal = sql::load(&mut tx, seen.project, seen.id).await?.ok_or(Error::NotFound)?;
    // Decided or put in other words meanwhile: what workers made of it is of something else.
    if proposal.choose(wanted)? != chosen || proposal.wording(chosen) != seen.wording(chosen) {
        return Ok(Attempt::MovedOn);
    }
    let (events, decided) = (Vec::new(), HashMap::new());
    let mut deciding = Deciding { state, tx, proposal: &proposal, by, now_us: now_us(), events, decided, grows: false };
    for file in &proposal.files {
        let hunks: Vec<&Hunk> = proposal.chosen(file, chosen).collect();
        let asked = asked.get(&file.file);
        if !hunks.is_empty() && !deciding.carry_out(file, &hunks, asked, held).await? {
            return Ok(Attempt::MovedOn);
        }
    }
    deciding.finish().await
}

impl Deciding<'_> {
    /// Does what is wanted of a file; false when it has moved on since it was asked about.
    async fn carry_out(
        &mut self,
        file: &File,
        hunks: &[&Hunk],
        asked: Option<&(Head, Fitted)>,
        held: bool,
    ) -> Result<bool> {
        let project = self.proposal.project;
        if file.op == Op::Create {
            let content = hunks[0].change.after.as_str();
            let path = DocumentPath::new(&file.path)?;
            match document::create_in(&mut self.tx, project, self.by.user, path, content).await {
                Ok((document, event)) => {
                    self.grows |= !content.is_empty();
                    self.events.push(event);
                    sql::made(&mut self.tx, self.proposal.id, file.file, document.id, document.head.seq).await?;
                    self.accepted(hunks);
                }
                Err(Error::Conflict { code: "path_taken", .. }) => self.stale(hunks, Stale::PathTaken),
                Err(error) => return Err(error),
            }
            return Ok(true);
        }
        let found = match file.document {
            Some(document) => document::living_in(&mut self.tx, project, document).await?,
            None => None,
        };
        let Some(found) = found else {
            self.stale(hunks, Stale::Deleted);
            return Ok(true);
        };
        if file.op == Op::Rename {
            if found.path != file.path {
                self.stale(hunks, Stale::Moved);
                return Ok(true);
            }
            let to = DocumentPath::new(file.to.as_deref().unwrap_or_default())?;
            match document::move_in(&mut self.tx, project, found.id, &to).await {
                Ok((_, event)) => {
                    self.events.extend(event);
                    self.accepted(hunks);
                }
                Err(Error::Conflict { code: "path_taken", .. }) => self.stale(hunks, Stale::PathTaken),
                Err(error) => return Err(error),
            }
            return Ok(true);
        }
        let held_now;
        let (read, fitted) = match asked {
            _ if held => {
                let list = hunks.iter().filter_map(|hunk| hunk.held(file.op)).collect();
                held_now = document::apply_held(&mut self.tx, &self.state.replicas, &found, list).await?;
                &held_now
            }
            Some(asked) if asked.0 == found.head => asked,
            _ => return Ok(false),
        };
        let fits = |at: &usize| fitted.lines.get(*at).is_some_and(Option::is_some);
        let (fit, unfit): (Vec<usize>, Vec<usize>) = (0..hunks.len()).partition(fits);
        let of = |list: Vec<usize>| list.into_iter().map(|at| hunks[at]).collect::<Vec<&Hunk>>();
        let (fit, unfit) = (of(fit), of(unfit));
        self.stale(&unfit, Stale::Changed);
        if fit.is_empty() {
            return Ok(true);
        }
        if file.op == Op::Delete {
            self.events.push(document::delete_in(&mut self.tx, project, found.id).await?);
        } else {
            let edit =
                Edit { document: found.id, read: *read, only_there: true, update: Some(fitted.update.clone().into()) };
            let (document, grown) = document::write_in(&mut self.tx, project, self.by, edit).await?;
            self.grows |= grown;
            let (id, seq) = (self.proposal.id, document.head.seq);
            let written = (document.id, seq);
            sql::wrote(&mut self.tx, id, written, fitted.client, &fitted.gone, self.by.user, self.now_us).await?;
            self.events.push(Event::FileChanged { document_id: document.id, path: document.path, head: seq });
        }
        self.accepted(&fit);
        Ok(true)
    }

    fn accepted(&mut self, hunks: &[&Hunk]) {
        self.decided.extend(hunks.iter().map(|hunk| (hunk.hunk, (HunkState::Accepted, None))));
    }

    fn stale(&mut self, hunks: &[&Hunk], why: Stale) {
        self.decided.extend(hunks.iter().map(|hunk| (hunk.hunk, (HunkState::Stale, Some(why)))));
    }

    /// Writes down what was decided, tells it, and commits.
    async fn finish(mut self) -> Result<Attempt> {
        let (proposal, by) = (self.proposal, self.by.user);
        for (hunk, decision) in &self.decided {
            sql::decide(&mut self.tx, proposal.id, *hunk, *decision, by, self.now_us).await?;
        }
        let now = |hunk: &Hunk| self.decided.get(&hunk.hunk).map_or(hunk.state, |decision| decision.0);
        let state = State::of(proposal.hunks.iter().map(now));
        let is_open = proposal.hunks.iter().map(now).any(|hunk| hunk == HunkState::Pending);
        sql::settle(&mut self.tx, proposal.id, state, is_open, None, self.now_us).await?;
        let of = |wanted| {
            let mut hunks: Vec<i64> =
                self.decided.iter().filter(|(_, decision)| decision.0 == wanted).map(|(hunk, _)| *hunk).collect();
            hunks.sort_unstable();
            hunks
        };
        let (written, stale) = (of(HunkState::Accepted), of(HunkState::Stale));
        let any = !written.is_empty();
        let (proposal_id, summary, state) = (proposal.id, proposal.summary.clone(), state.word().to_owned());
        if any {
            let (summary, state) = (summary.clone(), state.clone());
            self.events.push(Event::ProposalAccepted { proposal_id, summary, hunks: written, state });
        }
        if !stale.is_empty() {
            self.events.push(Event::ProposalStale { proposal_id, summary, hunks: stale, state });
        }
        if self.grows {
            self.state.rooms.quotas().hold(&mut self.tx, proposal.project).await?;
        }
        feed::append(&mut self.tx, proposal.project, Some(by), &self.events).await?;
        self.state.feed.commit(self.tx, proposal.project).await?;
        Ok(Attempt::Done { any })
    }
}
