//! A project's files as a zip archive: all of them out, and new ones in, wholly or not at all.
//!
//! What an archive claims is not believed: names become paths by the same rule as everybody's, sizes are counted as they
//! come out, and what is refused is refused by name. Nothing is written to a disk on the way. *Absent: links, owners,
//! times and permissions; a project's files have none.*

mod pack;
mod routes;
mod unpack;

use std::collections::{HashMap, HashSet};

use axum::body::Bytes;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub use self::routes::routes;

use self::unpack::{Bounds, Unpacked, unpack, with_folders};
use crate::access::lock_project;
use crate::blob::{self, BlobView, Hash};
use crate::document::{self, DocumentPath, DocumentView};
use crate::error::{Error, Result};
use crate::feed::{self, Feed, Signal};
use crate::ids::{ProjectId, UserId};
use crate::limits;
use crate::quota::Quotas;
use crate::state::AppState;

/// What an import brought.
#[derive(Debug, Serialize, ToSchema)]
struct Imported {
    /// By which `import.progress` told of it.
    import: Uuid,
    /// Its texts.
    documents: Vec<DocumentView>,
    /// What is no text.
    blobs: Vec<BlobView>,
    /// What systems leave in archives beside people's files; it was left out.
    skipped: Vec<String>,
}

/// Makes the files of an archive new files of a project, below a folder if one is named.
///
/// # Errors
/// `bad_zip` and `bad_path` by the name of the file at fault, `path_taken`, [`Error::TooLarge`] with the limit that was
/// met, 503 while another archive is being taken in, or when the database fails. Nothing was changed then.
async fn import(
    state: &AppState,
    project: ProjectId,
    user: UserId,
    import: Uuid,
    into: String,
    archive: Bytes,
) -> Result<Imported> {
    let place = state.imports.clone().try_acquire_owned();
    let place = place.map_err(|_| Error::unavailable("another archive is being taken in; try again soon"))?;
    let (feed, quotas) = (state.feed.clone(), state.rooms.quotas().clone());
    // In a task of its own, to its end: who asked may go away.
    let done = tokio::spawn(async move {
        let _place = place;
        let unpacked = tokio::task::spawn_blocking(move || unpack(archive, &into, Bounds::from_now())).await;
        write(&feed, &quotas, project, user, import, unpacked.map_err(anyhow::Error::from)??).await
    });
    done.await.map_err(anyhow::Error::from)?
}

/// Refuses files that would differ from what is there, or a folder of theirs from one that is, in capital letters only.
fn refuse_clashes(there: &[String], texts: &[(DocumentPath, String)]) -> Result<()> {
    let mut spellings: HashMap<String, HashSet<&str>> = HashMap::new();
    for part in there.iter().flat_map(|path| with_folders(path)) {
        spellings.entry(part.to_lowercase()).or_default().insert(part);
    }
    for (path, _) in texts {
        for part in with_folders(path.as_str()) {
            let Some(known) = spellings.get(&part.to_lowercase()).filter(|known| !known.contains(part)) else {
                continue;
            };
            let known = known.iter().min().copied().unwrap_or_default();
            let said = format!("{part:?} differs from {known:?}, which is there, in capital letters only");
            return Err(Error::conflict("path_taken", said));
        }
    }
    Ok(())
}

async fn write(
    feed: &Feed,
    quotas: &Quotas,
    project: ProjectId,
    user: UserId,
    import: Uuid,
    unpacked: Unpacked,
) -> Result<Imported> {
    let Unpacked { texts, others, skipped } = unpacked;
    let total = (texts.len() + others.len()) as u64;
    let tell = |done: usize| feed.signal(project, Signal::ImportProgress { import, done: done as u64, total });
    let mut imported = Imported { import, documents: Vec::new(), blobs: Vec::new(), skipped };
    let mut events = Vec::new();
    let mut tx = feed.db().begin().await?;
    lock_project(&mut tx, project).await?;
    document::refuse_too_many(&mut tx, project, texts.len()).await?;
    refuse_clashes(&document::paths(&mut tx, project).await?, &texts)?;
    tell(0);
    for (path, content) in texts {
        let (document, event) = document::create_in(&mut tx, project, user, path, &content).await?;
        imported.documents.push(document.view());
        events.push(event);
        if imported.documents.len().is_multiple_of(limits::ARCHIVE_TELLS) {
            tell(imported.documents.len());
        }
    }
    let mut room = blob::room(&mut tx, project).await?;
    for (name, bytes) in others {
        let (blob, event) = blob::put_in(&mut tx, &mut room, user, &name, (Hash::of(&bytes), &bytes)).await?;
        imported.blobs.push(blob.view());
        events.extend(event);
    }
    if !imported.documents.is_empty() {
        quotas.hold(&mut tx, project).await?;
    }
    if !events.is_empty() {
        feed::append(&mut tx, project, Some(user), &events).await?;
    }
    feed.commit(tx, project).await?;
    quotas.look(project);
    tell(imported.documents.len() + imported.blobs.len());
    Ok(imported)
}
