//! Archives over HTTP.

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Imported, pack};
use crate::access::{Editor, Viewer};
use crate::error::{ErrorView, Result};
use crate::extract::{Holders, Query};
use crate::limits;
use crate::once::{KeyedArchive, once};
use crate::state::AppState;

/// `/api/projects/{p}/export` and `…/import`.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(import))
        .layer(DefaultBodyLimit::max(limits::ARCHIVE_BYTES))
        .routes(routes!(export))
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Into {
    /// The folder they go into; the top when left out.
    #[serde(default)]
    into: String,
    /// By which `import.progress` tells of it in the feed; a new one when left out.
    import: Option<Uuid>,
}

/// All files of a project as a zip archive: texts by their paths, other files below `attachments`. What is no text comes
/// as a Yjs update, with `.yjs` after its path.
#[utoipa::path(
    get, path = "/api/projects/{p}/export", operation_id = "export_project", tag = "text",
    responses((status = 200, description = "The archive.", content_type = "application/zip", body = Vec<u8>))
)]
async fn export(access: Viewer, State(state): State<AppState>, Holders(holders): Holders) -> Result<impl IntoResponse> {
    let name = format!("attachment; filename=\"coterie-{}.zip\"", access.project);
    let headers = [(header::CONTENT_TYPE, "application/zip".to_owned()), (header::CONTENT_DISPOSITION, name)];
    let place = state.outflow.place(&holders, limits::EXPORT_BYTES).await?;
    Ok((headers, pack::pack(state, access.project, place).await?))
}

/// Makes the files of a zip archive new files: all of them or none. For editors.
#[utoipa::path(
    post, path = "/api/projects/{p}/import", operation_id = "import_files", tag = "text",
    params(Into, ("idempotency-key" = Option<String>, Header, description = "Carries it out once, however often it is sent.")),
    request_body(content = Vec<u8>, content_type = "application/zip"),
    responses(
        (status = 201, body = Imported),
        (status = 409, description = "`path_taken`: something is in the way there; `in_progress`: the key's request is.", body = ErrorView),
        (status = 422, description = "The key was another request's.", body = ErrorView),
    )
)]
async fn import(
    access: Editor,
    State(state): State<AppState>,
    Query(query): Query<Into>,
    KeyedArchive { archive, seal }: KeyedArchive,
) -> Result<Response> {
    let (user, import) = (access.caller.user.id, query.import.unwrap_or_else(Uuid::now_v7));
    let db = state.db.clone();
    once(&db, user, seal, StatusCode::CREATED, async move {
        super::import(&state, access.project, user, import, query.into, archive).await
    })
    .await
}
