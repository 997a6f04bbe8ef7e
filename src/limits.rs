//! Every limit of the server, each with its unit and its reason.

use std::time::Duration;

// --- the database ---

/// Connections to the database at most; more only queue inside it.
pub const DATABASE_CONNECTIONS: u32 = 16;
/// How long a request waits for a database connection before it fails with 503.
pub const DATABASE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a statement waits for a row lock (Postgres) or the write lock (SQLite); appends hold theirs for milliseconds.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

// --- documents ---

/// Encoded size of a document, in bytes; what the studio and a browser tab still handle well.
pub const DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// Length of a path in bytes; what the file systems of an export take.
pub const PATH_BYTES: usize = 255;
/// Documents in one project; a tree that people can still use.
pub const DOCUMENTS_PER_PROJECT: i64 = 2_000;

// --- HTTP ---

/// Body of a JSON request, in bytes; larger contents come as updates.
pub const JSON_BODY_BYTES: usize = 20 * 1024 * 1024;
/// Items of a page when the caller does not say.
pub const PAGE_ITEMS: i64 = 50;
/// Items of a page at most.
pub const PAGE_ITEMS_MAX: i64 = 200;
/// How long an HTTP request may take before it is answered with 503.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a login lasts without being used.
pub const LOGIN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a project token lives when the caller does not say.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);
/// How long a project token may live at most.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// Length of a person's or project's name, in characters.
pub const NAME_CHARS: usize = 80;
/// Length of a project's description, in characters.
pub const DESCRIPTION_CHARS: usize = 2_000;

// --- the server ---

/// How long a shutdown waits for rooms and sockets before the process ends anyway.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);
/// Connections the kernel queues before they are accepted; a herd that returns after a restart fits.
pub const LISTEN_BACKLOG: i32 = 4_096;
