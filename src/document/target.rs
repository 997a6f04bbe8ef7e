//! A document of the path as a parameter, together with the permission to do something with it.

use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{Document, Resolved, sql};
use crate::access::Access;
use crate::error::{Error, Result};
use crate::extract::path_param;
use crate::state::AppState;

/// The living document `{d}` of the project `{p}`, for somebody with permission `P`; 404 when there is none.
///
/// Permission comes first: who may not, learns nothing about documents.
#[derive(Debug, Clone)]
pub struct Target<P> {
    /// Who is asking, and what they may do.
    pub access: P,
    /// The document.
    pub document: Document,
}

impl<P> FromRequestParts<AppState> for Target<P>
where
    P: FromRequestParts<AppState, Rejection = Error> + Deref<Target = Access> + Send + Sync,
{
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let access = P::from_request_parts(parts, state).await?;
        let id = path_param(parts, "d").await?;
        match sql::by_id(&state.db, access.project, id).await? {
            Resolved::Live(document) => Ok(Self { access, document }),
            Resolved::Deleted | Resolved::Unknown => Err(Error::NotFound),
        }
    }
}
