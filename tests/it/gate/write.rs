//! Small updates put together struct by struct, as any client could write them, honest or not.

use std::ops::Range;

use bytes::Bytes;

use coterie::update::{ClientId, IdSet};

/// An id: client and clock.
pub(crate) type At = (u64, u32);

/// An update to be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Update {
    sections: Vec<(u64, u32, Vec<Vec<u8>>)>,
    deletions: Vec<(u64, Range<u32>)>,
}

impl Update {
    /// Structs of one client that follow each other from `clock` on.
    pub(crate) fn with(mut self, client: u64, clock: u32, structs: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.sections.push((client, clock, structs.into_iter().collect()));
        self
    }

    /// Deletes ids of one client.
    pub(crate) fn deleting(mut self, client: u64, clocks: Range<u32>) -> Self {
        self.deletions.push((client, clocks));
        self
    }

    /// The bytes; sections stay in the order in which they were given.
    pub(crate) fn bytes(&self) -> Bytes {
        let mut out = number(self.sections.len() as u64);
        for (client, clock, structs) in &self.sections {
            out.extend(number(structs.len() as u64));
            out.extend(number(*client));
            out.extend(number((*clock).into()));
            structs.iter().for_each(|one| out.extend(one));
        }
        ids(&self.deletions).encode_into(&mut out);
        out.into()
    }
}

/// Structs of one client.
pub(crate) fn update(client: u64, clock: u32, structs: impl IntoIterator<Item = Vec<u8>>) -> Update {
    Update::default().with(client, clock, structs)
}

/// Nothing but deletions.
pub(crate) fn deletion(client: u64, clocks: Range<u32>) -> Update {
    Update::default().deleting(client, clocks)
}

/// A set of ids.
pub(crate) fn ids(ranges: &[(u64, Range<u32>)]) -> IdSet {
    ranges.iter().map(|(client, clocks)| (ClientId(*client), clocks.clone())).collect()
}

/// Text that begins the root text.
pub(crate) fn text(content: &str) -> Vec<u8> {
    [vec![STRING, 1], string("content"), string(content)].concat()
}

/// Text after an id.
pub(crate) fn after(left: At, content: &str) -> Vec<u8> {
    [vec![STRING | HAS_ORIGIN], id(left), string(content)].concat()
}

/// Text before an id.
pub(crate) fn before(right: At, content: &str) -> Vec<u8> {
    [vec![STRING | HAS_RIGHT], id(right), string(content)].concat()
}

/// Text between two ids.
pub(crate) fn between(left: At, right: At, content: &str) -> Vec<u8> {
    [vec![STRING | HAS_ORIGIN | HAS_RIGHT], id(left), id(right), string(content)].concat()
}

/// Text inside a nested type.
pub(crate) fn inside(parent: At, content: &str) -> Vec<u8> {
    [vec![STRING, 0], id(parent), string(content)].concat()
}

/// The first entry of a key of the root map.
pub(crate) fn entry(key: &str, content: &str) -> Vec<u8> {
    [vec![STRING | HAS_SUB, 1], string("map"), string(key), string(content)].concat()
}

/// An entry written over another.
pub(crate) fn entry_over(before: At, content: &str) -> Vec<u8> {
    [vec![STRING | HAS_ORIGIN | HAS_SUB], id(before), string(content)].concat()
}

/// A nested list at the beginning of the root list.
pub(crate) fn list() -> Vec<u8> {
    [vec![TYPE, 1], string("list"), vec![0]].concat()
}

/// A format mark after an id.
pub(crate) fn mark(left: At) -> Vec<u8> {
    [vec![FORMAT | HAS_ORIGIN], id(left), string("bold"), string("true")].concat()
}

/// Collected garbage.
pub(crate) fn garbage(len: u32) -> Vec<u8> {
    [vec![GC], number(len.into())].concat()
}

/// Deleted content after an id.
pub(crate) fn gone(left: At, len: u32) -> Vec<u8> {
    [vec![DELETED | HAS_ORIGIN], id(left), number(len.into())].concat()
}

/// Clocks left out.
pub(crate) fn skip(len: u32) -> Vec<u8> {
    [vec![SKIP], number(len.into())].concat()
}

/// A varuint.
pub(crate) fn number(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// A string with its length.
pub(crate) fn string(text: &str) -> Vec<u8> {
    [number(text.len() as u64), text.into()].concat()
}

fn id((client, clock): At) -> Vec<u8> {
    [number(client), number(clock.into())].concat()
}

const GC: u8 = 0;
const DELETED: u8 = 1;
const STRING: u8 = 4;
const FORMAT: u8 = 6;
const TYPE: u8 = 7;
const SKIP: u8 = 10;
const HAS_SUB: u8 = 0x20;
const HAS_RIGHT: u8 = 0x40;
const HAS_ORIGIN: u8 = 0x80;
