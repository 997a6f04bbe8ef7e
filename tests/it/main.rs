//! The tests on the real server, one module for each behaviour, and those of its pure parts.
//!
//! `tests/with-postgres cargo test` runs them; those on the server run on SQLite and on Postgres.

#![allow(unreachable_pub, reason = "nothing outside reaches into a test")]
#![allow(clippy::print_stdout, reason = "seeds and figures are printed")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod engines;
mod events;
mod hold;
mod opening;
mod peer;
mod program;
mod proxy;
mod server;
mod stored;

mod admin;
mod archive;
mod assistant;
mod bad_input;
mod blobs;
mod cancelled;
mod changes;
mod chat;
mod conformance;
mod creation;
mod description;
mod durability;
mod entrance;
mod epoch;
mod failed_load;
mod feed;
mod filters;
mod folding;
mod gate;
mod herd;
mod hostile;
mod idle;
mod keys;
mod logs;
mod machine;
mod matrix;
mod meetings;
mod memory;
mod model;
mod names;
mod once;
mod operation;
mod other_sites;
mod outage;
mod ownership;
mod people;
mod presence;
mod proposal;
mod quotas;
mod rates;
mod refused_rows;
mod reports;
mod rights;
mod saved;
mod secrets;
mod shutdown;
mod sign_in;
mod slow_reader;
mod snapshot;
mod sockets_of_one;
mod stalled;
mod startup;
mod strangers;
mod sync;
mod taken_away;
mod templates;
mod terminal;
mod text;
mod tidy;
mod two_servers;
mod unread;
mod unsettled;
mod update;
mod updates_by_http;
mod workers;
