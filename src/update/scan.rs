//! One update, taken apart: which clients wrote which clocks, and what it deletes. Keeps about 100 bytes for each
//! struct, so large states are better summed up by `summary`, which keeps none.

use std::ops::Range;

use super::item::{Kind, Struct};
use super::walk::Walk;
use super::{ClientId, Id, IdSet, Malformed};

/// The most structs an update may have to be scanned, which bounds the memory of a scan at some 200 MiB. The items of
/// a client with an id of one byte take 8 bytes each, others more: 16 MiB of honest items are no more than this.
pub const MAX_STRUCTS: usize = 1 << 21;

/// The fewest bytes of an honest item. Room is made for as many structs as the section claims, but for no more than
/// the bytes left would hold of these.
const ITEM_BYTES: usize = 8;

/// How many sections room is made for at first.
const SECTIONS_AT_FIRST: usize = 16;

/// A well-formed update.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// One for each client that wrote something, in the order of the bytes (Yjs: highest client first).
    pub sections: Vec<Section>,
    /// The structs of all sections, in the order of the bytes.
    pub structs: Vec<Struct>,
    /// The delete set.
    pub deletions: IdSet,
}

/// What one client wrote: structs that follow each other without a gap (a gap is a `Skip` struct).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Who wrote it.
    pub client: ClientId,
    /// The first clock.
    pub clock: u32,
    /// The clock after the last.
    pub end: u32,
    /// Its structs, as indices into [`Scan::structs`]; never empty.
    pub structs: Range<usize>,
}

/// Reads a whole update and checks all of it.
///
/// # Errors
/// Whatever Yjs would throw at, what no Yjs writes, and what readers would read differently: see [`Malformed`]. More
/// than [`MAX_STRUCTS`] structs, which the other functions of this module read.
pub fn scan(bytes: &[u8]) -> Result<Scan, Malformed> {
    let mut walk = Walk::new(bytes)?;
    let mut sections = Vec::with_capacity(walk.sections_left().min(SECTIONS_AT_FIRST));
    let mut structs = Vec::new();
    while let Some(head) = walk.section()? {
        let first = structs.len();
        let mut end = head.clock;
        if head.structs > MAX_STRUCTS - structs.len() {
            return Err(Malformed::Structs(walk.at()));
        }
        structs.reserve(head.structs.min(1 + walk.bytes_left() / ITEM_BYTES));
        while let Some(one) = walk.next()? {
            end = one.end();
            structs.push(one);
        }
        sections.push(Section { client: head.client, clock: head.clock, end, structs: first..structs.len() });
    }
    Ok(Scan { sections, structs, deletions: walk.deletions()? })
}

impl Scan {
    /// The section of `client`.
    pub fn section(&self, client: ClientId) -> Option<&Section> {
        self.sections.iter().find(|section| section.client == client)
    }

    /// The structs of one of its sections.
    pub fn structs_of(&self, section: &Section) -> &[Struct] {
        &self.structs[section.structs.clone()]
    }

    /// The struct that holds `id`.
    pub fn struct_at(&self, id: Id) -> Option<&Struct> {
        let structs = self.structs_of(self.section(id.client)?);
        let index = structs.partition_point(|one| one.end() <= id.clock);
        structs.get(index).filter(|one| one.clock <= id.clock)
    }

    /// The ids in clocks `[from, to)` of each client that are deleted by what they are (see [`Kind::is_deleted`]),
    /// whether or not the delete set names them.
    pub fn deleted(&self, from: impl Fn(ClientId) -> u32, to: impl Fn(ClientId) -> u32) -> IdSet {
        self.ids(Kind::is_deleted, from, to)
    }

    /// The ids in clocks `[from, to)` of each client that are format marks.
    pub fn formats(&self, from: impl Fn(ClientId) -> u32, to: impl Fn(ClientId) -> u32) -> IdSet {
        self.ids(|kind| kind == Kind::Format, from, to)
    }

    /// The ids in clocks `[from, to)` of each client whose kind is wanted.
    pub fn ids(
        &self,
        wanted: impl Fn(Kind) -> bool,
        from: impl Fn(ClientId) -> u32,
        to: impl Fn(ClientId) -> u32,
    ) -> IdSet {
        let mut ids = IdSet::default();
        for section in &self.sections {
            let (from, to) = (from(section.client), to(section.client));
            let ranges = self
                .structs_of(section)
                .iter()
                .filter(|one| wanted(one.kind))
                .map(|one| one.clock.max(from)..one.end().min(to))
                .filter(|range| !range.is_empty())
                .collect();
            ids.put(section.client, ranges);
        }
        ids
    }
}
