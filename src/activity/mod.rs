//! What happens in a project as programs and pages ask for it: the feed in pages, and as a stream that goes on.
//!
//! The log itself is `feed`; sockets show it to the people of the project's room.

mod routes;
mod stream;

pub use self::routes::routes;
