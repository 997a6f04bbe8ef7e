//! What integrating a state deletes beside what it says: overwritten map entries, and what lies in something deleted.
//! A Yjs that read a state has these among its own deletions and sends them along, though nobody deleted anything.
//!
//! Found from the structure alone: which type holds each struct, and which entry of a key is the last. Nothing is
//! ordered in a list and no content is read.

use std::collections::{BTreeMap, HashMap};

use super::item::HAS_SUB;
use super::reader::Reader;
use super::{ClientId, Id, IdSet, Kind, Malformed, Scan, Section, Struct, scan};

/// The ids that everyone who integrated this state has deleted: those that it says are, and those that follow from it.
/// Yjs keeps of a key's entries the last alone, deletes with a type what is in it, and what is beside garbage becomes
/// garbage. Linear in the state but for the sorting of clients and entries.
///
/// Entries that name a right neighbour, which neither Yjs nor yrs writes, count as overwritten.
///
/// # Errors
/// As [`scan`](fn@super::scan).
pub fn implied_deletions(state: &[u8]) -> Result<IdSet, Malformed> {
    let scan = scan(state)?;
    let mut structure = Structure::new(state, &scan);
    structure.place_all();
    let mut deleted = scan.deleted(|_| 0, |_| u32::MAX);
    deleted.union(&scan.deletions);
    deleted.union(&structure.overwritten());
    let inside = structure.inside_deleted(&deleted);
    deleted.union(&inside);
    Ok(deleted)
}

/// An index into [`Structure::places`].
type PlaceId = usize;

/// Somewhere to put items: the list of a type, or one key of its map.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place<'a> {
    /// The item of the type, unless it is a root.
    parent: Option<Id>,
    /// The name of a root.
    root: &'a str,
    /// The key, for map entries.
    key: Option<&'a str>,
}

/// Of what no place is known: its neighbour is not in the state.
const NOWHERE: PlaceId = 0;
/// Of garbage and of what is beside it.
const GONE: PlaceId = 1;
/// Of what is being followed.
const SOUGHT: PlaceId = 2;
/// Of what was not looked at yet.
const UNKNOWN: PlaceId = 3;

const NO_PLACE: Place<'static> = Place { parent: None, root: "", key: None };

/// Where each struct lies.
struct Structure<'a> {
    bytes: &'a [u8],
    scan: &'a Scan,
    sections: HashMap<ClientId, usize>,
    /// By struct.
    place_of: Vec<PlaceId>,
    places: Vec<Place<'a>>,
    ids: HashMap<Place<'a>, PlaceId>,
}

impl<'a> Structure<'a> {
    fn new(bytes: &'a [u8], scan: &'a Scan) -> Self {
        let sections = scan.sections.iter().enumerate().map(|(at, section)| (section.client, at)).collect();
        let place_of = vec![UNKNOWN; scan.structs.len()];
        // The first four only keep the numbers of the constants above.
        Self { bytes, scan, sections, place_of, places: vec![NO_PLACE; UNKNOWN + 1], ids: HashMap::new() }
    }

    /// The struct that holds `id`.
    fn struct_at(&self, id: Id) -> Option<usize> {
        let section = &self.scan.sections[*self.sections.get(&id.client)?];
        let structs = self.scan.structs_of(section);
        let at = structs.partition_point(|one| one.end() <= id.clock);
        structs.get(at).filter(|one| one.clock <= id.clock).map(|_| section.structs.start + at)
    }

    fn place_all(&mut self) {
        let mut path = Vec::new();
        for first in 0..self.place_of.len() {
            let mut at = first;
            // Neighbours share a place, so they are followed to one that says it.
            let found = loop {
                match self.place_of[at] {
                    UNKNOWN => {}
                    // Nothing is its own neighbour in what the gate lets in.
                    SOUGHT => break NOWHERE,
                    found => break found,
                }
                let one = &self.scan.structs[at];
                if matches!(one.kind, Kind::Gc | Kind::Skip) {
                    break if one.kind == Kind::Gc { GONE } else { NOWHERE };
                }
                let Some(neighbour) = one.origin.or(one.right) else { break self.written_place(at) };
                self.place_of[at] = SOUGHT;
                path.push(at);
                match self.struct_at(neighbour) {
                    Some(next) => at = next,
                    None => break NOWHERE,
                }
            };
            self.place_of[at] = if self.place_of[at] == SOUGHT { NOWHERE } else { found };
            let mut place = found;
            while let Some(at) = path.pop() {
                let right = self.scan.structs[at].right.and_then(|right| self.struct_at(right));
                if right.is_some_and(|right| self.scan.structs[right].kind == Kind::Gc) {
                    place = GONE;
                }
                self.place_of[at] = place;
            }
        }
    }

    /// The place that an item without neighbours names.
    fn written_place(&mut self, at: usize) -> PlaceId {
        let one = &self.scan.structs[at];
        let mut reader = Reader::new(self.bytes, one.bytes.start);
        let mut place = NO_PLACE;
        let mut read = || -> Result<(), Malformed> {
            let info = reader.byte()?;
            if reader.number()? == 1 {
                place.root = reader.name()?
            } else {
                place.parent = Some(reader.id()?)
            }
            if info & HAS_SUB != 0 {
                place.key = Some(reader.name()?);
            }
            Ok(())
        };
        read().expect("the struct was scanned");
        let places = &mut self.places;
        *self.ids.entry(place).or_insert_with(|| {
            places.push(place);
            places.len() - 1
        })
    }

    fn structs(&self) -> impl Iterator<Item = (&'a Section, &'a Struct, PlaceId)> {
        let sections = self.scan.sections.iter();
        sections.flat_map(|section| {
            let places = &self.place_of[section.structs.clone()];
            self.scan.structs_of(section).iter().zip(places).map(move |(one, &place)| (section, one, place))
        })
    }

    /// All entries of keys but the last of each.
    fn overwritten(&self) -> IdSet {
        // After the same entry, that of the highest client comes last; of one client the first.
        let better = |new: Id, old: Id| new.client > old.client || new.client == old.client && new.clock < old.clock;
        let mut firsts: HashMap<PlaceId, Id> = HashMap::new();
        let mut after: BTreeMap<Id, Id> = BTreeMap::new();
        let entries = || self.structs().filter(|(.., place)| self.places[*place].key.is_some());
        for (section, one, place) in entries() {
            let id = Id { client: section.client, clock: one.clock };
            let best = match (one.origin, one.right) {
                (Some(origin), _) => after.entry(origin).or_insert(id),
                (None, None) => firsts.entry(place).or_insert(id),
                (None, Some(_)) => continue,
            };
            if better(id, *best) {
                *best = id;
            }
        }
        let last = |first: Id| {
            let mut last = first;
            loop {
                // The ids of one struct follow each other, unless one of a higher client comes between; together they
                // are one entry.
                let end = self.struct_at(last).map_or(last.clock, |at| self.scan.structs[at].end() - 1);
                let parts = after.range(last..=Id { clock: end, ..last });
                let mut leaves = parts.filter(|(from, to)| from.clock == end || to.client > last.client);
                match leaves.next() {
                    Some((_, &next)) => last = next,
                    None => return (last.client, last.clock..end + 1),
                }
            }
        };
        let lasts: IdSet = firsts.values().map(|&first| last(first)).collect();
        let all: IdSet = entries().map(|(section, one, _)| (section.client, one.clock..one.end())).collect();
        all.subtract(&lasts)
    }

    /// All that lies in something deleted, or is garbage.
    fn inside_deleted(&self, deleted: &IdSet) -> IdSet {
        let mut gone: Vec<Option<bool>> = vec![None; self.places.len()];
        gone[NOWHERE] = Some(false);
        gone[GONE] = Some(true);
        let mut path = Vec::new();
        for first in 0..self.places.len() {
            let mut place = first;
            let found = loop {
                if let Some(found) = gone[place] {
                    break found;
                }
                // What is on the path and not decided yet is not deleted.
                gone[place] = Some(false);
                path.push(place);
                let Some(parent) = self.places[place].parent else { break false };
                if deleted.contains(parent) {
                    break true;
                }
                match self.struct_at(parent) {
                    Some(at) => place = self.place_of[at],
                    None => break false,
                }
            };
            path.drain(..).for_each(|place| gone[place] = Some(found));
        }
        let inside = self.structs().filter(|(.., place)| gone[*place] == Some(true));
        inside.map(|(section, one, _)| (section.client, one.clock..one.end())).collect()
    }
}
