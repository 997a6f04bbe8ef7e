//! People who mean harm, with every means a socket and an address give them.

pub mod strings;
mod victim;
