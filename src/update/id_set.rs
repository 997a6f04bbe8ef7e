//! A set of ids, kept as ranges: what is deleted, or any other part of a document.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use super::reader::{MAX_CLOCK, Reader};
use super::writer::put_number;
use super::{ClientId, Id, Malformed, StateVector};

/// Up to this many ranges of a client are inserted one by one into a larger set; beyond it, rebuilding the list in
/// one pass is the cheaper way and the one whose cost an adversary cannot choose.
const FEW_RANGES: usize = 8;

/// What a client takes beside its ranges, in bytes: its place in the tree, and their list with the places that are free.
const CLIENT_BYTES: usize = 96;

/// Ids by client, as sorted, disjoint, non-adjacent, half-open ranges of clocks; so equal sets compare equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdSet(BTreeMap<ClientId, Vec<Range<u32>>>);

impl IdSet {
    /// Adds `len` ids of `client` from `clock`. Appending at the end is cheap; adding many ranges in any other order is
    /// quadratic, so use [`union`](Self::union) or [`union_all`](Self::union_all) for those.
    pub fn insert(&mut self, client: ClientId, clock: u32, len: u32) {
        if len > 0 {
            insert_range(self.0.entry(client).or_default(), clock..clock.saturating_add(len));
        }
    }

    /// Whether `id` is in the set.
    pub fn contains(&self, id: Id) -> bool {
        self.contains_range(id.client, id.clock, 1)
    }

    /// Whether all `len` ids of `client` from `clock` are in the set; true for `len` 0.
    pub fn contains_range(&self, client: ClientId, clock: u32, len: u32) -> bool {
        len == 0 || self.0.get(&client).is_some_and(|ranges| holds(ranges, &(clock..clock.saturating_add(len))))
    }

    /// Whether every id of `other` is in this set.
    pub fn contains_all(&self, other: &Self) -> bool {
        other.0.iter().all(|(client, theirs)| {
            self.0.get(client).is_some_and(|ours| theirs.iter().all(|range| holds(ours, range)))
        })
    }

    /// Adds all ids of `other`, in one pass or a few binary searches.
    pub fn union(&mut self, other: &Self) {
        for (&client, theirs) in &other.0 {
            match self.0.entry(client) {
                Entry::Vacant(free) => {
                    free.insert(theirs.clone());
                }
                Entry::Occupied(mut ours) if theirs.len() <= FEW_RANGES => {
                    theirs.iter().for_each(|range| insert_range(ours.get_mut(), range.clone()));
                }
                Entry::Occupied(mut ours) => {
                    ours.get_mut().extend_from_slice(theirs);
                    normalise(ours.get_mut());
                }
            }
        }
    }

    /// The union of many sets, sorted once per client.
    pub fn union_all(sets: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for (client, mut ranges) in sets.into_iter().flat_map(|set| set.0) {
            all.0.entry(client).or_default().append(&mut ranges);
        }
        all.0.values_mut().for_each(normalise);
        all
    }

    /// The ids of this set that are not in `other`.
    #[must_use]
    pub fn subtract(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (&client, ours) in &self.0 {
            let theirs = other.0.get(&client).map_or(&[][..], Vec::as_slice);
            rest.put(client, subtract_ranges(ours, theirs));
        }
        rest
    }

    /// The ids that `vector` knows: of each client those with a clock below its own.
    #[must_use]
    pub fn below(&self, vector: &StateVector) -> Self {
        let mut known = Self::default();
        for (&client, ranges) in &self.0 {
            let end = vector.get(client);
            let kept = ranges.iter().take_while(|range| range.start < end);
            known.put(client, kept.map(|range| range.start..range.end.min(end)).collect());
        }
        known
    }

    /// Whether the set holds no id.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The ranges, lowest client and lowest clock first.
    pub fn iter(&self) -> impl Iterator<Item = (ClientId, Range<u32>)> {
        self.0.iter().flat_map(|(&client, ranges)| ranges.iter().map(move |range| (client, range.clone())))
    }

    /// How many ranges the set is made of.
    pub fn ranges(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// What the set takes in memory, in bytes, about.
    pub fn memory(&self) -> usize {
        self.ranges() * size_of::<Range<u32>>() + self.0.len() * CLIENT_BYTES
    }

    /// Appends the set as a Yjs v1 delete set: highest client first, ranges by clock.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        put_number(out, self.0.len() as u64);
        for (client, ranges) in self.0.iter().rev() {
            put_number(out, client.0);
            put_number(out, ranges.len() as u64);
            for range in ranges {
                put_number(out, range.start.into());
                put_number(out, (range.end - range.start).into());
            }
        }
    }

    /// Reads the delete set of an update. Unsorted and overlapping ranges are normalised. A range of length 0 is
    /// refused: no Yjs writes one, and a Yjs that must keep it for later throws.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let mut set = Self::default();
        for _ in 0..reader.count(2)? {
            let from = reader.at;
            let client = reader.client()?;
            let count = reader.count(2)?;
            let mut ranges = Vec::with_capacity(count);
            for _ in 0..count {
                let from = reader.at;
                let (clock, len) = (reader.clock()?, reader.clock()?);
                match clock + len {
                    end if end == clock => return Err(Malformed::ZeroLength(from)),
                    end if end > MAX_CLOCK => return Err(Malformed::Clock(from)),
                    end => ranges.push(clock..end),
                }
            }
            if set.0.contains_key(&client) {
                return Err(Malformed::SameClient(from));
            }
            set.put(client, ranges);
        }
        Ok(set)
    }

    /// Sets the ranges of a client, in any order.
    pub(super) fn put(&mut self, client: ClientId, mut ranges: Vec<Range<u32>>) {
        if !ranges.is_empty() {
            normalise(&mut ranges);
            self.0.insert(client, ranges);
        }
    }
}

fn holds(ranges: &[Range<u32>], wanted: &Range<u32>) -> bool {
    let after = ranges.partition_point(|range| range.start <= wanted.start);
    after > 0 && wanted.end <= ranges[after - 1].end
}

/// Adds a range to sorted, disjoint ones; at once where it comes last.
pub(super) fn insert_range(ranges: &mut Vec<Range<u32>>, new: Range<u32>) {
    match ranges.last_mut() {
        Some(last) if new.start == last.end => last.end = new.end,
        Some(last) if new.start < last.end => {
            // Everything the new range touches becomes one.
            let first = ranges.partition_point(|range| range.end < new.start);
            let after = ranges.partition_point(|range| range.start <= new.end);
            if first == after {
                ranges.insert(first, new);
            } else {
                let joined = ranges[first].start.min(new.start)..ranges[after - 1].end.max(new.end);
                ranges[first] = joined;
                ranges.drain(first + 1..after);
            }
        }
        _ => ranges.push(new),
    }
}

fn normalise(ranges: &mut Vec<Range<u32>>) {
    if ranges.windows(2).all(|pair| pair[0].end < pair[1].start) {
        return;
    }
    ranges.sort_by_key(|range| range.start);
    ranges.dedup_by(|next, kept| {
        let joined = next.start <= kept.end;
        if joined {
            kept.end = kept.end.max(next.end);
        }
        joined
    });
}

fn subtract_ranges(ours: &[Range<u32>], theirs: &[Range<u32>]) -> Vec<Range<u32>> {
    let mut rest = Vec::new();
    for range in ours {
        let mut start = range.start;
        let first = theirs.partition_point(|their| their.end <= range.start);
        for their in theirs[first..].iter().take_while(|their| their.start < range.end) {
            if start < their.start {
                rest.push(start..their.start);
            }
            start = their.end;
        }
        if start < range.end {
            rest.push(start..range.end);
        }
    }
    rest
}

impl FromIterator<(ClientId, Range<u32>)> for IdSet {
    fn from_iter<T: IntoIterator<Item = (ClientId, Range<u32>)>>(ranges: T) -> Self {
        let mut set = Self::default();
        for (client, range) in ranges {
            if !range.is_empty() {
                set.0.entry(client).or_default().push(range);
            }
        }
        set.0.values_mut().for_each(normalise);
        set
    }
}
