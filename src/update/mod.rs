//! Yjs v1 update bytes, read and written by ourselves: scanned, cut, merged, compared and summed up.
//!
//! Every function is iterative, allocates in proportion to the bytes it is given and never by a count they claim,
//! and answers [`Malformed`] where Yjs would throw or two readers would disagree. Nothing here integrates: what an
//! update *means* (which characters a document holds) is not known on this floor. Yjs and yrs are the oracles of
//! the tests and no part of it.

mod alike;
mod any;
mod id;
mod id_set;
mod implied;
mod item;
mod json;
mod malformed;
mod merge;
mod reader;
mod scan;
mod seed;
mod state_vector;
mod summary;
mod take;
mod walk;
mod writer;

pub use alike::says_the_same;
pub use id::{ClientId, Id};
pub use id_set::IdSet;
pub use implied::implied_deletions;
pub use item::{Kind, Struct};
pub use malformed::Malformed;
pub use merge::{diff, merge};
pub(crate) use reader::Reader;
pub use reader::{MAX_CLOCK, MAX_NAME_BYTES, MAX_NESTING};
pub use scan::{MAX_STRUCTS, Scan, Section, scan};
pub use seed::seed;
pub use state_vector::{MAX_STATE_VECTOR_CLIENTS, StateVector};
pub use summary::{Summary, summary};
pub use take::take;
pub(crate) use writer::{put_number, put_string};

/// The update that holds nothing: no struct and no deletion.
pub const EMPTY: &[u8] = &[0, 0];

/// Whether `bytes` is [`EMPTY`], the form in which every writer (ours, Yjs, yrs) says "nothing".
pub fn is_empty_update(bytes: &[u8]) -> bool {
    bytes == EMPTY
}
