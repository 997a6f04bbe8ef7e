//! The limits of sockets.

use std::time::Duration;

use super::{DOCUMENT_BYTES, INBOUND_BYTES, LARGE_BODIES_BYTES, SMALL_BODIES_BYTES};

/// One inbound frame, in bytes: an update of the largest document, and its envelope.
pub const FRAME_BYTES: usize = DOCUMENT_BYTES + 64 * 1024;
/// What somebody who was not let in may send before being let in, in bytes; providers send a token, a state vector and
/// presence.
pub const UNADMITTED_BYTES: usize = 64 * 1024;
/// What a queued message costs beside its body, in bytes; so that a flood of empty ones is bounded too.
pub const MESSAGE_OVERHEAD: usize = 64;
/// What a frame takes beside what it carries, in bytes: its own head and that of its dialect.
pub const FRAME_ENVELOPE: usize = 1024;
/// A frame of which so many bytes have come is a large one, and needs a place among them.
pub const LARGE_FRAME: usize = 64 * 1024;
/// Large frames that come in at once in the whole process; each may become as large as a document.
pub const LARGE_FRAMES: usize = 8;
/// How long a frame may take from its first byte to its last: the largest at 2 Mbit/s.
pub const FRAME_TIME: Duration = Duration::from_secs(70);
/// Edits that were read from sockets and are not settled, in bytes, of one document: the largest alone.
pub const UNSETTLED_BYTES: usize = FRAME_BYTES;
/// The same of all documents. With the large frames and the bodies that come in, [`INBOUND_BYTES`].
pub const UNSETTLED_BYTES_OF_ALL: usize =
    INBOUND_BYTES - LARGE_FRAMES * DOCUMENT_BYTES - SMALL_BODIES_BYTES - LARGE_BODIES_BYTES;
/// Joins under way at once: what sixteen connections to the database serve, and some that wait for their room.
pub const JOINS_AT_ONCE: usize = 64;
/// How long those who ask the same wait after an answer was found before the next is looked up, as a multiple of how long
/// that took: a crowd asks a fifth of the time. They hold their turns to join
/// meanwhile: 64 of them keep others waiting for as long.
pub const LOOK_UP_REST: u32 = 4;
/// And no longer than that; a person does not notice it.
pub const LOOK_UP_REST_LONGEST: Duration = Duration::from_millis(20);
/// How long a join may take, the wait for its turn included, before the client is told to come back.
pub const JOIN_TIME: Duration = Duration::from_secs(15);
/// How long a socket that joins its only document is not read meanwhile, so that who has gone is noticed only then.
pub const JOIN_UNREAD: Duration = Duration::from_secs(2);
/// What is sent is copied up to this, in bytes: one more piece for the system costs about as much.
pub const COPIED_BYTES: usize = 1024;
/// Bytes read after a close was sent, so that it arrives before the end of the connection.
pub const GOODBYE_BYTES: u64 = 4 * 1024 * 1024;
/// Buffer that a socket reads into, in bytes: some ten keystrokes. Each open socket has one, and the library clears it
/// at every read, so a large one costs more than it saves.
pub const SOCKET_READ_BUFFER: usize = 512;
/// Bytes of pings, their answers and closes that a socket holds at most; each has some hundred.
pub const SOCKET_WRITE_BUFFER: usize = 1024;
/// How long the system may take nothing of what is written; a peer that reads nothing for so long is dropped, and comes back when it can.
pub const SOCKET_WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a peer may keep a connection waiting, in all, until it is looked at what it took meanwhile.
pub const SOCKET_WRITE_WINDOW: Duration = Duration::from_secs(60);
/// What it is to have taken by then, in bytes: 4 KiB a second, a tenth of what the slowest mobile networks carry. Who takes
/// less keeps the place of an answer from others.
pub const SOCKET_WRITE_LEAST: usize = 60 * 4 * 1024;
/// How long a socket is not read at most because of edits that it brought: presence behind them is no later than that.
pub const READ_PAUSE: Duration = Duration::from_millis(50);
/// How many times as long as its last edits took to be committed a socket that brought several is not read after them.
pub const READ_REST: u32 = 3;
/// How long a socket is not read at most after its last edits were committed: with a commit at full load less than the
/// 50 ms in which an edit should be seen.
pub const READ_REST_LONGEST: Duration = Duration::from_millis(15);
/// Frames of one socket taken in before its answers are written.
pub const FRAMES_AT_ONCE: usize = 32;
/// Documents on one socket.
pub const DOCUMENTS_PER_SOCKET: usize = 256;
/// After so much silence of ours, data is sent: stable clients reconnect when they hear nothing for 30 s.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After so much silence of theirs, pings unanswered, a peer is gone.
pub const SOCKET_SILENCE: Duration = Duration::from_secs(60);
/// How long a socket that showed no credential may take to show one.
pub const ADMISSION_TIME: Duration = Duration::from_secs(10);
/// How long a socket of y-websocket lives at least, also one that is refused. Up to 2.x it forgets its growing pauses as
/// soon as a socket opens, and would try ten times a second.
pub const SOCKET_LIFE_MIN: Duration = Duration::from_secs(2);
/// How long the peer may take to answer a close.
pub const GOODBYE: Duration = Duration::from_secs(2);
/// Changes of rights that a socket may be behind before it looks at all it has open instead of at what they name.
pub const RIGHTS_CHANGES: usize = 64;
/// How often changes of rights that other processes made are looked for: what they take away is gone within a second.
pub const RIGHTS_LOOK: Duration = Duration::from_millis(400);
/// Changes of rights read at once; the rest comes with the next look.
pub const RIGHTS_READ: i64 = 1_000;
/// How long changes of rights are kept; a process that has not looked for so long takes it that anything has changed.
pub const RIGHTS_KEPT: Duration = Duration::from_secs(3600);
/// How long after the database was away a socket looks again at what its holder may do.
pub const RIGHTS_RETRY: Duration = Duration::from_millis(500);
