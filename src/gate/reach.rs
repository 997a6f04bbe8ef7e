//! How much of an update is contiguous and causal: for each section, up to which clock every struct follows the one
//! before it and all it refers to exists.
//!
//! Each struct is looked at once, and once more for each reference it had to wait for; a section that waits is woken
//! by the section it waits for. So the work is linear in the update, whatever order a hostile one chooses.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::update::{ClientId, Id, Kind, Scan, Section, StateVector, Struct};

/// The outcome for each section of a scan.
pub(super) struct Reach {
    /// By section: the end of what may be admitted.
    ends: Vec<u32>,
    /// By section: the id it waits for, if something stopped it.
    waits: Vec<Option<Id>>,
    /// Section by client; empty for the common update of one section.
    index: HashMap<ClientId, usize>,
    /// Whether something admitted refers to another client's id that is not committed.
    pub(super) leans: bool,
}

/// Follows every section that is not blocked.
pub(super) fn reach(scan: &Scan, known: &StateVector, committed: &StateVector, blocked: &HashSet<ClientId>) -> Reach {
    let sections = &scan.sections;
    let mut reach = Reach {
        ends: sections.iter().map(|section| known.get(section.client)).collect(),
        waits: vec![None; sections.len()],
        index: if sections.len() > 1 {
            sections.iter().enumerate().map(|(at, section)| (section.client, at)).collect()
        } else {
            HashMap::new()
        },
        leans: false,
    };
    let mut next: Vec<usize> = sections.iter().map(|section| section.structs.start).collect();
    let mut runnable: Vec<usize> =
        (0..sections.len()).rev().filter(|&at| !blocked.contains(&sections[at].client)).collect();
    // Sections that wait for an id of another section of this update, by that id.
    let mut waiting: BTreeMap<Id, Vec<usize>> = BTreeMap::new();
    while let Some(at) = runnable.pop() {
        let before = reach.ends[at];
        reach.waits[at] = None;
        while next[at] < sections[at].structs.end {
            let one = &scan.structs[next[at]];
            if one.end() > reach.ends[at] {
                let gap_ends = if one.kind == Kind::Skip { one.end() } else { one.clock };
                if gap_ends > reach.ends[at] {
                    reach.waits[at] = Some(Id { client: sections[at].client, clock: gap_ends - 1 });
                    break;
                }
                if let Some(missing) = reach.missing(scan, known, one) {
                    reach.waits[at] = Some(missing);
                    if reach.at(scan, missing.client).is_some_and(|other| other != at) {
                        waiting.entry(missing).or_default().push(at);
                    }
                    break;
                }
                reach.leans |=
                    references(one).any(|id| id.client != sections[at].client && id.clock >= committed.get(id.client));
                reach.ends[at] = one.end();
            }
            next[at] += 1;
        }
        if reach.ends[at] > before && !waiting.is_empty() {
            let client = sections[at].client;
            let woken = Id { client, clock: 0 }..Id { client, clock: reach.ends[at] };
            let ids: Vec<Id> = waiting.range(woken).map(|(&id, _)| id).collect();
            for id in ids {
                runnable.extend(waiting.remove(&id).into_iter().flatten());
            }
        }
    }
    reach
}

fn references(one: &Struct) -> impl Iterator<Item = Id> {
    [one.origin, one.right, one.parent].into_iter().flatten()
}

impl Reach {
    fn at(&self, scan: &Scan, client: ClientId) -> Option<usize> {
        match &scan.sections[..] {
            [only] => (only.client == client).then_some(0),
            _ => self.index.get(&client).copied(),
        }
    }

    fn missing(&self, scan: &Scan, known: &StateVector, one: &Struct) -> Option<Id> {
        references(one).find(|id| {
            let end = self.at(scan, id.client).map_or_else(|| known.get(id.client), |at| self.ends[at]);
            id.clock >= end
        })
    }

    /// The end of what may be admitted of `client`, if the update has a section of it.
    pub(super) fn end(&self, scan: &Scan, client: ClientId) -> Option<u32> {
        self.at(scan, client).map(|at| self.ends[at])
    }

    /// The section of `client`.
    pub(super) fn section<'a>(&self, scan: &'a Scan, client: ClientId) -> Option<&'a Section> {
        self.at(scan, client).map(|at| &scan.sections[at])
    }

    /// The id that the section of `client` waits for, if something stopped it.
    pub(super) fn wait(&self, scan: &Scan, client: ClientId) -> Option<Id> {
        self.at(scan, client).and_then(|at| self.waits[at])
    }

    /// The clients of sections that wait, directly or not, for something of another that writes no more.
    pub(super) fn behind(&self, scan: &Scan, ended: impl Iterator<Item = ClientId>) -> Vec<ClientId> {
        let mut follow: Vec<ClientId> = ended.collect();
        if follow.is_empty() {
            return follow;
        }
        let mut waiters: HashMap<ClientId, Vec<ClientId>> = HashMap::new();
        for (section, wait) in scan.sections.iter().zip(&self.waits) {
            if let Some(id) = wait.filter(|id| id.client != section.client) {
                waiters.entry(id.client).or_default().push(section.client);
            }
        }
        let mut behind = Vec::new();
        while let Some(client) = follow.pop() {
            for waiter in waiters.remove(&client).into_iter().flatten() {
                behind.push(waiter);
                follow.push(waiter);
            }
        }
        behind.sort_unstable();
        behind
    }
}
