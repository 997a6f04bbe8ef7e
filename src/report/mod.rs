//! Errors and panics told to a Sentry server, where one is named.
//!
//! What is told is what the log says of an error, by the fields that cannot hold what people wrote, and what is left of
//! its text without secrets, addresses and quotations. *Absent: requests' headers, bodies, queries and addresses, people,
//! the machine's name, the library's own HTTP client and its globals.*

mod layer;
mod scrub;

use std::time::{Duration, SystemTime};

use anyhow::Context;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use sentry_types::protocol::v7::{Envelope, Event, Level};
use sentry_types::{Dsn, Scheme};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

pub use self::layer::{Reporting, is_heard};

use crate::limits;
use crate::public_url::is_loopback_name;

/// An error that is to be told.
#[derive(Debug)]
struct Report {
    /// What happened, in the words of the log.
    message: String,
    /// Where in the sources.
    place: String,
    at: SystemTime,
    /// The request's id, its method and route, if it was one; and what else may be told.
    details: Vec<(&'static str, String)>,
    /// How often it happened since it was last told.
    times: u32,
}

/// Brings reports to the Sentry server, one after the other.
#[derive(Debug)]
pub struct Courier {
    dsn: Dsn,
    http: Client,
    reports: mpsc::Receiver<Report>,
}

/// The two ends of the way to a Sentry server: what listens to the log, and what is to be run.
///
/// # Errors
/// When the DSN is none.
pub fn to(dsn: &str) -> anyhow::Result<(Reporting, Courier)> {
    let dsn: Dsn =
        dsn.parse().context("SENTRY_DSN must be the DSN of a project, such as https://key@sentry.example.com/1")?;
    anyhow::ensure!(
        dsn.scheme() == Scheme::Https || is_loopback_name(dsn.host()),
        "SENTRY_DSN must begin with https://, unless it names this machine"
    );
    // One that is there already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut http = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(limits::REPORT_TIME)
        .user_agent("coterie");
    if is_loopback_name(dsn.host()) {
        http = http.no_proxy();
    }
    let (queue, reports) = mpsc::channel(limits::REPORTS_WAITING);
    let http = http.build().context("cannot prepare for SENTRY_DSN")?;
    Ok((Reporting::new(queue), Courier { dsn, http, reports }))
}

/// Has panics logged, and so told, before whatever is done with them besides. What a panic says may quote what somebody
/// wrote, so its text goes the way of every other.
pub fn note_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let said = panic.payload_as_str().unwrap_or("(no message)");
        tracing::error!(at = %place, error = %said, "a thread panicked");
        before(panic);
    }));
}

impl Courier {
    /// Brings what is reported until `stop`, and then what still waits, within a moment.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut quiet_until = Instant::now();
        while let Some(Some(report)) = stop.run_until_cancelled(self.reports.recv()).await {
            // What the server asked to be spared is not kept for later: there may be no end of it.
            if quiet_until <= Instant::now()
                && let Some(pause) = self.bring(report).await
            {
                quiet_until = Instant::now() + pause;
            }
        }
        let rest = async {
            while let Ok(report) = self.reports.try_recv() {
                self.bring(report).await;
            }
        };
        if timeout(limits::REPORT_TIME, rest).await.is_err() {
            tracing::warn!("not all errors were reported in time");
        }
    }

    /// Answers for how long the server wants to hear nothing.
    async fn bring(&self, report: Report) -> Option<Duration> {
        let mut body = Vec::new();
        // It is written into memory.
        Envelope::from(event(report)).to_writer(&mut body).ok()?;
        let auth = self.dsn.to_auth(Some(concat!("coterie/", env!("CARGO_PKG_VERSION")))).to_string();
        let request = self.http.post(self.dsn.envelope_api_url().as_str()).header("x-sentry-auth", auth);
        let sent = request.header(CONTENT_TYPE, "application/x-sentry-envelope").body(body).send().await;
        match sent {
            Ok(answer) if answer.status() == StatusCode::TOO_MANY_REQUESTS => {
                let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                let asked = seconds.map_or(limits::REPORT_QUIET, Duration::from_secs);
                return Some(asked.min(limits::REPORT_QUIET_MAX));
            }
            Ok(answer) if !answer.status().is_success() => {
                tracing::warn!(status = answer.status().as_u16(), "an error could not be reported");
            }
            Ok(_) => {}
            // Its address holds the key.
            Err(error) => tracing::warn!(error = %error.without_url(), "an error could not be reported"),
        }
        None
    }
}

fn event(report: Report) -> Event<'static> {
    let Report { message, place, at, details, times } = report;
    let mut event = Event {
        level: Level::Error,
        message: Some(message),
        culprit: Some(place),
        logger: Some("coterie".to_owned()),
        platform: "native".into(),
        timestamp: at,
        release: Some(concat!("coterie@", env!("CARGO_PKG_VERSION")).into()),
        ..Event::default()
    };
    for (name, value) in details {
        match name {
            "request_id" | "method" | "route" => drop(event.tags.insert(name.to_owned(), value)),
            _ => drop(event.extra.insert(name.to_owned(), value.into())),
        }
    }
    event.extra.insert("times".to_owned(), times.into());
    event
}
