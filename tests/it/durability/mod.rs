//! "Saved means saved", from outside: the real binary is killed, its database is killed, and its system calls are
//! watched. Nothing here looks into the server.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests panic, and take their seed from outside")]

mod cluster;
mod edits;
mod ledger;
mod order;
mod order_by_hand;
mod people;
mod postgres_killed;
mod server;
mod server_killed;
mod soak;
mod synced;
mod trace;
mod verdict;
mod wire;

use std::io::Write;

/// The seed of a random test: the one in `COTERIE_TEST_SEED`, to see a failure again, or a new one.
fn seed() -> u64 {
    let given = std::env::var("COTERIE_TEST_SEED").ok();
    let seed = given.map_or_else(rand::random, |seed| seed.parse().expect("COTERIE_TEST_SEED is a number"));
    eprintln!("COTERIE_TEST_SEED={seed}");
    seed
}

/// Prints a figure, also when the test passes.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
