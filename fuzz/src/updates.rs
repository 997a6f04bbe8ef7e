//! Updates made up from a plan: every kind of struct, mostly beside ids that exist, by a few clients who go on writing.

use std::collections::BTreeMap;

use crate::Plan;
use crate::tally::count;

/// Who writes; the second to last is of 53 bits.
const CLIENTS: [u64; 6] = [1, 2, 7, 9, (1 << 53) - 1, 1_000_000];
const ROOTS: [&str; 4] = ["content", "t", "m", ""];
const WORDS: [&str; 6] = ["a", "word", "héé", "👋", "\n", "a\u{301}👋🏽"];
const JSONS: [&str; 6] = ["null", "1", "\"x\"", "{\"a\":[1,{}]}", "[]", "{"];
const KEYS: [&str; 3] = ["bold", "k", "ydoc"];

/// A struct: an info byte of these.
const HAS_SUB: u8 = 0x20;
const HAS_RIGHT: u8 = 0x40;
const HAS_ORIGIN: u8 = 0x80;

type Id = (u64, u32);

/// What was written so far, if all of it was taken in.
#[derive(Debug, Clone, Default)]
pub struct History {
    clocks: BTreeMap<u64, u32>,
    types: Vec<Id>,
}

impl History {
    /// The next update.
    pub fn update(&mut self, plan: &mut Plan<'_>) -> Vec<u8> {
        let mut sections: BTreeMap<u64, (u32, Vec<Vec<u8>>)> = BTreeMap::new();
        for _ in 0..[1, 1, 1, 2, 3, 0][plan.below(6)] {
            let client = plan.one_of(&CLIENTS);
            let known = self.clocks.get(&client).copied().unwrap_or(0);
            let clock = match plan.below(12) {
                0 => known.saturating_sub(plan.number()),
                1 => known + plan.number(),
                _ => known,
            };
            let (mut at, mut structs) = (clock, Vec::new());
            for _ in 0..=plan.below(4) {
                let (bytes, len) = self.one(plan, client, at);
                at = at.saturating_add(len);
                structs.push(bytes);
            }
            if clock <= known && at > known && at < 1 << 30 {
                self.clocks.insert(client, at);
            }
            sections.insert(client, (clock, structs));
        }
        let mut out = number(sections.len() as u64);
        // Yjs writes the highest client first; the order means nothing to a reader.
        let mut order: Vec<_> = sections.into_iter().collect();
        if !plan.one_in(8) {
            order.reverse();
        }
        for (client, (clock, structs)) in order {
            out.extend([number(structs.len() as u64), number(client), number(clock.into())].concat());
            structs.iter().for_each(|one| out.extend(one));
        }
        out.extend(self.deletions(plan));
        if plan.one_in(16) {
            count("damaged");
            let at = plan.below(out.len());
            out[at] ^= plan.byte() | 1;
        }
        out
    }

    fn deletions(&self, plan: &mut Plan<'_>) -> Vec<u8> {
        let mut clients: BTreeMap<u64, Vec<(u32, u32)>> = BTreeMap::new();
        for _ in 0..[0, 0, 1, 2][plan.below(4)] {
            let (client, clock) = self.id(plan);
            let known = self.clocks.get(&client).copied().unwrap_or(0);
            let len =
                if plan.one_in(12) { plan.number() } else { (plan.number() % 8).min(known.saturating_sub(clock)) };
            clients.entry(client).or_default().push((clock, len.max(1)));
        }
        let mut out = number(clients.len() as u64);
        for (client, ranges) in clients.into_iter().rev() {
            out.extend([number(client), number(ranges.len() as u64)].concat());
            ranges.into_iter().for_each(|(clock, len)| out.extend([number(clock.into()), number(len.into())].concat()));
        }
        out
    }

    /// An id, mostly one that exists.
    fn id(&self, plan: &mut Plan<'_>) -> Id {
        if plan.one_in(16) {
            return (plan.one_of(&CLIENTS), plan.number());
        }
        let at = plan.below(self.clocks.len());
        match self.clocks.iter().nth(at) {
            Some((&client, &end)) => (client, plan.number() % end.max(1)),
            None => (plan.one_of(&CLIENTS), 0),
        }
    }

    fn one(&mut self, plan: &mut Plan<'_>, client: u64, clock: u32) -> (Vec<u8>, u32) {
        let kind = plan.one_of(&[4, 4, 4, 4, 1, 6, 7, 8, 8, 3, 5, 9, 2, 0, 10]);
        if matches!(kind, 0 | 10) {
            let len = plan.number().max(1);
            return ([vec![kind], number(len.into())].concat(), len);
        }
        let (content, len) = content(plan, kind);
        let mut out = vec![kind];
        // The first of its section has mostly what came before as its neighbour.
        match plan.below(8) {
            0 | 1 if clock > 0 => {
                out[0] |= HAS_ORIGIN;
                out.extend(id((client, clock - 1)));
            }
            2 => {
                out[0] |= HAS_ORIGIN;
                out.extend(id(self.id(plan)));
            }
            3 => {
                out[0] |= HAS_RIGHT;
                out.extend(id(self.id(plan)));
            }
            4 => {
                out[0] |= HAS_ORIGIN | HAS_RIGHT;
                out.extend([id(self.id(plan)), id(self.id(plan))].concat());
            }
            place => {
                if place == 5 && !self.types.is_empty() {
                    out.push(0);
                    out.extend(id(self.types[plan.below(self.types.len())]));
                } else {
                    out.push(1);
                    out.extend(string(plan.one_of(&ROOTS)));
                }
                if plan.one_in(4) {
                    out[0] |= HAS_SUB;
                    out.extend(string(plan.one_of(&KEYS)));
                }
            }
        }
        if kind == 7 {
            self.types.push((client, clock));
        }
        out.extend(content);
        (out, len)
    }
}

fn content(plan: &mut Plan<'_>, kind: u8) -> (Vec<u8>, u32) {
    let buffer = |bytes: &[u8]| [number(bytes.len() as u64), bytes.to_vec()].concat();
    match kind {
        1 => {
            let len = plan.number().max(1);
            (number(len.into()), len)
        }
        2 => (["1", "\"x\""][..=plan.below(2)].iter().fold(number(2), |out, one| [out, string(one)].concat()), 2),
        3 => (buffer(plan.take(5)), 1),
        4 => {
            let word = plan.one_of(&WORDS);
            (string(word), word.encode_utf16().count() as u32)
        }
        5 => (string(plan.one_of(&JSONS)), 1),
        6 => ([string(plan.one_of(&KEYS)), string(plan.one_of(&JSONS))].concat(), 1),
        7 => {
            let kind = plan.below(8) as u8;
            (if matches!(kind, 3 | 5) { [vec![kind], string("p")].concat() } else { vec![kind] }, 1)
        }
        8 => {
            let values = 1 + plan.below(4);
            let all: Vec<u8> = (0..values).flat_map(|_| any(plan, 0)).collect();
            ([number(values as u64), all].concat(), values as u32)
        }
        _ => ([string("guid"), any(plan, 0)].concat(), 1),
    }
}

fn any(plan: &mut Plan<'_>, depth: usize) -> Vec<u8> {
    let deep = depth > 70;
    match 116 + plan.byte() % 12 {
        116 => [vec![116], string("")].concat(),
        117 if !deep => [vec![117, 1], any(plan, depth + 1)].concat(),
        118 if !deep => [vec![118, 1], string("k"), any(plan, depth + 1)].concat(),
        119 => [vec![119], string(plan.one_of(&WORDS))].concat(),
        122 => [vec![122], vec![1; 8]].concat(),
        123 => [vec![123], 1.5f64.to_be_bytes().to_vec()].concat(),
        124 => [vec![124], 1.5f32.to_be_bytes().to_vec()].concat(),
        125 => vec![125, plan.byte() & 0x7f],
        kind @ (120 | 121 | 126 | 127) => vec![kind],
        _ => vec![126],
    }
}

fn id((client, clock): Id) -> Vec<u8> {
    [number(client), number(clock.into())].concat()
}

fn string(text: &str) -> Vec<u8> {
    [number(text.len() as u64), text.as_bytes().to_vec()].concat()
}

fn number(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}
