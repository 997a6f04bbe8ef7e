//! Hunks that are applied where they still fit, and what was applied taken back.

use std::time::{Duration, Instant};

use yrs::{Assoc, Doc, GetString, ReadTxn, Text, Transact};

use super::{Anchor, Fitted, Gone, Held, id_at, offset_of};
use crate::limits;
use crate::replica::verbs::{Change, changes_until, embeds};
use crate::replica::wire::Reply;
use crate::replica::worker::{integrate, new_doc};
use crate::update::{Id, Kind, scan};

/// Whether hunks fit what a root says.
pub(in crate::replica) fn fit(doc: &Doc, root: &str, hunks: &[Held]) -> Reply {
    let text = doc.get_or_insert_text(root);
    let txn = doc.transact();
    if !embeds(&text, &txn).is_empty() {
        return Reply::NotText;
    }
    let live: Vec<u16> = text.get_string(&txn).encode_utf16().collect();
    let found = places(&txn, &live, hunks);
    Reply::Fitted(Fitted { lines: lines(&live, hunks, &found), ..Fitted::default() })
}

/// Applies the hunks that fit what a root says, on a copy under a client of its own.
pub(in crate::replica) fn apply(bytes: &[u8], root: &str, hunks: &[Held]) -> Reply {
    let doc = new_doc();
    if let Err(said) = integrate(&doc, bytes) {
        return Reply::Unreadable(said);
    }
    let text = doc.get_or_insert_text(root);
    let mut txn = doc.transact_mut();
    if !embeds(&text, &txn).is_empty() {
        return Reply::NotText;
    }
    let live: Vec<u16> = text.get_string(&txn).encode_utf16().collect();
    let found = places(&txn, &live, hunks);
    let mut edits: Vec<Change> = Vec::new();
    let deadline = Instant::now() + Duration::from_millis(limits::EDIT_DIFF_MILLIS);
    for (hunk, place) in hunks.iter().zip(&found) {
        let Some(place) = place else { continue };
        let most = limits::EDIT_CHANGES.saturating_sub(edits.len());
        let inside = changes_until(&hunk.before, &hunk.after, deadline, most).into_iter();
        edits.extend(inside.map(|change| Change { at: change.at + place, ..change }));
    }
    edits.sort_by_key(|edit| edit.at);
    let mut gone = Vec::new();
    for edit in edits.iter().filter(|edit| edit.remove > 0) {
        let (from, to) = (edit.at as usize, (edit.at + edit.remove) as usize);
        let (Some(at), Some(said)) = (id_at(&text, &txn, edit.at), live.get(from..to)) else {
            return Reply::Unreadable("a unit of its text has no id".to_owned());
        };
        gone.push(Gone { at, text: String::from_utf16_lossy(said) });
    }
    for edit in edits.iter().rev() {
        if edit.remove > 0 {
            text.remove_range(&mut txn, edit.at, edit.remove);
        }
        if !edit.insert.is_empty() {
            text.insert(&mut txn, edit.at, &edit.insert);
        }
    }
    let lines = lines(&live, hunks, &found);
    Reply::Fitted(Fitted { lines, update: txn.encode_update_v1(), client: doc.client_id().get(), gone })
}

/// For each hunk where its `before` stands now, in units; `None` where it does not.
fn places(txn: &impl ReadTxn, live: &[u16], hunks: &[Held]) -> Vec<Option<u32>> {
    let mut taken: Vec<(usize, usize)> = Vec::new();
    let mut place = |hunk: &Held| {
        let Anchor { start, end, lead, trail } = &hunk.anchor;
        let from = start.map_or(Some(0), |id| offset_of(txn, id, Assoc::After))? as usize;
        let to = match end {
            Some(id) => offset_of(txn, *id, Assoc::Before)? as usize,
            None => live.len(),
        };
        let stands = lead.encode_utf16().chain(hunk.before.encode_utf16()).chain(trail.encode_utf16());
        let said = live.get(from..to)?;
        if !stands.eq(said.iter().copied()) {
            return None;
        }
        let (from, to) = (from + lead.encode_utf16().count(), to - trail.encode_utf16().count());
        // Made apart, so never in each other's way; whoever hands in others is not believed.
        if taken.iter().any(|&(first, last)| from < last && first < to || (from, to) == (first, last)) {
            return None;
        }
        taken.push((from, to));
        u32::try_from(from).ok()
    };
    hunks.iter().map(&mut place).collect()
}

/// The lines of places, counted from 1, in one pass over the text.
fn lines(live: &[u16], hunks: &[Held], found: &[Option<u32>]) -> Vec<Option<usize>> {
    debug_assert_eq!(hunks.len(), found.len());
    let mut places: Vec<(usize, usize)> =
        found.iter().enumerate().filter_map(|(hunk, place)| place.map(|at| (at as usize, hunk))).collect();
    places.sort_unstable();
    let mut lines = vec![None; found.len()];
    let (mut line, mut passed) = (1, 0);
    for (at, hunk) in places {
        line += live[passed..at].iter().filter(|unit| **unit == u16::from(b'\n')).count();
        passed = at;
        lines[hunk] = Some(line);
    }
    lines
}

/// The edit that takes back what clients wrote, as far as it is still there, and puts back what they removed where it was.
/// What others wrote since stays.
pub(in crate::replica) fn revert(bytes: &[u8], root: &str, clients: &[u64], gone: &[Gone]) -> Reply {
    let doc = new_doc();
    if let Err(said) = integrate(&doc, bytes) {
        return Reply::Unreadable(said);
    }
    let text = doc.get_or_insert_text(root);
    let mut txn = doc.transact_mut();
    // Where something is to be done: what to remove there, and what to put there.
    let mut edits: Vec<(u32, u32, &str)> = Vec::new();
    let Ok(scan) = scan(bytes) else { return Reply::Unreadable("its state is no update".to_owned()) };
    for section in scan.sections.iter().filter(|section| clients.contains(&section.client.0)) {
        for one in scan.structs_of(section) {
            let id = Id { client: section.client, clock: one.clock };
            if one.kind == Kind::String
                && !scan.deletions.contains(id)
                && let Some(at) = offset_of(&txn, (id.client.0, id.clock), Assoc::After)
            {
                edits.push((at, one.len, ""));
            }
        }
    }
    for Gone { at, text } in gone {
        if let Some(at) = offset_of(&txn, *at, Assoc::After) {
            edits.push((at, 0, text));
        }
    }
    // From the end, so that what is to come stays where it is; at one place what is removed goes first.
    edits.sort_by_key(|&(at, remove, _)| (at, remove));
    for (at, remove, said) in edits.into_iter().rev() {
        if remove > 0 {
            text.remove_range(&mut txn, at, remove);
        } else {
            text.insert(&mut txn, at, said);
        }
    }
    Reply::Update(txn.encode_update_v1())
}
