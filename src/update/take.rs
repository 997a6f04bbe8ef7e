//! Cuts a part out of a scanned update, and a part out of a struct.

use std::ops::Range;

use super::any::skip_any;
use super::item::{DELETED, GC, HAS_ORIGIN, Header, JSON, KIND_BITS, Kind, SKIP, STRING, Struct, skip_json_value};
use super::reader::Reader;
use super::writer::{put_id, put_number};
use super::{ClientId, Id, IdSet, Malformed, Scan};

/// What is kept of one section.
struct Part<'a> {
    client: ClientId,
    clocks: Range<u32>,
    structs: &'a [Struct],
}

/// A new update of the structs in clocks `[from, to)` of each client, the first and the last split where they cross,
/// and of exactly the given deletions. `Skip` structs are dropped at the edges. `scan` must be the scan of `bytes`.
pub fn take(
    bytes: &[u8],
    scan: &Scan,
    from: impl Fn(ClientId) -> u32,
    to: impl Fn(ClientId) -> u32,
    deletions: &IdSet,
) -> Vec<u8> {
    let mut parts: Vec<Part<'_>> = scan
        .sections
        .iter()
        .filter_map(|section| {
            let clocks = from(section.client).max(section.clock)..to(section.client).min(section.end);
            trim(section.client, clocks, scan.structs_of(section))
        })
        .collect();
    parts.sort_by_key(|part| std::cmp::Reverse(part.client));
    let mut out = Vec::with_capacity(bytes.len() + 16);
    put_number(&mut out, parts.len() as u64);
    for part in &parts {
        put_number(&mut out, part.structs.len() as u64);
        put_number(&mut out, part.client.0);
        put_number(&mut out, part.clocks.start.into());
        put_structs(&mut out, bytes, part);
    }
    deletions.encode_into(&mut out);
    out
}

/// The structs that hold any of `clocks`, without `Skip`s at the edges.
fn trim(client: ClientId, mut clocks: Range<u32>, structs: &[Struct]) -> Option<Part<'_>> {
    if clocks.is_empty() {
        return None;
    }
    let first = structs.partition_point(|one| one.end() <= clocks.start);
    let after = structs.partition_point(|one| one.clock < clocks.end);
    let mut structs = &structs[first..after];
    while let Some((one, rest)) = structs.split_first().filter(|(one, _)| one.kind == Kind::Skip) {
        clocks.start = one.end();
        structs = rest;
    }
    while let Some((one, rest)) = structs.split_last().filter(|(one, _)| one.kind == Kind::Skip) {
        clocks.end = one.clock;
        structs = rest;
    }
    (!structs.is_empty()).then_some(Part { client, clocks, structs })
}

fn put_structs(out: &mut Vec<u8>, bytes: &[u8], part: &Part<'_>) {
    let (Some(first), Some(last)) = (part.structs.first(), part.structs.last()) else { return };
    let mut whole = first.bytes.start..last.bytes.end;
    if first.clock < part.clocks.start {
        put_part(out, bytes, part.client, first, part.clocks.start..first.end().min(part.clocks.end));
        whole.start = first.bytes.end;
    }
    let cut_last = part.clocks.end < last.end() && last.bytes.start >= whole.start;
    if cut_last {
        whole.end = last.bytes.start;
    }
    out.extend_from_slice(&bytes[whole]);
    if cut_last {
        put_part(out, bytes, part.client, last, last.clock..part.clocks.end);
    }
}

/// Appends the part of a struct that holds `clocks`, which must lie within it.
pub(super) fn put_part(out: &mut Vec<u8>, bytes: &[u8], client: ClientId, one: &Struct, clocks: Range<u32>) {
    if clocks == (one.clock..one.end()) {
        out.extend_from_slice(&bytes[one.bytes.clone()]);
        return;
    }
    let info = bytes[one.bytes.start];
    let mut reader = Reader::new(&bytes[..one.bytes.end], one.bytes.start + 1);
    if matches!(info & KIND_BITS, GC | SKIP) {
        out.push(info);
        put_number(out, (clocks.end - clocks.start).into());
        return;
    }
    let header = Header::read(&mut reader, info).expect("the struct was scanned");
    if clocks.start == one.clock {
        out.extend_from_slice(&bytes[one.bytes.start..reader.at]);
    } else {
        // The left neighbour is now our own left part; it says which parent and which key, so they are not written.
        // The bit that there is a key stays, as Yjs writes it.
        out.push(info | HAS_ORIGIN);
        put_id(out, Id { client, clock: clocks.start - 1 });
        if let Some(right) = header.right {
            put_id(out, right);
        }
    }
    let units = (clocks.start - one.clock) as usize..(clocks.end - one.clock) as usize;
    put_content(out, bytes, &mut reader, info & KIND_BITS, units);
}

/// Appends the given units of the content `reader` stands at.
fn put_content(out: &mut Vec<u8>, bytes: &[u8], reader: &mut Reader<'_>, content: u8, units: Range<usize>) {
    match content {
        DELETED => put_number(out, units.len() as u64),
        STRING => put_slice(out, reader.string().expect("the struct was scanned"), units),
        JSON => put_values(out, bytes, reader, units, skip_json_value),
        // All that is left with a length above 1.
        _ => put_values(out, bytes, reader, units, skip_any),
    }
}

/// Appends the given values of a counted list, as they stand.
fn put_values<'a>(
    out: &mut Vec<u8>,
    bytes: &[u8],
    reader: &mut Reader<'a>,
    units: Range<usize>,
    skip: impl Fn(&mut Reader<'a>) -> Result<(), Malformed>,
) {
    reader.number().expect("the struct was scanned");
    let mut after = |count: usize| {
        (0..count).try_for_each(|_| skip(reader)).expect("the struct was scanned");
        reader.at
    };
    let values = after(units.start)..after(units.len());
    put_number(out, units.len() as u64);
    out.extend_from_slice(&bytes[values]);
}

/// Appends the given UTF-16 units of `text`. Half of a character beyond 16 bits becomes U+FFFD on either side of the
/// cut, as in Yjs: it stays one unit.
fn put_slice(out: &mut Vec<u8>, text: &str, units: Range<usize>) {
    let half = |around: &Range<usize>| if around.is_empty() { "" } else { "\u{fffd}" };
    let (start, end) = (position(text, units.start), position(text, units.end));
    let pieces = [half(&start), &text[start.end..end.start], half(&end)];
    put_number(out, pieces.iter().map(|piece| piece.len() as u64).sum());
    pieces.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
}

/// The byte offset of a UTF-16 offset: an empty range, or the whole character if the offset is inside one.
fn position(text: &str, unit: usize) -> Range<usize> {
    let mut units = 0;
    for (at, character) in text.char_indices() {
        if units == unit {
            return at..at;
        }
        units += character.len_utf16();
        if units > unit {
            return at..at + character.len_utf8();
        }
    }
    text.len()..text.len()
}
