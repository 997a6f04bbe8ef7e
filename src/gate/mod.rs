//! The decision on one update: what of it is new and may be logged, what came too early, and what is refused.
//!
//! It works on bytes and knows no content: it refuses what breaks bytes or rights, and nothing else. Nothing here
//! has a side effect; [`Admitted`] goes into the [`State`] by [`State::admit`].

mod reach;
mod state;

use std::collections::{HashMap, HashSet};
use std::fmt;

use bytes::Bytes;

pub use state::{Owner, State};

use crate::ids::UserId;
use crate::limits;
use crate::update::{ClientId, IdSet, Kind, Malformed, Scan, Section, StateVector, is_empty_update, scan, take};

/// Who sends an update, as far as the gate asks.
#[derive(Debug, Clone, Copy)]
pub struct Writer<'a> {
    /// The principal.
    pub user: UserId,
    /// Guests this user was before signing in; what they own is the user's.
    pub merged: &'a [UserId],
    /// Whether the role allows edits.
    pub may_write: bool,
    /// ClientIDs whose writing on this connection has ended with an earlier refusal.
    pub ended: &'a HashSet<ClientId>,
}

impl Writer<'_> {
    fn is(&self, user: UserId) -> bool {
        self.user == user || self.merged.contains(&user)
    }
}

/// Everything the gate decides against, besides the document's [`State`].
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What is committed, as opposed to admitted.
    pub committed: &'a StateVector,
    /// Which clientIDs are announced by live connections, and by whom.
    pub announced: &'a HashMap<ClientId, UserId>,
}

/// The part of an update that is new, in order, causal and the writer's to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The bytes to log: the update itself, or what remained of it.
    pub update: Bytes,
    /// The clocks it adds, as the end reached by each client.
    pub clocks: Vec<(ClientId, u32)>,
    /// The ids it deletes that were not deleted before.
    pub deleted: IdSet,
    /// The ids it adds that are format marks.
    pub formats: IdSet,
    /// ClientIDs that nobody had written with, and whose they are now.
    pub claims: Vec<(ClientId, Owner)>,
    /// Whether it builds on something of another client that is admitted but not committed, so that it must not be
    /// logged in front of that.
    pub leans: bool,
}

/// The outcome for one update. All parts empty means *known*: nothing in it is new.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// What to log.
    pub admitted: Option<Admitted>,
    /// What came before something it builds on: to be tried again when that may have come.
    pub parked: Option<Early>,
    /// Why something was refused.
    pub refused: Option<Refusal>,
    /// ClientIDs that cannot write any more on this connection, since clocks have no gaps.
    pub ended: Vec<ClientId>,
}

/// The part of an update that came too early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Early {
    /// The part, as an update of its own.
    pub update: Bytes,
    /// The clients of which something is missing: until one of them writes, a further try is in vain.
    pub waits: HashSet<ClientId>,
    /// The clocks it reaches; when the document has them, it has come another way.
    pub clocks: StateVector,
    /// The ids it deletes.
    pub deletions: IdSet,
}

impl Early {
    /// Whether everything in it is in the document by now.
    #[must_use]
    pub fn is_covered(&self, state: &State) -> bool {
        state.clocks.covers(&self.clocks) && state.deleted.contains_all(&self.deletions)
    }
}

impl Decision {
    fn refuse(refusal: Refusal) -> Self {
        Self { refused: Some(refusal), ..Self::default() }
    }

    /// Whether the update holds nothing new and nothing wrong.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.admitted.is_none() && self.parked.is_none() && self.refused.is_none()
    }
}

/// Why the gate refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Not a Yjs update that everyone would read alike.
    Malformed(Malformed),
    /// News from someone who may only read.
    ReadOnly,
    /// New content under a clientID that is another principal's.
    Foreign(ClientId),
    /// New content under a clientID that came with the history of others.
    Closed(ClientId),
    /// New content after, or on top of, content that was refused.
    Ended(ClientId),
    /// The document would grow beyond its limit.
    TooLarge,
    /// What it builds on never came, although it was asked for.
    Incomplete,
    /// The database refused to store it.
    Unstorable,
    /// The document's history ended: deleted, or replaced by a restored one.
    Gone,
}

impl Refusal {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::ReadOnly => "read_only",
            Self::Foreign(_) => "foreign_client",
            Self::Closed(_) => "closed_client",
            Self::Ended(_) => "ended_client",
            Self::TooLarge => "document_full",
            Self::Incomplete => "incomplete",
            Self::Unstorable => "unstorable",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(wrong) => write!(f, "not a Yjs update: {wrong}"),
            Self::ReadOnly => f.write_str("you may read this document, not edit it"),
            Self::Foreign(client) => {
                write!(f, "the edits of client {client} are another person's; reload to go on under an id of your own")
            }
            Self::Closed(client) => {
                write!(f, "client {client} belongs to an earlier history; reload to go on under an id of your own")
            }
            Self::Ended(client) => {
                write!(f, "an earlier edit of client {client} was refused, and what follows it cannot be saved; reload")
            }
            Self::TooLarge => write!(f, "the document has reached its limit of {} bytes", limits::DOCUMENT_BYTES),
            Self::Incomplete => f.write_str("the edit builds on something this server never got; reload"),
            Self::Unstorable => f.write_str("the database refuses to store this edit"),
            Self::Gone => f.write_str("the document was deleted or replaced; reload"),
        }
    }
}

/// Decides on one update.
#[must_use]
pub fn decide(state: &State, writer: &Writer<'_>, context: &Context<'_>, update: &Bytes) -> Decision {
    let scan = match scan(update) {
        Ok(scan) => scan,
        Err(wrong) => return Decision::refuse(Refusal::Malformed(wrong)),
    };
    let new_deletions = scan.deletions.subtract(&state.deleted);
    if !writer.may_write {
        return decide_for_reader(state, &scan, &new_deletions);
    }
    let mut rights = judge(state, writer, context, &scan);
    let reach = reach::reach(&scan, &state.clocks, context.committed, &rights.blocked);
    rights.end_dependents(&scan, &reach, writer.ended);

    let end = |client: ClientId| reach.end(&scan, client).unwrap_or_else(|| state.clocks.get(client));
    let start = |client: ClientId| state.clocks.get(client);
    let now_known = |client: ClientId| end(client).max(start(client));
    let (deletions, early_deletions) = split_deletions(&new_deletions, now_known);
    let early_deletions = rights.possible(early_deletions, writer.ended);

    let mut decision = Decision { ended: rights.ended, refused: rights.refusal, ..Decision::default() };
    let grows = scan.sections.iter().any(|section| end(section.client) > start(section.client));
    if grows || !deletions.is_empty() {
        if grows && state.bytes + update.len() > limits::DOCUMENT_BYTES {
            decision.ended.extend(scan.sections.iter().map(|section| section.client));
            decision.refused = Some(Refusal::TooLarge);
            return decision;
        }
        let whole = deletions == scan.deletions
            && scan
                .sections
                .iter()
                .all(|section| section.clock == start(section.client) && section.end == end(section.client));
        let bytes = if whole { update.clone() } else { take(update, &scan, start, end, &deletions).into() };
        let grown: Vec<&Section> =
            scan.sections.iter().filter(|section| end(section.client) > start(section.client)).collect();
        let mut deleted = deletions;
        let leans = reach.leans || deleted.below(context.committed) != deleted;
        deleted.union(&scan.deleted(start, end).subtract(&state.deleted));
        decision.admitted = Some(Admitted {
            update: bytes,
            clocks: grown.iter().map(|section| (section.client, end(section.client))).collect(),
            deleted,
            formats: scan.formats(start, end),
            claims: claims(state, writer, context, &grown),
            leans,
        });
    }
    let early = |section: &&Section| !rights.blocked.contains(&section.client) && end(section.client) < section.end;
    if scan.sections.iter().any(|section| early(&section)) || !early_deletions.is_empty() {
        let until = |client: ClientId| reach.section(&scan, client).filter(early).map_or(0, |section| section.end);
        let rest = take(update, &scan, now_known, until, &early_deletions);
        let sections = || scan.sections.iter().filter(early);
        decision.parked = (!is_empty_update(&rest)).then(|| Early {
            update: rest.into(),
            waits: sections()
                .map(|section| reach.wait(&scan, section.client).map_or(section.client, |id| id.client))
                .chain(early_deletions.iter().map(|(client, _)| client))
                .collect(),
            clocks: sections().map(|section| (section.client, section.end)).collect(),
            deletions: early_deletions,
        });
    }
    decision
}

/// Readers send what everyone has on every reconnect, and deletions of redundant format marks after others' edits:
/// neither is news. Anything else is refused.
fn decide_for_reader(state: &State, scan: &Scan, new_deletions: &IdSet) -> Decision {
    let writes = scan.sections.iter().any(|section| {
        scan.structs_of(section)
            .iter()
            .any(|one| one.kind != Kind::Skip && one.end() > state.clocks.get(section.client))
    });
    if writes || !state.formats.contains_all(new_deletions) {
        return Decision::refuse(Refusal::ReadOnly);
    }
    Decision::default()
}

/// Which sections the writer may not write, and why.
#[derive(Default)]
struct Rights {
    blocked: HashSet<ClientId>,
    ended: Vec<ClientId>,
    refusal: Option<Refusal>,
}

impl Rights {
    fn block(&mut self, client: ClientId, refusal: Refusal) {
        if self.blocked.insert(client) {
            self.ended.push(client);
        }
        self.refusal.get_or_insert(refusal);
    }

    /// What builds on refused content can never be saved, so its client has ended too.
    fn end_dependents(&mut self, scan: &Scan, reach: &reach::Reach, ended: &HashSet<ClientId>) {
        for client in reach.behind(scan, self.blocked.union(ended).copied()) {
            self.block(client, Refusal::Ended(client));
        }
    }

    /// Of deletions whose ids do not exist, those whose ids may still come.
    fn possible(&mut self, early: IdSet, ended: &HashSet<ClientId>) -> IdSet {
        let never = |client: ClientId| self.blocked.contains(&client) || ended.contains(&client);
        let possible: IdSet = early.iter().filter(|&(client, _)| !never(client)).collect();
        if let Some((client, _)) = early.subtract(&possible).iter().next() {
            self.refusal.get_or_insert(Refusal::Ended(client));
        }
        possible
    }
}

/// Judges each section that holds anything new by whose clientID it is.
fn judge(state: &State, writer: &Writer<'_>, context: &Context<'_>, scan: &Scan) -> Rights {
    let mut rights = Rights::default();
    for section in scan.sections.iter().filter(|section| section.end > state.clocks.get(section.client)) {
        let client = section.client;
        if writer.ended.contains(&client) {
            rights.block(client, Refusal::Ended(client));
            continue;
        }
        match state.owners.get(&client) {
            Some(Owner::Closed) => rights.block(client, Refusal::Closed(client)),
            Some(Owner::User(owner)) if !writer.is(*owner) => rights.block(client, Refusal::Foreign(client)),
            Some(Owner::User(_)) => {}
            None => match context.announced.get(&client) {
                Some(&other) if !writer.is(other) => rights.block(client, Refusal::Foreign(client)),
                _ => {}
            },
        }
    }
    rights
}

/// Whose the clientIDs are that nobody had written with. One alone is the writer's. Several come from a history that
/// others wrote too (a first sync, an import): only those announced by the writer's own connections are the writer's.
fn claims(state: &State, writer: &Writer<'_>, context: &Context<'_>, grown: &[&Section]) -> Vec<(ClientId, Owner)> {
    let fresh: Vec<ClientId> =
        grown.iter().map(|section| section.client).filter(|client| !state.owners.contains_key(client)).collect();
    let alone = fresh.len() == 1;
    fresh
        .into_iter()
        .map(|client| {
            let own = alone || context.announced.get(&client).is_some_and(|&user| writer.is(user));
            (client, if own { Owner::User(writer.user) } else { Owner::Closed })
        })
        .collect()
}

/// Parts deletions into those of ids that exist and those that came too early.
fn split_deletions(deletions: &IdSet, known: impl Fn(ClientId) -> u32) -> (IdSet, IdSet) {
    if deletions.is_empty() {
        return (IdSet::default(), IdSet::default());
    }
    let reached: StateVector = deletions.iter().map(|(client, _)| (client, known(client))).collect();
    let existing = deletions.below(&reached);
    let early = deletions.subtract(&existing);
    (existing, early)
}
