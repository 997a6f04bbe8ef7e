//! Coterie: a self-hosted server on which people edit the same files at the same time.
//!
//! The modules, from the ground up; one may use only those above it in this list.

pub mod error;
pub mod ids;
pub mod limits;

pub mod db;

pub mod journal;

pub mod room;
