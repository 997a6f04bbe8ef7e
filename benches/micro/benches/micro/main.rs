//! Criterion's benches of the parts that an edit passes; `make bench-micro` runs them, with a private Postgres.
//!
//! This program is also its own worker: the server starts the binary it is in, and so does what is measured here.

mod stage;
mod stored;
mod text;
mod update;

use std::process::ExitCode;
use std::time::Duration;

use coterie::replica::worker;
use criterion::Criterion;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(worker::ARGUMENT) {
        let most = arguments.next().and_then(|bytes| bytes.parse().ok());
        return if most.is_some_and(|most| worker::run(most).is_ok()) { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    // Half of Criterion's own times: all of it is to be done in a few minutes.
    let criterion = Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
    let mut criterion = criterion.configure_from_args();
    update::benches(&mut criterion);
    text::benches(&mut criterion);
    stored::benches(&mut criterion);
    criterion.final_summary();
    ExitCode::SUCCESS
}
