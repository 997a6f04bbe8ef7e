//! Vectors written by hand, each small enough to be checked by eye.

use coterie::update::{
    ClientId, EMPTY, Id, IdSet, Kind, MAX_NAME_BYTES, MAX_NESTING, Malformed, StateVector, diff, is_empty_update,
    merge, scan, seed, summary, take,
};

use super::bytes::{alone, hex, item, number};

const ONE: ClientId = ClientId(1);
const TWO: ClientId = ClientId(2);

fn id(client: ClientId, clock: u32) -> Id {
    Id { client, clock }
}

fn vector(clocks: &[(u64, u32)]) -> StateVector {
    clocks.iter().map(|&(client, clock)| (ClientId(client), clock)).collect()
}

fn set(ranges: &[(u64, std::ops::Range<u32>)]) -> IdSet {
    ranges.iter().map(|(client, range)| (ClientId(*client), range.clone())).collect()
}

/// All of an update through `take`, with its own deletions.
fn take_all(bytes: &[u8]) -> Vec<u8> {
    let scan = scan(bytes).unwrap();
    take(bytes, &scan, |_| 0, |_| u32::MAX, &scan.deletions)
}

/// Clocks `[from, to)` of client 1, without deletions.
fn part(bytes: &[u8], from: u32, to: u32) -> Vec<u8> {
    take(bytes, &scan(bytes).unwrap(), |_| from, |_| to, &IdSet::default())
}

#[test]
fn state_vector_is_what_yjs_writes() {
    let known = vector(&[(1, 5), (300, 7)]);
    assert_eq!(known.encode(), hex("02 ac0207 0105"));
    assert_eq!(StateVector::decode(&known.encode()), Ok(known.clone()));
    assert_eq!(StateVector::decode(&hex("01 0100")), Ok(StateVector::default()), "0 is the same as absent");
    assert_eq!(StateVector::decode(&hex("02 0105 0103")).unwrap().get(ONE), 3, "the last counts");
    assert!(known.covers(&vector(&[(1, 5)])) && known.covers(&StateVector::default()));
    assert!(!known.covers(&vector(&[(1, 6)])) && !known.covers(&vector(&[(2, 1)])));
    let mut raised = known.clone();
    raised.raise(ONE, 3);
    raised.raise(TWO, 3);
    assert_eq!(raised, vector(&[(1, 5), (2, 3), (300, 7)]));
    raised.set(TWO, 0);
    assert_eq!((raised.len(), raised.is_empty()), (2, false));
    assert_eq!(raised, known);
}

#[test]
fn hostile_state_vectors_are_refused() {
    for (bytes, wrong) in [
        ("", Malformed::Truncated(0)),
        ("ffffffff0f", Malformed::Count(0)),
        ("01 01", Malformed::Count(0)),
        ("01 0180", Malformed::Truncated(3)),
        ("01 018080808010", Malformed::Clock(2)),
        ("01 ffffffffffffff7f 01", Malformed::Number(1)),
        ("01 0101 00", Malformed::Trailing(3)),
    ] {
        assert_eq!(StateVector::decode(&hex(bytes)), Err(wrong), "{bytes}");
    }
}

#[test]
fn id_sets_join_touching_ranges() {
    let mut ids = IdSet::default();
    for (clock, len) in [(10, 5), (0, 2), (20, 1), (5, 5), (2, 1), (14, 7), (30, 0)] {
        ids.insert(ONE, clock, len);
    }
    assert_eq!(ids, set(&[(1, 0..3), (1, 5..21)]));
    assert_eq!(ids.iter().collect::<Vec<_>>(), [(ONE, 0..3), (ONE, 5..21)]);
    assert!(ids.contains(id(ONE, 20)) && !ids.contains(id(ONE, 3)) && !ids.contains(id(TWO, 0)));
    assert!(ids.contains_range(ONE, 5, 16) && !ids.contains_range(ONE, 2, 4) && ids.contains_range(TWO, 9, 0));
    assert_eq!(ids.below(&vector(&[(1, 7)])), set(&[(1, 0..3), (1, 5..7)]));
    assert_eq!(ids.subtract(&set(&[(1, 1..2), (1, 4..6), (1, 20..99)])), set(&[(1, 0..1), (1, 2..3), (1, 6..20)]));
    assert!(ids.subtract(&ids).is_empty());
    assert!(ids.contains_all(&set(&[(1, 6..9)])) && !ids.contains_all(&set(&[(1, 6..22)])));
    let mut out = Vec::new();
    set(&[(1, 0..3), (2, 7..8)]).encode_into(&mut out);
    assert_eq!(out, hex("02 02010701 01010003"));
}

#[test]
fn id_sets_agree_with_a_plain_set() {
    let mut random = super::bytes::Random::new(7);
    for _ in 0..3_000 {
        let mut draw = || -> Vec<(u64, std::ops::Range<u32>)> {
            (0..random.below(24))
                .map(|_| {
                    let start = random.below(60) as u32;
                    (1 + random.below(2), start..start + 1 + random.below(9) as u32)
                })
                .collect()
        };
        let (a, b) = (draw(), draw());
        let plain = |ranges: &[(u64, std::ops::Range<u32>)]| -> std::collections::BTreeSet<(u64, u32)> {
            ranges.iter().flat_map(|(client, range)| range.clone().map(move |clock| (*client, clock))).collect()
        };
        let ids = |ids: &IdSet| plain(&ids.iter().map(|(client, range)| (client.0, range)).collect::<Vec<_>>());
        let (ours, theirs) = (set(&a), set(&b));
        let (left, right) = (plain(&a), plain(&b));
        assert_eq!(ids(&ours), left);
        let mut one_by_one = IdSet::default();
        a.iter().for_each(|(client, range)| one_by_one.insert(ClientId(*client), range.start, range.len() as u32));
        assert_eq!(one_by_one, ours);
        let mut union = ours.clone();
        union.union(&theirs);
        assert_eq!(ids(&union), &left | &right);
        assert_eq!(IdSet::union_all([ours.clone(), theirs.clone()]), union);
        assert_eq!(ids(&ours.subtract(&theirs)), &left - &right);
        assert_eq!(ours.contains_all(&theirs), left.is_superset(&right));
        let known = vector(&[(1, 30), (2, 11)]);
        let below = left.iter().copied().filter(|(client, clock)| *clock < known.get(ClientId(*client))).collect();
        assert_eq!(ids(&ours.below(&known)), below);
        for (client, range) in &b {
            let inside = range.clone().all(|clock| left.contains(&(*client, clock)));
            assert_eq!(ours.contains_range(ClientId(*client), range.start, range.len() as u32), inside);
        }
    }
}

#[test]
fn scan_reads_a_typed_word() {
    // Client 1 types "hé😀" at clock 3 behind 1:2 and before 2:0, and deletes 2:1.
    let bytes = hex("01 01 01 03 c4 0102 0200 07 68c3a9f09f9880 01 02 01 01 01");
    let scan = scan(&bytes).unwrap();
    assert_eq!(scan.sections.len(), 1);
    assert_eq!((scan.sections[0].client, scan.sections[0].clock, scan.sections[0].end), (ONE, 3, 7));
    let word = &scan.structs[0];
    assert_eq!((word.clock, word.len, word.kind, word.bytes.clone()), (3, 4, Kind::String, 4..17));
    assert_eq!((word.origin, word.right, word.parent), (Some(id(ONE, 2)), Some(id(TWO, 0)), None));
    assert_eq!(scan.deletions, set(&[(2, 1..2)]));
    assert_eq!(scan.struct_at(id(ONE, 6)), Some(word));
    assert_eq!(scan.struct_at(id(ONE, 7)), None);
    assert_eq!(take_all(&bytes), bytes);
}

#[test]
fn scan_reads_every_kind() {
    let any =
        hex("0d 7f7e797d417c000000007b00000000000000007a000000000000000078 770161 7601016b7501 7e 740102 7500 7600");
    let contents = [
        (Kind::Deleted, item(1, &[3]), 3),
        (Kind::Json, item(2, b"\x02\x09undefined\x09{\"a\":[1]}"), 2),
        (Kind::Binary, item(3, &[2, 0xff, 0]), 1),
        (Kind::String, item(4, b"\x02ab"), 2),
        (Kind::Embed, item(5, b"\x02{}"), 1),
        (Kind::Format, item(6, b"\x04bold\x04true"), 1),
        (Kind::Type, item(7, &[0]), 1),
        (Kind::Type, item(7, b"\x03\x01p"), 1),
        (Kind::Type, item(7, b"\x05\x01h"), 1),
        (Kind::Type, item(7, &[6]), 1),
        (Kind::Any, item(8, &any), 13),
        (Kind::Doc, item(9, b"\x01g\x76\x00"), 1),
        (Kind::Gc, vec![0, 4], 4),
        (Kind::Skip, vec![10, 4], 4),
    ];
    for (kind, one, len) in contents {
        let bytes = alone(&one);
        let scan = scan(&bytes).unwrap_or_else(|wrong| panic!("{kind:?}: {wrong}"));
        assert_eq!((scan.structs[0].kind, scan.structs[0].len), (kind, len));
        let expected = if kind == Kind::Skip { EMPTY } else { &bytes };
        assert_eq!(take_all(&bytes), expected, "{kind:?}");
        assert_eq!(merge(&[&bytes]).unwrap(), expected);
        assert_eq!(diff(&bytes, &StateVector::default()).unwrap(), expected);
        let known = if kind == Kind::Skip { 0 } else { len };
        let summary = summary(&bytes).unwrap();
        assert_eq!(summary.state_vector.get(ONE), known);
        assert_eq!(summary.deleted.contains_range(ONE, 0, len), kind.is_deleted());
        assert_eq!(!summary.formats.is_empty(), kind == Kind::Format);
        assert!(summary.whole);
        assert_eq!(scan.deleted(|_| 1, |_| u32::MAX).contains_range(ONE, 1, len - 1), kind.is_deleted() || len == 1);
        assert_eq!(!scan.formats(|_| 0, |_| 1).is_empty(), kind == Kind::Format);
    }
}

#[test]
fn a_nested_item_names_its_parent() {
    let scan = scan(&alone(&hex("28 00 0205 016b 01 7e"))).unwrap();
    assert_eq!(scan.structs[0].parent, Some(id(TWO, 5)));
    assert_eq!(scan.structs[0].kind, Kind::Any);
}

#[test]
fn a_struct_is_split_as_yjs_splits_it() {
    let text =
        alone(&item(4, "ab😀".as_bytes().iter().fold(vec![6], |mut all, byte| (all.push(*byte), all).1).as_slice()));
    assert_eq!(part(&text, 0, 2), alone(&item(4, b"\x02ab")));
    assert_eq!(part(&text, 1, 2), hex("01 01 01 01 84 0100 0162 00"));
    assert_eq!(part(&text, 0, 3), alone(&item(4, b"\x05ab\xef\xbf\xbd")), "half a character");
    assert_eq!(part(&text, 3, 4), hex("01 01 01 03 84 0102 03efbfbd 00"), "the other half");
    assert_eq!(part(&text, 2, 3), hex("01 01 01 02 84 0101 03efbfbd 00"));
    assert_eq!(part(&text, 4, 9), EMPTY);
    assert_eq!(part(&alone(&[0, 9]), 2, 5), hex("01 01 01 02 00 03 00"));
    assert_eq!(part(&alone(&item(1, &[9])), 2, 5), hex("01 01 01 02 81 0101 03 00"));
    assert_eq!(part(&alone(&item(2, b"\x03\x011\x012\x013")), 1, 2), hex("01 01 01 01 82 0100 01 0132 00"));
    // A map entry of two values before 2:7: the bit of the key stays, the right neighbour too.
    let any = alone(&hex("68 0207 02 7e 7f"));
    assert_eq!(part(&any, 1, 2), hex("01 01 01 01 e8 0100 0207 01 7f 00"));
    assert_eq!(part(&any, 0, 1), alone(&hex("68 0207 01 7e")));
    assert_eq!(part(&alone(&hex("28 01 0174 016b 02 7e 7f")), 1, 2), hex("01 01 01 01 a8 0100 01 7f 00"));
}

#[test]
fn take_drops_skips_at_the_edges() {
    // GC 2, Skip 3, "a", Skip 2, GC 1 of client 1.
    let bytes = hex("01 05 01 00 0002 0a03 840100 0161 0a02 0001 00");
    assert_eq!(part(&bytes, 0, 9), bytes);
    assert_eq!(part(&bytes, 1, 8), hex("01 03 01 01 0001 0a03 840100 0161 00"));
    assert_eq!(part(&bytes, 3, 7), hex("01 01 01 05 840100 0161 00"));
    assert_eq!(part(&bytes, 2, 5), EMPTY);
    assert_eq!(summary(&bytes).unwrap().state_vector.get(ONE), 2);
    assert!(!summary(&bytes).unwrap().whole);
    assert_eq!(summary(&bytes).unwrap().deleted, set(&[(1, 0..2), (1, 8..9)]));
    assert_eq!(merge(&[&bytes]).unwrap(), bytes);
    assert_eq!(diff(&bytes, &vector(&[(1, 3)])).unwrap(), hex("01 03 01 05 840100 0161 0a02 0001 00"));
}

#[test]
fn merge_cuts_overlaps_and_marks_gaps() {
    let rows =
        ["01 01 01 04 0002 00", "01 01 01 00 0003 01 02010001", "01 01 02 00 0001 01 02010101", "01 01 01 01 0004 00"];
    let rows: Vec<Vec<u8>> = rows.iter().map(|row| hex(row)).collect();
    // Client 2 first; of client 1: GC 3 at 0, then 2 more of the row that begins at 1, then 1 more of the row at 4.
    assert_eq!(merge(&rows).unwrap(), hex("02 01 02 00 0001 03 01 00 0003 0002 0001 01 02010002"));
    assert_eq!(merge(&rows[..2]).unwrap(), hex("01 03 01 00 0003 0a01 0002 01 02010001"));
    assert_eq!(merge(&[[0u8; 0]; 0]).unwrap(), EMPTY);
    assert!(is_empty_update(&merge(&[EMPTY, EMPTY]).unwrap()));
    assert_eq!(merge(&[&rows[0], &vec![1]]), Err(Malformed::Count(0)));
}

#[test]
fn seed_is_one_string_at_clock_0() {
    assert_eq!(seed(ONE, "content", ""), EMPTY);
    let bytes = seed(ClientId(300), "t", "é");
    assert_eq!(bytes, hex("01 01 ac02 00 04 01 0174 02c3a9 00"));
    assert_eq!(summary(&bytes).unwrap().state_vector, vector(&[(300, 1)]));
}

#[test]
fn hostile_updates_are_refused() {
    let nested = |levels: usize| [item(8, &[1]), [117, 1].repeat(levels), vec![126]].concat();
    let json = |text: &str| alone(&item(5, &[number(text.len() as u64), text.into()].concat()));
    let name = |len: usize| alone(&[vec![4, 1], number(len as u64), vec![b'n'; len], vec![1, b'a']].concat());
    assert!(scan(&alone(&nested(MAX_NESTING))).is_ok());
    assert!(
        scan(&json(&"[".repeat(MAX_NESTING).chars().chain("]".repeat(MAX_NESTING).chars()).collect::<String>()))
            .is_ok()
    );
    assert!(scan(&name(MAX_NAME_BYTES)).is_ok());
    for (bytes, wrong) in [
        (alone(&nested(MAX_NESTING + 1)), Malformed::Nested(9 + 2 * MAX_NESTING)),
        // The process abort of yrs.
        (hex(&format!("01 01 07 00 08 01 01 74 01 {} 7e 00", "75 01 ".repeat(8_000))), Malformed::Nested(137)),
        (json(&"[".repeat(MAX_NESTING + 1)), Malformed::Nested(9 + MAX_NESTING)),
        (name(MAX_NAME_BYTES + 1), Malformed::Name(6)),
        // Counts and lengths that are only claims.
        (hex("01 ff ff ff ff 0f 07 00"), Malformed::Count(1)),
        (hex("ffffffff0f"), Malformed::Count(0)),
        (hex("ffffffff0f0000000000"), Malformed::Count(0)),
        (hex("00 ffffffff0f"), Malformed::Count(1)),
        (hex("00 01 09 ffffffff0f 0000"), Malformed::Count(3)),
        (alone(&item(8, &number(u64::from(u32::MAX)))), Malformed::Count(8)),
        (alone(&item(8, &hex("01 76 ffffff7f"))), Malformed::Count(10)),
        (alone(&item(3, &number(1 << 40))), Malformed::Truncated(8)),
        // Clocks near the end of 32 bits, deletions of all that will ever be written.
        (hex("0101 01 faffffff0f 04010174016100"), Malformed::Clock(3)),
        (hex("01 01 07 05 00 faffffff0f 00"), Malformed::Clock(5)),
        (hex("01 01 07 05 00 fbffffff07 00"), Malformed::Clock(4)),
        (hex("00 01 09 01 00 ffffffff0f"), Malformed::Clock(5)),
        (hex("00 01 09 01 01 ffffffff07"), Malformed::Clock(4)),
        (hex("01 01 8080808080808010 00 0001 00"), Malformed::Number(2)),
        (hex("01 01 808080808080808001 00 0001 00"), Malformed::Number(2)),
        (hex("01 01 808080808080808010 00 0001 00"), Malformed::Number(2)),
        (hex("01 01 01 808080808020 0001 00"), Malformed::Clock(3)),
        // The same client twice, in the blocks or in the delete set.
        (hex("0201020084040101610102000401016d01610104010104"), Malformed::SameClient(9)),
        (hex("02 01 01 00 0001 01 01 01 0001 00"), Malformed::SameClient(6)),
        (hex("020101030401016d016101011e0400010d016100"), Malformed::SameClient(10)),
        (hex("020102000601017404626f6c640474727565010200040101780362636400"), Malformed::SameClient(18)),
        (hex("00 02 01 01 00 01 01 01 04 01"), Malformed::SameClient(6)),
        // Nothing where something must be.
        (hex("01 00 01 00 0001 00"), Malformed::EmptySection(1)),
        (alone(&[0, 0]), Malformed::ZeroLength(4)),
        (alone(&[10, 0]), Malformed::ZeroLength(4)),
        (alone(&item(4, &[0])), Malformed::ZeroLength(4)),
        (alone(&item(8, &[0])), Malformed::ZeroLength(4)),
        (hex("00 01 09 01 03 00"), Malformed::ZeroLength(4)),
        // What nobody knows.
        (alone(&item(11, &[1])), Malformed::Kind(4)),
        (alone(&[0x80, 1]), Malformed::Kind(4)),
        (alone(&[0x2a, 1]), Malformed::Kind(4)),
        (alone(&[4, 2, 1, b't', 1, b'a']), Malformed::Parent(5)),
        (alone(&item(7, &[7])), Malformed::TypeRef(8)),
        (alone(&item(8, &[1, 115])), Malformed::AnyTag(9)),
        (alone(&item(8, &[1, 128])), Malformed::AnyTag(9)),
        (alone(&item(9, b"\x01g\x7e")), Malformed::DocOptions(10)),
        (alone(&item(4, &[2, 0xc3, 0x28])), Malformed::Utf8(9)),
        (alone(&item(4, &[3, 0xed, 0xa0, 0x80])), Malformed::Utf8(9)),
        (hex("0000 00"), Malformed::Trailing(2)),
        (hex("00"), Malformed::Truncated(1)),
        (hex(""), Malformed::Truncated(0)),
    ] {
        assert_eq!(scan(&bytes), Err(wrong), "{:02x?}", &bytes[..bytes.len().min(40)]);
        assert_eq!(summary(&bytes), Err(wrong));
        assert_eq!(merge(&[&bytes]), Err(wrong));
        assert_eq!(diff(&bytes, &StateVector::default()), Err(wrong));
        assert!(wrong.to_string().ends_with(&format!("at byte {}", wrong.at())));
    }
}

/// What breaks yrs but not bytes passes here; the gate and the worker deal with it. (`|` is the next update.)
#[test]
fn what_only_yrs_cannot_integrate_is_read() {
    for updates in [
        // Memory fault: a section below the known clock, over a hole.
        "01020303040101740161000400 | 010103018103070300",
        // The victim of the endless loop, whose second update names a client twice.
        "010104000401017404f09f918b00",
        // Memory fault: a map entry of four values, partly deleted.
        "0101040004010174016100 | 0102030009010178046775696476000701017804010400
         | 010401000901016d04677569647600010003010108000301017e28000301016a047e7e7e7e0203010101010201010601",
        // Poisoned document: a string for a parent.
        "0101030004000107016100 | 0102010004010178016104010174016100
         | 010201030401017409f09f918bf09f918b6504000101016100",
        // The victim of a panic, whose second update names a client twice.
        "010101010401017409f09f918bf09f918b6500",
        // An honest XML hook.
        "0102c4d4fcb00f00070101780502686b04010174027a7a00",
        // Forged garbage in another's name; an edit from the future.
        "01010705006400 | 0101070804010174015800",
    ] {
        for update in updates.split('|') {
            let bytes = hex(update);
            let scan = scan(&bytes).unwrap_or_else(|wrong| panic!("{wrong}: {update}"));
            assert_eq!(summary(&bytes).map(|summary| summary.structs), Ok(scan.structs.len()), "{update}");
            assert_eq!(summary(&take_all(&bytes)), summary(&bytes), "{update}");
        }
    }
}

#[test]
fn json_is_what_json_parse_accepts() {
    let accepts = |text: &str| scan(&alone(&item(5, &[number(text.len() as u64), text.into()].concat()))).is_ok();
    for text in [
        "0",
        "-0",
        "1.5e+10",
        "1E9999",
        " [ ] ",
        "{}",
        "null",
        "true",
        "\"\\ud800\"",
        "\"\\u00Ff\\n\\/\"",
        "[1,[2,{}],\"x\"]",
        "{\"a\":{\"a\":[]},\"a\":1}",
        "\t\r\n1\n",
        "\"é\u{2028}😀\u{7f}\"",
    ] {
        assert!(accepts(text), "{text}");
    }
    for text in [
        "",
        " ",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "-",
        "[1,]",
        "[,1]",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{1:1}",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "\"\\",
        "\"\\u12",
        "undefined",
        "NaN",
        "nul",
        "nulll",
        "1 2",
        "[1}",
        "{\"a\":1]",
        "]",
        "[",
        "{\"a\":",
        "\u{feff}1",
        "1\u{a0}",
        "//",
        "Infinity",
        "{,}",
        "[1 2]",
        "{\"a\":1 \"b\":2}",
        "{\"a\"}",
    ] {
        assert!(!accepts(text), "{text}");
    }
}
