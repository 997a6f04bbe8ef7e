//! You write as yourself: whose a clientID is, and what a refusal ends.

use coterie::gate::{Owner, Refusal};
use coterie::update::ClientId;

use super::write::{after, text, update};
use super::{ANN, BOB, Document, GUEST, clients};

fn document() -> Document {
    Document::default().wrote(ANN, &update(1, 0, [text("ab")]))
}

#[test]
fn a_client_is_of_whoever_wrote_with_it_first() {
    let mut document = Document::default();
    let admitted = document.admit(ANN, &update(1, 0, [text("a")]));
    assert_eq!(admitted.claims, [(ClientId(1), Owner::User(ANN))]);
    let admitted = document.admit(ANN, &update(1, 1, [after((1, 0), "b")]));
    assert_eq!(admitted.claims, [], "claimed once");
    let decision = document.decide(BOB, &update(1, 2, [after((1, 1), "c")]));
    assert_eq!((decision.refused, decision.ended), (Some(Refusal::Foreign(ClientId(1))), clients(&[1])));
    assert!(decision.admitted.is_none());
}

#[test]
fn an_announced_client_is_reserved() {
    let document = Document::default().announced(7, ANN);
    let news = update(7, 0, [text("a")]);
    assert_eq!(document.decide(BOB, &news).refused, Some(Refusal::Foreign(ClientId(7))));
    assert_eq!(document.decide(ANN, &news).admitted.unwrap().claims, [(ClientId(7), Owner::User(ANN))]);
}

#[test]
fn of_several_unknown_clients_only_the_announced_are_the_writers() {
    let frame = update(9, 0, [text("c")]).with(8, 0, [text("b")]).with(7, 0, [text("a")]);
    let document = Document::default().announced(8, ANN);
    let mut claims = document.decide(ANN, &frame).admitted.unwrap().claims;
    claims.sort_by_key(|claim| claim.0);
    assert_eq!(claims, [(ClientId(7), Owner::Closed), (ClientId(8), Owner::User(ANN)), (ClientId(9), Owner::Closed)]);
}

#[test]
fn one_unknown_client_beside_known_ones_is_the_writers() {
    let mut document = document();
    let admitted = document.admit(ANN, &update(2, 0, [after((1, 2), "c")]).with(1, 0, [text("ab"), text("x")]));
    assert_eq!(admitted.claims, [(ClientId(2), Owner::User(ANN))]);
}

#[test]
fn a_closed_client_is_never_extended_and_always_known() {
    let mut document = Document::default().wrote(ANN, &update(8, 0, [text("b")]).with(7, 0, [text("a")]));
    document.announced.insert(ClientId(7), ANN);
    let decision = document.decide(ANN, &update(7, 1, [after((7, 0), "c")]));
    assert_eq!((decision.refused, decision.ended), (Some(Refusal::Closed(ClientId(7))), clients(&[7])));
    assert!(document.decide(BOB, &update(7, 0, [text("a")])).is_known());
    assert!(document.decide(BOB, &update(1, 0, [after((7, 0), "x")])).admitted.is_some(), "others build on it");
}

#[test]
fn what_a_guest_owned_is_the_users_who_signed_in() {
    let mut document = Document::default().wrote(GUEST, &update(1, 0, [text("a")])).announced(2, GUEST);
    let more = update(1, 1, [after((1, 0), "b")]);
    let reserved = update(2, 0, [after((1, 0), "b")]);
    assert_eq!(document.decide(ANN, &more).refused, Some(Refusal::Foreign(ClientId(1))));
    document.merged.push(GUEST);
    assert!(document.decide(ANN, &more).admitted.is_some());
    assert_eq!(document.decide(ANN, &reserved).admitted.unwrap().claims, [(ClientId(2), Owner::User(ANN))]);
}

#[test]
fn a_refusal_ends_what_builds_on_it_and_nothing_else() {
    let document = document().announced(2, BOB).announced(3, BOB).announced(4, BOB).announced(5, BOB);
    // 1:2 is Ann's. Bob's 2 builds on it, his 3 on his 2 after a unit of its own, his 4 on what is committed.
    let frame = update(5, 0, [after((9, 0), "s")])
        .with(4, 0, [after((1, 1), "t")])
        .with(3, 0, [after((1, 0), "u"), after((2, 0), "v")])
        .with(2, 0, [after((1, 2), "w")])
        .with(1, 2, [after((1, 1), "x")]);
    let decision = document.decide(BOB, &frame);
    assert_eq!(decision.refused, Some(Refusal::Foreign(ClientId(1))));
    assert_eq!(decision.ended, clients(&[1, 2, 3]));
    let admitted = decision.admitted.unwrap();
    assert_eq!(admitted.update, update(4, 0, [after((1, 1), "t")]).with(3, 0, [after((1, 0), "u")]).bytes());
    let early = decision.parked.unwrap();
    assert_eq!(early.update, update(5, 0, [after((9, 0), "s")]).bytes(), "what only waits goes on waiting");
}

#[test]
fn after_a_refusal_the_client_is_refused_without_a_look() {
    let mut document = document();
    document.ended.insert(ClientId(1));
    document.ended.insert(ClientId(9));
    for (client, frame) in [
        (1, update(1, 2, [after((1, 1), "c")])),
        (1, update(1, 5, [after((1, 4), "c")])),
        (2, update(2, 0, [after((1, 2), "c")])),
        (3, update(3, 0, [after((9, 0), "c")])),
    ] {
        let decision = document.decide(ANN, &frame);
        assert_eq!(decision.refused, Some(Refusal::Ended(ClientId(client))), "{frame:?}");
        assert_eq!(decision.ended, clients(&[client]));
        assert!(decision.admitted.is_none() && decision.parked.is_none());
    }
    assert!(document.decide(ANN, &update(1, 0, [text("ab")])).is_known());
    assert!(document.decide(ANN, &update(2, 0, [after((1, 1), "c")])).admitted.is_some(), "other clients go on");
}

#[test]
fn a_refusal_has_a_word_and_a_sentence() {
    let decision = document().decide(BOB, &update(1, 2, [text("x")]));
    let refusal = decision.refused.unwrap();
    assert_eq!(refusal.code(), "foreign_client");
    assert!(refusal.to_string().contains("client 1"));
}
