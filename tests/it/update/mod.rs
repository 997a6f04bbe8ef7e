//! Tests of `coterie::update`: by hand, against Yjs (in Node) and yrs as oracles, and by mutation.

mod against_yjs;
mod against_yrs;
mod bounds;
mod by_hand;
mod bytes;
mod honest;
mod json_texts;
mod mutation;
mod oracle;
mod splits;
mod written;
