//! Every route on one page, and the layers around them. What a route does is its feature's affair.

use axum::Router;
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tower_http::timeout::TimeoutLayer;
use tracing::Instrument;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::error::{Error, ErrorView, Result, with_request_id};
use crate::extract::Json;
use crate::state::AppState;
use crate::{access, activity, admin, auth, document, limits, openapi, project, socket, studio};

/// What a page of ours may load: itself only. Styles may be set inline by the editor, scripts never.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The routes of every feature, each with its description.
fn features() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::frame())
        .merge(auth::routes())
        .merge(project::routes())
        .merge(OpenApiRouter::from(admin::routes()))
        .merge(access::routes())
        .merge(document::routes())
        .merge(activity::routes())
}

/// The routes for whoever looks after the server.
fn operation() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

/// What `/api/openapi.json` says.
#[must_use]
pub fn description() -> Value {
    openapi::complete(&features().merge(operation()).into_openapi())
}

/// The whole application of one server.
pub fn app(state: AppState) -> Router {
    let description = Bytes::from(description().to_string());
    let describe = move || {
        let answer = ([(header::CONTENT_TYPE, "application/json")], description.clone());
        async move { answer }
    };
    let api = Router::from(features())
        .route(openapi::ADDRESS, get(describe))
        .merge(openapi::page())
        .route("/api", get(no_such_address))
        .route("/api/{*rest}", axum::routing::any(no_such_address))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .layer(auth::layer(&state))
        .layer(from_fn_with_state(state.clone(), auth::origin::check))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, limits::REQUEST_TIMEOUT));
    let set = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    Router::new()
        .merge(api)
        .merge(socket::routes())
        .merge(Router::from(operation()))
        .fallback(studio::serve)
        .layer(
            ServiceBuilder::new()
                .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
                .layer(set(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
                .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .layer(set(header::REFERRER_POLICY, "no-referrer"))
                .layer(from_fn(identify))
                .layer(CatchPanicLayer::custom(panicked)),
        )
        .with_state(state)
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
}

/// Requests can be served: the database answers and no shutdown has begun.
#[utoipa::path(
    get, path = "/readyz", tag = "server", security(()),
    responses((status = 200, body = Ready), (status = 503, description = "Send nobody here now.", body = ErrorView))
)]
async fn readyz(State(state): State<AppState>) -> Result<Json<Ready>> {
    if state.shutdown.is_cancelled() {
        return Err(Error::unavailable("the server is shutting down"));
    }
    match tokio::time::timeout(limits::READY_TIMEOUT, state.db.ping()).await {
        Ok(Ok(())) => Ok(Json(Ready { database: "ok" })),
        Ok(Err(error)) => {
            tracing::warn!(%error, "the database is away");
            Err(Error::unavailable("the database cannot be reached"))
        }
        Err(_) => Err(Error::unavailable("the database does not answer")),
    }
}

async fn no_such_address() -> Error {
    Error::NotFound
}

/// Gives a request its id: in the log, in the response's header and in what an error says.
///
/// An id the client sent is not taken over, so that ids are unique and logs hold no foreign text.
async fn identify(request: Request, next: Next) -> Response<Body> {
    let id = Uuid::now_v7().to_string();
    let (method, route) = (request.method().clone(), route_of(&request));
    let span = tracing::info_span!("request", id, %method, route);
    let began = tokio::time::Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    span.in_scope(|| tracing::info!(status, took = ?began.elapsed(), "answered"));
    let mut response = with_request_id(response, &id);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// What the log calls a request: the route's pattern, never the path itself, whose parts may be secrets (invites), and
/// never the query (tokens).
fn route_of(request: &Request) -> String {
    match request.extensions().get::<MatchedPath>() {
        Some(pattern) => pattern.as_str().to_owned(),
        None => {
            let first = request.uri().path().trim_start_matches('/').split('/').next().unwrap_or_default();
            format!("/{}", first.chars().take(40).collect::<String>().escape_debug())
        }
    }
}

fn panicked(panic: Box<dyn std::any::Any + Send + 'static>) -> Response<Body> {
    let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Error::Internal(anyhow::anyhow!("a handler panicked: {}", said.unwrap_or("(no message)"))).into_response()
}
