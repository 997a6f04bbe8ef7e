//! The decision on one update: what of it is new and may be logged, what came too early, and what is refused.
//!
//! It works on bytes and knows no content: it refuses what breaks bytes or rights, and nothing else. Nothing here
//! has a side effect; [`Admitted`] goes into the [`State`] by [`State::admit`].

mod early;
mod reach;
mod refusal;
mod state;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;

pub use early::{Early, Extent};
pub use refusal::Refusal;
pub use state::{Owner, State};

use crate::ids::UserId;
use crate::limits;
use crate::update::{ClientId, IdSet, Kind, Scan, Section, StateVector, Struct, is_empty_update, scan, take};
use reach::{Reach, reach};

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
    /// Of a reader's update that is known otherwise: deletions of ids that exist and that nobody deleted. They are
    /// known if they follow from the document itself, which its bytes must say (see
    /// [`implied_deletions`](crate::update::implied_deletions)), and refused as [`Refusal::ReadOnly`] if not.
    pub unclear: IdSet,
    /// Why something was refused.
    pub refused: Option<Refusal>,
    /// ClientIDs that cannot write any more on this connection, since clocks have no gaps.
    pub ended: Vec<ClientId>,
}

impl Decision {
    fn refuse(refusal: Refusal) -> Self {
        Self { refused: Some(refusal), ..Self::default() }
    }

    /// Whether the update holds nothing new and nothing wrong.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.admitted.is_none() && self.parked.is_none() && self.refused.is_none() && self.unclear.is_empty()
    }
}

/// Decides on one update.
#[must_use]
pub fn decide(state: &State, writer: &Writer<'_>, context: &Context<'_>, update: &Bytes) -> Decision {
    decide_on(state, writer, context, update, false)
}

/// Decides on what was parked. The ids it deletes did not exist when it came; those that turn out to be another's were
/// a trap, since nobody is shown what another wrote before it is saved.
#[must_use]
pub fn decide_again(state: &State, writer: &Writer<'_>, context: &Context<'_>, parked: &Bytes) -> Decision {
    decide_on(state, writer, context, parked, true)
}

fn decide_on(state: &State, writer: &Writer<'_>, context: &Context<'_>, update: &Bytes, was_parked: bool) -> Decision {
    let scan = match scan(update) {
        Ok(scan) => scan,
        Err(wrong) => return Decision::refuse(Refusal::Malformed(wrong)),
    };
    let new_deletions = scan.deletions.subtract(&state.deleted);
    if !writer.may_write {
        return decide_for_reader(state, &scan, &new_deletions);
    }
    let mut rights = judge(state, writer, context, &scan);
    let reach = reach(&scan, &state.clocks, context.committed, &rights.blocked);
    rights.end_dependents(&scan, &reach, writer.ended);

    let start = |client: ClientId| state.clocks.get(client);
    let end = |client: ClientId| reach.end(&scan, client).unwrap_or_else(|| start(client));
    let (mut deletions, early_deletions) = split_deletions(&new_deletions, end);
    let anothers = |client: ClientId| anothers(state, writer, context, client);
    if was_parked {
        deletions = rights.own(deletions, anothers);
    }
    let early_deletions = rights.possible(early_deletions, writer.ended);
    let early_deletions = rights.own(early_deletions, anothers);

    let mut decision = Decision { ended: rights.ended, refused: rights.refusal, ..Decision::default() };
    let grown: Vec<&Section> =
        scan.sections.iter().filter(|section| end(section.client) > start(section.client)).collect();
    if !grown.is_empty() || !deletions.is_empty() {
        let whole = deletions == scan.deletions
            && scan
                .sections
                .iter()
                .all(|section| section.clock == start(section.client) && section.end == end(section.client));
        let bytes = if whole { update.clone() } else { take(update, &scan, start, end, &deletions).into() };
        // Deletions always have room: they are how a full document becomes smaller.
        if !grown.is_empty() && state.bytes + bytes.len() > limits::DOCUMENT_BYTES {
            decision.ended.extend(grown.iter().map(|section| section.client));
            decision.refused = Some(Refusal::TooLarge);
            return decision;
        }
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
    let early = |section: &&Section| {
        !rights.blocked.contains(&section.client) && end(section.client) < content_end(&scan, section)
    };
    if scan.sections.iter().any(|section| early(&section)) || !early_deletions.is_empty() {
        decision.parked = park(update, &scan, &reach, end, early, early_deletions);
    }
    decision
}

/// The clock after the last content of a section, or 0: `Skip`s at its end say nothing.
fn content_end(scan: &Scan, section: &Section) -> u32 {
    scan.structs_of(section).iter().rfind(|one| one.kind != Kind::Skip).map_or(0, Struct::end)
}

/// What remains of an update behind `known`: the sections that are early, and deletions of ids that do not exist.
fn park(
    update: &Bytes,
    scan: &Scan,
    reach: &Reach,
    known: impl Fn(ClientId) -> u32,
    early: impl Fn(&&Section) -> bool,
    deletions: IdSet,
) -> Option<Early> {
    let until = |client| reach.section(scan, client).filter(&early).map_or(0, |section| content_end(scan, section));
    let rest = take(update, scan, known, until, &deletions);
    let sections = || scan.sections.iter().filter(&early);
    let waits = sections().filter_map(|section| reach.wait(scan, section.client)).map(|id| (id.client, id.clock));
    let mut first: HashMap<ClientId, u32> = HashMap::new();
    for (client, clock) in waits.chain(deletions.iter().map(|(client, clocks)| (client, clocks.start))) {
        first.entry(client).and_modify(|first| *first = clock.min(*first)).or_insert(clock);
    }
    let clocks = sections().map(|section| (section.client, content_end(scan, section))).collect();
    let early = Early { update: rest.into(), waits: first, extent: Extent { clocks, deletions } };
    (!is_empty_update(&early.update)).then_some(early)
}

/// Readers send what everyone has on every reconnect, and with it deletions that are no news: of redundant format marks,
/// which their editors tidy away after others' edits, and of what nobody can see any more, such as a map entry that
/// another was written over. The latter are recognised by the document's bytes, not here. Anything else is refused.
fn decide_for_reader(state: &State, scan: &Scan, new_deletions: &IdSet) -> Decision {
    let writes = scan.sections.iter().any(|section| content_end(scan, section) > state.clocks.get(section.client));
    let unclear = new_deletions.subtract(&state.formats);
    if writes || unclear.below(&state.clocks) != unclear {
        return Decision::refuse(Refusal::ReadOnly);
    }
    Decision { unclear, ..Decision::default() }
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
    fn end_dependents(&mut self, scan: &Scan, reach: &Reach, ended: &HashSet<ClientId>) {
        for client in reach.behind(scan, self.blocked.union(ended).copied()) {
            self.block(client, Refusal::Ended(client));
        }
    }

    /// Of deletions of ids that did not exist, those of ids that are not another's.
    fn own(&mut self, deletions: IdSet, anothers: impl Fn(ClientId) -> bool) -> IdSet {
        let foreign = deletions.iter().map(|(client, _)| client).find(|&client| anothers(client));
        let Some(foreign) = foreign else { return deletions };
        self.refusal.get_or_insert(Refusal::Foreign(foreign));
        deletions.iter().filter(|&(client, _)| !anothers(client)).collect()
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
    let is_news = |section: &&Section| content_end(scan, section) > state.clocks.get(section.client);
    for section in scan.sections.iter().filter(is_news) {
        let client = section.client;
        if writer.ended.contains(&client) {
            rights.block(client, Refusal::Ended(client));
            continue;
        }
        if state.owners.get(&client) == Some(&Owner::Closed) {
            rights.block(client, Refusal::Closed(client));
        } else if anothers(state, writer, context, client) {
            rights.block(client, Refusal::Foreign(client));
        }
    }
    rights
}

/// Whether a clientID is another principal's, who wrote with it or has announced to.
fn anothers(state: &State, writer: &Writer<'_>, context: &Context<'_>, client: ClientId) -> bool {
    match state.owners.get(&client) {
        Some(Owner::User(owner)) => !writer.is(*owner),
        Some(Owner::Closed) => false,
        None => context.announced.get(&client).is_some_and(|&other| !writer.is(other)),
    }
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
