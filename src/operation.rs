//! The routes for whoever looks after the server: whether it lives, whether it is to be asked, and what it measures.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::{Error, ErrorView, Result};
use crate::extract::Json;
use crate::meters::{float, memory_of, seconds};
use crate::state::{AppState, Shared};
use crate::{limits, replica};

/// `/healthz`, `/readyz` and `/metrics`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz)).routes(routes!(metrics))
}

/// The process runs and answers.
#[utoipa::path(
    get, path = "/healthz", tag = "server", security(()),
    responses((status = 200, description = "Alive.", content_type = "text/plain", body = String))
)]
async fn healthz() -> &'static str {
    "ok\n"
}

#[derive(Serialize, ToSchema)]
struct Ready {
    #[schema(example = "ok")]
    database: &'static str,
    /// Age of the oldest edit that is not committed yet, in milliseconds.
    journal_lag_ms: u64,
}

/// Requests can be served: the database answers, edits are being committed, and no shutdown has begun.
#[utoipa::path(
    get, path = "/readyz", tag = "server", security(()),
    responses((status = 200, body = Ready), (status = 503, description = "Send nobody here now.", body = ErrorView))
)]
async fn readyz(State(state): State<AppState>) -> Result<Json<Ready>> {
    if state.shutdown.is_cancelled() {
        return Err(Error::unavailable("the server is shutting down"));
    }
    match timeout(limits::READY_TIMEOUT, state.db.ping()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database is away");
            return Err(Error::unavailable("the database cannot be reached"));
        }
        Err(_) => return Err(Error::unavailable("the database does not answer")),
    }
    let (_, lag) = state.rooms.waiting();
    if lag > limits::READY_LAG {
        return Err(Error::unavailable(format!("edits have been waiting to be saved for {} s", lag.as_secs())));
    }
    Ok(Json(Ready { database: "ok", journal_lag_ms: u64::try_from(lag.as_millis()).unwrap_or(u64::MAX) }))
}

/// What the server measures, in Prometheus' text format.
#[utoipa::path(
    get, path = "/metrics", tag = "server", security(()),
    responses((status = 200, description = "The measurements.", content_type = "text/plain", body = String))
)]
async fn metrics(State(state): State<AppState>) -> impl IntoResponse {
    observe(&state).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], state.meters.render())
}

/// Takes over what is counted elsewhere.
#[allow(clippy::cast_precision_loss, reason = "measurements, not money")]
async fn observe(state: &Shared) {
    let meters = &state.meters;
    let gauge = |name, value| meters.gauge(name, &[]).set(value);
    gauge("coterie_up_seconds", seconds(state.began.elapsed()));
    gauge("coterie_rooms", float(state.rooms.len()));
    gauge("coterie_room_bytes", float(state.rooms.memory()));
    gauge("coterie_room_bytes_budget", float(state.config.room_bytes));
    gauge("coterie_limiter_keys", float(state.rates.len()));
    let (waiting, lag) = state.rooms.waiting();
    gauge("coterie_journal_waiting", float(waiting));
    gauge("coterie_journal_lag_seconds", seconds(lag));
    gauge("coterie_unsettled_bytes", float(state.rooms.unsettled()));
    gauge("coterie_bodies_bytes", float(state.intake.taken()));
    gauge("coterie_answers_bytes", float(state.outflow.taken()));
    gauge("coterie_connections", float(state.door.open()));
    let tally = state.rooms.tally();
    for (kind, count) in tally.read() {
        meters.counter("coterie_room_events_total", &[("kind", kind)]).absolute(count);
    }
    for (reason, count) in tally.refusals() {
        meters.counter("coterie_refusals_total", &[("reason", reason)]).absolute(count);
    }
    let workers = state.replicas.processes();
    gauge("coterie_workers", float(workers.len()));
    let memory: u64 = workers.iter().filter_map(|process| memory_of(&process.to_string())).sum();
    gauge("coterie_worker_memory_bytes", memory as f64);
    let (documents, bytes) = state.replicas.kept();
    gauge("coterie_worker_documents", float(documents));
    gauge("coterie_worker_document_bytes", float(bytes));
    gauge("coterie_worker_document_bytes_budget", float(state.config.worker_bytes));
    meters.counter("coterie_worker_requests_total", &[]).absolute(state.replicas.asked());
    meters.counter("coterie_workers_lost_total", &[]).absolute(state.replicas.lost());
    if let Some(memory) = memory_of("self") {
        gauge("coterie_memory_bytes", memory as f64);
    }
    let (idle, open) = state.db.connections();
    meters.gauge("coterie_database_connections", &[("state", "idle")]).set(float(idle));
    meters.gauge("coterie_database_connections", &[("state", "used")]).set(float(open.saturating_sub(idle)));
    // The one thing that only the database knows; without it the others are told all the same.
    let faults = timeout(limits::READY_TIMEOUT, replica::faults(&state.db)).await;
    let known = faults.ok().and_then(std::result::Result::ok);
    gauge("coterie_database_up", f64::from(u8::from(known.is_some())));
    if let Some(faults) = known {
        gauge("coterie_documents_set_aside", float(faults.iter().filter(|fault| fault.set_aside).count()));
    }
}
