//! Tests of `coterie::room::machine`, without a task, a socket or a database: directed ones, rule by rule, and seeded
//! schedules of a whole room.

mod commits;
mod database;
mod following;
mod full_project;
mod ownership;
mod parking;
mod presence;
pub(crate) mod random;
mod repeated;
mod room;
mod schedules;
