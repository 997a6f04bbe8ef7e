//! A project's files as a stream: each is read when the one before it is on its way, so no archive is held whole.

use std::collections::HashSet;
use std::io::{self, Seek, Write};
use std::sync::Arc;

use axum::body::{Body, Bytes};
use futures_util::stream;
use tokio::sync::mpsc;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::blob;
use crate::bodies::Place;
use crate::document::{self, Document};
use crate::error::{Error, Result};
use crate::ids::ProjectId;
use crate::limits;
use crate::replica::Part;
use crate::state::AppState;
use crate::update::StateVector;

/// Where files go that are no texts.
const OTHERS: &str = "attachments";

/// Bytes of the archive as they come; an error breaks the download off.
type Pieces = mpsc::Sender<io::Result<Bytes>>;

/// A file to be put into the archive.
type File = (String, Vec<u8>);

/// Streams everything that a project holds now. It has its place among large answers until nothing of it is left here.
///
/// # Errors
/// When the database fails before anything was sent.
pub(super) async fn pack(state: AppState, project: ProjectId, place: Place) -> Result<Body> {
    let documents = document::all(&state.db, project).await?;
    let blobs = blob::all(&state.db, project).await?;
    let (pieces, told) = mpsc::channel(limits::ARCHIVE_PIECES);
    let (files, wanted) = mpsc::channel(1);
    let place = Arc::new(place);
    let of_writer = place.clone();
    tokio::task::spawn_blocking(move || {
        let _place = of_writer;
        if let Err(error) = put_together(wanted, &pieces) {
            tracing::debug!(%error, "an archive was not taken to its end");
        }
    });
    tokio::spawn(async move {
        let _place = place;
        let read = read(&state, project, documents, blobs, &files);
        if let Err(error) = read.await {
            tracing::warn!(%project, error = %format!("{error:#}"), "an archive breaks off");
        }
    });
    let next = |mut told: mpsc::Receiver<_>| async move { Some((told.recv().await?, told)) };
    Ok(Body::from_stream(stream::unfold(told, next)))
}

/// Hands on one file after the other.
async fn read(
    state: &AppState,
    project: ProjectId,
    documents: Vec<Document>,
    blobs: Vec<blob::Blob>,
    files: &mpsc::Sender<Option<File>>,
) -> Result<()> {
    for document in documents {
        if let Some(file) = file_of(state, document).await? {
            // Nobody takes it any more.
            if files.send(Some(file)).await.is_err() {
                return Ok(());
            }
        }
    }
    for blob in blobs {
        if let Some(bytes) = blob::bytes(&state.db, project, blob.hash()).await? {
            let name = format!("{OTHERS}/{}-{}", &blob.hash().to_string()[..8], blob.name());
            if files.send(Some((name, bytes))).await.is_err() {
                return Ok(());
            }
        }
    }
    let _ = files.send(None).await;
    Ok(())
}

/// A document as a file: its text, or where it is none or cannot be had, what it holds as a Yjs update.
async fn file_of(state: &AppState, document: Document) -> Result<Option<File>> {
    match document::text(&state.rooms, &state.replicas, &document, Part::Whole).await {
        Ok(content) => Ok(Some((document.path, content.text.into_bytes()))),
        // Deleted meanwhile.
        Err(Error::NotFound) => Ok(None),
        Err(Error::Conflict { .. } | Error::Unavailable { .. } | Error::TooLarge(_)) => {
            let question = state.rooms.read(document.id, StateVector::default()).await?;
            let update = tokio::task::spawn_blocking(move || question.update()).await.map_err(anyhow::Error::from)?;
            Ok(Some((format!("{}.yjs", document.path), update.to_vec())))
        }
        Err(error) => Err(error),
    }
}

/// Writes the archive, and its end when all files came.
fn put_together(files: mpsc::Receiver<Option<File>>, pieces: &Pieces) -> io::Result<()> {
    let mut archive = ZipWriter::new_stream(Sent(pieces));
    if let Err(error) = put_in(&mut archive, files, pieces) {
        // Before the writer ends the archive as if this were all of it.
        let _ = pieces.blocking_send(Err(io::Error::other("a file is missing")));
        return Err(error);
    }
    archive.finish()?;
    Ok(())
}

/// Puts all files in, as long as somebody takes them.
fn put_in<W: Write + Seek>(
    archive: &mut ZipWriter<W>,
    mut files: mpsc::Receiver<Option<File>>,
    pieces: &Pieces,
) -> io::Result<()> {
    let mut names = HashSet::new();
    while let Some(file) = files.blocking_recv() {
        let Some((name, bytes)) = file else { return Ok(()) };
        archive.start_file(free_name(&mut names, name), SimpleFileOptions::default())?;
        for part in bytes.chunks(limits::ARCHIVE_PART) {
            archive.write_all(part)?;
            if pieces.is_closed() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
        }
    }
    Err(io::Error::other("a file cannot be read"))
}

/// A name that no file of the archive has: the one wanted, or with a number. What is put in is named by the project, by a
/// digest, or with an ending of ours, and these may meet.
fn free_name(names: &mut HashSet<String>, wanted: String) -> String {
    let others = (2..).map(|number| format!("{wanted} ({number})"));
    let free =
        std::iter::once(wanted.clone()).chain(others).find(|name| !names.contains(name)).unwrap_or(wanted.clone());
    names.insert(free.clone());
    free
}

/// Sends what is written, and waits while the reader is slow. Once nobody reads, it drops what comes without an error, which
/// the archive's own end would print past the log.
struct Sent<'a>(&'a Pieces);

impl Write for Sent<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
