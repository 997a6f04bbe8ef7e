//! Every route on one page, and the layers around them. What a route does is its feature's affair.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use bytes::Bytes;
use serde_json::Value;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::CorsLayer;
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::Instrument;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::address::{self, ClientAddress};
use crate::bodies::{Taken, Weighed};
use crate::config::PublicUrl;
use crate::error::{Error, with_request_id};
use crate::extract::holders;
use crate::meters::seconds;
use crate::state::AppState;
use crate::turnstile::{FailedSignIn, Standing, Whose};
use crate::{
    access, activity, admin, archive, assistant, auth, blob, chat, document, limits, openapi, operation, policy,
    project, proposal, socket, studio,
};

/// What a page of ours may ask the browser for: nothing that it does not need.
const PERMISSIONS: &str = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";

/// For how long browsers that came over HTTPS come no other way: a year.
const HSTS: &str = "max-age=31536000";

/// Where one signs in, by which method.
const SIGN_IN: [(&str, Method); 3] =
    [("/auth/guest", Method::POST), ("/auth/github/callback", Method::GET), ("/auth/github/token", Method::POST)];

/// Where archives are sent.
const IMPORT: &str = "/api/projects/{p}/import";
/// What waits for the answer of a model.
const ASKS_A_MODEL: [&str; 3] =
    ["/api/projects/{p}/completions", "/api/projects/{p}/images", "/api/projects/{p}/documents/{d}/analysis"];

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const VERSION: HeaderName = HeaderName::from_static("coterie-version");

/// Headers that pages of other sites may send, and those that they may read.
const TAKEN: [&str; 5] = ["authorization", "content-type", "if-match", "idempotency-key", "last-event-id"];
const TOLD: [&str; 8] = [
    "coterie-head",
    "coterie-version",
    "etag",
    "ratelimit-limit",
    "ratelimit-remaining",
    "ratelimit-reset",
    "retry-after",
    "x-request-id",
];

/// The routes of every feature, each with its description.
fn features() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(openapi::frame())
        .merge(auth::routes())
        .merge(project::routes())
        .merge(admin::routes())
        .merge(access::routes())
        .merge(document::routes())
        .merge(activity::routes())
        .merge(blob::routes())
        .merge(archive::routes())
        .merge(chat::routes())
        .merge(assistant::routes())
        .merge(proposal::routes())
}

/// What `/api/openapi.json` says.
#[must_use]
pub fn description() -> Value {
    openapi::complete(&features().merge(operation::routes()).into_openapi())
}

/// The same, encoded when it is first asked for.
static DESCRIPTION: LazyLock<Bytes> = LazyLock::new(|| description().to_string().into());

/// The whole application of one server.
pub fn app(state: AppState) -> Router {
    let describe = || async { ([(header::CONTENT_TYPE, "application/json")], DESCRIPTION.clone()) };
    let api = Router::from(features())
        .route(openapi::ADDRESS, get(describe))
        .merge(openapi::page())
        .route("/api", get(no_such_address))
        .route("/api/{*rest}", axum::routing::any(no_such_address))
        .layer(DefaultBodyLimit::max(limits::BODY_BYTES))
        .layer(from_fn_with_state(state.clone(), weigh))
        .layer(auth::layer(&state))
        .layer(from_fn_with_state(state.clone(), auth::origin::check))
        .layer(from_fn_with_state(state.clone(), count))
        .layer(SetResponseHeaderLayer::if_not_present(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .layer(from_fn(in_time))
        .layer(ServiceBuilder::new().option_layer(other_sites(&state.config.origins)));
    let set = |name, value| SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value));
    let pictures = state.config.github.as_ref().map(|app| policy::pictures_of(&app.url)).unwrap_or_default();
    let pictures: Arc<[String]> = pictures.into();
    let hsts = state.is_https().then(|| set(header::STRICT_TRANSPORT_SECURITY, HSTS));
    Router::new()
        .merge(api)
        .merge(socket::routes())
        .merge(Router::from(operation::routes()).layer(from_fn_with_state(state.clone(), count)))
        .fallback(move |request| studio::serve(request, pictures.clone()))
        .layer(
            ServiceBuilder::new()
                .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION, header::COOKIE]))
                .layer(set(header::CONTENT_SECURITY_POLICY, policy::STRICT))
                .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .layer(set(header::REFERRER_POLICY, "no-referrer"))
                .layer(set(HeaderName::from_static("permissions-policy"), PERMISSIONS))
                .layer(set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin"))
                .layer(set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin"))
                .layer(SetResponseHeaderLayer::overriding(VERSION, studio::version()))
                .option_layer(hsts)
                .layer(from_fn_with_state(state.clone(), identify))
                .layer(from_fn(options))
                .layer(CatchPanicLayer::custom(panicked)),
        )
        .with_state(state)
}

/// Lets pages of the sites that the settings name read what is answered to a token of theirs. Never to a cookie:
/// credentials are not allowed, so a browser sends none.
fn other_sites(origins: &[PublicUrl]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> =
        origins.iter().filter_map(|site| HeaderValue::from_str(site.origin()).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers(TAKEN.map(HeaderName::from_static))
        .expose_headers(TOLD.map(HeaderName::from_static))
        .max_age(limits::PREFLIGHT_AGE);
    Some(layer)
}

async fn no_such_address() -> Error {
    Error::NotFound
}

/// Gives a request its id: in the log, in the response's header and in what an error says.
///
/// An id the client sent is not taken over, so that ids are unique and logs hold no foreign text.
async fn identify(State(state): State<AppState>, request: Request, next: Next) -> Response<Body> {
    let id = Uuid::now_v7().to_string();
    let (method, route) = (request.method().clone(), route_of(&request));
    let pattern = request.extensions().get::<MatchedPath>().cloned();
    let span = tracing::info_span!("request", id, %method, route);
    let began = tokio::time::Instant::now();
    let response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    span.in_scope(|| tracing::info!(status, ?took, "answered"));
    // Only patterns and known methods: what clients make up would fill the registry.
    let pattern = pattern.as_ref().map(MatchedPath::as_str).filter(|path| !path.contains("{*")).unwrap_or("other");
    let method = if is_known(&method) { method.as_str() } else { "other" };
    let code = status.to_string();
    let labels = [("method", method), ("route", pattern), ("status", code.as_str())];
    state.meters.counter("coterie_http_requests_total", &labels).increment(1);
    state.meters.histogram("coterie_http_request_seconds", &[("route", pattern)]).record(seconds(took));
    let mut response = with_request_id(response, &id);
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn is_known(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
        .contains(method)
}

/// Answers what an address takes, where that is asked. No other origin is allowed anything, so there is no more to say;
/// the framework adds the methods.
async fn options(request: Request, next: Next) -> Response<Body> {
    let asked = request.method() == Method::OPTIONS;
    let response = next.run(request).await;
    if asked && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        return StatusCode::NO_CONTENT.into_response();
    }
    response
}

/// Counts a request among those of its address, and tells in the answer what is left of the tightest limit it met.
async fn count(State(state): State<AppState>, mut request: Request, next: Next) -> Response<Body> {
    let standing = Standing::default();
    let from = request.extensions().get::<ClientAddress>().copied();
    // A proxy on this machine that is not trusted stands for everyone: nobody may lock all others out.
    let from = from.filter(|from| !(from.is_local() && address::is_forwarded(request.headers())));
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    // What another site has a browser do is no try of whoever sits at it.
    let is_own = request.headers().get("sec-fetch-site").is_none_or(|site| site != "cross-site");
    let signs_in = SIGN_IN.iter().any(|(address, method)| Some(*address) == path && method == request.method());
    let admitted = from.map_or(Ok(()), |from| {
        state.rates.count(Whose::Address(from), &standing)?;
        if signs_in { state.rates.may_sign_in(from) } else { Ok(()) }
    });
    request.extensions_mut().insert(standing.clone());
    // Held here until the answer is there.
    let taken = Taken::default();
    request.extensions_mut().insert(taken.clone());
    let mut response = match admitted {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    if let (Some(from), true) = (from, signs_in && is_own && response.extensions().get::<FailedSignIn>().is_some()) {
        state.rates.sign_in_failed(from);
    }
    if let Some(whose) = standing.refused() {
        state.meters.counter("coterie_requests_limited_total", &[("whose", whose)]).increment(1);
    }
    standing.tell(response.headers_mut());
    drop(taken);
    response
}

/// Counts a large answer among those that wait for their readers, until it was read. What was done is said in any case.
async fn weigh(State(state): State<AppState>, request: Request, next: Next) -> Response<Body> {
    if !request.method().is_safe() {
        return next.run(request).await;
    }
    let asked = request.extensions().clone();
    let response = next.run(request).await;
    let size = response.body().size_hint().exact().and_then(|size| usize::try_from(size).ok());
    let Some(size) = size.filter(|size| *size > limits::BODY_BYTES) else { return response };
    if response.extensions().get::<Weighed>().is_some() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let counted = async {
        let place = state.outflow.place_now(&holders(&asked), size)?;
        // It is in memory whole, and is not copied.
        let bytes = axum::body::to_bytes(body, size).await.map_err(anyhow::Error::from)?;
        Ok(Response::from_parts(parts, Body::from(place.on(bytes))))
    };
    counted.await.unwrap_or_else(Error::into_response)
}

/// Ends what takes too long; a large archive may take its time to arrive, and a model its own to answer.
async fn in_time(request: Request, next: Next) -> Response<Body> {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let most = match path {
        Some(IMPORT) => limits::ARCHIVE_REQUEST,
        Some(path) if ASKS_A_MODEL.contains(&path) => limits::ASSISTANT_TIME + limits::REQUEST_TIMEOUT,
        _ => limits::REQUEST_TIMEOUT,
    };
    let answered = tokio::time::timeout(most, next.run(request)).await;
    answered.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())
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
