//! How requests go out: once each, with every wait bounded, and a refusal read before the library sees it, since it
//! keeps neither `Retry-After` nor a body that is not JSON.

use std::time::Duration;

use async_openai::error::OpenAIError;
use async_openai::middleware::HttpRequestFactory;
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::fault::Fault;
use crate::limits;

/// A client that follows no redirect: the key is for the configured server only.
pub(super) fn client() -> anyhow::Result<reqwest::Client> {
    // Another part of the program may have chosen already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .connect_timeout(limits::MODEL_CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("coterie/", env!("CARGO_PKG_VERSION")))
        .build()?;
    Ok(client)
}

/// Sends one request of the library's.
pub(super) async fn send(
    client: reqwest::Client,
    request: HttpRequestFactory,
    model: String,
    patience: Duration,
) -> Result<reqwest::Response, OpenAIError> {
    let request = request.build().await?;
    exchange(&client, request, &model, patience).await.map(bounded).map_err(boxed)
}

/// Sends one request; anything but a success is a fault.
pub(super) async fn exchange(
    client: &reqwest::Client,
    request: reqwest::Request,
    model: &str,
    patience: Duration,
) -> Result<reqwest::Response, Fault> {
    let response = match timeout(patience, client.execute(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) if error.is_connect() => return Err(Fault::Unreachable),
        Ok(Err(_)) => return Err(Fault::BrokeOff),
        Err(_) => return Err(Fault::Silent(patience)),
    };
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let status = StatusCode::from_u16(status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let retry_after = response.headers().get(RETRY_AFTER.as_str()).and_then(|value| value.to_str().ok());
    let retry_after = retry_after.and_then(seconds);
    let body = beginning(response).await;
    tracing::debug!(%status, body, "a model's server refused");
    Err(Fault::of_response(status, retry_after, &body, model))
}

/// All of a body, if that is at most so many bytes; it may pause for so long.
pub(super) async fn whole(response: reqwest::Response, most: usize, idle: Duration) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    loop {
        match timeout(idle, body.next()).await {
            Err(_) => return Err(Fault::Silent(idle)),
            Ok(None) => return Ok(bytes),
            Ok(Some(Err(_))) => return Err(Fault::BrokeOff),
            Ok(Some(Ok(part))) if bytes.len() + part.len() > most => return Err(Fault::TooLong),
            Ok(Some(Ok(part))) => bytes.extend_from_slice(&part),
        }
    }
}

/// A response whose body ends with a fault where one line of it is longer than any event: whoever reads it waits for the
/// end of a line, and keeps what came until then.
fn bounded(response: reqwest::Response) -> reqwest::Response {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut line = 0_usize;
    let body = response.bytes_stream().map(move |part| {
        let part = part.map_err(std::io::Error::other)?;
        line = match part.iter().rposition(|byte| *byte == b'\n') {
            Some(at) => part.len() - at - 1,
            None => line.saturating_add(part.len()),
        };
        if line > limits::MODEL_EVENT_BYTES {
            return Err(std::io::Error::other("a line without an end"));
        }
        Ok(part)
    });
    let mut bounded = axum::http::Response::new(reqwest::Body::wrap_stream(body));
    *bounded.status_mut() = status;
    *bounded.headers_mut() = headers;
    bounded.into()
}

fn boxed(fault: Fault) -> OpenAIError {
    OpenAIError::Boxed(Box::new(fault))
}

/// What went wrong, as far as the library tells.
pub(super) fn fault(error: &OpenAIError, has_begun: bool) -> Fault {
    match error {
        OpenAIError::Boxed(error) => error.downcast_ref::<Fault>().cloned().unwrap_or(Fault::BrokeOff),
        OpenAIError::JSONDeserialize(..) => Fault::Unreadable,
        OpenAIError::StreamError(_) => Fault::BrokeOff,
        _ if has_begun => Fault::BrokeOff,
        _ => Fault::Unreachable,
    }
}

/// `Retry-After` in seconds; the form with a date is not used by models' servers.
fn seconds(value: &str) -> Option<Duration> {
    let seconds: f64 = value.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds.ceil()).ok()
}

/// The beginning of a body, as text.
async fn beginning(response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    let mut body = response.bytes_stream();
    while let Ok(Some(Ok(part))) = timeout(limits::MODEL_IDLE, body.next()).await {
        bytes.extend_from_slice(&part);
        if bytes.len() >= limits::MODEL_REFUSAL_BYTES {
            bytes.truncate(limits::MODEL_REFUSAL_BYTES);
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
