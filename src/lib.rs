//! Coterie: a self-hosted server on which people edit the same files at the same time.
//!
//! The modules, from the ground up; one may use only those above it in this list.

// floor 0
pub mod update;

pub mod address;
pub mod error;
pub mod head;
pub mod ids;
pub mod limits;
pub mod policy;
pub mod public_url;
pub mod rate;
pub mod role;
pub mod text;
pub mod timestamp;

// floor 1
pub mod bodies;
pub mod config;
pub mod db;
pub mod door;
pub mod drain;
pub mod filter;
pub mod gate;
pub mod meters;
pub mod openapi;
pub mod page;
pub mod protocol;
pub mod report;
pub mod studio;
pub mod together;
pub mod turnstile;

// floor 2
pub mod extract;
pub mod github;
pub mod model;
pub mod replica;
pub mod telemetry;

// floor 3
pub mod audit;
pub mod feed;
pub mod journal;
pub mod once;
pub mod quota;
pub mod rights;

// floor 4
pub mod compaction;
pub mod doctor;
pub mod room;
pub mod session;
pub mod state;

// floor 5
pub mod auth;

// floor 6
pub mod access;

// floor 7
pub mod activity;
pub mod blob;
pub mod document;

// floor 8
pub mod archive;
pub mod chat;
pub mod proposal;

// floor 9
pub mod project;

// floor 10
pub mod admin;
pub mod assistant;
pub mod operation;
pub mod socket;

// floor 11
pub mod accept;
pub mod router;
pub mod terminal;

// floor 12
pub mod server;
