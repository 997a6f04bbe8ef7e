//! What the benches are about: documents that people typed, and single keystrokes. yrs makes them, as a browser would.

use std::sync::LazyLock;

use bytes::Bytes;
use yrs::block::ClientID;
use yrs::updates::decoder::Decode;
use yrs::{Doc, OffsetKind, Options, ReadTxn, StateVector, Text, TextRef, Transact, TransactionMut, Update};

// As the server's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The root that holds the text.
pub const ROOT: &str = "content";

/// The first client of a document's writers; the others follow on it.
pub const WRITER: u64 = 7_000_001;

/// A client that wrote nothing in any document.
pub const NEWCOMER: u64 = 7_900_001;

/// Edits that become one update: enough to write quickly, and few enough for what is typed to become one run.
const EDITS_AT_ONCE: u32 = 100;

/// A document, folded: as a snapshot holds it, and a new client is sent it.
#[derive(Debug)]
pub struct Typed {
    /// About how large it is.
    pub size: &'static str,
    /// The document as one update.
    pub state: Bytes,
}

/// Documents of three sizes; edits are single characters, of several writers at once where it is large.
pub static DOCUMENTS: LazyLock<[Typed; 3]> = LazyLock::new(|| {
    [("1 kB", 1, 700), ("100 kB", 4, 20_000), ("1 MB", 40, 20_000)]
        .map(|(size, writers, edits)| Typed { size, state: typed(writers, edits).into() })
});

/// A document in which each writer made so many edits in a passage of their own: typing in bursts, jumps, corrections.
fn typed(writers: u64, edits: u32) -> Vec<u8> {
    let all = new_doc(0);
    for client in WRITER..WRITER + writers {
        let doc = new_doc(client);
        let text = doc.get_or_insert_text(ROOT);
        let mut seed = 0x9e37_79b9_7f4a_7c15 ^ client;
        let mut hand = Hand { at: 0, length: 0 };
        for _ in 0..edits / EDITS_AT_ONCE {
            let mut transaction = doc.transact_mut();
            (0..EDITS_AT_ONCE).for_each(|_| hand.edit(&mut transaction, &text, &mut seed));
        }
        let update = Update::decode_v1(&state(&doc)).expect("yrs reads what it wrote");
        all.transact_mut().apply_update(update).expect("writers do not lean on each other");
    }
    state(&all)
}

/// Where somebody types, and how much there is.
struct Hand {
    at: u32,
    length: u32,
}

impl Hand {
    fn edit(&mut self, transaction: &mut TransactionMut<'_>, text: &TextRef, seed: &mut u64) {
        if random(seed, 60) == 0 {
            self.at = random(seed, self.length + 1);
        }
        if random(seed, 1_000) < 300 && self.at > 0 {
            self.at -= 1;
            self.length -= 1;
            text.remove_range(transaction, self.at, 1);
        } else {
            text.insert(transaction, self.at, &letter(random(seed, 26)));
            self.at += 1;
            self.length += 1;
        }
    }
}

/// A number below another, always the same ones in the same order.
fn random(seed: &mut u64, below: u32) -> u32 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    u32::try_from(*seed % u64::from(below)).unwrap_or(0)
}

fn letter(number: u32) -> String {
    char::from_digit(10 + number % 26, 36).unwrap_or('a').to_string()
}

fn new_doc(client: u64) -> Doc {
    let options = Options { offset_kind: OffsetKind::Utf16, ..Options::with_client_id(ClientID::new(client)) };
    Doc::with_options(options)
}

fn state(doc: &Doc) -> Vec<u8> {
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}

/// Somebody who types one character after the other; each is an update, without end.
#[derive(Debug)]
pub struct Typist {
    doc: Doc,
    text: TextRef,
    clock: u32,
}

impl Typist {
    /// One who begins with the first character.
    #[must_use]
    pub fn new(client: u64) -> Self {
        let doc = new_doc(client);
        let text = doc.get_or_insert_text(ROOT);
        Self { doc, text, clock: 0 }
    }
}

impl Iterator for Typist {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut transaction = self.doc.transact_mut();
        self.text.insert(&mut transaction, self.clock, &letter(self.clock));
        self.clock += 1;
        Some(transaction.encode_update_v1().into())
    }
}
