//! Bodies of HTTP requests and of their answers, bounded in bytes for the whole process and for each who sends or reads them.

mod intake;
mod outflow;
mod share;

pub use self::intake::{Intake, Taken};
pub use self::outflow::{Outflow, Weighed};
pub use self::share::{Holder, Place};
