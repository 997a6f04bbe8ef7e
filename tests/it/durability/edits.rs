//! Edits whose place and letter follow from who typed them: everyone types one chain of letters into `content`, and
//! the letter at each clock is known. So whatever a server gives back can be checked letter by letter, without a
//! library, and the text that Yjs makes of it can be told in advance.

use std::collections::BTreeMap;
use std::fmt::Write;

/// How many letters of each client are known, from the first on without a gap.
pub(super) type Clocks = BTreeMap<u64, u32>;

/// Letters of one client that follow each other.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) client: u64,
    pub(super) clock: u32,
    pub(super) text: String,
}

/// The letter that a client types at a clock.
pub(super) fn letter(client: u64, clock: u32) -> u8 {
    let mixed = (client ^ u64::from(clock)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    b'a' + u8::try_from(mixed % 26).expect("below 26")
}

/// The update that types a client's letters `[from, to)`, one struct each.
pub(super) fn typed(client: u64, from: u32, to: u32) -> Vec<u8> {
    if from == to {
        return vec![0, 0];
    }
    let mut out = vec![1];
    number(&mut out, (to - from).into());
    number(&mut out, client);
    number(&mut out, from.into());
    for clock in from..to {
        string(&mut out, client, clock, &[letter(client, clock)]);
    }
    out.push(0);
    out
}

/// The update by which a client types a text at a clock, after what it typed before.
pub(super) fn typed_text(client: u64, clock: u32, text: &str) -> Vec<u8> {
    let mut out = vec![1, 1];
    number(&mut out, client);
    number(&mut out, clock.into());
    string(&mut out, client, clock, text.as_bytes());
    out.push(0);
    out
}

fn string(out: &mut Vec<u8>, client: u64, clock: u32, text: &[u8]) {
    match clock.checked_sub(1) {
        None => {
            out.extend([0x04, 1]);
            buffer(out, b"content");
        }
        Some(before) => {
            out.push(0x84);
            number(out, client);
            number(out, before.into());
        }
    }
    buffer(out, text);
}

/// A state vector.
pub(super) fn state_vector(clocks: &[(u64, u32)]) -> Vec<u8> {
    let mut out = Vec::new();
    number(&mut out, clocks.len() as u64);
    for &(client, clock) in clocks {
        number(&mut out, client);
        number(&mut out, clock.into());
    }
    out
}

/// Reads a state vector.
pub(super) fn read_state_vector(bytes: &[u8]) -> Clocks {
    let mut cursor = Cursor(bytes);
    let count = cursor.number();
    (0..count).map(|_| (cursor.number(), cursor.clock())).collect()
}

/// Reads an update that consists of such edits only, merged or not.
pub(super) fn read(update: &[u8]) -> Vec<Run> {
    let mut cursor = Cursor(update);
    let mut runs: Vec<Run> = Vec::new();
    for _ in 0..cursor.number() {
        let structs = cursor.number();
        let client = cursor.number();
        let mut clock = cursor.clock();
        runs.push(Run { client, clock, text: String::new() });
        for _ in 0..structs {
            let info = cursor.byte();
            assert_eq!(info & 0x7f, 0x04, "a struct that nobody typed: {info:#x}");
            if info & 0x80 != 0 {
                let origin = (cursor.number(), cursor.clock());
                assert_eq!(origin, (client, clock.wrapping_sub(1)), "a letter moved");
            } else {
                assert_eq!((cursor.byte(), cursor.buffer()), (1, &b"content"[..]), "a letter moved");
                assert_eq!(clock, 0, "a letter moved");
            }
            let text = std::str::from_utf8(cursor.buffer()).expect("text is UTF-8");
            clock += u32::try_from(text.len()).expect("a short text");
            runs.last_mut().expect("just pushed").text.push_str(text);
        }
    }
    assert_eq!(cursor.0, [0], "deletions or bytes that nobody sent");
    runs
}

/// Takes an update into what is known of a document. Every letter must be the one that was typed, and follow what is
/// known; one that is known already is a fault where `twice` says so.
pub(super) fn absorb(known: &mut Clocks, update: &[u8], twice: Twice) -> Result<(), String> {
    for run in read(update) {
        let known = known.entry(run.client).or_insert(0);
        if run.clock > *known {
            return Err(format!("letters {}..{} of client {} are missing", *known, run.clock, run.client));
        }
        if run.clock < *known && twice == Twice::IsAFault {
            return Err(format!("client {} is at {known}, and its letter {} comes again", run.client, run.clock));
        }
        for (letter_found, clock) in run.text.bytes().zip(run.clock..) {
            if letter_found != letter(run.client, clock) {
                return Err(format!("letter {clock} of client {} is another one", run.client));
            }
            *known = (*known).max(clock + 1);
        }
    }
    Ok(())
}

/// Whether a letter may come twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twice {
    IsAFault,
    IsFine,
}

/// The text of a document: since nobody types between another's letters, the chains in the order of their clients.
pub(super) fn text(known: &Clocks) -> String {
    known.iter().flat_map(|(&client, &end)| (0..end).map(move |clock| char::from(letter(client, clock)))).collect()
}

/// What differs between two states, for a message that fits on a page.
pub(super) fn difference(one: &Clocks, other: &Clocks) -> String {
    let mut said = String::new();
    for client in one.keys().chain(other.keys().filter(|client| !one.contains_key(client))) {
        let ends = (one.get(client).copied().unwrap_or(0), other.get(client).copied().unwrap_or(0));
        if ends.0 != ends.1 {
            let _ = write!(said, " client {client}: {} and {}", ends.0, ends.1);
        }
    }
    said
}

pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn buffer(out: &mut Vec<u8>, bytes: &[u8]) {
    number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Reads what the functions above write; panics at anything else.
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn byte(&mut self) -> u8 {
        let (&first, rest) = self.0.split_first().expect("bytes break off");
        self.0 = rest;
        first
    }

    pub(super) fn number(&mut self) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    fn clock(&mut self) -> u32 {
        self.number().try_into().expect("a clock fits 32 bits")
    }

    pub(super) fn buffer(&mut self) -> &'a [u8] {
        let len = self.number().try_into().expect("a length fits");
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }
}

#[test]
fn yjs_reads_these_edits_as_foretold() {
    use yrs::updates::decoder::Decode;
    use yrs::{Doc, GetString, ReadTxn, Transact, Update};

    let known = Clocks::from([(7, 4), (3, 300), (1 << 40, 2)]);
    let doc = Doc::new();
    for (&client, &end) in known.iter().rev() {
        for bytes in [typed(client, 0, end / 2), typed(client, end / 2, end)] {
            doc.transact_mut().apply_update(Update::decode_v1(&bytes).unwrap()).unwrap();
        }
    }
    let content = doc.get_or_insert_text("content");
    assert_eq!(content.get_string(&doc.transact()), text(&known));
    let merged = doc.transact().encode_state_as_update_v1(&yrs::StateVector::default());
    let mut read_back = Clocks::new();
    assert_eq!(absorb(&mut read_back, &merged, Twice::IsAFault), Ok(()));
    assert_eq!(read_back, known);
    assert!(absorb(&mut read_back, &typed(7, 3, 5), Twice::IsAFault).is_err());
    assert!(absorb(&mut read_back, &typed(7, 5, 6), Twice::IsFine).is_err());
    assert!(absorb(&mut read_back, &typed_text(7, 4, "?"), Twice::IsFine).is_err());
    assert_eq!(absorb(&mut read_back, &typed(7, 3, 5), Twice::IsFine), Ok(()));
}
