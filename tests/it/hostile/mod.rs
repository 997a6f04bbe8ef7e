//! People who mean harm, with every means a socket and an address give them.

mod readers;
mod shuffled;
pub mod strings;
mod victim;
