//! Logging: where lines go and which are shown. What is logged is decided where it happens.

use std::io::IsTerminal;

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, registry};

use crate::report::{Reporting, is_heard};

/// What is shown unless `RUST_LOG` says otherwise. The session layer is kept quiet: it warns of every expired cookie.
const DEFAULT_FILTER: &str = "info,sqlx=warn,tower_sessions=warn,tower_sessions_core=error";

/// Sends log lines to standard error, filtered by `filter` (the syntax of `RUST_LOG`; `None`: the default), as text for
/// people or as one JSON object a line. Errors are also reported, whatever is shown, where there is somebody to tell.
///
/// # Errors
/// A filter or format that cannot be read, or a second call in the same process.
pub fn start(filter: Option<&str>, format: Option<&str>, reporting: Option<Reporting>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter.unwrap_or(DEFAULT_FILTER)).map_err(|error| {
        anyhow::anyhow!("RUST_LOG is not a valid filter: {error}; an example: RUST_LOG=info,coterie=debug")
    })?;
    let lines = layer().with_writer(std::io::stderr);
    let lines = match format.unwrap_or("text") {
        "text" => lines.with_ansi(std::io::stderr().is_terminal()).with_filter(filter).boxed(),
        "json" => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).with_filter(filter).boxed()
        }
        other => anyhow::bail!("COTERIE_LOG_FORMAT is {other:?}, but must be text or json"),
    };
    let reporting = reporting.map(|reporting| reporting.with_filter(filter_fn(is_heard)));
    let started = registry().with(lines).with(reporting).try_init();
    started.map_err(|error| anyhow::anyhow!("logging was started twice: {error}"))
}
