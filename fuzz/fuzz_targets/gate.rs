//! The gate on made-up histories by two writers and a reader: whatever is admitted adds up, to the byte's meaning, to the
//! state that it keeps.
#![no_main]

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use coterie::gate::{Context, Owner, State, Writer, decide, decide_again};
use coterie::ids::UserId;
use coterie::update::{ClientId, StateVector, merge, scan, summary};
use coterie_fuzz::tally::count;
use coterie_fuzz::{History, Plan};
use uuid::Uuid;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    count("inputs");
    let mut plan = Plan::new(bytes);
    let mut history = History::default();
    let mut state = State::default();
    let mut committed = StateVector::default();
    let mut ended: [HashSet<ClientId>; 3] = Default::default();
    let announced: HashMap<ClientId, UserId> = [(ClientId(7), user(0)), (ClientId(9), user(1))].into();
    let mut log: Vec<Bytes> = Vec::new();
    let mut parked: Option<(usize, Bytes)> = None;
    let mut updates = 0;
    while !plan.is_over() && updates < 32 {
        updates += 1;
        let who = [0, 0, 0, 1, 2][plan.below(5)];
        let again = plan.one_in(6);
        let (who, update, was_parked) = match parked.take().filter(|_| again) {
            Some((who, update)) => (who, update, true),
            None if plan.one_in(10) => {
                let most = usize::from(plan.byte());
                (who, Bytes::copy_from_slice(plan.take(most)), false)
            }
            None => (who, Bytes::from(history.update(&mut plan)), false),
        };
        count("updates");
        let writer = Writer { user: user(who), merged: &[], may_write: who < 2, ended: &ended[who] };
        let context = Context { committed: &committed, announced: &announced };
        let decision = match was_parked {
            true => decide_again(&state, &writer, &context, &update),
            false => decide(&state, &writer, &context, &update),
        };
        assert!(who < 2 || decision.admitted.is_none() && decision.parked.is_none(), "a reader wrote");
        if decision.is_known() {
            count("known");
        }
        if !decision.unclear.is_empty() {
            count("unclear");
        }
        if decision.refused.is_some() {
            count("refused");
        }
        let clean = decision.refused.is_none() && decision.parked.is_none() && !was_parked;
        if let Some(admitted) = decision.admitted {
            count("admitted");
            let part = scan(&admitted.update).expect("what is logged is well-formed");
            for section in &part.sections {
                assert_eq!(section.clock, state.clocks.get(section.client), "no gap, and nothing twice");
                assert_eq!(
                    admitted.clocks.iter().find(|(client, _)| *client == section.client).unwrap().1,
                    section.end
                );
                assert!(!ended[who].contains(&section.client), "who has ended does not write");
                let owner = state.owners.get(&section.client);
                assert!(owner.is_none_or(|owner| *owner == Owner::User(user(who))), "in another's name");
                let other = announced.get(&section.client);
                assert!(owner.is_some() || other.is_none_or(|other| *other == user(who)), "announced by another");
            }
            for (client, _) in &admitted.claims {
                assert!(!state.owners.contains_key(client), "a clientID has one owner");
            }
            state.admit(&admitted);
            for (client, clocks) in part.deletions.iter() {
                assert!(clocks.end <= state.clocks.get(client), "deletions name what exists");
            }
            log.push(admitted.update);
            if plan.one_in(3) {
                committed = state.clocks.clone();
            }
            if clean {
                let writer = Writer { user: user(who), merged: &[], may_write: true, ended: &ended[who] };
                let context = Context { committed: &committed, announced: &announced };
                assert!(decide(&state, &writer, &context, &update).is_known(), "twice is once");
            }
        }
        if let Some(early) = decision.parked {
            count("parked");
            assert!(scan(&early.update).is_ok() && !early.extent.is_empty());
            parked = Some((who, early.update));
        }
        ended[who].extend(decision.ended);
    }
    if log.is_empty() {
        return;
    }
    count("histories");
    let whole = summary(&merge(&log).unwrap()).unwrap();
    assert!(whole.whole, "the log has a gap");
    assert_eq!((&whole.state_vector, &whole.deleted, &whole.formats), (&state.clocks, &state.deleted, &state.formats));
});

fn user(number: usize) -> UserId {
    UserId(Uuid::from_u128(number as u128 + 1))
}
