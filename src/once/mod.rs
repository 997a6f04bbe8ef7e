//! Requests that are carried out once however often they are sent: those with an `Idempotency-Key`.
//!
//! The key is noted before anything is done and the answer after it, for a day. Answers that hold a secret are not
//! kept, so what issues secrets takes no key. *Absent: anything that survives a server which ends in between; then
//! nobody knows whether it was done, and the next one with that key is told so.*

mod sql;

use axum::body::Bytes;
use axum::extract::{FromRef, FromRequest, OriginalUri, Request};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::bodies::Intake;
use crate::db::{Db, micros, now_us};
use crate::error::{Error, Result};
use crate::extract::{self, Archive, Json};
use crate::ids::UserId;
use crate::limits;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// A JSON body, and under which key it is to be carried out once.
#[derive(Debug, Clone)]
pub struct Keyed<T> {
    /// What was sent.
    pub value: T,
    /// Whether and how it is known again.
    pub seal: Seal,
}

/// The digests of a request's key and of the request itself; nothing for one without a key.
#[derive(Debug, Clone, Copy)]
pub struct Seal(Option<([u8; 32], [u8; 32])>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Keyed<T>
where
    Intake: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let letter = Letter::of(&request)?;
        let body = extract::json_body(request, state).await?;
        Ok(Self { value: extract::parse(&body)?, seal: letter.seal(&body) })
    }
}

/// A zip archive, and under which key it is to be carried out once.
#[derive(Debug, Clone)]
pub struct KeyedArchive {
    /// What was sent.
    pub archive: Bytes,
    /// Whether and how it is known again.
    pub seal: Seal,
}

impl<S: Send + Sync> FromRequest<S> for KeyedArchive
where
    Intake: FromRef<S>,
{
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let letter = Letter::of(&request)?;
        let Archive(archive) = Archive::from_request(request, state).await?;
        let seal = letter.seal(&archive);
        Ok(Self { archive, seal })
    }
}

/// What is on a request's outside: its key, if it has one, and where it is sent.
struct Letter {
    key: Option<[u8; 32]>,
    address: String,
}

impl Letter {
    fn of(request: &Request) -> Result<Self> {
        let uri = request.extensions().get::<OriginalUri>().map_or_else(|| request.uri(), |uri| &uri.0);
        let (path, query) = (uri.path(), uri.query().map(|query| format!("?{query}")).unwrap_or_default());
        Ok(Self { key: key(request.headers())?, address: format!("{} {path}{query}\n", request.method()) })
    }

    fn seal(self, body: &[u8]) -> Seal {
        Seal(self.key.map(|key| {
            let asked = Sha256::new().chain_update(self.address).chain_update(body);
            (key, asked.finalize().into())
        }))
    }
}

/// The digest of the key that a request carries, if it carries one.
fn key(headers: &HeaderMap) -> Result<Option<[u8; 32]>> {
    let Some(value) = headers.get(HEADER) else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    if key.is_empty() || key.len() > limits::ONCE_KEY_BYTES {
        let said = format!("Idempotency-Key must be 1 to {} visible characters", limits::ONCE_KEY_BYTES);
        return Err(Error::invalid("bad_idempotency_key", said));
    }
    Ok(Some(Sha256::digest(key).into()))
}

/// What became of a request under a key.
enum Kept {
    /// It is for us to carry out.
    New,
    /// It was answered.
    Answered(StatusCode, String),
    /// It is not answered yet.
    Begun,
    /// The key was another request's.
    Other,
}

/// Carries a request out, or answers as when it was. It goes on when whoever asked has gone away.
///
/// # Errors
/// What carrying it out meets, which is not kept: the same key may try again. [`Error::KeyReused`] for another request
/// under the key, `in_progress` while the first is being carried out.
pub async fn once<T: Serialize + Send + 'static>(
    db: &Db,
    user: UserId,
    seal: Seal,
    status: StatusCode,
    carry_out: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<Response> {
    let Some((key, asked)) = seal.0 else {
        return Ok((status, Json(carry_out.await?)).into_response());
    };
    let db = db.clone();
    let done = tokio::spawn(async move {
        match sql::begin(&db, user, key, asked, now_us()).await? {
            Kept::New => {}
            Kept::Answered(status, body) => return Ok(told(status, body)),
            Kept::Begun => {
                let said = "a request with this key is being carried out, or its server ended before it was answered; \
                            look whether it was done, and use another key";
                return Err(Error::conflict("in_progress", said));
            }
            Kept::Other => return Err(Error::KeyReused),
        }
        match carry_out.await {
            Ok(value) => {
                let body = serde_json::to_string(&value).map_err(anyhow::Error::from)?;
                // It is done, whatever becomes of this note.
                if let Err(error) = sql::finish(&db, user, key, status, &body).await {
                    tracing::warn!(%error, "an answer cannot be kept for its key");
                }
                Ok(told(status, body))
            }
            Err(error) => {
                // A fault of the server may have left it done; then the key stays used.
                if !error.status().is_server_error()
                    && let Err(error) = sql::forget(&db, user, key).await
                {
                    tracing::warn!(%error, "a key cannot be let go");
                }
                Err(error)
            }
        }
    });
    done.await.map_err(anyhow::Error::from)?
}

fn told(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Removes answers that need be kept no longer.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &Db) -> Result<u64> {
    sql::sweep(db, now_us().saturating_sub(micros(limits::ONCE_KEPT))).await
}
