//! The way from one text to another, cut into hunks that are held by what a document has.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffOp, capture_diff_slices_deadline};
use yrs::{Doc, GetString, ReadTxn, TextRef, Transact};

use super::{Anchor, Hunk, Replacement, Wanted, id_at, units};
use crate::limits;
use crate::replica::verbs::{Change, changes, embeds};
use crate::replica::wire::Reply;

/// Equal lines between two changes that still make one hunk of them; nobody would decide on them apart.
const JOINED_LINES: usize = 1;

/// The hunks that make a root's text what is wanted.
pub(in crate::replica) fn propose(doc: &Doc, root: &str, wanted: &Wanted) -> Reply {
    let text = doc.get_or_insert_text(root);
    let txn = doc.transact();
    if !embeds(&text, &txn).is_empty() {
        return Reply::NotText;
    }
    let live = text.get_string(&txn);
    let deadline = Instant::now() + Duration::from_millis(limits::EDIT_DIFF_MILLIS);
    let (base, parts) = match wanted {
        Wanted::Text { base, text } => {
            let base = base.as_ref().filter(|base| **base != live);
            (base, parts(base.unwrap_or(&live), text, deadline))
        }
        Wanted::Edits(edits) => match places(&live, edits) {
            Ok(places) => (None, parts_of(&live, &places, deadline)),
            Err(said) => return Reply::Wrong(said),
        },
    };
    let from = base.unwrap_or(&live);
    if parts.len() > limits::PROPOSAL_HUNKS {
        return Reply::Wrong(format!("a proposal has at most {} hunks; this text has more", limits::PROPOSAL_HUNKS));
    }
    let since = base.map(|base| changes(base, &live)).unwrap_or_default();
    let mut above = Above { text: from, byte: 0, units: 0 };
    let hunks = parts.into_iter().map(|part| hunk(&text, &txn, &mut above, &since, &part));
    Reply::Hunks(hunks.collect())
}

/// A place of a text, in bytes, and what it becomes.
pub(super) type Place<'e> = (usize, usize, &'e str);

/// Where replacements are made, in order, or why they cannot be.
pub(super) fn places<'e>(live: &str, edits: &'e [Replacement]) -> Result<Vec<Place<'e>>, String> {
    let ends = edits.iter().flat_map(|edit| match edit {
        Replacement::Range { from, to, .. } => vec![*from, *to],
        Replacement::Found { .. } => Vec::new(),
    });
    let bytes = bytes_of(live, ends.collect());
    let mut places: Vec<Place<'e>> = Vec::with_capacity(edits.len());
    for (number, edit) in (1..).zip(edits) {
        places.push(match edit {
            Replacement::Found { find, replace } => {
                let mut found = live.match_indices(find.as_str()).map(|(at, _)| at);
                match (find.is_empty(), found.next(), found.next()) {
                    (false, Some(at), None) => (at, at + find.len(), replace),
                    (_, None, _) => return Err(format!("what edit {number} looks for is not in the text")),
                    (true, ..) => return Err(format!("edit {number} looks for nothing")),
                    (false, Some(_), Some(_)) => {
                        return Err(format!(
                            "what edit {number} looks for is there more than once; take in more of it"
                        ));
                    }
                }
            }
            Replacement::Range { from, to, replace } => {
                let ends = bytes.get(from).zip(bytes.get(to)).filter(|(from, to)| from <= to);
                let Some((&from, &to)) = ends else {
                    return Err(format!("the range of edit {number} is none of the text"));
                };
                (from, to, replace)
            }
        });
    }
    places.sort_by_key(|&(from, to, _)| (from, to));
    if places.windows(2).any(|pair| pair[1].0 < pair[0].1) {
        return Err("two edits change the same part of the text".to_owned());
    }
    Ok(places)
}

/// The bytes at which UTF-16 units begin, in one pass; none within a character, and none beyond the end.
fn bytes_of(text: &str, mut units: Vec<u32>) -> HashMap<u32, usize> {
    units.sort_unstable();
    units.dedup();
    let mut bytes = HashMap::with_capacity(units.len());
    let mut wanted = units.into_iter().peekable();
    let mut passed = 0;
    for (at, c) in text.char_indices().chain([(text.len(), '\0')]) {
        while wanted.next_if(|unit| *unit < passed).is_some() {}
        if wanted.next_if_eq(&passed).is_some() {
            bytes.insert(passed, at);
        }
        passed += if c.len_utf16() == 1 { 1 } else { 2 };
    }
    bytes
}

/// The UTF-16 units above bytes of a text that are asked for in order, so that each is counted once.
struct Above<'t> {
    text: &'t str,
    byte: usize,
    units: u32,
}

impl Above<'_> {
    fn of(&mut self, byte: usize) -> u32 {
        self.units += units(&self.text[self.byte..byte]);
        self.byte = byte;
        self.units
    }
}

/// Neighbouring lines that change: bytes of the text before.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    from: usize,
    to: usize,
    line: usize,
    after: String,
}

/// The lines that places change. Only their own lines are compared with what these become, however large the text is.
fn parts_of(live: &str, places: &[Place<'_>], deadline: Instant) -> Vec<Part> {
    let line_at = |byte: usize| live[..byte].rfind('\n').map_or(0, |at| at + 1);
    let line_after = |byte: usize| live[byte..].find('\n').map_or(live.len(), |at| byte + at + 1);
    // Whole lines, with the places in them: those that stand closer than hunks may be taken together.
    let mut groups: Vec<(usize, usize, &[Place<'_>])> = Vec::new();
    let mut first = 0;
    for (number, &(from, to, _)) in places.iter().enumerate() {
        let (begins, ends) = (line_at(from), line_after(to));
        let close = |end: usize| begins <= (0..JOINED_LINES).fold(end, |at, _| line_after(at));
        match groups.last_mut() {
            Some((_, end, within)) if close(*end) => (*end, *within) = (ends.max(*end), &places[first..=number]),
            _ => {
                first = number;
                groups.push((begins, ends, &places[first..=number]));
            }
        }
    }
    let (mut line, mut counted) = (1, 0);
    let mut found = Vec::new();
    for (begins, ends, within) in groups {
        line += live[counted..begins].matches('\n').count();
        counted = begins;
        let (mut after, mut at) = (String::new(), begins);
        for &(from, to, replace) in within {
            after.push_str(&live[at..from]);
            after.push_str(replace);
            at = to;
        }
        after.push_str(&live[at..ends]);
        let parts = parts(&live[begins..ends], &after, deadline).into_iter();
        found.extend(parts.map(|part| Part {
            from: begins + part.from,
            to: begins + part.to,
            line: line + part.line - 1,
            after: part.after,
        }));
    }
    found
}

/// Where two texts differ, line by line.
fn parts(from: &str, to: &str, deadline: Instant) -> Vec<Part> {
    let old: Vec<&str> = from.split_inclusive('\n').collect();
    let new: Vec<&str> = to.split_inclusive('\n').collect();
    let ops = capture_diff_slices_deadline(Algorithm::Myers, &old, &new, Some(deadline));
    // Lines of either text, from and up to.
    let mut joined: Vec<[usize; 4]> = Vec::new();
    for op in ops.iter().filter(|op| !matches!(op, DiffOp::Equal { .. })) {
        let (was, is) = (op.old_range(), op.new_range());
        match joined.last_mut() {
            Some(last) if was.start - last[1] <= JOINED_LINES => (last[1], last[3]) = (was.end, is.end),
            _ => joined.push([was.start, was.end, is.start, is.end]),
        }
    }
    let mut begins = Vec::with_capacity(old.len() + 1);
    let mut at = 0;
    for line in &old {
        begins.push(at);
        at += line.len();
    }
    begins.push(at);
    let part = |[first, end, from, to]: [usize; 4]| Part {
        from: begins[first],
        to: begins[end],
        line: first + 1,
        after: new[from..to].concat(),
    };
    joined.into_iter().map(part).collect()
}

/// A part as a hunk of the live text, into which its own became by `since`.
fn hunk(text: &TextRef, txn: &impl ReadTxn, from: &mut Above<'_>, since: &[Change], part: &Part) -> Hunk {
    let whole = from.text;
    let (above, before, below) = (&whole[..part.from], &whole[part.from..part.to], &whole[part.to..]);
    let (begins, length) = (from.of(part.from), units(before));
    let is_insertion = before.is_empty();
    let neighbour = |c: Option<char>| c.filter(|_| is_insertion).map(String::from).unwrap_or_default();
    let (lead, trail) = (neighbour(above.chars().next_back()), neighbour(below.chars().next()));
    let first = begins - units(&lead);
    let last = begins + length + units(&trail);
    let (at_start, at_end) = (is_insertion && lead.is_empty(), is_insertion && trail.is_empty());
    let anchor = moved(since, first, last, at_start, at_end).and_then(|first| {
        let last = first + (units(&lead) + length + units(&trail));
        let start = if at_start { None } else { Some(id_at(text, txn, first)?) };
        let end = if at_end { None } else { Some(id_at(text, txn, last.checked_sub(1)?)?) };
        Some(Anchor { start, end, lead, trail })
    });
    Hunk { line: part.line, anchor, before: before.to_owned(), after: part.after.clone() }
}

/// Where a range went by changes that leave it as it is; `None` when one of them does not.
fn moved(since: &[Change], first: u32, last: u32, at_start: bool, at_end: bool) -> Option<u32> {
    let mut at = i64::from(first);
    for change in since {
        let end = change.at + change.remove;
        let before = end <= first && !(at_start && end == first);
        if before {
            at += i64::from(units(&change.insert)) - i64::from(change.remove);
        } else if change.at < last || (change.at == last && at_end) || (at_start && end == first) {
            return None;
        }
    }
    u32::try_from(at).ok()
}
