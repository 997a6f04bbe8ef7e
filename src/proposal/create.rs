//! A proposal is made: what somebody wants a file to be becomes hunks that the documents themselves hold.

use std::collections::HashSet;

use super::{
    Author, Change, File, Hunk, HunkState, NewEdit, NewFile, NewProposal, Op, Proposal, Stale, State, get, sql,
};
use crate::access::lock_project;
use crate::db::now_us;
use crate::document::{self, Document, DocumentPath, Resolved};
use crate::error::{Error, Result};
use crate::feed::{self, Actor, Event};
use crate::ids::{DocumentId, ProjectId, ProposalId};
use crate::limits;
use crate::replica::{Anchor, Part, Replacement, Wanted};
use crate::state::Shared;
use crate::text::{is_blank, is_deceptive, to_lf};

/// Suggests something. The texts are looked up and compared here; whoever asks names no anchors.
///
/// # Errors
/// `bad_proposal` and `bad_edit` for what cannot be done, saying which; `stale` (409) when all of it was made from a text
/// that is not there any more; [`Error::PreconditionFailed`] for a document at another head than was named;
/// [`Error::TooLarge`] beyond a limit; `too_many` (409) where too many wait already; 503 when a text cannot be had, or when
/// the database fails.
pub async fn create(state: &Shared, project: ProjectId, author: Author, wanted: NewProposal) -> Result<Proposal> {
    let mut proposal = blank(project, &author, &wanted)?;
    if wanted.files.is_empty() || wanted.files.len() > limits::PROPOSAL_FILES {
        return Err(bad(format!("a proposal is about 1 to {} files", limits::PROPOSAL_FILES)));
    }
    let mut changed = HashSet::new();
    for (number, file) in (1..).zip(wanted.files) {
        let (file, hunks) = look(state, project, number, file, &mut changed).await?;
        proposal.files.push(file);
        proposal.hunks.extend(hunks);
    }
    number(&mut proposal)?;
    let mut tx = state.db.begin().await?;
    lock_project(&mut tx, project).await?;
    if sql::open(&mut tx, project).await? >= limits::PROPOSALS_OPEN {
        let most = limits::PROPOSALS_OPEN;
        return Err(Error::conflict("too_many", format!("{most} proposals wait already; decide on some first")));
    }
    sql::insert(&mut tx, &proposal, &author).await?;
    let (proposal_id, summary, hunks) = (proposal.id, proposal.summary.clone(), proposal.hunks.len());
    let opened = Event::ProposalOpened { proposal_id, summary, hunks };
    feed::append(&mut tx, project, Some(author.user), &[opened]).await?;
    state.feed.commit(tx, project).await?;
    get(&state.db, project, proposal_id).await
}

fn bad(said: impl Into<String>) -> Error {
    Error::invalid("bad_proposal", said)
}

/// What is said about a proposal, before what it does.
fn blank(project: ProjectId, author: &Author, wanted: &NewProposal) -> Result<Proposal> {
    for label in wanted.persona.iter().chain(&wanted.model) {
        let most = limits::PROPOSAL_LABEL_CHARS;
        if label.trim().is_empty() || label.chars().count() > most || label.chars().any(is_deceptive) {
            return Err(bad(format!("persona and model must be visible names of at most {most} characters")));
        }
    }
    if wanted.confidence.is_some_and(|percent| percent > 100) {
        return Err(bad("confidence is in percent: 0 to 100"));
    }
    Ok(Proposal {
        id: ProposalId::new(),
        project,
        author: Actor { id: author.user, name: String::new(), kind: String::new() },
        via: None,
        persona: wanted.persona.clone(),
        model: wanted.model.clone(),
        message: author.message,
        summary: summary(&wanted.summary)?,
        rationale: reason(&wanted.rationale)?,
        confidence: wanted.confidence,
        risk: wanted.risk,
        added: 0,
        removed: 0,
        state: State::Pending,
        is_open: true,
        reason: None,
        created_us: now_us(),
        decided_us: None,
        files: Vec::new(),
        hunks: Vec::new(),
        votes: Vec::new(),
        edits: Vec::new(),
    })
}

/// A summary as it is stored: one visible line.
pub(super) fn summary(given: &str) -> Result<String> {
    let summary = given.trim();
    let most = limits::PROPOSAL_SUMMARY_CHARS;
    if summary.chars().all(is_blank) || summary.chars().count() > most || summary.chars().any(is_deceptive) {
        return Err(bad(format!("summary must be one visible line of at most {most} characters")));
    }
    Ok(summary.to_owned())
}

/// Reasons as they are stored: several lines, without control characters.
pub(super) fn reason(given: &str) -> Result<String> {
    let text = to_lf(given);
    let most = limits::PROPOSAL_REASON_CHARS;
    if text.chars().count() > most || text.chars().any(|c| !matches!(c, '\n' | '\t') && c.is_control()) {
        return Err(bad(format!("reasons have at most {most} characters, and no control characters")));
    }
    Ok(text)
}

/// Numbers the hunks, and holds the whole to its limits.
fn number(proposal: &mut Proposal) -> Result<()> {
    if proposal.hunks.len() > limits::PROPOSAL_HUNKS {
        let (most, there) = (limits::PROPOSAL_HUNKS, proposal.hunks.len());
        return Err(Error::TooLarge(format!("a proposal has at most {most} hunks; this one has {there}")));
    }
    for (number, hunk) in (1..).zip(&mut proposal.hunks) {
        hunk.hunk = number;
    }
    within_limits(proposal)?;
    proposal.state = State::of(proposal.hunks.iter().map(|hunk| hunk.state));
    if proposal.state != State::Pending {
        return Err(Error::conflict("stale", "all that it changes has changed since; read the files again"));
    }
    Ok(())
}

/// Counts the lines of a proposal, and holds its text to the limit.
pub(super) fn within_limits(proposal: &mut Proposal) -> Result<()> {
    let bytes: usize = proposal.hunks.iter().map(|hunk| hunk.change.before.len() + hunk.change.after.len()).sum();
    if bytes > limits::PROPOSAL_BYTES {
        let most = limits::PROPOSAL_BYTES;
        return Err(Error::TooLarge(format!("a proposal has at most {most} bytes of text; this one has {bytes}")));
    }
    let lines = |text: &str| i64::try_from(text.lines().count()).unwrap_or(i64::MAX);
    proposal.added = proposal.hunks.iter().map(|hunk| lines(&hunk.change.after)).sum();
    proposal.removed = proposal.hunks.iter().map(|hunk| lines(&hunk.change.before)).sum();
    Ok(())
}

/// Looks a file up, and cuts what is wanted of it into hunks.
async fn look(
    state: &Shared,
    project: ProjectId,
    number: i64,
    wanted: NewFile,
    changed: &mut HashSet<(DocumentId, bool)>,
) -> Result<(File, Vec<Hunk>)> {
    let (rooms, replicas) = (&state.rooms, &state.replicas);
    match wanted {
        NewFile::Create { path, content } => {
            let path = DocumentPath::new(&path)?.as_str().to_owned();
            let change = Change { before: String::new(), after: document::content_of(&content)?, anchor: None };
            let file = File { file: number, op: Op::Create, document: None, path, to: None, head: None };
            Ok((file, vec![whole(number, change)]))
        }
        NewFile::Rename { document: name, path } => {
            let found = find(state, project, number, &name).await?;
            once(changed, number, &found, true)?;
            let to = DocumentPath::new(&path)?.as_str().to_owned();
            if to == found.path {
                return Err(bad(format!("file {number} is at {to} already")));
            }
            let change = Change { before: String::new(), after: String::new(), anchor: None };
            Ok((of(number, Op::Rename, &found, found.head.seq, Some(to)), vec![whole(number, change)]))
        }
        NewFile::Delete { document: name } => {
            let found = find(state, project, number, &name).await?;
            once(changed, number, &found, true)?;
            once(changed, number, &found, false)?;
            let content = document::text(rooms, replicas, &found, Part::Whole).await?;
            let all = Anchor { start: None, end: None, lead: String::new(), trail: String::new() };
            let change = Change { before: content.text, after: String::new(), anchor: Some(all) };
            Ok((of(number, Op::Delete, &found, content.head.seq, None), vec![whole(number, change)]))
        }
        NewFile::Edit { document: name, text, base, edits, head } => {
            let found = find(state, project, number, &name).await?;
            once(changed, number, &found, false)?;
            let is_rebased = base.is_some();
            let wanted = to_be(number, text, base, edits)?;
            let (read, hunks) = document::propose(rooms, replicas, &found, wanted).await?;
            if let Some(head) = head.filter(|head| *head != read.seq && !is_rebased) {
                tracing::debug!(head, at = read.seq, "a proposal was made from another text");
                return Err(Error::PreconditionFailed(read.seq));
            }
            if hunks.is_empty() {
                return Err(bad(format!("file {number}, {}, says that already", found.path)));
            }
            let hunks = hunks.into_iter().map(|hunk| {
                let is_there = hunk.anchor.is_some();
                Hunk {
                    line: i64::try_from(hunk.line).unwrap_or(i64::MAX),
                    state: if is_there { HunkState::Pending } else { HunkState::Stale },
                    stale: if is_there { None } else { Some(Stale::Changed) },
                    ..whole(number, Change { before: hunk.before, after: hunk.after, anchor: hunk.anchor })
                }
            });
            Ok((of(number, Op::Edit, &found, read.seq, None), hunks.collect()))
        }
    }
}

fn of(file: i64, op: Op, found: &Document, head: i64, to: Option<String>) -> File {
    File { file, op, document: Some(found.id), path: found.path.clone(), to, head: Some(head) }
}

/// The one hunk of what is done to a file as a whole.
fn whole(file: i64, change: Change) -> Hunk {
    let state = HunkState::Pending;
    Hunk { hunk: 0, file, line: 1, change, state, stale: None, decided_by: None, decided_us: None }
}

async fn find(state: &Shared, project: ProjectId, number: i64, name: &str) -> Result<Document> {
    match document::resolve(&state.db, project, name).await? {
        Resolved::Live(document) => Ok(document),
        Resolved::Deleted | Resolved::Unknown => Err(bad(format!("file {number}: there is no document {name}"))),
    }
}

/// Two changes of one thing would be in each other's way.
fn once(changed: &mut HashSet<(DocumentId, bool)>, number: i64, found: &Document, place: bool) -> Result<()> {
    if changed.insert((found.id, place)) {
        return Ok(());
    }
    Err(bad(format!("file {number}: a proposal edits, moves or deletes {} once; put it together", found.path)))
}

fn to_be(number: i64, text: Option<String>, base: Option<String>, edits: Option<Vec<NewEdit>>) -> Result<Wanted> {
    match (text, edits) {
        (Some(text), None) => Ok(Wanted::Text { base, text }),
        (None, Some(edits)) if base.is_none() && !edits.is_empty() && edits.len() <= limits::PROPOSAL_HUNKS => {
            edits.into_iter().map(replacement).collect::<Result<_>>().map(Wanted::Edits)
        }
        _ => Err(bad(format!(
            "file {number}: an edit has a text (and its base), or 1 to {} edits",
            limits::PROPOSAL_HUNKS
        ))),
    }
}

fn replacement(edit: NewEdit) -> Result<Replacement> {
    match edit {
        NewEdit { find: Some(find), from: None, to: None, replace } => Ok(Replacement::Found { find, replace }),
        NewEdit { find: None, from: Some(from), to: Some(to), replace } => Ok(Replacement::Range { from, to, replace }),
        _ => Err(bad("an edit names what it replaces by find, or by from and to")),
    }
}
