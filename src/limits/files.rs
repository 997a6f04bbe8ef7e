//! The limits of archives, of files of bytes, and of requests that are carried out once.

use std::time::Duration;

// --- archives ---

/// A zip archive that comes in, in bytes; it is held in memory.
pub const ARCHIVE_BYTES: usize = 64 * 1024 * 1024;
/// What it may unpack to, in bytes; that is held in memory too.
pub const ARCHIVE_UNPACKED: u64 = 200 * 1024 * 1024;
/// Files of an archive, those that are left out among them.
pub const ARCHIVE_FILES: usize = 10_000;
/// How long unpacking may take.
pub const ARCHIVE_TIME: Duration = Duration::from_secs(30);
/// How long sending an archive and taking it in may take together, on a slow line.
pub const ARCHIVE_REQUEST: Duration = Duration::from_secs(5 * 60);
/// Archives that are taken in at once; each may hold what it unpacks to.
pub const ARCHIVES: usize = 1;
/// After how many files it is told how far an import has come.
pub const ARCHIVE_TELLS: usize = 50;
/// Pieces of an archive that wait for a slow reader; a piece has some kilobytes.
pub const ARCHIVE_PIECES: usize = 16;
/// What goes into an archive between two looks whether anybody still reads it, in bytes: a millisecond of packing.
pub const ARCHIVE_PART: usize = 64 * 1024;

// --- requests that are carried out once ---

/// Length of an `Idempotency-Key`, in bytes; keys are UUIDs and the like.
pub const ONCE_KEY_BYTES: usize = 255;
/// For how long the answer to a request with a key is kept; a client that tries again later has given up before.
pub const ONCE_KEPT: Duration = Duration::from_secs(24 * 3600);

// --- files of bytes ---

/// One binary file or attachment, in bytes; the database holds it.
pub const BLOB_BYTES: usize = 10 * 1024 * 1024;
/// All binary files and attachments of a project, in bytes, where an operator allows it no other number.
pub const BLOBS_BYTES: i64 = 256 * 1024 * 1024;
/// Length of a file's name, in bytes.
pub const BLOB_NAME_BYTES: usize = 255;
