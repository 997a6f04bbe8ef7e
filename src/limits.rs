//! Every limit of the server, each with its unit and its reason.

mod ai;
mod files;
mod sockets;

use std::time::Duration;

pub use self::ai::*;
pub use self::files::*;
pub use self::sockets::*;

// --- the database ---

/// Connections to the database at most; more only queue inside it.
pub const DATABASE_CONNECTIONS: u32 = 16;
/// Connections that read an SQLite file; more than there are cores only take memory, each for its own cache.
pub const SQLITE_READERS: u32 = 4;
/// Pages that SQLite's write-ahead log gathers before they are brought to their places, of 4 KiB each.
pub const SQLITE_CHECKPOINT_PAGES: u32 = 4_000;
/// How long a request waits for a database connection before it fails with 503.
pub const DATABASE_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection to Postgres may take to answer before another is made; several fit into the time above.
pub const PING_TIME: Duration = Duration::from_secs(2);
/// How long a statement waits for a row lock (Postgres) or the write lock (SQLite); appends hold theirs for milliseconds.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(2);

// --- documents ---

/// Encoded size of a document, in bytes; what the studio and a browser tab still handle well.
pub const DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// Text a document may be created with, in bytes: what still fits a document once it is encoded.
pub const CONTENT_BYTES: usize = DOCUMENT_BYTES - 1024;
/// Length of a path in bytes; what the file systems of an export take.
pub const PATH_BYTES: usize = 255;
/// Documents in one project; a tree that people can still use.
pub const DOCUMENTS_PER_PROJECT: i64 = 2_000;

/// All documents of a project, in bytes, where an operator allows it no other number: some hundred of the largest, or all
/// the files that it may have at half a megabyte each.
pub const DOCUMENTS_BYTES: i64 = 1024 * 1024 * 1024;
/// How often what open rooms know of a project's bytes is set right; what other server processes wrote is known by then.
pub const QUOTA_LOOK: Duration = Duration::from_secs(5);
/// Projects that one statement of that asks about.
pub const QUOTA_PROJECTS: usize = 200;

/// How long a deleted document is kept, and its path refused, where there are not too many.
pub const DELETED_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// Deleted documents that a project keeps at most; they may take as many bytes as its living ones.
pub const DELETED_DOCUMENTS: i64 = 10_000;
/// How often deleted documents are looked for that go for good.
pub const DELETED_SWEEP: Duration = Duration::from_secs(60);
/// Projects that one user may have made where the operator says no other number, those among them that can be restored.
pub const PROJECTS_PER_USER: i64 = 1_000;
/// How long a deleted project can be restored.
pub const PROJECT_GRACE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Projects removed for good in one sweep; the rest waits for the next.
pub const PROJECTS_SWEPT: i64 = 20;
/// Documents removed for good in one statement, so that others can write soon.
pub const DOCUMENTS_SWEPT: i64 = 10;

// --- HTTP ---

/// Body of a request, in bytes, where no content comes with it; also what a stranger can make the server hold.
pub const BODY_BYTES: usize = 64 * 1024;
/// Body of a JSON request that carries a document's content, in bytes: the largest document, and room for escapes.
pub const CONTENT_BODY_BYTES: usize = 20 * 1024 * 1024;
/// Items of a page when the caller does not say.
pub const PAGE_ITEMS: i64 = 50;
/// Items of a page at most.
pub const PAGE_ITEMS_MAX: i64 = 200;
/// Items that are looked through for one page, where only those with some words are wanted.
pub const SIFTED_ROWS: usize = 2_000;
/// All that comes in and is not dealt with yet, in bytes: frames, bodies and edits of everybody together.
pub const INBOUND_BYTES: usize = 512 * 1024 * 1024;
/// Bodies of at most [`BODY_BYTES`] that come in at once, in bytes: those of all connections that one address may have.
pub const SMALL_BODIES_BYTES: usize = CONNECTIONS_PER_ADDRESS * (BODY_BYTES + BODY_OVERHEAD);
/// Larger bodies that come in at once, in bytes: five of the largest.
pub const LARGE_BODIES_BYTES: usize = 5 * (CONTENT_BODY_BYTES + BODY_OVERHEAD);
/// What one user or address has of them at most: the largest archive, and room for others beside it.
pub const LARGE_BODIES_SHARE: usize = ARCHIVE_BYTES + BODY_OVERHEAD;
/// What a request takes beside its body, in bytes; so that a flood of empty ones is bounded too.
pub const BODY_OVERHEAD: usize = 1024;
/// How long a body waits for its place before the request is answered with 503.
pub const BODY_WAIT: Duration = Duration::from_secs(10);
/// Answers above [`BODY_BYTES`] that wait for their readers at once, in bytes.
pub const OUTGOING_BYTES: usize = 256 * 1024 * 1024;
/// What one user or address has of them at most: the six pictures that a browser loads at once.
pub const OUTGOING_SHARE: usize = 64 * 1024 * 1024;
/// What an export counts for: the file that is put in, the next, and the one that is being read.
pub const EXPORT_BYTES: usize = 3 * DOCUMENT_BYTES;
/// Bytes that the system keeps for one connection and its peer has not taken, asked for at half of what it then sets
/// aside. By itself it would keep megabytes for each of those who have stopped reading.
pub const SEND_BUFFER: usize = 128 * 1024;
/// How long an HTTP request may take before it is answered with 503.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a browser may believe what a page of another site may ask here, before it looks again.
pub const PREFLIGHT_AGE: Duration = Duration::from_secs(3600);
/// How long a login lasts without being used.
pub const LOGIN_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// How old a login's last use gets before it is written down again; each request would be a write otherwise.
pub const LOGIN_TOUCH: Duration = Duration::from_secs(3600);
/// What is kept of how a browser calls itself, in characters; enough for a list.
pub const AGENT_CHARS: usize = 200;
/// How long it is kept who did what to rights, keys and logins.
pub const AUDIT_KEPT: Duration = Duration::from_secs(2 * 366 * 24 * 3600);
/// How often expired logins and tokens are removed; they open nothing in the meantime.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);
/// How long `/readyz` waits for the database; less than the second or more that a load balancer waits.
pub const READY_TIMEOUT: Duration = Duration::from_secs(2);
/// Age of the oldest edit that waits for its commit from which `/readyz` sends nobody here; people see "not saved" by then.
pub const READY_LAG: Duration = Duration::from_secs(10);
/// How often what histograms gathered is taken into their buckets; a busy server gathers some thousands a second.
pub const METERS_UPKEEP: Duration = Duration::from_secs(5);
/// How often the allocator (mimalloc) is asked to give back what has been free for its delay, which is a second too.
pub const GIVE_BACK: Duration = Duration::from_secs(1);
/// What it does not share with anything else, in bytes, so that it looks when that is freed; never touched, so that it costs
/// no memory.
pub const LARGE_FOR_THE_ALLOCATOR: usize = 8 * 1024 * 1024;
/// Requests of one user, a second and at once, when the operator does not say; a program that syncs a tree needs the burst.
pub const USER_RATE: (u32, u32) = (20, 200);
/// Requests of one address; a company behind one router.
pub const ADDRESS_RATE: (u32, u32) = (100, 1_000);
/// Requests to one project, whoever asks; all that a large team does.
pub const PROJECT_RATE: (u32, u32) = (200, 2_000);
/// Sign-ins of one address that may fail before it has to wait.
pub const SIGN_IN_FAILURES: u32 = 5;
/// How long failed sign-ins are counted together, and waited for.
pub const SIGN_IN_WAIT: Duration = Duration::from_secs(15 * 60);
/// Addresses whose failed sign-ins are remembered; some tens of bytes each.
pub const SIGN_IN_ADDRESSES: usize = 65_536;
/// How often buckets that are full again are forgotten.
pub const RATES_SWEEP: Duration = Duration::from_secs(10);
/// How long a project token lives when the caller does not say.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);
/// How long a project token may live at most.
pub const TOKEN_LIFETIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// API keys of one user; more than anybody can keep apart.
pub const KEYS_PER_USER: i64 = 100;
/// How much of a key is shown in lists, in characters: enough to recognise it, and nothing to guess it by.
pub const KEY_PREFIX_CHARS: usize = 10;
/// How long a key that expires may live at most; a longer one is one that does not expire.
pub const KEY_LIFETIME_MAX: Duration = Duration::from_secs(5 * 366 * 24 * 3600);
/// How long a key lives that was made by signing in at a terminal; who is still there then signs in again.
pub const TERMINAL_KEY_LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);
/// How old a key's last use gets before it is written down again; each request would be a write otherwise.
pub const KEY_TOUCH: Duration = Duration::from_secs(60);
/// Length of an end user's id in their application, in characters.
pub const EXTERNAL_ID_CHARS: usize = 200;
/// Length of a picture's address, in bytes; it travels with every presence.
pub const AVATAR_BYTES: usize = 500;
/// How long a browser may take from being sent to GitHub until it comes back: to sign in there, with a second factor.
pub const SIGN_IN_TIME: Duration = Duration::from_secs(600);
/// Sign-ins that one browser may have begun; more tabs than anybody opens for it.
pub const SIGN_INS_PER_BROWSER: i64 = 16;
/// Length of the path to go to after a sign-in, in bytes.
pub const NEXT_BYTES: usize = 2_000;
/// How long GitHub may take to be connected to.
pub const GITHUB_CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long GitHub may take for one answer; people look at an empty page meanwhile.
pub const GITHUB_TIME: Duration = Duration::from_secs(10);
/// One answer of GitHub, in bytes; a user is some 2 KiB.
pub const GITHUB_BYTES: usize = 256 * 1024;
/// How long an invite that expires may live at most; a longer one is one that does not expire.
pub const INVITE_LIFETIME_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// Length of a person's or project's name, in characters.
pub const NAME_CHARS: usize = 80;
/// Length of a project's description, in characters.
pub const DESCRIPTION_CHARS: usize = 2_000;

// --- reports of errors ---

/// Reports that wait to be sent; what comes beyond it is in the log only.
pub const REPORTS_WAITING: usize = 64;
/// How long sending one may take, and at a shutdown all that wait.
pub const REPORT_TIME: Duration = Duration::from_secs(3);
/// How long what happens again at the same place is only counted.
pub const REPORT_PAUSE: Duration = Duration::from_secs(10);
/// How long nothing is sent where a server asks to be spared and does not say for how long, and at most.
pub const REPORT_QUIET: Duration = Duration::from_secs(60);
/// The same, whatever it says.
pub const REPORT_QUIET_MAX: Duration = Duration::from_secs(3600);
/// Length of an error's text in a report, in characters.
pub const REPORT_CHARS: usize = 1_000;
/// Length from which a word in it is taken for a secret, in bytes; longer than any word that is written by hand.
pub const REPORT_WORD: usize = 32;

// --- the server ---

/// How long a shutdown waits for rooms and sockets before the process ends anyway.
pub const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(10);
/// Connections the kernel queues before they are accepted; a herd that returns after a restart fits.
pub const LISTEN_BACKLOG: i32 = 4_096;

/// Connections at most, sockets among them, however many files the process may open. One that asks over HTTP costs some tens
/// of KiB, a socket a few.
pub const CONNECTIONS: usize = 65_536;
/// Files kept back from connections: the database's, the workers' pipes, and what is uploaded or served.
pub const FILES_KEPT: usize = 128;
/// How long nothing is accepted after accepting failed.
pub const ACCEPT_PAUSE: Duration = Duration::from_secs(1);
/// Connections that one address may have open when the operator does not say; a company behind one router.
pub const CONNECTIONS_PER_ADDRESS: usize = 1_000;
/// Open sockets that one user may have when the operator does not say: a person's tabs on all their machines, or a program
/// that follows a large project with a socket for each document.
pub const SOCKETS_PER_USER: usize = 500;
/// Connections of one address that did not ask anything yet and are read; others of it wait. The same of sockets that did
/// not say who they are.
pub const STRANGERS_PER_ADDRESS: usize = 20;
/// How long a connection may take to ask something, at first and after each answer.
pub const HEAD_TIME: Duration = Duration::from_secs(10);
/// The head of a request, in bytes; cookies, tokens and paths fit.
pub const HEAD_BYTES: usize = 32 * 1024;

// --- the journal ---

/// Appends that wait for a commit; a room has one in flight at most, so beyond this rooms wait in line.
pub const COMMIT_QUEUE: usize = 1_024;
/// Bytes of rows in one transaction before the rest goes into the next, so that a large import delays no one long.
pub const COMMIT_BYTES: usize = 4 * 1024 * 1024;
/// Pause after a commit that failed because the database is away; doubled up to the longest.
pub const COMMIT_RETRY_FIRST: Duration = Duration::from_millis(50);
/// How long a commit may fail or hang before people are told.
pub const COMMIT_SLOW: Duration = Duration::from_secs(2);
/// How long one try may take before it is broken off and tried on another connection; its outcome is then looked up. One that
/// was begun while a silent database was away must not keep what waits from being saved within ten seconds of its return.
pub const COMMIT_TIME: Duration = Duration::from_secs(6);
/// How long the database keeps a transaction of whom it does not hear, whose locks keep others from writing.
pub const TRANSACTION_IDLE: Duration = Duration::from_secs(5);
/// The longest pause between two tries, so that what waits is saved soon after the database is back.
pub const COMMIT_RETRY_LONGEST: Duration = Duration::from_secs(2);

// --- rooms ---

/// Live frames that a room keeps for its followers, in bytes; a slower reader is brought back from the log.
pub const RING_BYTES: usize = 1024 * 1024;
/// Committed rows that a room keeps apart before it folds them into its base, in bytes; followers further behind get
/// the whole state.
pub const TAIL_BYTES: usize = 256 * 1024;
/// Admitted edits of one document that wait for the database, in bytes; beyond it the room takes in no more, and its
/// sockets are not read.
pub const PENDING_BYTES: usize = 16 * 1024 * 1024;
/// What an edit that waits costs beside its update, in bytes; so that a flood of tiny ones is bounded too.
pub const EDIT_OVERHEAD: usize = 256;
/// Inputs that wait for a room; beyond it the senders wait, each in front of its own socket.
pub const ROOM_MAILBOX: usize = 256;
/// Edits of one connection that came too early, in bytes; beyond it everything is asked for again.
pub const PARKED_BYTES: usize = 1024 * 1024;
/// How long an edit that came too early waits for what it builds on before everything is asked for again.
pub const PARKED_TIME: Duration = Duration::from_secs(5);
/// How often a connection is asked to send everything again before what never came is refused.
pub const RESYNCS: u32 = 3;
/// Acknowledgements owed to one connection; more than a client that waits for any would leave open.
pub const DEBTS: usize = 65_536;
/// How long presence keeps its place behind the same connection's uncommitted edits.
pub const PRESENCE_HOLD: Duration = Duration::from_millis(50);
/// How long a connection that broke is still shown, so that a reconnect does not flicker.
pub const PRESENCE_GRACE: Duration = Duration::from_secs(3);
/// Length of one person's awareness state as JSON, in bytes.
pub const PRESENCE_BYTES: usize = 4 * 1024;
/// Pause between two tellings of presence, of one socket and of one room: ten times a second.
pub const PRESENCE_INTERVAL: Duration = Duration::from_millis(100);
/// Bytes of presence that a room writes to all its sockets in a millisecond; above it the pause grows.
pub const PRESENCE_BYTES_PER_MILLI: usize = 32 * 1024;
/// The longest pause, in the largest of rooms.
pub const PRESENCE_INTERVAL_MAX: Duration = Duration::from_secs(5);
/// ClientIDs that one connection may announce; its own, and those of a few other tabs it relays.
pub const PRESENCE_CLIENTS: usize = 16;
/// How long an empty room stays loaded, so that a reload of the page finds it; and no longer, so that the memory of many is
/// the machine's again soon.
pub const ROOM_IDLE: Duration = Duration::from_secs(8);
/// What all rooms may keep in memory, in bytes, before those end that nobody is in, where the operator says no other number:
/// thirty of the largest documents, or some thousands of usual ones. As much as may come in at once.
pub const ROOMS_BYTES: usize = 512 * 1024 * 1024;
/// What an open room takes beside its document and those in it, in bytes: its task and its mailbox.
pub const ROOM_OVERHEAD: usize = 8 * 1024;
/// State above which an answer is computed off the runtime's own threads, in bytes.
pub const INLINE_BYTES: usize = 256 * 1024;
/// Answers that a room remembers for one head; a herd that returns asks for few different ones.
pub const ANSWERS: usize = 64;
/// Their length together, in bytes: what newcomers to the largest document get, and as much again for others.
pub const ANSWERS_BYTES: usize = 2 * DOCUMENT_BYTES + 1024;
/// How long a change made beside a room waits until the room shows it, before it is answered all the same.
pub const LOOK_TIME: Duration = Duration::from_secs(5);
/// How long an empty room of a damaged document stays loaded.
pub const DAMAGED_IDLE: Duration = Duration::from_secs(1);
/// How often a room of a damaged document looks whether it was mended.
pub const DAMAGE_LOOK: Duration = Duration::from_secs(10);
/// How often a visitor looks for a room that was just being dropped before giving up.
pub const REACH_TRIES: usize = 8;

// --- the feed ---

/// Events and signals that the followers of a project share; who falls further behind reads the log.
pub const FEED_RECENT: usize = 128;
/// Events that are read from the log at once.
pub const FEED_PAGE: i64 = 100;
/// How often feeds that are followed are looked at for what other servers appended.
pub const FEED_POLL: Duration = Duration::from_millis(250);
/// Feeds that one statement of that poll asks about.
pub const FEED_POLL_PROJECTS: usize = 500;
/// Pause before a feed that could not be read is read again.
pub const FEED_RETRY: Duration = Duration::from_millis(500);
/// How long the task of a feed that nobody follows waits for somebody.
pub const FEED_IDLE: Duration = Duration::from_secs(30);
/// Frames of one feed that wait for one socket; beyond it the follower stops reading, and catches up from the log.
pub const FEED_FRAMES: usize = 16;
/// How often a stream of events looks whether its reader may still read; a right taken away ends it within a second.
pub const FEED_RIGHTS: Duration = Duration::from_millis(700);

// --- sessions ---

/// How long somebody who lost all connections still counts as there; a reload or a restart is no leaving.
pub const SESSION_GRACE: Duration = Duration::from_secs(10);
/// How long comings are gathered before they are written down together.
pub const SESSION_GATHER: Duration = Duration::from_millis(100);
/// How often it is looked who has left for good, and what could not be written down is tried again.
pub const SESSION_LOOK: Duration = Duration::from_secs(1);
/// How often a server says who is still there; the end of a session that it did not live to see is right to that.
pub const SESSION_BEAT: Duration = Duration::from_secs(10);
/// After so long unsaid, those who were at a server are gone.
pub const SESSION_LOST: Duration = Duration::from_secs(30);

// --- workers ---

/// Worker processes; text is asked for rarely, and a second one serves while the first is busy or being replaced.
pub const WORKERS: usize = 2;
/// Requests that wait for one worker; beyond it they are refused with 503.
pub const WORKER_QUEUE: usize = 1_024;
/// Bytes of requests that wait for workers; beyond it they are refused with 503. The largest request always has a place.
pub const WORKER_QUEUE_BYTES: usize = 128 * 1024 * 1024;
/// How long one request may take in a worker before it is killed.
pub const WORKER_TIME: Duration = Duration::from_secs(10);
/// Address space of a worker, in bytes: the largest document fifteen times over, and what the allocator reserves.
pub const WORKER_MEMORY_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Stack of the thread that integrates, in bytes; reading recurses with the nesting of a document.
pub const WORKER_STACK_BYTES: usize = 64 * 1024 * 1024;
/// What all workers may keep of documents for the next request, in bytes, where the operator says no other number: those of
/// a busy team. Each has an equal part of it.
pub const WORKERS_BYTES: usize = 256 * 1024 * 1024;
/// The same at most: an eighth of its address space in each, which leaves the rest to what is asked.
pub const WORKERS_BYTES_MAX: usize = WORKERS * 256 * 1024 * 1024;
/// What a kept document costs beside its content, in bytes; so that many small ones count too.
pub const WORKER_WARM_OVERHEAD: usize = 4 * 1024;
/// What an integrated struct takes in a worker beside its content, in bytes: a run of typed characters, a mark, a deletion.
pub const WORKER_STRUCT_BYTES: usize = 256;
/// How long a worker is kept that nobody asks; its memory is the machine's again.
pub const WORKER_IDLE: Duration = Duration::from_secs(300);
/// How often a worker looks whether its server still runs; a busy one cannot see its input end.
pub const WORKER_WATCH: Duration = Duration::from_secs(1);
/// How long the end of a worker that broke off is waited for, to learn how it ended, before it is killed.
pub const WORKER_END: Duration = Duration::from_millis(500);
/// How often a request is tried whose workers were killed from outside, which is hardly the document's doing.
pub const WORKER_KILLS: usize = 3;
/// One frame between server and worker, in bytes: the largest document, and a text of as much.
pub const WORKER_FRAME_BYTES: usize = 4 * DOCUMENT_BYTES;
/// Workers that a document may cost before its text functions are set aside.
pub const WORKER_CRASHES: i64 = 2;
/// After so long without another crash a document is no longer suspected.
pub const WORKER_CRASHES_FORGOTTEN: Duration = Duration::from_secs(24 * 3600);
/// Characters of a line that a search shows.
pub const SEARCH_LINE_CHARS: usize = 200;
/// How long the differences between two texts are searched for, in milliseconds, before all between them is replaced.
pub const EDIT_DIFF_MILLIS: u64 = 500;
/// Replacements in one edit, each of which costs a walk through the document, before all between them is replaced.
pub const EDIT_CHANGES: usize = 1_000;

// --- text ---

/// Operations in one change of many documents.
pub const CHANGE_OPERATIONS: usize = 500;
/// Characters to search for.
pub const SEARCH_CHARS: usize = 200;
/// Lines that a search answers.
pub const SEARCH_LINES: usize = 1_000;
/// Lines of one document that a search answers.
pub const SEARCH_LINES_PER_DOCUMENT: usize = 100;
/// How long a search looks before it answers what it has.
pub const SEARCH_TIME: Duration = Duration::from_secs(10);

// --- proposals ---

/// Files of one proposal; more are a migration, which nobody reviews by hand.
pub const PROPOSAL_FILES: usize = 50;
/// Hunks of one proposal; what people still look at one by one.
pub const PROPOSAL_HUNKS: usize = 500;
/// Text of one proposal, before and after, in bytes; it is read whole by everybody who looks at it.
pub const PROPOSAL_BYTES: usize = 1024 * 1024;
/// Body of a request that makes a proposal, in bytes: the texts it is made from, and room for escapes.
pub const PROPOSAL_BODY_BYTES: usize = 4 * 1024 * 1024;
/// Proposals of one project that wait for a decision; a longer list is not read.
pub const PROPOSALS_OPEN: i64 = 100;
/// Length of a proposal's summary, in characters: a line.
pub const PROPOSAL_SUMMARY_CHARS: usize = 200;
/// Length of its reasons, and of those for rejecting it, in characters.
pub const PROPOSAL_REASON_CHARS: usize = 10_000;
/// Length of a persona's or model's name, in characters.
pub const PROPOSAL_LABEL_CHARS: usize = 100;
/// Personas and models that trust is told of.
pub const TRUST_ROWS: i64 = 500;
/// How often hunks are applied beside people who type, each time to what is there by then, before the documents are held
/// for it.
pub const ACCEPT_TRIES: usize = 8;
/// How long documents are held for it; whoever writes to them waits meanwhile.
pub const ACCEPT_HELD: Duration = Duration::from_secs(1);

// --- folding ---

/// Rows after the last snapshot at which a small document is folded; loading them takes some milliseconds.
pub const FOLD_ROWS: usize = 200;
/// A larger one is folded when it has a row for so many of its bytes, and has had [`FOLD_ROWS`]: folding costs what the
/// document is large, and each row is to pay no more for it than in a small one.
pub const FOLD_BYTES_PER_ROW: usize = 1024;
/// Rows at which the largest is folded.
pub const FOLD_ROWS_MOST: usize = 4_000;
/// How much longer than a fold took the next one waits: folding takes a fifth of one core at most, and never crowds out
/// editing when a hundred documents are due together.
pub const FOLD_REST: u32 = 4;
/// Their bytes at which it is folded.
pub const FOLD_BYTES: usize = 256 * 1024;
/// After so long without an edit a document with any rows after its snapshot is folded.
pub const FOLD_IDLE: Duration = Duration::from_secs(600);
/// Documents among which one sweep looks for idle ones, and for rows that may go; so that what it costs does not grow with
/// all that are stored.
pub const FOLD_LOOK: i64 = 2_000;
/// How often idle documents are looked for.
pub const FOLD_SWEEP: Duration = Duration::from_secs(60);
/// Idle documents folded in one sweep, so that folding never crowds out editing.
pub const FOLDS_AT_ONCE: i64 = 8;
/// Documents that wait to be folded; more are found by the sweep.
pub const FOLD_QUEUE: usize = 1_024;
/// Documents whose folded rows are deleted in one sweep; each costs a look into its rows.
pub const FORGOTTEN_AT_ONCE: i64 = 64;
/// How long rows stay after they were folded, for whoever has to look into what happened.
pub const FOLDED_KEPT: Duration = Duration::from_secs(48 * 3600);
