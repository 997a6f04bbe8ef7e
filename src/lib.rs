//! Coterie: a self-hosted server on which people edit the same files at the same time.
//!
//! The modules, from the ground up; one may use only those above it in this list.

// floor 0
pub mod update;

pub mod error;
pub mod ids;
pub mod limits;

// floor 1
pub mod db;
pub mod gate;
pub mod protocol;

// floor 3
pub mod journal;

// floor 4
pub mod room;
