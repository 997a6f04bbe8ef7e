//! A real replica that edits at random: text, formats, lists, map entries and what is nested in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use yrs::types::ToJson;
use yrs::types::text::YChange;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{
    Any, Array, ArrayRef, ClientID, Doc, Map, MapPrelim, MapRef, OffsetKind, Options, Out, ReadTxn, Text, TextPrelim,
    TextRef, Transact, TransactionMut, Update,
};

use crate::machine::random::Random;

pub(super) struct Replica {
    doc: Doc,
    text: TextRef,
    map: MapRef,
    list: ArrayRef,
}

/// What must be equal for two replicas to be the same.
#[derive(Debug, PartialEq)]
pub(super) struct Facts {
    clocks: BTreeMap<u64, u32>,
    text: Vec<(String, String)>,
    map: Any,
    list: Any,
}

const WORDS: [&str; 6] = ["a", "hello ", "wörld", "\n", "日本", "e\u{301}"];
const KEYS: [&str; 3] = ["k", "title", "n"];

impl Replica {
    pub(super) fn new(client: u64) -> Self {
        let options =
            Options { client_id: ClientID::new(client), offset_kind: OffsetKind::Utf16, ..Options::default() };
        let doc = Doc::with_options(options);
        let (text, map) = (doc.get_or_insert_text("content"), doc.get_or_insert_map("map"));
        let list = doc.get_or_insert_array("list");
        Self { doc, text, map, list }
    }

    pub(super) fn client(&self) -> u64 {
        self.doc.client_id().get()
    }

    pub(super) fn apply(&self, update: &[u8]) {
        let update = Update::decode_v1(update).expect("yrs reads what it is shown");
        self.doc.transact_mut().apply_update(update).expect("yrs integrates what it is shown");
    }

    pub(super) fn vector(&self) -> Bytes {
        self.doc.transact().state_vector().encode_v1().into()
    }

    /// What somebody at `vector` lacks.
    pub(super) fn since(&self, vector: &[u8]) -> Bytes {
        let vector = yrs::StateVector::decode_v1(vector).expect("well-formed");
        self.doc.transact().encode_state_as_update_v1(&vector).into()
    }

    /// A paste of that text.
    pub(super) fn paste(&self, content: &str) -> Bytes {
        let mut txn = self.doc.transact_mut();
        self.text.insert(&mut txn, 0, content);
        written(txn)
    }

    /// A few random changes as one update.
    pub(super) fn edit(&self, random: &mut Random) -> Bytes {
        let mut txn = self.doc.transact_mut();
        for _ in 0..=random.below(3) {
            self.change(&mut txn, random);
        }
        written(txn)
    }

    fn change(&self, txn: &mut TransactionMut<'_>, random: &mut Random) {
        let word = WORDS[random.below(6) as usize];
        let key = KEYS[random.below(3) as usize];
        let len = self.text.len(txn);
        let at = random.below(u64::from(len) + 1) as u32;
        let some = (random.below(4) as u32).min(len - at);
        match random.below(14) {
            0..=4 => self.text.insert(txn, at, word),
            5 | 6 if some > 0 => self.text.remove_range(txn, at, some),
            7 if some > 0 => {
                let value = if random.below(2) == 0 { Any::Bool(true) } else { Any::Null };
                self.text.format(txn, at, some, [(Arc::from("bold"), value)].into());
            }
            8 => drop(self.map.insert(txn, key, random.below(100) as u32)),
            9 => drop(self.map.insert(txn, key, TextPrelim::new(word))),
            10 => drop(self.map.insert(txn, key, MapPrelim::from([("in", word)]))),
            11 => drop(self.map.remove(txn, key)),
            12 => match self.map.get(txn, key) {
                Some(Out::YText(text)) => text.push(txn, word),
                Some(Out::YMap(map)) => drop(map.insert(txn, "in", random.below(100) as u32)),
                _ => drop(self.map.insert(txn, key, word)),
            },
            _ => {
                let len = self.list.len(txn);
                let at = random.below(u64::from(len) + 1) as u32;
                if at < len && random.below(2) == 0 {
                    self.list.remove(txn, at);
                } else {
                    let _ = self.list.insert(txn, at, random.below(9) as u32);
                }
            }
        }
    }

    pub(super) fn facts(&self) -> Facts {
        let txn = self.doc.transact();
        let clocks = txn.state_vector().iter().map(|(client, clock)| (client.get(), *clock)).collect();
        let text = self.text.diff(&txn, YChange::identity).into_iter().map(|part| {
            let attributes: BTreeMap<_, _> = part.attributes.into_iter().flat_map(|all| *all).collect();
            (part.insert.to_string(&txn), format!("{attributes:?}"))
        });
        Facts { clocks, text: text.collect(), map: self.map.to_json(&txn), list: self.list.to_json(&txn) }
    }
}

fn written(mut txn: TransactionMut<'_>) -> Bytes {
    txn.commit();
    txn.encode_update_v1().into()
}
