//! Puts updates together, and leaves out what somebody has: both are a sort of runs of structs, and a copy.

use std::cmp::Reverse;
use std::ops::Range;

use super::item::{Kind, SKIP, Struct, read_struct};
use super::reader::Reader;
use super::take::put_part;
use super::walk::Walk;
use super::writer::put_number;
use super::{ClientId, IdSet, Malformed, StateVector};

/// Structs that follow each other in one update, without a gap and without a `Skip`.
struct Run {
    client: ClientId,
    /// All clocks of its structs.
    clocks: Range<u32>,
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
    Ok(assemble(updates, runs, |_| 0, &IdSet::union_all(deletions)))
}

/// What somebody at `remote` lacks of `state`: all structs from their clocks on, the first of each client split where
/// it crosses, and the whole delete set (deletions have no clock). As `Y.diffUpdate`.
///
/// # Errors
/// If `state` is [`Malformed`].
pub fn diff(state: &[u8], remote: &StateVector) -> Result<Vec<u8>, Malformed> {
    let floor = |client| remote.get(client);
    let mut runs = Vec::new();
    let deletions = collect(state, 0, floor, &mut runs)?;
    Ok(assemble(&[state], runs, floor, &deletions))
}

/// Reads an update and appends its runs, without the structs that lie wholly below the floor; answers its deletions.
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
                    run = Some(Run { client, clocks: one.clock..one.end(), structs: 1, update, bytes: one.bytes });
                }
            }
        }
        runs.extend(run);
    }
    walk.deletions()
}

/// Writes the runs by client and clock, of each only what is above the floor and above the runs before it.
fn assemble(
    updates: &[impl AsRef<[u8]>],
    mut runs: Vec<Run>,
    floor: impl Fn(ClientId) -> u32,
    deletions: &IdSet,
) -> Vec<u8> {
    // The sort is stable: of two runs that begin alike the one of the earlier update wins.
    runs.sort_by_key(|run| (Reverse(run.client), run.clocks.start));
    let mut kept: Vec<Kept> = Vec::with_capacity(runs.len());
    for run in runs {
        let known = match kept.last() {
            Some(last) if last.client == run.client => last.clocks.end,
            _ => floor(run.client),
        };
        if run.clocks.end > known {
            kept.push(Kept::above(known, run, updates));
        }
    }
    let bytes = kept.iter().map(|kept| kept.bytes.len()).sum::<usize>();
    let mut out = Vec::with_capacity(bytes + 16 + 10 * deletions.ranges());
    let sections = || kept.chunk_by(|a, b| a.client == b.client);
    put_number(&mut out, sections().count() as u64);
    for section in sections() {
        put_section(&mut out, updates, section);
    }
    deletions.encode_into(&mut out);
    out
}

/// What is written of a run.
struct Kept {
    client: ClientId,
    clocks: Range<u32>,
    structs: usize,
    update: usize,
    /// The first struct, if only a part of it is written.
    split: Option<Struct>,
    /// The structs written whole.
    bytes: Range<usize>,
}

impl Kept {
    /// What a run that ends above `known` adds to it. Reads the run again only if it begins below.
    fn above(known: u32, run: Run, updates: &[impl AsRef<[u8]>]) -> Self {
        let Run { client, clocks, structs, update, bytes } = run;
        let mut kept = Self { client, clocks, structs, update, split: None, bytes };
        if kept.clocks.start >= known {
            return kept;
        }
        let mut reader = Reader::new(updates[update].as_ref(), kept.bytes.start);
        let mut clock = kept.clocks.start;
        while clock < known {
            let one = read_struct(&mut reader, clock).expect("the run was read before and ends above");
            clock = one.end();
            kept.bytes.start = one.bytes.end;
            if clock > known {
                kept.split = Some(one);
            } else {
                kept.structs -= 1;
            }
        }
        kept.clocks.start = known;
        kept
    }
}

fn put_section(out: &mut Vec<u8>, updates: &[impl AsRef<[u8]>], section: &[Kept]) {
    let Some(first) = section.first() else { return };
    let gaps = section.windows(2).filter(|pair| pair[0].clocks.end < pair[1].clocks.start).count();
    let structs = section.iter().map(|kept| kept.structs).sum::<usize>() + gaps;
    put_number(out, structs as u64);
    put_number(out, first.client.0);
    put_number(out, first.clocks.start.into());
    let mut end = first.clocks.start;
    for kept in section {
        if end < kept.clocks.start {
            out.push(SKIP);
            put_number(out, (kept.clocks.start - end).into());
        }
        let bytes = updates[kept.update].as_ref();
        if let Some(one) = &kept.split {
            put_part(out, bytes, kept.client, one, kept.clocks.start..one.end());
        }
        out.extend_from_slice(&bytes[kept.bytes.clone()]);
        end = kept.clocks.end;
    }
}
