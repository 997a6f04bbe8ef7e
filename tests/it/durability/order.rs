//! The order that "saved means saved" asks of system calls: an edit's frame is read; the write-ahead log's bytes with
//! it are written; a sync of that file begins after they were, and ends; and only then the acknowledgement begins to be
//! written to its author, and the edit to others.

use std::collections::{HashMap, VecDeque};

use super::edits::Cursor;
use super::trace::Call;
use super::wire::head;

/// An edit that can be found among bytes, `<000042>`. It stands twice in its edit, since the pages of a log may part one.
pub(super) type Mark = u32;

/// The text that carries a mark.
pub(super) fn marked(mark: Mark) -> String {
    format!("<{mark:06}><{mark:06}>")
}

/// Which database the server keeps its log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Sqlite,
    /// On this port, its processes in the same trace.
    Postgres(u16),
}

/// What a trace shows.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// Edits that were acknowledged.
    pub(super) acked: usize,
    /// Times that an edit was shown to somebody.
    pub(super) shown: usize,
    /// Syncs of the log that ended well.
    pub(super) syncs: usize,
    /// Edits that were acknowledged or shown too early, and how.
    pub(super) faults: Vec<(Mark, String)>,
}

/// Checks every acknowledgement and every edit shown by the server that listens on a port.
pub(super) fn check(calls: &[Call], store: Store, server: u16) -> Finding {
    let durable = match store {
        Store::Sqlite => durable_by_sqlite(calls),
        Store::Postgres(port) => durable_by_postgres(calls, port),
    };
    let clients = Clients::read(calls, server);
    let is_log = |call: &&Call| call.is_sync() && is_log(&call.target);
    let mut finding = Finding { syncs: calls.iter().filter(is_log).count(), ..Finding::default() };
    let acked = clients.acked.iter().map(|said| (said, "acknowledged"));
    let shown = clients.shown.iter().map(|said| (said, "shown"));
    for (&(mark, began), what) in acked.chain(shown) {
        *(if what == "shown" { &mut finding.shown } else { &mut finding.acked }) += 1;
        let fault = match (clients.received.get(&mark), durable.get(&mark)) {
            (Some(received), _) if *received >= began => format!("{what} at {began}, received at {received}"),
            (None, _) => format!("{what} at {began}, and never received"),
            (_, None) => format!("{what} at {began}, and never synced"),
            (_, Some(durable)) if *durable >= began => format!("{what} at {began}, synced at {durable}"),
            _ => continue,
        };
        finding.faults.push((mark, fault));
    }
    finding
}

/// When each mark was in a synced log of SQLite: the line at which the first sync ended that began after the commit
/// frame of its transaction was written.
fn durable_by_sqlite(calls: &[Call]) -> HashMap<Mark, usize> {
    const FRAME_HEADER: usize = 24;
    let mut committed: HashMap<Mark, (usize, &str)> = HashMap::new();
    let mut transaction = Vec::new();
    let mut is_commit = false;
    for call in by_end(calls).into_iter().filter(|call| call.is_write() && call.target.ends_with("-wal")) {
        match call.bytes.len() {
            // The log's own header, written when it begins anew.
            32 => {}
            // Page number, then the size of the database in the last frame of a transaction, else 0.
            FRAME_HEADER => is_commit = call.bytes[4..8] != [0; 4],
            _ => {
                transaction.extend(marks(&call.bytes));
                if is_commit {
                    for mark in transaction.drain(..) {
                        committed.entry(mark).or_insert((call.ended, &call.target));
                    }
                }
            }
        }
    }
    let synced = |(ended, target): (usize, &str)| first_sync(calls, target, ended);
    committed.into_iter().filter_map(|(mark, written)| Some((mark, synced(written)?))).collect()
}

/// When each mark was in a synced log of Postgres, and the server was told so: the line at which it read, on the
/// connection by which it had sent the mark, that the transaction is committed; provided that a sync had ended before
/// which began after the log's bytes with the mark were written.
fn durable_by_postgres(calls: &[Call], port: u16) -> HashMap<Mark, usize> {
    let mut written: HashMap<Mark, (usize, &str)> = HashMap::new();
    let mut told: HashMap<Mark, usize> = HashMap::new();
    let mut sent: HashMap<&str, Vec<Mark>> = HashMap::new();
    let mut ordered: Vec<&Call> = calls.iter().collect();
    ordered.sort_by_key(|call| if call.is_read() { call.ended } else { call.began });
    for call in ordered {
        if call.is_write() && is_log(&call.target) {
            for mark in marks(&call.bytes) {
                written.entry(mark).or_insert((call.ended, &call.target));
            }
        } else if call.ports().is_some_and(|(_, other)| other == port) {
            if call.is_write() {
                sent.entry(&call.target).or_default().extend(marks(&call.bytes));
            } else if call.is_read() && contains(&call.bytes, b"C\0\0\0\x0bCOMMIT\0") {
                for mark in sent.remove(&*call.target).unwrap_or_default() {
                    told.entry(mark).or_insert(call.ended);
                }
            }
        }
    }
    let durable = |mark: Mark, told: usize| {
        let &(ended, target) = written.get(&mark)?;
        let synced = first_sync(calls, target, ended)?;
        Some((mark, told.max(synced)))
    };
    told.into_iter().filter_map(|(mark, told)| durable(mark, told)).collect()
}

/// The line at which the first sync of a file ended that began after a line.
fn first_sync(calls: &[Call], target: &str, after: usize) -> Option<usize> {
    let syncs = calls.iter().filter(|call| call.is_sync() && call.target == target && call.began > after);
    syncs.map(|call| call.ended).min()
}

fn is_log(target: &str) -> bool {
    target.ends_with("-wal") || target.contains("/pg_wal/")
}

/// What the server and its clients said to each other, by the lines of the trace.
#[derive(Default)]
struct Clients {
    /// When an edit was read whole.
    received: HashMap<Mark, usize>,
    /// When its acknowledgement began to be written.
    acked: Vec<(Mark, usize)>,
    /// When it began to be written to somebody.
    shown: Vec<(Mark, usize)>,
}

impl Clients {
    fn read(calls: &[Call], server: u16) -> Self {
        let ours = |call: &&Call| call.ports().is_some_and(|(own, _)| own == server);
        let mut incoming: HashMap<&str, Stream> = HashMap::new();
        let mut outgoing: HashMap<&str, Stream> = HashMap::new();
        for call in by_end(calls).into_iter().filter(ours).filter(|call| call.is_read()) {
            incoming.entry(&call.target).or_default().push(&call.bytes, call.ended);
        }
        let mut writes: Vec<&Call> = calls.iter().filter(ours).filter(|call| call.is_write()).collect();
        writes.sort_by_key(|call| call.began);
        for call in writes {
            outgoing.entry(&call.target).or_default().push(&call.bytes, call.began);
        }
        let mut clients = Self::default();
        for (target, incoming) in incoming {
            let Some(outgoing) = outgoing.get(target) else { continue };
            let is_hocuspocus = incoming.bytes.starts_with(b"GET /hocuspocus ");
            if is_hocuspocus || incoming.bytes.starts_with(b"GET /yjs/") {
                clients.take(&incoming, outgoing, is_hocuspocus);
            }
        }
        clients
    }

    fn take(&mut self, incoming: &Stream, outgoing: &Stream, is_hocuspocus: bool) {
        let kind = |payload: &[u8]| {
            let mut cursor = Cursor(payload);
            if is_hocuspocus && payload.len() > 1 {
                cursor.buffer();
            }
            (cursor.0.first().copied(), cursor.0.get(1).copied())
        };
        // An edit without a mark is owed an acknowledgement too.
        let mut owed: VecDeque<Option<Mark>> = VecDeque::new();
        for (payload, _, last) in incoming.frames() {
            if let (Some(0), Some(1 | 2)) = kind(payload) {
                let mark = marks(payload).first().copied();
                owed.push_back(mark);
                mark.map(|mark| self.received.entry(mark).or_insert(last));
            }
        }
        for (payload, first, _) in outgoing.frames() {
            match kind(payload) {
                (Some(8), Some(1)) if is_hocuspocus => {
                    let mark = owed.pop_front().expect("an acknowledgement for nothing");
                    self.acked.extend(mark.map(|mark| (mark, first)));
                }
                _ => {
                    let mut marks = marks(payload);
                    marks.dedup();
                    self.shown.extend(marks.into_iter().map(|mark| (mark, first)));
                }
            }
        }
    }
}

/// One direction of a connection.
#[derive(Default)]
struct Stream {
    bytes: Vec<u8>,
    /// From which byte on which line.
    lines: Vec<(usize, usize)>,
}

impl Stream {
    fn push(&mut self, bytes: &[u8], line: usize) {
        self.lines.push((self.bytes.len(), line));
        self.bytes.extend_from_slice(bytes);
    }

    fn line(&self, at: usize) -> usize {
        let index = self.lines.partition_point(|&(from, _)| from <= at);
        self.lines[index - 1].1
    }

    /// The payloads of its frames after the upgrade, each with the lines of its first and last byte.
    fn frames(&self) -> Vec<(&[u8], usize, usize)> {
        let upgraded = self.bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(self.bytes.len(), |at| at + 4);
        let mut at = upgraded;
        let mut frames = Vec::new();
        while let Some((opcode, header, len)) = head(&self.bytes[at..]) {
            let end = at + header + len;
            let Some(payload) = self.bytes.get(at + header..end) else { break };
            if opcode == 2 {
                frames.push((payload, self.line(at), self.line(end - 1)));
            }
            at = end;
        }
        frames
    }
}

fn by_end(calls: &[Call]) -> Vec<&Call> {
    let mut calls: Vec<&Call> = calls.iter().collect();
    calls.sort_by_key(|call| call.ended);
    calls
}

/// The marks among bytes, in order.
fn marks(bytes: &[u8]) -> Vec<Mark> {
    let digits = |window: &[u8]| -> Option<Mark> {
        let digits = window.strip_prefix(b"<")?.strip_suffix(b">")?;
        let digits = digits.iter().all(u8::is_ascii_digit).then_some(digits)?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    bytes.windows(8).filter_map(digits).collect()
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}
