//! Embedded JSON is accepted exactly where `JSON.parse` accepts it.

use coterie::update::{Malformed, scan};

use super::bytes::{Random, alone, item, number};
use super::oracle::Oracle;

const SEED: u64 = 80_000;
const CASES: usize = 30_000;

const TOKENS: [&str; 44] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"a\"",
    "\"",
    "\\",
    "\\u12aF",
    "\\n",
    "\\/",
    "\\x",
    "0",
    "1",
    "-",
    "+",
    ".",
    "e",
    "E10",
    "1.5",
    "-0",
    "01",
    "true",
    "false",
    "null",
    "undefined",
    "NaN",
    " ",
    "\t",
    "\n",
    "\r",
    "\u{a0}",
    "\u{feff}",
    "\u{1}",
    "\u{7f}",
    "\u{2028}",
    "é",
    "😀",
    "'",
    "/",
    "[]",
    "{}",
    "\"k\":1",
];

/// A value that is JSON.
fn valid(random: &mut Random, depth: u32) -> String {
    let space = [" ", "", "", "\n\t"][random.below(4) as usize];
    let inner = |random: &mut Random, open: &str, close: &str, keyed: bool| {
        let values: Vec<String> = (0..random.below(4))
            .map(|_| {
                if keyed { format!("\"é\\n\"{space}:{}", valid(random, depth + 1)) } else { valid(random, depth + 1) }
            })
            .collect();
        format!("{open}{space}{}{close}", values.join(","))
    };
    match random.below(if depth > 5 { 6 } else { 10 }) {
        0 => format!("{space}null"),
        1 => format!("{}e-{}{space}", random.below(99), random.below(9)),
        2 => format!("-{}.0{}", random.below(99), random.below(99)),
        3 => "\"\\ud83d\\\\ 😀\"".into(),
        4 => format!("true{space}"),
        5 => "\"\"".into(),
        6 | 7 => inner(random, "[", "]", false),
        _ => inner(random, "{", "}", true),
    }
}

#[test]
fn json_is_accepted_where_json_parse_accepts_it() {
    let mut oracle = Oracle::start();
    let mut random = Random::new(SEED);
    let texts: Vec<String> = (0..CASES)
        .map(|case| {
            let mut text = valid(&mut random, 0);
            for _ in 0..[0, 1, 1, 2, 9][case % 5] {
                let marks: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
                let at = marks[random.below(marks.len() as u64) as usize];
                let token = TOKENS[random.below(TOKENS.len() as u64) as usize];
                let end =
                    if random.below(2) == 0 { at } else { marks.iter().copied().find(|&mark| mark > at).unwrap_or(at) };
                text.replace_range(at..end, if random.below(4) == 0 { "" } else { token });
            }
            text
        })
        .collect();
    let updates: Vec<Vec<u8>> = texts
        .iter()
        .map(|text| alone(&item(5, &[number(text.len() as u64), text.as_bytes().to_vec()].concat())))
        .collect();
    let (mut accepted, mut refused) = (0, 0);
    for ((text, update), decoded) in texts.iter().zip(&updates).zip(oracle.decoded(&updates)) {
        match scan(update) {
            Ok(_) => accepted += 1,
            Err(Malformed::Json(_)) => refused += 1,
            Err(wrong) => panic!("{wrong}: {text}"),
        }
        assert_eq!(scan(update).is_ok(), !decoded.is_empty(), "{text:?}");
    }
    println!("json: seed {SEED}, {CASES} texts, {accepted} accepted, {refused} refused");
    assert!(accepted > CASES / 10 && refused > CASES / 10);
}
