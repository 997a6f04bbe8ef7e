//! A document as its log holds it, as far as that can be read.
//!
//! Checksums say that bytes are what was stored. Whether they are updates that follow on each other is seen only here:
//! no gate let in what cannot be read, so it came past the server, or from a version with a fault.

use std::sync::Arc;

use super::committed::Committed;
use super::machine::Machine;
use super::tally::Tally;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::gate;
use crate::ids::DocumentId;
use crate::journal::{self, Damage, Loaded};
use crate::update::Malformed;

/// What is committed of a document, and what its gate has to know.
///
/// # Errors
/// [`Error::Damaged`] when the bytes are no updates, or do not follow on each other.
pub(crate) fn committed(document: DocumentId, loaded: Loaded) -> Result<(Committed, gate::State)> {
    Committed::new(loaded).map_err(|wrong| {
        Error::Damaged(format!("what is stored of document {document} is damaged: it cannot be read: {wrong}"))
    })
}

/// Whether all of a document can be read.
pub(super) async fn is_whole(db: &Db, document: DocumentId) -> bool {
    journal::load(db, document).await.is_ok_and(|loaded| Committed::new(loaded).is_ok())
}

/// The machine of a document's room with what can be read of it: all, or what stands before the damage that is named.
///
/// # Errors
/// As [`journal::load_intact`]; also when nothing can be read.
pub(super) async fn machine(db: &Db, document: DocumentId, tally: &Arc<Tally>) -> Result<(Machine, Option<Damage>)> {
    let (mut loaded, mut damage) = journal::load_intact(db, document, i64::MAX).await?;
    loop {
        let wrong = match Machine::new(document, loaded.clone(), tally.clone()) {
            Ok(machine) => return Ok((machine, damage)),
            Err(wrong) => wrong,
        };
        let found = first_unreadable(&loaded, &wrong);
        let before = match &loaded.snapshot {
            Some((row, _)) if *row == found.row => journal::load_intact(db, document, found.row).await?.0,
            snapshot => {
                let rows = found.row - 1 - snapshot.as_ref().map_or(0, |(row, _)| *row);
                cut(&loaded, usize::try_from(rows).unwrap_or(0))
            }
        };
        if before.snapshot.is_none() && before.rows.is_empty() {
            return Err(Error::Damaged(format!("what is stored of document {document} is damaged: {}", found.what)));
        }
        (loaded, damage) = (before, Some(found));
    }
}

/// Where reading fails: at the snapshot, or at the first row that does not follow on what stands before it.
fn first_unreadable(loaded: &Loaded, wrong: &Malformed) -> Damage {
    let counts: Vec<usize> = (0..=loaded.rows.len()).collect();
    let readable = counts.partition_point(|&rows| Committed::new(cut(loaded, rows)).is_ok());
    let folded = loaded.snapshot.as_ref().map_or(0, |(row, _)| *row);
    let row = folded + i64::try_from(readable).unwrap_or(i64::MAX);
    let name = if readable == 0 { "the snapshot at row" } else { "row" };
    Damage { row, what: format!("{name} {row} cannot be read: {wrong}") }
}

/// The snapshot and the first rows after it.
fn cut(loaded: &Loaded, rows: usize) -> Loaded {
    let mut cut = Loaded { rows: loaded.rows[..rows].to_vec(), ..loaded.clone() };
    cut.head.seq -= i64::try_from(loaded.rows.len() - rows).unwrap_or(i64::MAX);
    cut
}
