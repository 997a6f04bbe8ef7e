//! What the targets share: updates made up from bytes, and a count of what became of them.
//!
//! Bytes that are only mutated rarely get past the first check, and prove nothing about what lies behind it. So most
//! targets read their input as a plan: which struct comes next, beside which id, by whom. Some of it is then damaged.

pub mod plan;
pub mod tally;
pub mod updates;

pub use plan::Plan;
pub use updates::History;
