//! How edits that are committed together become rows.

use std::collections::HashMap;

use bytes::Bytes;

use super::Edit;
use crate::ids::{ConnectionId, UserId};
use crate::update::{ClientId, merge};

/// Edits of one author that become one row, and one frame.
#[derive(Debug)]
pub(super) struct PlannedRow {
    pub(super) author: UserId,
    pub(super) from: Option<ConnectionId>,
    updates: Vec<Bytes>,
    pub(super) update: Bytes,
    pub(super) clocks: Vec<(ClientId, u32)>,
}

/// Groups edits into rows, one for each author where causality allows it: an edit that builds on another author's
/// uncommitted one must not move in front of it.
pub(super) fn plan_rows(edits: &[Edit]) -> Vec<PlannedRow> {
    let mut rows: Vec<PlannedRow> = Vec::new();
    let mut last_of: HashMap<UserId, usize> = HashMap::new();
    for edit in edits {
        let author = edit.participant.user;
        let mut at = last_of.get(&author).copied();
        if edit.admitted.leans {
            at = at.filter(|&at| at + 1 == rows.len());
        }
        let at = at.unwrap_or_else(|| {
            rows.push(PlannedRow {
                author,
                from: Some(edit.connection),
                updates: Vec::new(),
                update: Bytes::new(),
                clocks: Vec::new(),
            });
            rows.len() - 1
        });
        last_of.insert(author, at);
        let row = &mut rows[at];
        row.from = row.from.filter(|&from| from == edit.connection);
        row.updates.push(edit.admitted.update.clone());
        row.clocks.extend(&edit.admitted.clocks);
    }
    for row in &mut rows {
        row.update = match &row.updates[..] {
            [only] => only.clone(),
            several => merge(several).expect("admitted updates are well-formed").into(),
        };
    }
    rows
}
