//! The gate against a slow model that knows ids one by one, on random updates: honest, early, foreign and absurd.

use std::collections::{BTreeMap, BTreeSet};

use coterie::gate::{Decision, Owner};
use coterie::ids::UserId;
use coterie::update::{ClientId, IdSet, Kind, scan};

use super::write::{Update, after, before, between, garbage, inside, skip, text};
use super::{ANN, BOB, Document};
use crate::machine::random::Random;

const SEED: u64 = 1;
const DOCUMENTS: u64 = 2_000;
const UPDATES: u64 = 24;
const CLIENTS: u64 = 5;

type Id = (u64, u32);

/// One struct: its length, whether it is a `Skip`, and the ids it names.
#[derive(Debug, Clone)]
struct One {
    len: u32,
    skips: bool,
    names: Vec<Id>,
}

#[derive(Debug, Default)]
struct Frame {
    sections: Vec<(u64, u32, Vec<One>)>,
    deletions: BTreeSet<Id>,
    update: Update,
}

/// What the model says of a frame.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    admitted: BTreeMap<u64, u32>,
    deleted: BTreeSet<Id>,
    leans: bool,
    early: BTreeMap<u64, u32>,
    early_deletions: BTreeSet<Id>,
    ended: BTreeSet<u64>,
    refused: bool,
}

#[derive(Default)]
struct Model {
    clocks: BTreeMap<u64, u32>,
    committed: BTreeMap<u64, u32>,
    deleted: BTreeSet<Id>,
    owners: BTreeMap<u64, Owner>,
    ended: BTreeSet<u64>,
}

fn exists(clocks: &BTreeMap<u64, u32>, id: Id) -> bool {
    clocks.get(&id.0).is_some_and(|&end| id.1 < end)
}

impl Model {
    fn is_anothers(&self, client: u64, user: UserId) -> bool {
        matches!(self.owners.get(&client), Some(Owner::User(owner)) if *owner != user)
    }

    fn decide(&self, user: UserId, frame: &Frame) -> Verdict {
        let mut verdict = Verdict::default();
        let start = |client: u64| self.clocks.get(&client).copied().unwrap_or(0);
        let content_end = |clock: u32, structs: &[One]| {
            let mut at = clock;
            structs.iter().fold(0, |end, one| {
                at += one.len;
                if one.skips { end } else { at }
            })
        };
        for (client, clock, structs) in &frame.sections {
            let foreign = self.owners.get(client).is_some_and(|owner| *owner != Owner::User(user));
            if content_end(*clock, structs) > start(*client) && (foreign || self.ended.contains(client)) {
                verdict.ended.insert(*client);
            }
        }
        let blocked = verdict.ended.clone();
        // Struct by struct, over and over, until nothing moves.
        let mut clocks = self.clocks.clone();
        let mut waits: BTreeMap<u64, Option<Id>> = BTreeMap::new();
        loop {
            let before = clocks.clone();
            for (client, clock, structs) in frame.sections.iter().filter(|section| !blocked.contains(&section.0)) {
                let mut at = *clock;
                waits.insert(*client, None);
                for one in structs {
                    let end = clocks.get(client).copied().unwrap_or(0);
                    let (from, to) = (at, at + one.len);
                    at = to;
                    if to <= end {
                        continue;
                    }
                    if from > end || one.skips {
                        break;
                    }
                    if let Some(missing) = one.names.iter().find(|id| !exists(&clocks, **id)) {
                        waits.insert(*client, Some(*missing));
                        break;
                    }
                    clocks.insert(*client, to);
                    let foreign = |id: &&Id| id.0 != *client && !exists(&self.committed, **id);
                    verdict.leans |= one.names.iter().any(|id| foreign(&id));
                }
            }
            if clocks == before {
                break;
            }
        }
        let never = |client: u64, ended: &BTreeSet<u64>| ended.contains(&client) || self.ended.contains(&client);
        while let Some((&client, _)) = waits.iter().find(|(client, wait)| {
            !verdict.ended.contains(client) && wait.is_some_and(|id| never(id.0, &verdict.ended))
        }) {
            verdict.ended.insert(client);
        }
        for (client, clock, structs) in &frame.sections {
            let end = clocks.get(client).copied().unwrap_or(0);
            if end > start(*client) {
                verdict.admitted.insert(*client, end);
            }
            let wanted = content_end(*clock, structs);
            if wanted > end && !verdict.ended.contains(client) {
                verdict.early.insert(*client, wanted);
            }
        }
        verdict.refused = !verdict.ended.is_empty();
        for &id in frame.deletions.difference(&self.deleted) {
            if exists(&clocks, id) {
                verdict.leans |= !exists(&self.committed, id);
                verdict.deleted.insert(id);
            } else if never(id.0, &verdict.ended) || self.is_anothers(id.0, user) {
                verdict.refused = true;
            } else {
                verdict.early_deletions.insert(id);
            }
        }
        verdict
    }

    fn admit(&mut self, user: UserId, verdict: &Verdict, collected: &IdSet) {
        let fresh: Vec<u64> =
            verdict.admitted.keys().copied().filter(|client| !self.owners.contains_key(client)).collect();
        for client in &fresh {
            let owner = if fresh.len() == 1 { Owner::User(user) } else { Owner::Closed };
            self.owners.insert(*client, owner);
        }
        self.clocks.extend(&verdict.admitted);
        self.deleted.extend(&verdict.deleted);
        self.deleted.extend(one_by_one(collected));
        self.ended.extend(&verdict.ended);
    }
}

fn one_by_one(set: &IdSet) -> BTreeSet<Id> {
    set.iter().flat_map(|(client, clocks)| clocks.map(move |clock| (client.0, clock))).collect()
}

/// A random frame around what exists: a little known, a little new, a little too far.
fn frame(random: &mut Random, clocks: &BTreeMap<u64, u32>) -> Frame {
    let mut frame = Frame::default();
    let near = |random: &mut Random, client: u64, slack: u64| {
        let end = u64::from(clocks.get(&client).copied().unwrap_or(0));
        (end + random.below(slack)).saturating_sub(random.below(slack)) as u32
    };
    for client in (1..=CLIENTS).rev() {
        if random.below(3) > 0 {
            continue;
        }
        let clock = near(random, client, 3);
        let mut structs = Vec::new();
        let mut bytes = Vec::new();
        for _ in 0..=random.below(4) {
            let named = |random: &mut Random| {
                let other = 1 + random.below(CLIENTS);
                (other, near(random, other, 3))
            };
            let content = ["a", "bc", "😀", "def"][random.below(4) as usize];
            let len = content.encode_utf16().count() as u32;
            let (one, written) = match random.below(12) {
                0 => (One { len: 2, skips: true, names: vec![] }, skip(2)),
                1 => (One { len: 2, skips: false, names: vec![] }, garbage(2)),
                2 => (One { len, skips: false, names: vec![] }, text(content)),
                kind => {
                    let (id, other) = (named(random), named(random));
                    let (names, written) = match kind {
                        3..=5 => (vec![id], after(id, content)),
                        6 | 7 => (vec![id], before(id, content)),
                        8 => (vec![id], inside(id, content)),
                        _ => (vec![id, other], between(id, other, content)),
                    };
                    (One { len, skips: false, names }, written)
                }
            };
            structs.push(one);
            bytes.push(written);
        }
        frame.update = frame.update.with(client, clock, bytes);
        frame.sections.push((client, clock, structs));
    }
    for _ in 0..random.below(3) {
        let client = 1 + random.below(CLIENTS);
        let clock = near(random, client, 6);
        let clocks = clock..clock + 1 + random.below(3) as u32;
        frame.deletions.extend(clocks.clone().map(|clock| (client, clock)));
        frame.update = frame.update.deleting(client, clocks);
    }
    frame
}

/// What the gate said, in the words of the model.
fn said(document: &Document, decision: &Decision) -> (Verdict, IdSet) {
    let mut verdict = Verdict {
        ended: decision.ended.iter().map(|client| client.0).collect(),
        refused: decision.refused.is_some(),
        ..Verdict::default()
    };
    let mut collected = IdSet::default();
    if let Some(admitted) = &decision.admitted {
        let scan = scan(&admitted.update).expect("what is logged is well-formed");
        for section in &scan.sections {
            assert_eq!(section.clock, document.state.clocks.get(section.client), "a row begins where the log ends");
            verdict.admitted.insert(section.client.0, section.end);
        }
        assert_eq!(scan.ids(|kind| kind == Kind::Skip, |_| 0, |_| u32::MAX), IdSet::default(), "no gap in a row");
        assert_eq!(verdict.admitted, admitted.clocks.iter().map(|&(client, end)| (client.0, end)).collect());
        verdict.deleted = one_by_one(&scan.deletions);
        verdict.leans = admitted.leans;
        collected = scan.deleted(|_| 0, |_| u32::MAX);
        let all: BTreeSet<Id> = verdict.deleted.union(&one_by_one(&collected)).copied().collect();
        assert!(one_by_one(&admitted.deleted).is_subset(&all));
    }
    if let Some(early) = &decision.parked {
        let scan = scan(&early.update).expect("what is parked is well-formed");
        verdict.early = early.extent.clocks.iter().map(|(client, end)| (client.0, end)).collect();
        verdict.early_deletions = one_by_one(&early.extent.deletions);
        assert_eq!(scan.deletions, early.extent.deletions);
        assert_eq!(
            scan.sections.iter().map(|section| (section.client.0, section.end)).collect::<BTreeMap<_, _>>(),
            verdict.early
        );
        assert!(!early.waits.is_empty());
        for (client, &clock) in &early.waits {
            let now = verdict.admitted.get(&client.0).copied().unwrap_or(document.state.clocks.get(*client));
            assert!(clock >= now, "waits for {client}:{clock}, which is there");
        }
    }
    (verdict, collected)
}

#[test]
fn random_updates_are_decided_as_a_slow_model_decides() {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in SEED..SEED + DOCUMENTS {
        let mut random = Random::new(seed);
        let (mut document, mut model) = (Document::default(), Model::default());
        for step in 0..UPDATES {
            let user = if random.below(4) == 0 { BOB } else { ANN };
            let frame = frame(&mut random, &model.clocks);
            let decision = document.decide(user, &frame.update);
            let expected = model.decide(user, &frame);
            let (verdict, collected) = said(&document, &decision);
            assert_eq!(verdict, expected, "seed {seed}, update {step}: {frame:?}");
            for (name, happened) in [
                ("admitted", decision.admitted.is_some()),
                ("known", decision.is_known()),
                ("parked", decision.parked.is_some()),
                ("refused", decision.refused.is_some()),
                ("in part", decision.admitted.is_some() && decision.parked.is_some()),
                ("leaning", expected.leans),
                ("in a circle", expected.early.len() > 1),
            ] {
                *counts.entry(name).or_default() += u64::from(happened);
            }
            if let Some(admitted) = &decision.admitted {
                document.state.admit(admitted);
            }
            model.admit(user, &expected, &collected);
            document.ended.extend(decision.ended);
            if random.below(3) == 0 {
                document.committed = document.state.clocks.clone();
                model.committed = model.clocks.clone();
            }
            if random.below(6) == 0 {
                document.ended.clear();
                model.ended.clear();
            }
            assert_eq!(one_by_one(&document.state.deleted), model.deleted);
            assert_eq!(
                document.state.owners,
                model.owners.iter().map(|(&client, &owner)| (ClientId(client), owner)).collect()
            );
        }
    }
    println!("gate against model: seeds {SEED}..{}; {counts:?}", SEED + DOCUMENTS);
    for (name, times) in counts {
        assert!(times > 500, "{name}: {times}");
    }
}
