//! Bytes nobody should send: mutated updates and noise. Nothing panics; what is accepted is read by Yjs too, and
//! survives its own writing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use coterie::update::{StateVector, diff, merge, scan, summary, take};

use super::bytes::Random;
use super::oracle::{Oracle, part_of};
use super::written::described;

const SEED: u64 = 60_000;
const CASES: u64 = 220_000;
/// One in so many cases is also shown to Yjs.
const SHOWN: u64 = 8;

/// Bytes with one to three small things done to them.
pub(crate) fn mutated(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.below(3) {
        let at = random.below(bytes.len() as u64 + 1) as usize;
        let byte = match random.below(3) {
            0 => random.next() as u8,
            1 => [0, 1, 2, 3, 7, 8, 0x7f, 0x80, 0xff, 117, 118][random.below(11) as usize],
            _ => bytes.get(at).map_or(0, |byte| byte ^ 1 << random.below(8)),
        };
        match random.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, byte),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            3 if at < bytes.len() => {
                // A piece of it again, elsewhere.
                let end = (at + 1 + random.below(20) as usize).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                let to = random.below(bytes.len() as u64 + 1) as usize;
                bytes.splice(to..to, piece);
            }
            _ if at < bytes.len() => bytes[at] = byte,
            _ => bytes.push(byte),
        }
    }
    bytes
}

#[test]
fn no_bytes_panic_and_what_is_accepted_is_whole() {
    let mut oracle = Oracle::start();
    let mut random = Random::new(SEED);
    let mut corpus = Vec::new();
    for seed in SEED..SEED + 40 {
        let session = oracle.session(seed, seed % 2 == 0, seed % 4 < 2);
        corpus.extend(session.rows);
        corpus.extend(session.others.into_iter().filter(|update| update.len() < 2_000));
    }
    corpus.extend(oracle.strips().into_iter().map(|(_, state)| state));
    let (mut accepted, mut changed, mut shown, mut slowest) = (0, 0, Vec::new(), Duration::ZERO);
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for case in 0..CASES {
        let honest = &corpus[random.below(corpus.len() as u64) as usize];
        let bytes = if case % 20 == 0 {
            (0..random.below(60)).map(|_| (random.next() >> (random.below(8) * 8)) as u8 & 0x0f).collect()
        } else {
            mutated(honest, &mut random)
        };
        let started = Instant::now();
        let scanned = scan(&bytes);
        slowest = slowest.max(started.elapsed());
        assert_eq!(summary(&bytes).map(drop), scanned.as_ref().map(drop).map_err(|wrong| *wrong));
        if case % SHOWN == 0 {
            shown.push(bytes.clone());
        }
        drop(StateVector::decode(&bytes));
        let scan = match scanned {
            Ok(scan) => scan,
            Err(wrong) => {
                let name = format!("{wrong:?}");
                *refused.entry(name[..name.find('(').unwrap()].into()).or_default() += 1;
                continue;
            }
        };
        accepted += 1;
        changed += usize::from(&bytes != honest);
        survives(&bytes, &scan, honest, &mut random);
    }
    let read = shown.chunks(500).map(|some| compare(&mut oracle, some)).sum::<usize>();
    println!(
        "mutation: seed {SEED}, {CASES} cases of {} updates, {accepted} accepted ({changed} of them changed), \
         {} shown to yjs ({read} read alike), slowest scan {slowest:?}\nrefused as: {refused:?}",
        corpus.len(),
        shown.len()
    );
    // All but the limits that only long inputs reach.
    assert!(refused.len() >= 15, "{refused:?}");
    assert!(accepted > CASES as usize / 50 && changed > 1_000 && read > 500);
    assert!(slowest < Duration::from_secs(1));
}

/// What is accepted comes out of every function as something that is accepted and says the same.
fn survives(bytes: &[u8], scanned: &coterie::update::Scan, honest: &[u8], random: &mut Random) {
    let sum = summary(bytes).unwrap();
    let taken = take(bytes, scanned, |_| 0, |_| u32::MAX, &scanned.deletions);
    assert_eq!(
        summary(&taken).map(|taken| (taken.deleted, taken.formats, taken.structs)).unwrap(),
        (sum.deleted.clone(), sum.formats.clone(), sum.structs),
        "{bytes:02x?}"
    );
    assert_eq!(summary(&merge(&[bytes]).unwrap()).unwrap().structs, sum.structs);
    let all = |_| 0..u32::MAX;
    let ends: StateVector = scanned.sections.iter().map(|section| (section.client, section.end)).collect();
    let vector = part_of(&ends, random);
    let rest = diff(bytes, &vector).unwrap();
    let first = take(bytes, scanned, |_| 0, |client| vector.get(client), &scanned.deletions);
    let again = summary(&merge(&[&first, &rest]).unwrap()).unwrap();
    assert_eq!(
        (&again.deleted, &again.formats, &again.state_vector),
        (&sum.deleted, &sum.formats, &sum.state_vector),
        "{bytes:02x?}"
    );
    assert_eq!(
        scanned.deleted(|client| all(client).start, |client| all(client).end).subtract(&sum.deleted).iter().count(),
        0
    );
    let merged = merge(&[bytes, honest]).unwrap();
    assert!(summary(&merged).unwrap().deleted.contains_all(&scanned.deletions), "{bytes:02x?}");
}

/// Whatever we accept Yjs decodes, to the same structs. (Yjs also accepts much that we refuse.)
fn compare(oracle: &mut Oracle, updates: &[Vec<u8>]) -> usize {
    let mut read = 0;
    for (update, expected) in updates.iter().zip(oracle.decoded(updates)) {
        if let Ok(scan) = scan(update) {
            assert_eq!(described(&scan), expected, "{update:02x?}");
            read += 1;
        }
    }
    read
}
