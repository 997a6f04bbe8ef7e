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

/// Groups edits into rows, one for each author where causality allows it: an edit that builds on another client's
/// uncommitted one must not move in front of it, nor one that goes on where another author (a guest who signed in) left
/// off.
pub(super) fn plan_rows(edits: &[Edit]) -> Vec<PlannedRow> {
    let mut rows: Vec<PlannedRow> = Vec::new();
    let mut last_of: HashMap<UserId, usize> = HashMap::new();
    let mut row_of: HashMap<ClientId, usize> = HashMap::new();
    for edit in edits {
        let author = edit.participant.user;
        let clients = || edit.admitted.clocks.iter().map(|&(client, _)| client);
        let begun = clients().filter_map(|client| row_of.get(&client).copied()).max();
        let mut at = last_of.get(&author).copied().filter(|&at| begun.is_none_or(|begun| begun <= at));
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
        row_of.extend(clients().map(|client| (client, at)));
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
