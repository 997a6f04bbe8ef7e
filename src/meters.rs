//! What a server measures, as Prometheus reads it. Each server has its own: there is no global registry, since two run in
//! one process in the tests.
//!
//! What happens often and is measured nowhere else is recorded through handles made once ([`Meters::counter`], …). What
//! others count already is set when somebody asks (see [`crate::operation`]).

use std::fmt;
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use crate::limits;

/// Where every measurement is registered from; the levels of the facade are of no use here.
const HERE: Metadata<'static> = Metadata::new("coterie", Level::INFO, None);

/// Upper bounds of how long something took, in seconds: from a quick commit to a request that was broken off.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];
/// Upper bounds of how many there were at once.
const NUMBERS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];

/// Every measurement: its name and what it says. A histogram's name ends with its unit.
const DESCRIPTIONS: [(&str, &str); 33] = [
    ("coterie_http_requests_total", "Requests answered, by method, route and status."),
    ("coterie_http_request_seconds", "How long answers took, by route."),
    ("coterie_requests_limited_total", "Requests refused for their rate, by whose limit it was."),
    ("coterie_commit_seconds", "How long a transaction of edits took, with its retries."),
    ("coterie_commit_appends", "Documents in one transaction of edits."),
    ("coterie_commit_rows", "Rows in one transaction of edits."),
    ("coterie_commit_retries_total", "Transactions of edits that were tried again, since the database was away."),
    ("coterie_journal_waiting", "Appends that are not committed yet."),
    ("coterie_journal_lag_seconds", "Age of the oldest append that is not committed yet."),
    ("coterie_unsettled_bytes", "Edits read from sockets that are not settled."),
    ("coterie_answers_bytes", "Large answers that wait for their readers."),
    ("coterie_bodies_bytes", "Bodies of requests that are not answered yet."),
    ("coterie_rooms", "Rooms that are loaded."),
    ("coterie_room_bytes", "What all rooms keep in memory."),
    ("coterie_room_bytes_budget", "What they may keep before rooms end that nobody is in."),
    ("coterie_room_events_total", "What rooms did with updates and clients, by kind."),
    ("coterie_refusals_total", "Edits refused, by reason."),
    ("coterie_sockets", "Open sockets, by dialect."),
    ("coterie_sockets_opened_total", "Sockets that were agreed to, by dialect."),
    ("coterie_connections", "Open connections of any kind."),
    ("coterie_worker_requests_total", "Requests to workers."),
    ("coterie_workers_lost_total", "Workers that crashed, took too long or were killed."),
    ("coterie_workers", "Workers that run."),
    ("coterie_worker_documents", "Documents that workers keep for the next request."),
    ("coterie_worker_document_bytes", "What those take, by estimate."),
    (
        "coterie_worker_document_bytes_budget",
        "What they may take before those are dropped that were asked for longest ago.",
    ),
    ("coterie_worker_memory_bytes", "Resident memory of all workers."),
    ("coterie_memory_bytes", "Resident memory of the server."),
    ("coterie_documents_set_aside", "Documents whose text functions are set aside."),
    ("coterie_database_connections", "Connections to the database, by whether they are in use."),
    ("coterie_limiter_keys", "Users, addresses and projects whose rate is being counted."),
    ("coterie_up_seconds", "How long the server has been running."),
    ("coterie_database_up", "Whether the database answered when this was asked."),
];

/// The measurements of one server.
pub struct Meters {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Meters {
    /// Nothing is measured yet.
    ///
    /// # Panics
    /// When a histogram has no bounds, which the constants above have.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "each is a registry of its own")]
    pub fn new() -> Self {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
            .and_then(|builder| builder.set_buckets(&NUMBERS))
            .expect("there are bounds");
        let recorder = builder.build_recorder();
        for (name, description) in DESCRIPTIONS {
            let (name, unit) = (KeyName::from_const_str(name), None::<Unit>);
            recorder.describe_counter(name, unit, description.into());
        }
        let handle = recorder.handle();
        Self { recorder, handle }
    }

    /// A number that only grows.
    pub fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.recorder.register_counter(&key(name, labels), &HERE)
    }

    /// A number that goes up and down.
    pub fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder.register_gauge(&key(name, labels), &HERE)
    }

    /// How values are spread.
    pub fn histogram(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Histogram {
        self.recorder.register_histogram(&key(name, labels), &HERE)
    }

    /// Everything in Prometheus' text format.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }

    /// Takes what histograms gathered into their buckets now and then, so that they hold little while nobody asks.
    pub async fn upkeep(&self) {
        loop {
            tokio::time::sleep(limits::METERS_UPKEEP).await;
            self.handle.run_upkeep();
        }
    }
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meters")
    }
}

/// Something that is counted as open.
pub struct Open(Gauge);

impl Open {
    /// Counts one more, until this is dropped.
    #[must_use]
    pub fn new(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge.clone())
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Open")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<Label> = labels.iter().map(|(key, value)| Label::new(*key, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}

/// A count as Prometheus takes it: a float, exact up to 2^53.
#[allow(clippy::cast_precision_loss, reason = "measurements, not money")]
#[must_use]
pub fn float(count: usize) -> f64 {
    count as f64
}

/// Resident memory of a process in bytes, where the system tells it.
#[must_use]
pub fn memory_of(process: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib.saturating_mul(1024))
}

/// Seconds as Prometheus takes them.
#[must_use]
pub fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_servers_measure_apart_and_every_name_is_described() {
        let (one, other) = (Meters::new(), Meters::new());
        one.counter("coterie_refusals_total", &[("reason", "read_only")]).increment(2);
        one.histogram("coterie_commit_seconds", &[]).record(0.003);
        let open = Open::new(&one.gauge("coterie_sockets", &[("dialect", "yjs")]));
        let said = one.render();
        assert!(said.contains("coterie_refusals_total{reason=\"read_only\"} 2"), "{said}");
        assert!(said.contains("# HELP coterie_refusals_total Edits refused, by reason."), "{said}");
        assert!(said.contains("coterie_commit_seconds_bucket{le=\"0.005\"} 1"), "{said}");
        assert!(said.contains("coterie_sockets{dialect=\"yjs\"} 1"), "{said}");
        drop(open);
        assert!(one.render().contains("coterie_sockets{dialect=\"yjs\"} 0"));
        assert_eq!(other.render(), "");
    }

    #[test]
    fn this_process_has_some_memory() {
        assert!(memory_of("self").is_none_or(|bytes| bytes > 1024 * 1024));
    }
}
