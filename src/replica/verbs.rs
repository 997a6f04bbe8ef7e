//! What a worker does with an integrated document.

use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};
use yrs::types::text::YChange;
use yrs::{Any, Assoc, Doc, GetString, Out, ReadTxn, Text, TextRef, Transact};

use super::hunks::offset_of;
use super::wire::{Caret, Hit, Part, Reply};
use super::worker::{integrate, new_doc};
use crate::limits;

/// The text of a root, or a part of it; one that does not exist is empty.
pub(super) fn text(doc: &Doc, root: &str, part: Part) -> Reply {
    let text = text_of(doc, root);
    Reply::Text(match part {
        Part::Whole => text,
        Part::Lines(first, last) => {
            let lines = text.split_inclusive('\n').skip(first.saturating_sub(1));
            lines.take(last.saturating_sub(first.max(1) - 1)).collect()
        }
        Part::Range(from, to) => range(&text, from, to),
        Part::Between(one, other) => {
            let txn = doc.transact();
            match (offset(&txn, one), offset(&txn, other)) {
                (Some(one), Some(other)) => range(&text, one.min(other), one.max(other)),
                _ => String::new(),
            }
        }
    })
}

fn range(text: &str, from: usize, to: usize) -> String {
    let units: Vec<u16> = text.encode_utf16().skip(from).take(to.saturating_sub(from)).collect();
    String::from_utf16_lossy(&units)
}

/// Where a place is, in units from the beginning.
fn offset(txn: &impl ReadTxn, caret: Caret) -> Option<usize> {
    let of = |unit, assoc| offset_of(txn, unit, assoc).and_then(|at| usize::try_from(at).ok());
    match caret {
        Caret::Start => Some(0),
        Caret::Before(unit) => of(unit, Assoc::After),
        Caret::Behind(unit) => of(unit, Assoc::Before),
        Caret::End => Some(usize::MAX),
    }
}

fn text_of(doc: &Doc, root: &str) -> String {
    let text = doc.get_or_insert_text(root);
    let txn = doc.transact();
    text.get_string(&txn)
}

/// The lines of a root's text that hold a needle.
pub(super) fn search(doc: &Doc, root: &str, needle: &str, case: bool, limit: usize) -> Reply {
    let text = text_of(doc, root);
    let mut hits = Vec::new();
    let needle = if case { needle.to_owned() } else { lower(needle) };
    for (index, line) in text.split('\n').enumerate() {
        if hits.len() == limit {
            break;
        }
        let found = if case { line.find(&needle) } else { lower(line).find(&needle).map(|at| before_lower(line, at)) };
        if let Some(at) = found {
            let column = line[..at].encode_utf16().count();
            hits.push(Hit { line: index + 1, column, text: around(line, at) });
        }
    }
    Reply::Found(hits)
}

/// In lower case, character by character: what precedes or follows one does not change it, unlike in a sentence.
fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Where in a line the byte of its lower case comes from: some characters change their length.
fn before_lower(line: &str, at: usize) -> usize {
    let mut passed = 0;
    for (index, c) in line.char_indices() {
        passed += c.to_lowercase().map(char::len_utf8).sum::<usize>();
        if passed > at {
            return index;
        }
    }
    line.len()
}

/// A line as it is shown: whole, or the part around a byte.
fn around(line: &str, at: usize) -> String {
    let most = limits::SEARCH_LINE_CHARS;
    let before = line[..at].chars().count().saturating_sub(most / 2);
    line.chars().skip(if line.chars().count() > most { before } else { 0 }).take(most).collect()
}

/// The smallest edit that makes a root's text another: made on a copy under a client id of its own, so that the kept
/// document holds nothing that the log does not. What is embedded in the text stays.
pub(super) fn edit(state: &[u8], root: &str, wanted: &str) -> Reply {
    let doc = new_doc();
    if let Err(said) = integrate(&doc, state) {
        return Reply::Unreadable(said);
    }
    let text = doc.get_or_insert_text(root);
    let mut txn = doc.transact_mut();
    let embeds = embeds(&text, &txn);
    // Where a unit of the text is in the root, behind what is embedded before it.
    let place = |at: u32| at + u32::try_from(embeds.partition_point(|&embed| embed <= at)).unwrap_or(u32::MAX);
    for Change { at, remove, insert } in changes(&text.get_string(&txn), wanted).into_iter().rev() {
        let within = embeds.iter().copied().filter(|&embed| at < embed && embed < at + remove);
        let mut ends: Vec<u32> = std::iter::once(at).chain(within).chain([at + remove]).collect();
        ends.dedup();
        for piece in ends.windows(2).rev() {
            text.remove_range(&mut txn, place(piece[0]), piece[1] - piece[0]);
        }
        if !insert.is_empty() {
            text.insert(&mut txn, place(at), &insert);
        }
    }
    // Not so in a root that is no text but holds some.
    if text.get_string(&txn) != wanted { Reply::NotText } else { Reply::Update(txn.encode_update_v1()) }
}

/// Before which units of a text something else stands, in order; once for each.
pub(super) fn embeds(text: &TextRef, txn: &impl ReadTxn) -> Vec<u32> {
    let mut places = Vec::new();
    let mut at = 0;
    for chunk in text.diff(txn, YChange::identity) {
        match chunk.insert {
            Out::Any(Any::String(said)) => at += u32::try_from(said.encode_utf16().count()).unwrap_or(u32::MAX),
            _ => places.push(at),
        }
    }
    places
}

/// One replacement in a text, in UTF-16 units of the text before any change.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) at: u32,
    pub(super) remove: u32,
    pub(super) insert: String,
}

/// The replacements between two texts, in order. Beyond a time or a number of them, one that spans all.
pub(super) fn changes(from: &str, to: &str) -> Vec<Change> {
    changes_until(from, to, Instant::now() + Duration::from_millis(limits::EDIT_DIFF_MILLIS), limits::EDIT_CHANGES)
}

/// The same until a moment, and at most so many: for several pairs of texts that share both.
pub(super) fn changes_until(from: &str, to: &str, deadline: Instant, most: usize) -> Vec<Change> {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let head = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let tail = from[head..].iter().rev().zip(to[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&from[head..from.len() - tail], &to[head..to.len() - tail]);
    if old.is_empty() && new.is_empty() {
        return Vec::new();
    }
    let base = units(&from[..head]);
    let whole = || vec![Change { at: base, remove: units(old), insert: new.iter().collect() }];
    let ops = capture_diff_slices_deadline(Algorithm::Myers, old, new, Some(deadline));
    let changed = ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })).count();
    if changed > most || Instant::now() >= deadline {
        return whole();
    }
    let mut at = base;
    let mut list = Vec::with_capacity(changed);
    for op in ops {
        let (removed, inserted) = (&old[op.old_range()], &new[op.new_range()]);
        if !matches!(op, DiffOp::Equal { .. }) {
            list.push(Change { at, remove: units(removed), insert: inserted.iter().collect() });
        }
        at += units(removed);
    }
    list
}

fn units(chars: &[char]) -> u32 {
    chars.iter().map(|c| if c.len_utf16() == 1 { 1 } else { 2 }).sum()
}
