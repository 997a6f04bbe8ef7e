//! What a server owes: every edit that it called saved or showed to somebody else.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::edits::{self, Clocks, Twice};

/// How far one client has come, in letters from its first on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Handed to the socket.
    pub(super) sent: u32,
    /// Called saved.
    pub(super) acked: u32,
    /// Shown to another connection.
    pub(super) shown: u32,
    /// Found in the state after a crash.
    pub(super) kept: u32,
    /// Whether its dialect acknowledges.
    pub(super) is_acked: bool,
}

impl Account {
    /// Letters that the server must still have after a crash.
    pub(super) fn owed(self) -> u32 {
        self.acked.max(self.shown).max(self.kept)
    }

    /// Letters that it may have or not.
    pub(super) fn in_flight(self) -> u32 {
        self.sent - self.kept.max(if self.is_acked { self.acked } else { self.shown })
    }
}

/// The accounts of all clients of all documents.
pub(super) struct Ledger {
    documents: Vec<Mutex<BTreeMap<u64, Account>>>,
    acks: AtomicU64,
}

/// A sum over all accounts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Total {
    pub(super) sent: u64,
    pub(super) acked: u64,
    pub(super) shown: u64,
    /// Of clients whose dialect acknowledges: sent and not acknowledged.
    pub(super) unacked: u64,
    /// Of the others: sent and not shown.
    pub(super) unshown: u64,
}

impl Ledger {
    pub(super) fn new(documents: usize) -> Self {
        Self { documents: (0..documents).map(|_| Mutex::default()).collect(), acks: AtomicU64::new(0) }
    }

    /// How many acknowledgements have come.
    pub(super) fn acks(&self) -> u64 {
        self.acks.load(Ordering::Relaxed)
    }

    pub(super) fn account(&self, document: usize, client: u64) -> Account {
        self.with(document, |accounts| accounts.get(&client).copied().unwrap_or_default())
    }

    /// Notes what is about to be sent.
    pub(super) fn send(&self, document: usize, client: u64, end: u32, is_acked: bool) {
        self.with(document, |accounts| {
            let account = accounts.entry(client).or_default();
            account.is_acked = is_acked;
            account.sent = account.sent.max(end);
        });
    }

    pub(super) fn acknowledge(&self, document: usize, client: u64, end: u32) {
        self.acks.fetch_add(1, Ordering::Relaxed);
        self.with(document, |accounts| {
            let account = accounts.entry(client).or_default();
            account.acked = account.acked.max(end);
        });
    }

    /// Notes what somebody else than `own` was shown, who has seen `view` so far. What is shown must follow what was.
    pub(super) fn show(&self, document: usize, own: Option<u64>, view: &mut Clocks, update: &[u8]) {
        edits::absorb(view, update, Twice::IsFine).expect("what is shown follows what was shown");
        let touched = edits::read(update);
        self.with(document, |accounts| {
            for client in touched.iter().map(|run| run.client).filter(|&client| Some(client) != own) {
                let account = accounts.entry(client).or_default();
                let end = view.get(&client).copied().unwrap_or(0);
                account.shown = account.shown.max(end);
                assert!(end <= account.sent, "client {client} has not typed the letter before {end} that was shown");
            }
        });
    }

    pub(super) fn total(&self) -> Total {
        let mut total = Total::default();
        for document in 0..self.documents.len() {
            self.with(document, |accounts| {
                for account in accounts.values() {
                    total.sent += u64::from(account.sent);
                    total.acked += u64::from(account.acked);
                    total.shown += u64::from(account.shown);
                    *(if account.is_acked { &mut total.unacked } else { &mut total.unshown }) +=
                        u64::from(account.in_flight());
                }
            });
        }
        total
    }

    /// Whose letters wait for their acknowledgement, each said in a line.
    pub(super) fn unacked(&self) -> Vec<String> {
        let of = |document| {
            self.with(document, |accounts| {
                let open = accounts.iter().filter(|(_, account)| account.is_acked && account.in_flight() > 0);
                open.map(|(client, account)| format!("document {document}, client {client}: {account:?}")).collect()
            })
        };
        (0..self.documents.len()).flat_map(|document| -> Vec<String> { of(document) }).collect()
    }

    /// How many letters that are owed a document has not, each said in a line; and the letters nobody sent.
    pub(super) fn lost(&self, document: usize, state: &Clocks) -> Vec<String> {
        self.with(document, |accounts| {
            let has = |client: &u64| state.get(client).copied().unwrap_or(0);
            let lost = accounts.iter().filter(|(client, account)| has(client) < account.owed());
            let lost = lost.map(|(client, account)| format!("client {client}: {} of {account:?}", has(client)));
            let sent = |client: &u64| accounts.get(client).map_or(0, |account| account.sent);
            let forged = state.iter().filter(|&(client, &end)| end > sent(client));
            let forged = forged.map(|(client, end)| format!("client {client}: {end} letters, sent {}", sent(client)));
            lost.chain(forged).collect()
        })
    }

    /// Takes over what the server really has after a crash: what it lost without owing it is not in flight any more,
    /// and what it has is owed from now on, since everyone is shown it. Answers how many letters are gone.
    pub(super) fn settle(&self, document: usize, state: &Clocks) -> u64 {
        self.with(document, |accounts| {
            let mut gone = 0;
            for (client, account) in accounts {
                account.kept = state.get(client).copied().unwrap_or(0);
                gone += u64::from(account.sent - account.kept);
                account.sent = account.kept;
            }
            gone
        })
    }

    fn with<T>(&self, document: usize, then: impl FnOnce(&mut BTreeMap<u64, Account>) -> T) -> T {
        // A panic elsewhere fails the test by itself.
        then(&mut self.documents[document].lock().unwrap_or_else(PoisonError::into_inner))
    }
}
