//! What became of the inputs, printed when the run ends: a target whose inputs are mostly refused at once proves nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, Once};

static COUNTS: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());
static AT_EXIT: Once = Once::new();

/// Counts one of something.
pub fn count(what: &'static str) {
    count_many(what, 1);
}

/// Counts several of something.
pub fn count_many(what: &'static str, many: u64) {
    AT_EXIT.call_once(|| {
        // SAFETY: the function stays as long as the process.
        unsafe { libc::atexit(print) };
    });
    *COUNTS.lock().expect("nobody panics while counting").entry(what).or_default() += many;
}

extern "C" fn print() {
    if let Ok(counts) = COUNTS.try_lock() {
        let all: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
        eprintln!("== {}", all.join(", "));
    }
}
