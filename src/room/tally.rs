//! What rooms did, counted: for the metrics of a running server and for tests that must prove what they exercised.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

macro_rules! tally {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters of all rooms of one server, since its start.
        #[derive(Debug, Default)]
        pub struct Tally {
            $($(#[$doc])* pub $name: Counter,)*
            refusals: Mutex<BTreeMap<&'static str, u64>>,
        }

        impl Tally {
            /// Every counter by its name.
            #[must_use]
            pub fn read(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get()),)*]
            }
        }
    };
}

tally! {
    /// Updates of which something was admitted.
    admitted,
    /// Updates with nothing new.
    known,
    /// Updates of which something came too early.
    parked,
    /// Updates of which something was refused.
    refused,
    /// Followers that fell off the ring and were brought back from the log.
    lagged,
    /// Rows committed.
    rows,
    /// Appends that found another head than they expected.
    conflicts,
    /// Appends that the database refused.
    unstorable,
    /// Documents loaded.
    loads,
    /// Loads that failed.
    failed_loads,
    /// Documents that were opened for reading only, because what is stored of them is damaged.
    damaged,
    /// Rooms that nobody was in and that ended before their time, because all rooms together kept more than they may.
    evicted,
    /// Clients asked to send everything again, because what they built on never came.
    resyncs,
}

impl Tally {
    /// Counts a refusal by the word for its reason; there are few words, and few refusals.
    pub fn refuse(&self, reason: &'static str) {
        self.refused.add();
        *self.refusals.lock().entry(reason).or_default() += 1;
    }

    /// Refusals by their reason.
    #[must_use]
    pub fn refusals(&self) -> Vec<(&'static str, u64)> {
        self.refusals.lock().iter().map(|(reason, count)| (*reason, *count)).collect()
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
