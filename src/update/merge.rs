//! Puts updates together, and leaves out what somebody has: both are a sort of runs of structs, and a copy.

use std::cmp::Reverse;
use std::ops::Range;

use super::item::{Kind, SKIP, read_struct};
use super::reader::Reader;
use super::take::put_part;
use super::walk::Walk;
use super::writer::put_number;
use super::{ClientId, IdSet, Malformed, StateVector};

/// Structs that follow each other in one update, without a gap and without a `Skip`; of the first maybe only a part.
struct Run {
    client: ClientId,
    /// The clocks to write.
    clocks: Range<u32>,
    /// The clock at which the first struct begins, at or below the first clock to write.
    begins: u32,
    structs: usize,
    /// Which update it lies in, and where, in bytes.
    update: usize,
    bytes: Range<usize>,
}

/// One update that says what all of `updates` say, as `Y.mergeUpdates` does: per client the structs in clock order
/// (of what is there twice, what comes first), a `Skip` for every gap, and all deletions. Linear in the bytes.
///
/// # Errors
/// The first update that is [`Malformed`].
pub fn merge(updates: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, Malformed> {
    let mut runs = Vec::new();
    let mut deletions = Vec::with_capacity(updates.len());
    for (index, update) in updates.iter().enumerate() {
        deletions.push(collect(update.as_ref(), index, |_| 0, &mut runs)?);
    }
    Ok(assemble(updates, runs, &IdSet::union_all(deletions)))
}

/// What somebody at `remote` lacks of `state`: all structs from their clocks on, the first of each client split where
/// it crosses, and the whole delete set (deletions have no clock). As `Y.diffUpdate`.
///
/// # Errors
/// If `state` is [`Malformed`].
pub fn diff(state: &[u8], remote: &StateVector) -> Result<Vec<u8>, Malformed> {
    let mut runs = Vec::new();
    let deletions = collect(state, 0, |client| remote.get(client), &mut runs)?;
    Ok(assemble(&[state], runs, &deletions))
}

/// Reads an update and appends its runs, of each client what lies above the floor; answers its deletions.
fn collect(
    bytes: &[u8],
    update: usize,
    floor: impl Fn(ClientId) -> u32,
    runs: &mut Vec<Run>,
) -> Result<IdSet, Malformed> {
    let mut walk = Walk::new(bytes)?;
    while let Some(head) = walk.section()? {
        let client = head.client;
        let floor = floor(client);
        let mut run: Option<Run> = None;
        while let Some(one) = walk.next()? {
            if one.kind == Kind::Skip {
                runs.extend(run.take());
                continue;
            }
            if one.end() <= floor {
                continue;
            }
            match &mut run {
                Some(run) => {
                    run.clocks.end = one.end();
                    run.structs += 1;
                    run.bytes.end = one.bytes.end;
                }
                None => {
                    let clocks = one.clock.max(floor)..one.end();
                    run = Some(Run { client, clocks, begins: one.clock, structs: 1, update, bytes: one.bytes });
                }
            }
        }
        runs.extend(run);
    }
    walk.deletions()
}

/// Writes the runs by client and clock, of each only what is above the runs before it.
fn assemble(updates: &[impl AsRef<[u8]>], mut runs: Vec<Run>, deletions: &IdSet) -> Vec<u8> {
    // The sort is stable: of two runs that begin alike the one of the earlier update wins.
    runs.sort_by_key(|run| (Reverse(run.client), run.clocks.start));
    let mut written: Option<(ClientId, u32)> = None;
    runs.retain_mut(|run| {
        let known = written.filter(|(client, _)| *client == run.client).map_or(0, |(_, end)| end);
        let adds = run.clocks.end > known;
        if adds {
            run.raise(known, updates[run.update].as_ref());
            written = Some((run.client, run.clocks.end));
        }
        adds
    });
    let bytes = runs.iter().map(|run| run.bytes.len()).sum::<usize>();
    let mut out = Vec::with_capacity(bytes + 16 + 10 * deletions.ranges());
    let sections = || runs.chunk_by(|a, b| a.client == b.client);
    put_number(&mut out, sections().count() as u64);
    for section in sections() {
        put_section(&mut out, updates, section);
    }
    deletions.encode_into(&mut out);
    out
}

impl Run {
    /// Leaves out what is below `known`, which is below its end. Reads it again only if it begins below.
    fn raise(&mut self, known: u32, update: &[u8]) {
        if self.clocks.start >= known {
            return;
        }
        self.clocks.start = known;
        let mut reader = Reader::new(update, self.bytes.start);
        loop {
            let one = read_struct(&mut reader, self.begins).expect("the run was read before");
            if one.end() > known {
                return;
            }
            self.begins = one.end();
            self.bytes.start = one.bytes.end;
            self.structs -= 1;
        }
    }

    fn put(&self, out: &mut Vec<u8>, update: &[u8]) {
        let mut whole = self.bytes.clone();
        if self.begins < self.clocks.start {
            let mut reader = Reader::new(update, whole.start);
            let one = read_struct(&mut reader, self.begins).expect("the run was read before");
            put_part(out, update, self.client, &one, self.clocks.start..one.end());
            whole.start = one.bytes.end;
        }
        out.extend_from_slice(&update[whole]);
    }
}

fn put_section(out: &mut Vec<u8>, updates: &[impl AsRef<[u8]>], section: &[Run]) {
    let Some(first) = section.first() else { return };
    let gaps = section.windows(2).filter(|pair| pair[0].clocks.end < pair[1].clocks.start).count();
    let structs = section.iter().map(|run| run.structs).sum::<usize>() + gaps;
    put_number(out, structs as u64);
    put_number(out, first.client.0);
    put_number(out, first.clocks.start.into());
    let mut end = first.clocks.start;
    for run in section {
        if end < run.clocks.start {
            out.push(SKIP);
            put_number(out, (run.clocks.start - end).into());
        }
        run.put(out, updates[run.update].as_ref());
        end = run.clocks.end;
    }
}
