//! What listens to the log for errors, and makes reports of them.

use std::collections::HashMap;
use std::fmt;
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::Report;
use super::scrub::scrub;
use crate::limits;

/// Fields of errors that are told: ids of ours, numbers, and the error's own text, which is scrubbed.
const TOLD: [&str; 7] = ["error", "at", "document", "project", "room", "subject", "appends"];

/// Fields of a request's span that are told, by the names that they are told by. The route is a pattern, not an address.
const OF_REQUEST: [(&str, &str); 3] = [("id", "request_id"), ("method", "method"), ("route", "route")];

/// A place in the sources.
type Place = (&'static str, u32);

/// Listens to the log.
#[derive(Debug)]
pub struct Reporting {
    queue: mpsc::Sender<Report>,
    /// When what happens at a place was last told, and how often it happened since.
    told: Mutex<HashMap<Place, (Option<Instant>, u32)>>,
}

/// What a request's span says.
struct OfRequest(Vec<(&'static str, String)>);

impl Reporting {
    pub(super) fn new(queue: mpsc::Sender<Report>) -> Self {
        Self { queue, told: Mutex::default() }
    }

    /// How often something happened at a place, if it is to be told now: what happens over and over is told now and then.
    fn is_due(&self, place: Place) -> Option<u32> {
        let (mut told, now) = (self.told.lock(), Instant::now());
        let (last, times) = told.entry(place).or_default();
        *times += 1;
        if last.is_some_and(|last| now.duration_since(last) < limits::REPORT_PAUSE) {
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(times))
    }
}

/// What there is to listen to: errors, and the requests that they happen in.
#[must_use]
pub fn is_heard(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() || *metadata.level() == Level::ERROR
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for Reporting {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() == "request"
            && let Some(span) = context.span(id)
        {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            let of = |(field, name): (&str, &'static str)| Some((name, fields.get(field)?));
            let said = OF_REQUEST.into_iter().filter_map(of).collect();
            span.extensions_mut().insert(OfRequest(said));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let (Some(file), Some(line)) = (metadata.file(), metadata.line()) else { return };
        if *metadata.level() != Level::ERROR || !metadata.target().starts_with("coterie") {
            return;
        }
        let Some(times) = self.is_due((file, line)) else { return };
        let mut fields = Fields::default();
        event.record(&mut fields);
        let told = TOLD.into_iter().filter_map(|name| Some((name, scrub(&fields.get(name)?))));
        let mut details: Vec<(&'static str, String)> = told.collect();
        let spans = context.event_scope(event).into_iter().flatten();
        for span in spans {
            if let Some(OfRequest(said)) = span.extensions().get() {
                details.extend(said.iter().cloned());
            }
        }
        let message = fields.get("message").unwrap_or_default();
        let place = format!("{file}:{line}");
        // Where many wait already, the log has this one too.
        let _ = self.queue.try_send(Report { message, place, at: SystemTime::now(), details, times });
    }
}

/// Fields as text.
#[derive(Default)]
struct Fields(HashMap<&'static str, String>);

impl Fields {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_over_and_over_is_told_once_and_counted() {
        let (queue, _reports) = mpsc::channel(1);
        let reporting = Reporting::new(queue);
        assert_eq!(reporting.is_due(("a.rs", 1)), Some(1));
        assert_eq!(reporting.is_due(("a.rs", 1)), None);
        assert_eq!(reporting.is_due(("b.rs", 1)), Some(1), "another place is another error");
        assert_eq!(reporting.is_due(("a.rs", 1)), None);
    }
}
