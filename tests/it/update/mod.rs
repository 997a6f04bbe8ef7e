//! Tests of `coterie::update`: by hand, against Yjs (in Node) and yrs as oracles, and by mutation.

mod by_hand;
mod bytes;
