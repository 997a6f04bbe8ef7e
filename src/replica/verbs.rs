//! What a worker does with an integrated document.

use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};
use yrs::types::ToJson;
use yrs::{Doc, GetString, Out, ReadTxn, Text, Transact};

use super::wire::{Hit, Reply};
use super::worker::{integrate, new_doc};
use crate::limits;

/// The text of a root; one that does not exist is empty.
pub(super) fn text(doc: &Doc, root: &str) -> Reply {
    Reply::Text(text_of(doc, root))
}

fn text_of(doc: &Doc, root: &str) -> String {
    let text = doc.get_or_insert_text(root);
    let txn = doc.transact();
    text.get_string(&txn)
}

/// The lines of a root's text that hold a needle.
pub(super) fn search(doc: &Doc, root: &str, needle: &str, case: bool, limit: usize) -> Reply {
    let text = text_of(doc, root);
    let fold = |text: &str| if case { text.to_owned() } else { text.to_lowercase() };
    let needle = fold(needle);
    let mut hits = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        if hits.len() == limit {
            break;
        }
        let folded = fold(line);
        if let Some(at) = folded.find(&needle) {
            let column = folded[..at].encode_utf16().count();
            hits.push(Hit { line: index + 1, column, text: around(line, column) });
        }
    }
    Reply::Found(hits)
}

/// A line as it is shown: whole, or the part around a column.
fn around(line: &str, column: usize) -> String {
    let before = column.saturating_sub(limits::SEARCH_LINE_CHARS / 2);
    line.chars()
        .skip(if line.chars().count() > limits::SEARCH_LINE_CHARS { before } else { 0 })
        .take(limits::SEARCH_LINE_CHARS)
        .collect()
}

/// The smallest edit that makes a root's text another: made on a copy under a client id of its own, so that the kept
/// document holds nothing that the log does not.
pub(super) fn edit(state: &[u8], root: &str, wanted: &str) -> Reply {
    let doc = new_doc();
    if let Err(said) = integrate(&doc, state) {
        return Reply::Unreadable(said);
    }
    let current = text_of(&doc, root);
    let text = doc.get_or_insert_text(root);
    let mut txn = doc.transact_mut();
    for change in changes(&current, wanted).into_iter().rev() {
        if change.remove > 0 {
            text.remove_range(&mut txn, change.at, change.remove);
        }
        if !change.insert.is_empty() {
            text.insert(&mut txn, change.at, &change.insert);
        }
    }
    Reply::Update(txn.encode_update_v1())
}

/// One replacement in a text, in UTF-16 units of the text before any change.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    at: u32,
    remove: u32,
    insert: String,
}

/// The replacements between two texts, in order. Beyond a time or a number of them, one that spans all.
fn changes(from: &str, to: &str) -> Vec<Change> {
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
    let deadline = Instant::now() + Duration::from_millis(limits::EDIT_DIFF_MILLIS);
    let ops = capture_diff_slices_deadline(Algorithm::Myers, old, new, Some(deadline));
    let changed = ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })).count();
    if changed > limits::EDIT_CHANGES || Instant::now() >= deadline {
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

/// The content of a root as JSON; `null` for one that does not exist.
pub(super) fn json(doc: &Doc, root: &str) -> Reply {
    let txn = doc.transact();
    let value = txn.root_refs().find(|(name, _)| *name == root).map(|(_, value)| value.to_json(&txn));
    let mut json = String::new();
    match value {
        Some(value) => value.to_json(&mut json),
        None => json.push_str("null"),
    }
    Reply::Text(json)
}

/// What a root says, as one text. A root that holds nothing says nothing, whatever type it was opened as.
fn said(value: &Out, txn: &impl ReadTxn) -> String {
    let mut json = String::new();
    value.to_json(txn).to_json(&mut json);
    match json.as_str() {
        "\"\"" | "[]" | "{}" | "null" => String::new(),
        _ => json,
    }
}

/// A digest of what every root says: as JSON.
pub(super) fn digest(doc: &Doc) -> Reply {
    let txn = doc.transact();
    let mut roots: Vec<(String, String)> =
        txn.root_refs().map(|(name, value)| (name.to_owned(), said(&value, &txn))).collect();
    roots.sort();
    let mut digest = Sha256::new();
    for (name, said) in roots.iter().filter(|(_, said)| !said.is_empty()) {
        for part in [name, said] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
    }
    Reply::Text(format!("{:x}", digest.finalize()))
}
