//! What a room must know of a state it holds as bytes, read in one pass that keeps no structs.

use super::id_set::insert_range;
use super::item::Kind;
use super::walk::Walk;
use super::{IdSet, Malformed, StateVector};

/// A well-formed update in short.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// For each client the end of what is there from clock 0 without a gap. A client whose first struct is above 0
    /// is not in it.
    pub state_vector: StateVector,
    /// Whether all structs lie below `state_vector`: nothing begins above 0 and nothing was skipped.
    pub whole: bool,
    /// The ids that are deleted: by the delete set, as garbage, or as deleted content.
    pub deleted: IdSet,
    /// The ids of format marks.
    pub formats: IdSet,
    /// How many structs there are, without `Skip`s.
    pub structs: usize,
}

/// Reads a whole update, checks all of it as [`scan`](fn@super::scan) does, and sums it up.
///
/// # Errors
/// As [`scan`](fn@super::scan).
pub fn summary(bytes: &[u8]) -> Result<Summary, Malformed> {
    let mut walk = Walk::new(bytes)?;
    let mut all = Summary { whole: true, ..Summary::default() };
    while let Some(head) = walk.section()? {
        let (mut known, mut deleted, mut formats) = (0, Vec::new(), Vec::new());
        while let Some(one) = walk.next()? {
            match one.kind {
                Kind::Skip => continue,
                Kind::Gc | Kind::Deleted => insert_range(&mut deleted, one.clock..one.end()),
                Kind::Format => insert_range(&mut formats, one.clock..one.end()),
                _ => {}
            }
            all.structs += 1;
            if one.clock == known {
                known = one.end();
            } else {
                all.whole = false;
            }
        }
        // Beyond a gap `known` stays, since the clocks of a section only rise.
        all.state_vector.set(head.client, known);
        all.deleted.put(head.client, deleted);
        all.formats.put(head.client, formats);
    }
    all.deleted.union(&walk.deletions()?);
    Ok(all)
}
