//! Logging: where lines go and which are shown. What is logged is decided where it happens.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// What is shown unless `RUST_LOG` says otherwise. The session layer is kept quiet: it warns of every expired cookie.
const DEFAULT_FILTER: &str = "info,sqlx=warn,tower_sessions=warn,tower_sessions_core=error";

/// Sends log lines to standard error, filtered by `filter` (the syntax of `RUST_LOG`; `None`: the default), as text for
/// people or as one JSON object a line.
///
/// # Errors
/// A filter or format that cannot be read, or a second call in the same process.
pub fn start(filter: Option<&str>, format: Option<&str>) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter.unwrap_or(DEFAULT_FILTER)).map_err(|error| {
        anyhow::anyhow!("RUST_LOG is not a valid filter: {error}; an example: RUST_LOG=info,coterie=debug")
    })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format.unwrap_or("text") {
        "text" => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        "json" => lines.json().flatten_event(true).with_current_span(true).with_span_list(false).try_init(),
        other => anyhow::bail!("COTERIE_LOG_FORMAT is {other:?}, but must be text or json"),
    }
    .map_err(|error| anyhow::anyhow!("logging was started twice: {error}"))
}
