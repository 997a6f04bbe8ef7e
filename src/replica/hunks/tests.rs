//! Hunks on documents of a library, without a worker around.

use yrs::{Doc, GetString, Text, Transact};

use super::propose::places;
use super::*;
use crate::replica::wire::Reply;
use crate::replica::worker::{integrate, new_doc, state};

fn of(text: &str) -> Doc {
    let doc = new_doc();
    doc.get_or_insert_text("content").insert(&mut doc.transact_mut(), 0, text);
    doc
}

fn said(doc: &Doc) -> String {
    doc.get_or_insert_text("content").get_string(&doc.transact())
}

fn hunks(doc: &Doc, wanted: &Wanted) -> Vec<Hunk> {
    match propose(doc, "content", wanted) {
        Reply::Hunks(hunks) => hunks,
        other => panic!("{other:?}"),
    }
}

fn to(text: &str) -> Wanted {
    Wanted::Text { base: None, text: text.to_owned() }
}

fn held(hunks: Vec<Hunk>) -> Vec<Held> {
    let held = |Hunk { anchor, before, after, .. }| Held { anchor: anchor.unwrap(), before, after };
    hunks.into_iter().map(held).collect()
}

fn applied(doc: &Doc, hunks: &[Held]) -> Fitted {
    let Reply::Fitted(fitted) = apply(&state(doc), "content", hunks) else { panic!() };
    integrate(doc, &fitted.update).unwrap();
    fitted
}

#[test]
fn hunks_make_one_text_another_and_are_taken_back() {
    let cases = [
        ("", "new\n"),
        ("a\nb\nc\n", ""),
        ("a\nb\nc\nd\ne\n", "a\nB\nc\nd\nE\nf"),
        ("🌍\nb\nc\nd\n", "x\n🌍\nb\nc\n🌎\n"),
        ("no end", "no end\nbut this"),
    ];
    for (from, wanted) in cases {
        let doc = of(from);
        let hunks = hunks(&doc, &to(wanted));
        assert!(!hunks.is_empty(), "{from:?}");
        let fitted = applied(&doc, &held(hunks));
        assert_eq!(said(&doc), wanted);
        let Reply::Update(back) = revert(&state(&doc), "content", &[fitted.client], &fitted.gone) else { panic!() };
        integrate(&doc, &back).unwrap();
        assert_eq!(said(&doc), from);
    }
}

#[test]
fn a_hunk_follows_its_text_and_is_not_forced_where_that_changed() {
    let doc = of("one\ntwo\nthree\nfour\nfive\n");
    let held = held(hunks(&doc, &to("one\nTWO\nthree\nfour\nfive\nsix\n")));
    assert_eq!(held.len(), 2);
    let text = doc.get_or_insert_text("content");
    text.insert(&mut doc.transact_mut(), 0, "zero\n");
    let Reply::Fitted(fitted) = fit(&doc, "content", &held) else { panic!() };
    assert_eq!(fitted.lines, [Some(3), Some(7)]);
    text.insert(&mut doc.transact_mut(), 10, "x");
    text.remove_range(&mut doc.transact_mut(), 14, 3);
    let fitted = applied(&doc, &held);
    assert_eq!(fitted.lines, [None, Some(7)], "{}", said(&doc));
    assert!(said(&doc).ends_with("five\nsix\n") && !said(&doc).contains("TWO"));
}

#[test]
fn an_insertion_is_held_by_its_neighbours() {
    let at = |edit: &dyn Fn(&Doc)| {
        let doc = of("a\nb\n");
        let held = held(hunks(&doc, &to("a\nnew\nb\n")));
        edit(&doc);
        let Reply::Fitted(fitted) = fit(&doc, "content", &held) else { panic!() };
        fitted.lines[0]
    };
    let text = |doc: &Doc| doc.get_or_insert_text("content");
    assert_eq!(at(&|_| ()), Some(2));
    assert_eq!(at(&|doc| text(doc).insert(&mut doc.transact_mut(), 1, "x")), Some(2));
    assert_eq!(at(&|doc| text(doc).insert(&mut doc.transact_mut(), 2, "x\n")), None);
    assert_eq!(at(&|doc| text(doc).remove_range(&mut doc.transact_mut(), 2, 1)), None);
    assert_eq!(at(&|doc| text(doc).remove_range(&mut doc.transact_mut(), 1, 1)), None);
}

#[test]
fn a_text_made_from_an_older_one_finds_what_did_not_change_since() {
    let doc = of("zero\none\ntwo\nthree!\n");
    let base = "one\ntwo\nthree\n".to_owned();
    let wanted = Wanted::Text { base: Some(base), text: "ONE\ntwo\ntwo and a half\nthree\n".to_owned() };
    let found = hunks(&doc, &wanted);
    assert_eq!(found.len(), 1, "one line between them does not keep them apart: {found:?}");
    let wanted =
        Wanted::Text { base: Some("one\ntwo\n-\nthree\n".to_owned()), text: "ONE\ntwo\n-\nTHREE\n".to_owned() };
    let doc = of("zero\none\ntwo\n-\nthree!\n");
    let found = hunks(&doc, &wanted);
    let there: Vec<bool> = found.iter().map(|hunk| hunk.anchor.is_some()).collect();
    assert_eq!(there, [true, false]);
    let first = Held {
        anchor: found[0].anchor.clone().unwrap(),
        before: found[0].before.clone(),
        after: found[0].after.clone(),
    };
    applied(&doc, &[first]);
    assert_eq!(said(&doc), "zero\nONE\ntwo\n-\nthree!\n");
}

#[test]
fn what_others_wrote_since_is_left() {
    let doc = of("a\nb\nc\n");
    let fitted = applied(&doc, &held(hunks(&doc, &to("a\nbigger\nc\n"))));
    let text = doc.get_or_insert_text("content");
    text.insert(&mut doc.transact_mut(), 5, "-theirs-");
    text.insert(&mut doc.transact_mut(), 0, "above\n");
    let Reply::Update(back) = revert(&state(&doc), "content", &[fitted.client], &fitted.gone) else { panic!() };
    integrate(&doc, &back).unwrap();
    assert_eq!(said(&doc), "above\na\nb-theirs-\nc\n");
}

fn replaced(live: &str, edits: &[Replacement]) -> Result<String, String> {
    let mut text = live.to_owned();
    for (from, to, replace) in places(live, edits)?.into_iter().rev() {
        text.replace_range(from..to, replace);
    }
    Ok(text)
}

#[test]
fn replacements_are_found_once_and_do_not_overlap() {
    let find = |find: &str| Replacement::Found { find: find.to_owned(), replace: "x".to_owned() };
    let range = |from, to| Replacement::Range { from, to, replace: "y".to_owned() };
    assert_eq!(replaced("one 🌍 two", &[find("two"), range(4, 6)]).unwrap(), "one y x");
    for wrong in [vec![find("o")], vec![find("z")], vec![find("")], vec![range(5, 6)], vec![range(6, 4)]] {
        assert!(replaced("one 🌍 two", &wrong).is_err(), "{wrong:?}");
    }
    assert!(replaced("one two", &[find("one"), range(2, 5)]).is_err());
    assert!(replaced("one two", &[range(0, 9)]).is_err());
}

#[test]
fn hunks_of_ranges_are_those_of_the_whole_text() {
    let range = |from, to, replace: &str| Replacement::Range { from, to, replace: replace.to_owned() };
    let text = "one\ntwo\nthree\nfour\nfive\nsix\nseven\n🌍 eight";
    let cases = [
        vec![range(0, 3, "1")],
        vec![range(0, 0, "zero\n"), range(36, 36, "\nnine\n")],
        vec![range(4, 8, ""), range(14, 14, "-")],
        vec![range(2, 6, "")],
        vec![range(0, 3, "one"), range(4, 7, "2"), range(19, 23, "5"), range(28, 29, "\n\n")],
        vec![range(8, 14, "three\nand a half\n"), range(24, 24, "\n"), range(0, 1, "O")],
        vec![range(0, 0, "")],
    ];
    for edits in cases {
        let doc = of(text);
        let wanted = replaced(text, &edits).unwrap();
        let found = hunks(&doc, &Wanted::Edits(edits.clone()));
        assert_eq!(found, hunks(&doc, &to(&wanted)), "{edits:?}");
        applied(&doc, &held(found));
        assert_eq!(said(&doc), wanted);
    }
}

#[test]
fn a_large_change_takes_no_other_along() {
    const LINES: usize = 30_000;
    let text: String =
        (0..LINES).map(|n| format!("line {n}\n")).chain((0..LINES).map(|n| format!("word {n}\n"))).collect();
    let middle = u32::try_from(text.find("word 0\n").unwrap()).unwrap();
    let end = u32::try_from(text.len()).unwrap();
    // Nothing of the first half stays, in no order.
    let other: String = (0..LINES).map(|n| format!("other {}\n", n * 7_919 % LINES)).collect();
    let edits = vec![
        Replacement::Range { from: 0, to: middle, replace: other },
        Replacement::Range { from: end - 1, to: end - 1, replace: "!".to_owned() },
    ];
    let found = hunks(&of(&text), &Wanted::Edits(edits));
    let lines: Vec<usize> = found.iter().map(|hunk| hunk.line).collect();
    assert_eq!(lines, [1, 2 * LINES], "the last line is a hunk of its own");
    assert_eq!(found[1].after, format!("word {}!\n", LINES - 1));
}

#[test]
fn a_hundred_hunks_of_a_large_text_stand_where_they_were_made() {
    const LINES: usize = 6_000;
    const HUNKS: usize = 100;
    let said = |n: usize| format!("line {n:05} of a file that is large, as they are\n");
    let every = LINES / HUNKS;
    let units = u32::try_from(said(0).len() * every).unwrap();
    let doc = of(&(0..LINES).map(said).collect::<String>());
    let range = |n| Replacement::Range { from: n * units, to: n * units + 1, replace: "L".to_owned() };
    let held = held(hunks(&doc, &Wanted::Edits((0..HUNKS as u32).map(range).collect())));
    let lines: Vec<_> = (0..HUNKS).map(|n| Some(1 + n * every)).collect();
    let Reply::Fitted(fitted) = fit(&doc, "content", &held) else { panic!() };
    assert_eq!(fitted.lines, lines);
    let Reply::Fitted(applied) = apply(&state(&doc), "content", &held) else { panic!() };
    assert_eq!(applied.lines, lines);
}
