//! The one error of the server and how it is told to an HTTP client.
//!
//! A variant exists only where a client can act on it. Internals are logged once, where they become a response,
//! and never sent.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// The result of anything that can fail with an [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// For how long whoever is put off is asked to wait where nothing says how long, in seconds: what was away for a moment is
/// back.
pub const RETRY_AFTER: u64 = 1;

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 400: the request is malformed; `code` names the fault for programs, `message` says what to do.
    #[error("{message}")]
    Invalid {
        /// A stable word for programs, such as `bad_path`.
        code: &'static str,
        /// What is wrong and what to send instead.
        message: String,
    },
    /// 401: nobody is signed in.
    #[error("sign in first")]
    Unauthorized,
    /// 403: the project is visible to the caller, but the role does not allow this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// 404: unknown, or hidden from the caller; the two look alike.
    #[error("not found")]
    NotFound,
    /// 409: what is there does not allow it.
    #[error("{message}")]
    Conflict {
        /// A stable word for programs, such as `path_taken`.
        code: &'static str,
        /// What stands in the way.
        message: String,
    },
    /// 412: the document has moved on since the head that was named.
    #[error("the document is at head {0} by now; read it again")]
    PreconditionFailed(i64),
    /// 413: above a limit on size.
    #[error("{0}")]
    TooLarge(String),
    /// 415: another content type is needed.
    #[error("send {0}")]
    UnsupportedMediaType(&'static str),
    /// 422: a key by which a request is carried out once was another request's.
    #[error("this Idempotency-Key was used for another request; use a new one")]
    KeyReused,
    /// 429: above a limit on rate.
    #[error("too many requests; try again in {retry_after} s")]
    RateLimited {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// 503: the server cannot do this now; nothing was lost.
    #[error("{message}")]
    Unavailable {
        /// What is away.
        message: String,
        /// Seconds to wait.
        retry_after: u64,
    },
    /// 503: what is stored of the document cannot be read whole; it can be synced as far as it can, and not be written.
    #[error("{0}")]
    Damaged(String),
    /// 500 or 503: the database said no.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// 500: a fault of the server.
    #[error(transparent)]
    Internal(#[from] anyhow::Error),
}

impl Error {
    /// A malformed request.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { code, message: message.into() }
    }

    /// Something in the way.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict { code, message: message.into() }
    }

    /// Not now.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable { message: message.into(), retry_after: RETRY_AFTER }
    }

    /// The HTTP status this error is told with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Invalid { .. } => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict { .. } => StatusCode::CONFLICT,
            Self::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } | Self::Damaged(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Database(error) if is_away(error) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Database(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The stable word that names this error to programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { code, .. } | Self::Conflict { code, .. } => code,
            Self::Unauthorized => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound => "not_found",
            Self::PreconditionFailed(_) => "precondition_failed",
            Self::TooLarge(_) => "too_large",
            Self::UnsupportedMediaType(_) => "unsupported_media_type",
            Self::KeyReused => "key_reused",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Damaged(_) => "damaged",
            Self::Database(error) if is_away(error) => "unavailable",
            Self::Database(_) | Self::Internal(_) => "internal",
        }
    }

    /// The text sent to the client: the error's own words, but nothing of the server's inside.
    #[must_use]
    pub fn public_message(&self) -> String {
        match self {
            Self::Database(error) if is_away(error) => "the database is away or busy; try again soon".to_owned(),
            Self::Database(_) | Self::Internal(_) => {
                "the server failed; the request id helps its operator to find out why".to_owned()
            }
            other => other.to_string(),
        }
    }
}

/// Whether the database could not be reached or was too busy to answer, as opposed to refusing a statement.
pub(crate) fn is_away(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(refusal) => refusal.code().is_some_and(|code| is_passing(&code)),
        _ => false,
    }
}

/// Whether an engine's own error code tells of a state that passes: locks, shutdowns, full disks, transactions that took too
/// long.
///
/// Postgres' codes have five characters, SQLite's are numbers whose lowest byte is the kind.
fn is_passing(code: &str) -> bool {
    if code.len() == 5 {
        let class = &code[..2];
        return matches!(class, "08" | "53" | "57" | "58")
            || matches!(code, "40001" | "40P01" | "55P03" | "25006" | "25P03" | "25P04");
    }
    // busy, locked, readonly, ioerr, full, cantopen
    code.parse::<i32>().is_ok_and(|number| matches!(number & 0xff, 5 | 6 | 8 | 10 | 13 | 14))
}

/// An error as clients are told it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErrorView {
    error: Told,
}

/// What an error response says, kept beside its body so that the request id can be added on the way out.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ErrorText)]
struct Told {
    /// A stable word for programs.
    #[schema(example = "not_found")]
    code: &'static str,
    /// What is wrong, and what to do about it.
    message: String,
    /// Finds the request in the server's log.
    #[schema(required, value_type = String, format = Uuid)]
    request_id: Option<String>,
}

impl Told {
    fn body(self, request_id: Option<&str>) -> Body {
        let error = Self { request_id: request_id.map(str::to_owned), ..self };
        let text = serde_json::to_string(&ErrorView { error });
        text.map(Body::from).unwrap_or_default()
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        match &self {
            // Nothing here is broken: there is too much of something, or it is another's to mend. Who asked is told.
            Self::Unavailable { .. } => tracing::info!(error = %self, "request put off"),
            _ if status.is_server_error() => tracing::error!(error = %format!("{self:#}"), "request failed"),
            _ => {}
        }
        let retry_after = match &self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after, .. } => Some(*retry_after),
            // Until somebody mends it, which takes longer than any wait.
            Self::Damaged(_) => None,
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER),
            _ => None,
        };
        let mut response = tell(status, Told { code: self.code(), message: self.public_message(), request_id: None });
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

fn tell(status: StatusCode, told: Told) -> Response {
    let mut response = (status, told.clone().body(None)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.extensions_mut().insert(told);
    response
}

/// The same response, when it is an error, in the API's one shape with the request's id in it.
///
/// Refusals of the framework and of layers (no such method, too slow, …) are plain text or empty; they are told in
/// the same shape here.
#[must_use]
pub fn with_request_id(response: Response, request_id: &str) -> Response {
    let status = response.status();
    if (!status.is_client_error() && !status.is_server_error()) || is_page(&response) {
        return response;
    }
    let (mut parts, _) = response.into_parts();
    let told = parts.extensions.remove::<Told>().unwrap_or_else(|| of_status(status));
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, told.body(Some(request_id)))
}

/// Whether a response is for people to read as it is.
fn is_page(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("text/html"))
}

fn of_status(status: StatusCode) -> Told {
    let (code, message) = match status {
        StatusCode::NOT_FOUND => ("not_found", "not found"),
        StatusCode::METHOD_NOT_ALLOWED => {
            ("method_not_allowed", "this address does not take this method; see the Allow header")
        }
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ("unsupported_media_type", "another content type is needed"),
        StatusCode::UPGRADE_REQUIRED => ("upgrade_required", "this address takes WebSocket connections only"),
        StatusCode::REQUEST_TIMEOUT => ("timeout", "the request took too long to arrive"),
        StatusCode::PAYLOAD_TOO_LARGE => ("too_large", "the body is larger than this address takes"),
        StatusCode::SERVICE_UNAVAILABLE => ("unavailable", "this took too long; try again soon"),
        status if status.is_client_error() => ("bad_request", "the request cannot be read"),
        _ => ("internal", "the server failed; the request id helps its operator to find out why"),
    };
    Told { code, message: message.to_owned(), request_id: None }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;
    use tracing::{Event, Level, Subscriber};
    use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

    use super::*;

    /// The levels of what is logged.
    #[derive(Default, Clone)]
    struct Levels(Arc<Mutex<Vec<Level>>>);

    impl<S: Subscriber> Layer<S> for Levels {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().push(*event.metadata().level());
        }
    }

    #[test]
    fn what_is_put_off_is_no_error_of_the_server() {
        let logged = |error: Error| {
            let levels = Levels::default();
            let subscriber = tracing_subscriber::registry().with(levels.clone());
            tracing::subscriber::with_default(subscriber, || drop(error.into_response()));
            levels.0.lock().clone()
        };
        assert_eq!(logged(Error::unavailable("the model's server does not know the model")), [Level::INFO]);
        assert_eq!(logged(Error::Internal(anyhow::anyhow!("broken"))), [Level::ERROR]);
        assert!(logged(Error::conflict("no_model", "no model is connected")).is_empty());
    }

    #[test]
    fn passing_states_of_both_engines_are_told_apart_from_refusals() {
        for code in ["57P01", "08006", "53300", "55P03", "5", "261", "517", "13"] {
            assert!(is_passing(code), "{code}");
        }
        for code in ["23505", "42601", "1555", "2067", "1"] {
            assert!(!is_passing(code), "{code}");
        }
    }
}
