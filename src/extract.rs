//! What handlers take and give in the server's own manner: JSON, queries, raw bytes, ids in paths.
//!
//! Each refuses with [`Error`], so that every refusal has the one shape.

use std::str::FromStr;
use std::time::Duration;

use axum::RequestExt;
use axum::body::Bytes;
use axum::body::HttpBody;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRef, FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::address::ClientAddress;
use crate::bodies::{Holder, Intake, Taken};
use crate::error::{Error, Result};
use crate::turnstile::Standing;

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Error;

    /// The accepting of connections notes it with every request.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let noted = parts.extensions.get::<Self>().copied();
        noted.ok_or_else(|| Error::Internal(anyhow::anyhow!("a request without the address it came from")))
    }
}

/// Who asks, as what their bodies and answers are counted for. After the extractor that finds out who it is.
#[derive(Debug, Clone)]
pub struct Holders(pub Vec<Holder>);

impl<S: Send + Sync> FromRequestParts<S> for Holders {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(holders(&parts.extensions)))
    }
}

/// The same of a request whose extractors have run.
#[must_use]
pub fn holders(extensions: &Extensions) -> Vec<Holder> {
    let user = extensions.get::<Standing>().and_then(Standing::user).map(Holder::User);
    let address = extensions.get::<ClientAddress>().copied().map(Holder::Address);
    user.into_iter().chain(address).collect()
}

/// A JSON body, in and out.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T>
where
    Intake: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        parse(&json_body(request, state).await?).map(Self)
    }
}

/// A JSON body that may be left out.
#[derive(Debug, Clone)]
pub struct JsonIfAny<T>(pub Option<T>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonIfAny<T>
where
    Intake: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        // What has no length has no end either.
        if request.body().size_hint().exact() == Some(0) {
            return Ok(Self(None));
        }
        Json::from_request(request, state).await.map(|Json(body)| Self(body))
    }
}

/// The bytes of a body that says it is JSON.
///
/// # Errors
/// For another type, and for what cannot be read.
pub(crate) async fn json_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes>
where
    Intake: FromRef<S>,
{
    require_type(request.headers(), "application/json", "JSON with content-type: application/json")?;
    read(request, state).await
}

/// What JSON says.
///
/// # Errors
/// `bad_json`.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    // Where names are expected, a list in their order would be taken for them.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Error::invalid("bad_json", "the body must be a JSON object, not a list"));
    }
    serde_json::from_slice(body)
        .map_err(|error| Error::invalid("bad_json", format!("the body is not the JSON expected: {error}")))
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A body of raw bytes.
#[derive(Debug, Clone)]
pub struct Octets(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Octets
where
    Intake: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        require_type(
            request.headers(),
            "application/octet-stream",
            "bytes with content-type: application/octet-stream",
        )?;
        read(request, state).await.map(Self)
    }
}

/// A body that is a zip archive.
#[derive(Debug, Clone)]
pub struct Archive(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Archive
where
    Intake: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        require_type(request.headers(), "application/zip", "a zip archive with content-type: application/zip")?;
        // Without it, the body would count for less than an archive may be.
        if request.body().size_hint().exact().is_none() {
            return Err(Error::invalid("no_length", "say how long the archive is, by Content-Length"));
        }
        read(request, state).await.map(Self)
    }
}

/// A body of plain text in UTF-8.
#[derive(Debug, Clone)]
pub struct PlainText(pub String);

impl<S: Send + Sync> FromRequest<S> for PlainText
where
    Intake: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        require_type(request.headers(), "text/plain", "text with content-type: text/plain")?;
        let body = read(request, state).await?;
        let text = String::from_utf8(body.to_vec());
        text.map(Self).map_err(|_| Error::invalid("bad_text", "the body is not text in UTF-8"))
    }
}

/// The query of an address.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => Err(Error::invalid("bad_query", rejection.body_text())),
        }
    }
}

/// The named part of the path as `T`.
///
/// # Errors
/// [`Error::NotFound`] when it is not one: nothing lives at such an address.
pub async fn path_param<T: FromStr>(parts: &mut Parts, name: &str) -> Result<T> {
    let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| Error::NotFound)?;
    let found = params.iter().find(|(key, _)| *key == name);
    found.and_then(|(_, value)| value.parse().ok()).ok_or(Error::NotFound)
}

/// The last named part of the path, the id of the thing itself: `{d}` in `/api/projects/{p}/documents/{d}/update`.
#[derive(Debug, Clone, Copy)]
pub struct PathId<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for PathId<T> {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| Error::NotFound)?;
        let last = params.iter().last();
        last.and_then(|(_, value)| value.parse().ok()).map(Self).ok_or(Error::NotFound)
    }
}

/// Reads a body in full, once there is room for it; it then counts until the request is answered.
async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes>
where
    Intake: FromRef<S>,
{
    // Who does not say how long it is may send as much as the address takes, and that counts.
    let request = request.with_limited_body();
    let holders = holders(request.extensions());
    let place = Intake::from_ref(state).take(&holders, request.body().size_hint().upper()).await?;
    let taken = request.extensions().get::<Taken>().cloned();
    let body = Bytes::from_request(request, state).await.map_err(|rejection| match rejection {
        BytesRejection::FailedToBufferBody(cause) if cause.status() == 413 => {
            Error::TooLarge("the body is larger than this address takes".to_owned())
        }
        _ => Error::invalid("bad_body", "the body ended before it was complete"),
    })?;
    if let Some(taken) = taken {
        taken.keep(place);
    }
    Ok(body)
}

/// Refuses a body of another content type than `wanted`; `send` says what to send instead.
fn require_type(headers: &HeaderMap, wanted: &str, send: &'static str) -> Result<()> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_wanted = given.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(wanted));
    if is_wanted { Ok(()) } else { Err(Error::UnsupportedMediaType(send)) }
}

/// A lifetime given in seconds, within 1 and `max`.
///
/// # Errors
/// `bad_expiry` for any other.
pub fn lifetime(seconds: i64, max: Duration) -> Result<Duration> {
    let given = u64::try_from(seconds).ok().filter(|seconds| *seconds >= 1).map(Duration::from_secs);
    given.filter(|given| *given <= max).ok_or_else(|| {
        Error::invalid("bad_expiry", format!("expires_in must be between 1 and {} seconds", max.as_secs()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_bounded_on_both_sides() {
        let max = Duration::from_secs(10);
        assert!(lifetime(10, max).is_ok());
        for bad in [i64::MIN, -1, 0, 11, i64::MAX] {
            assert!(lifetime(bad, max).is_err(), "{bad}");
        }
    }
}
