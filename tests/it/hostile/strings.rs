//! The named byte strings of `tests/vectors/hostile.txt`, and those too large or too regular to be written there.

use crate::update::{hex, number};

/// Bytes that nobody should send.
#[derive(Debug, Clone)]
pub struct Hostile {
    pub name: String,
    pub kind: Kind,
    /// One after the other.
    pub messages: Vec<Vec<u8>>,
    /// Whether a CRDT library would take minutes or gigabytes over it.
    pub heavy: bool,
}

/// As what they are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Update,
    Vector,
    Presence,
}

/// All of them.
pub fn hostile() -> Vec<Hostile> {
    let lines = include_str!("../../vectors/hostile.txt").lines();
    let mut all: Vec<Hostile> = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(read).collect();
    let grown: [(&str, Vec<Vec<u8>>); 7] = [
        ("types nested 10,000 deep, then the outermost deleted", nested(10_000)),
        ("types nested 5,000 deep in updates of 100", nested_bit_by_bit(5_000, 100)),
        ("types nested 50,000 deep", nested(50_000)),
        ("10,000 letters at one place by rising clients", vec![quadratic(10_000, "t")]),
        ("3,000 updates whose origin is missing", (0..3_000).map(|clock| adrift(1_000_000 + clock)).collect()),
        ("50,000 roots", vec![roots(50_000)]),
        ("a name of two million bytes", vec![long_name(2_000_000)]),
    ];
    all.extend(grown.map(|(name, messages)| Hostile {
        name: name.to_owned(),
        kind: Kind::Update,
        messages,
        heavy: true,
    }));
    all
}

fn read(line: &str) -> Hostile {
    let (kind, rest) = line.split_once(' ').expect("a kind");
    let (name, bytes) = rest.rsplit_once(": ").expect("a name");
    let kind = match kind {
        "update" => Kind::Update,
        "vector" => Kind::Vector,
        "presence" => Kind::Presence,
        other => panic!("no kind {other}"),
    };
    let messages = match bytes.trim() {
        "|" => vec![Vec::new()],
        bytes => bytes.split('|').map(unfold).collect(),
    };
    Hostile { name: name.trim().to_owned(), kind, messages, heavy: false }
}

/// Hexadecimal in which `(…)*N` stands for N times the same.
fn unfold(text: &str) -> Vec<u8> {
    let Some((before, rest)) = text.split_once('(') else { return hex(text) };
    let (again, rest) = rest.split_once(")*").expect("how often");
    let (times, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    [hex(before), hex(again).repeat(times.parse().expect("a number")), unfold(rest)].concat()
}

/// Text nested in text, and then the outermost deleted.
fn nested(depth: u64) -> Vec<Vec<u8>> {
    let mut update = [number(1), number(depth), hex("05 00 07 01 01 74 02")].concat();
    for clock in 1..depth {
        update.extend([hex("07 00 05"), number(clock - 1), hex("02")].concat());
    }
    update.push(0);
    vec![update, hex("00 01 05 01 00 01")]
}

fn nested_bit_by_bit(depth: u64, at_once: u64) -> Vec<Vec<u8>> {
    let one = |clock: u64| match clock {
        0 => hex("07 01 01 74 02"),
        _ => [hex("07 00 05"), number(clock - 1), hex("02")].concat(),
    };
    let some = |first: u64| {
        let structs: Vec<u8> = (first..first + at_once).flat_map(one).collect();
        [hex("01"), number(at_once), hex("05"), number(first), structs, hex("00")].concat()
    };
    (0..depth / at_once).map(|part| some(part * at_once)).chain([hex("00 01 05 01 00 01")]).collect()
}

/// Inserts between the begin and each character of a text: a reader looks at all that is in between for each.
pub fn quadratic(inserts: u64, root: &str) -> Vec<u8> {
    let base = inserts + 1;
    let place = [hex("00 04 01"), number(root.len() as u64), root.as_bytes().to_vec()].concat();
    let head = [number(inserts + 1), number(1), number(base), place, number(inserts)];
    let mut update = [head.concat(), b"a".repeat(inserts as usize)].concat();
    for client in (1..=inserts).rev() {
        update
            .extend([number(1), number(client), hex("00 44"), number(base), number(client - 1), hex("01 62")].concat());
    }
    update.push(0);
    update
}

/// A letter after one that never was.
fn adrift(client: u64) -> Vec<u8> {
    [hex("01 01"), number(client), hex("00 84 05 64 01 61 00")].concat()
}

fn roots(count: u64) -> Vec<u8> {
    let mut update = [hex("01"), number(count), hex("05 00")].concat();
    for root in 0..count {
        let name = root.to_string();
        update.extend([hex("04 01"), number(name.len() as u64), name.into_bytes(), hex("01 61")].concat());
    }
    update.push(0);
    update
}

fn long_name(bytes: u64) -> Vec<u8> {
    [hex("01 01 05 00 04 01"), number(bytes), b"n".repeat(bytes as usize), hex("01 61 00")].concat()
}

#[test]
fn every_string_has_a_name_of_its_own() {
    let all = hostile();
    let names: std::collections::BTreeSet<&str> = all.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names.len(), all.len());
    assert!(all.iter().all(|one| !one.messages.is_empty()));
}
