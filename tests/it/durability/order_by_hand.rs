//! The check of the order of system calls, itself checked: traces written by hand, right ones and wrong ones.

use super::edits::buffer;
use super::order::{Finding, Store, check, marked};
use super::trace::parse;

const CLIENT: &str = "TCP:[127.0.0.1:3000->127.0.0.1:5001]";
const PEER: &str = "TCP:[127.0.0.1:3000->127.0.0.1:5002]";
const WAL: &str = "/data/coterie.db-wal";
const PG_WAL: &str = "/data/pg_wal/000000010000000000000001";
const TO_POSTGRES: &str = "TCP:[127.0.0.1:4001->127.0.0.1:5432]";
const TO_POSTGRES_TOO: &str = "TCP:[127.0.0.1:4002->127.0.0.1:5432]";

/// A trace being written, one line a step.
struct Trace(Vec<String>);

impl Trace {
    /// Both clients have connected.
    fn new() -> Self {
        let mut trace = Self(Vec::new());
        for (socket, path) in [(CLIENT, "/hocuspocus"), (PEER, "/yjs/p/d")] {
            trace.data("recvfrom", socket, format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes());
            trace.data("sendto", socket, b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
        }
        trace
    }

    fn data(&mut self, call: &str, target: &str, bytes: &[u8]) {
        self.0.push(format!("7 1.5 {call}(9<{target}>, \"{}\", {}) = {2}", hex(bytes), bytes.len(), bytes.len()));
    }

    fn edit(&mut self, mark: u32) {
        self.data("recvfrom", CLIENT, &frame(0x80, &addressed(&[&[0, 2], marked(mark).as_bytes()].concat())));
    }

    fn ack(&mut self) {
        self.data("sendto", CLIENT, &frame(0, &addressed(&[8, 1])));
    }

    fn show(&mut self, mark: u32) {
        self.data("sendto", PEER, &frame(0, &[&[0, 2], marked(mark).as_bytes()].concat()));
    }

    /// A page of SQLite's log, the last of its transaction or not.
    fn page(&mut self, is_commit: bool, holds: &str) {
        let mut header = [0; 24];
        header[7] = u8::from(is_commit);
        self.data("pwrite64", WAL, &header);
        self.data("pwrite64", WAL, format!("{holds:4096}").as_bytes());
    }

    fn sync(&mut self, target: &str, result: &str) {
        self.0.push(format!("7 1.5 fdatasync(9<{target}>) = {result}"));
    }

    fn sync_begins(&mut self, target: &str) {
        self.0.push(format!("8 1.5 fdatasync(9<{target}> <unfinished ...>"));
    }

    fn sync_ends(&mut self) {
        self.0.push("8 1.5 <... fdatasync resumed>) = 0".to_owned());
    }

    fn committed(&mut self, connection: &str) {
        self.data("recvfrom", connection, b"C\0\0\0\x0bCOMMIT\0Z\0\0\0\x05I");
    }

    fn find(&self, store: Store) -> Finding {
        check(&parse(&self.0.join("\n")), store, 3000)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect()
}

fn frame(masked: u8, payload: &[u8]) -> Vec<u8> {
    let key = if masked == 0 { &[][..] } else { &[0; 4] };
    [&[0x82, masked | u8::try_from(payload.len()).unwrap()], key, payload].concat()
}

fn addressed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    buffer(&mut out, b"p/d");
    [&out[..], message].concat()
}

/// Steps between an edit's arrival and its acknowledgement; the number of faults that must be found.
fn on_sqlite(faults: usize, steps: impl Fn(&mut Trace)) {
    let mut trace = Trace::new();
    trace.edit(1);
    steps(&mut trace);
    trace.ack();
    trace.show(1);
    let finding = trace.find(Store::Sqlite);
    assert_eq!((finding.acked, finding.shown), (1, 1));
    assert_eq!(finding.faults.len(), faults, "{:?}", finding.faults);
}

#[test]
fn an_edit_synced_before_it_is_acknowledged_and_shown_is_right() {
    on_sqlite(0, |trace| {
        trace.page(false, &marked(1));
        trace.page(true, "");
        trace.sync(WAL, "0");
    });
}

#[test]
fn a_missing_sync_is_found() {
    on_sqlite(2, |trace| trace.page(true, &marked(1)));
    on_sqlite(2, |_| {});
}

#[test]
fn a_sync_that_does_not_cover_the_commit_is_found() {
    // Before the commit frame.
    on_sqlite(2, |trace| {
        trace.page(false, &marked(1));
        trace.sync(WAL, "0");
        trace.page(true, "");
    });
    // Begun before it was written.
    on_sqlite(2, |trace| {
        trace.sync_begins(WAL);
        trace.page(true, &marked(1));
        trace.sync_ends();
    });
    // Of another file, failed, or made up by strace.
    for (target, result) in [("/data/coterie.db", "0"), (WAL, "-1 EIO (Input/output error)"), (WAL, "0 (INJECTED)")] {
        on_sqlite(2, |trace| {
            trace.page(true, &marked(1));
            trace.sync(target, result);
        });
    }
}

#[test]
fn what_is_said_before_the_sync_has_ended_is_found() {
    let mut trace = Trace::new();
    trace.edit(1);
    trace.edit(2);
    trace.page(true, &(marked(1) + &marked(2)));
    trace.ack();
    trace.sync_begins(WAL);
    trace.show(1);
    trace.ack();
    trace.sync_ends();
    trace.show(2);
    let finding = trace.find(Store::Sqlite);
    let marks: Vec<u32> = finding.faults.iter().map(|(mark, _)| *mark).collect();
    assert_eq!(marks, [1, 2, 1], "all but the last: {:?}", finding.faults);
}

#[test]
fn an_acknowledgement_is_matched_with_its_own_edit() {
    let mut trace = Trace::new();
    trace.edit(1);
    trace.page(true, &marked(1));
    trace.sync(WAL, "0");
    trace.edit(2);
    trace.ack();
    trace.ack();
    let finding = trace.find(Store::Sqlite);
    let marks: Vec<u32> = finding.faults.iter().map(|(mark, _)| *mark).collect();
    assert_eq!(marks, [2]);
}

/// As [`on_sqlite`], with the edit sent to Postgres before the steps.
fn on_postgres(faults: usize, steps: impl Fn(&mut Trace)) {
    let mut trace = Trace::new();
    trace.edit(1);
    trace.data("sendto", TO_POSTGRES, marked(1).as_bytes());
    steps(&mut trace);
    trace.ack();
    trace.show(1);
    let finding = trace.find(Store::Postgres(5432));
    assert_eq!(finding.faults.len(), faults, "{:?}", finding.faults);
}

#[test]
fn with_postgres_both_the_sync_and_the_word_of_it_come_first() {
    let write = |trace: &mut Trace| trace.data("pwrite64", PG_WAL, marked(1).as_bytes());
    on_postgres(0, |trace| {
        write(trace);
        trace.sync(PG_WAL, "0");
        trace.committed(TO_POSTGRES);
    });
    on_postgres(2, |trace| {
        write(trace);
        trace.committed(TO_POSTGRES);
    });
    on_postgres(2, |trace| {
        trace.sync(PG_WAL, "0");
        write(trace);
        trace.committed(TO_POSTGRES);
    });
    on_postgres(2, |trace| {
        write(trace);
        trace.sync(PG_WAL, "0");
    });
    on_postgres(2, |trace| {
        write(trace);
        trace.sync(PG_WAL, "0");
        trace.committed(TO_POSTGRES_TOO);
    });
}
