//! Tests of `coterie::update`: by hand, against Yjs (in Node) and yrs as oracles, and by mutation.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests panic, and print their seeds and counts")]

mod against_yjs;
mod against_yrs;
mod bounds;
mod by_hand;
mod bytes;
mod honest;
mod json_texts;
mod mutation;
pub(crate) mod oracle;
mod splits;
mod written;

pub(crate) use bytes::{Random, hex, number};
pub(crate) use mutation::mutated;
