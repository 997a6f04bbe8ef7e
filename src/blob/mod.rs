//! Binary files and attachments of a project: bytes named by their SHA-256, stored in the database.
//!
//! They are served as downloads from our own origin. Only what is a picture by its own bytes is shown as one; whatever
//! else somebody uploads, no browser runs it here.

mod routes;
mod sql;

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

pub use self::routes::routes;

use crate::access::lock_project;
use crate::db::{Db, Tx, now_us};
use crate::error::{Error, Result};
use crate::feed::{self, Event, Feed};
use crate::ids::{ProjectId, UserId};
use crate::limits;
use crate::text::is_deceptive;
use crate::timestamp::Timestamp;

/// The SHA-256 of some bytes, written in 64 small hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hash([u8; 32]);

impl Hash {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for Hash {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(());
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(drop)?;
            *byte = u8::from_str_radix(pair, 16).map_err(drop)?;
        }
        Ok(Self(hash))
    }
}

/// What is known of some bytes without them.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    hash: Hash,
    size: i64,
    media_type: String,
    name: String,
    created_by: UserId,
    created_us: i64,
}

/// The same as the API tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BlobView {
    hash: String,
    size: i64,
    media_type: String,
    name: String,
    created_by: UserId,
    created_at: Timestamp,
}

impl Blob {
    pub(crate) fn hash(&self) -> Hash {
        self.hash
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn view(&self) -> BlobView {
        BlobView {
            hash: self.hash.to_string(),
            size: self.size,
            media_type: self.media_type.clone(),
            name: self.name.clone(),
            created_by: self.created_by,
            created_at: Timestamp(self.created_us),
        }
    }
}

/// Keeps bytes; those that are there already stay as they are. Answers whether they are new.
///
/// # Errors
/// As [`put_in`].
pub(crate) async fn put(
    feed: &Feed,
    project: ProjectId,
    user: UserId,
    name: &str,
    bytes: &Bytes,
) -> Result<(Blob, bool)> {
    // Before the project is locked: of a large file it takes its time.
    let hash = Hash::of(bytes);
    let mut tx = feed.db().begin().await?;
    lock_project(&mut tx, project).await?;
    let mut room = room(&mut tx, project).await?;
    let (blob, event) = put_in(&mut tx, &mut room, user, name, (hash, bytes)).await?;
    let Some(event) = event else { return Ok((blob, false)) };
    feed::append(&mut tx, project, Some(user), &[event]).await?;
    feed.commit(tx, project).await?;
    Ok((blob, true))
}

/// What a project's bytes take and may take, for as long as a transaction holds its lock.
#[derive(Debug)]
pub(crate) struct Room {
    project: ProjectId,
    used: i64,
    most: i64,
}

/// What room a project has for bytes, in a transaction that holds its lock.
///
/// # Errors
/// When the database fails.
pub(crate) async fn room(tx: &mut Tx, project: ProjectId) -> Result<Room> {
    let most = sql::most(tx, project).await?.unwrap_or(limits::BLOBS_BYTES);
    Ok(Room { project, used: sql::used(tx, project).await?, most })
}

/// Keeps bytes, of which this is the hash, where there is room for them, and answers what there is to tell if they are new.
///
/// # Errors
/// `bad_name`, [`Error::TooLarge`] beyond a file's limit or the project's, or when the database fails.
pub(crate) async fn put_in(
    tx: &mut Tx,
    room: &mut Room,
    user: UserId,
    name: &str,
    (hash, bytes): (Hash, &Bytes),
) -> Result<(Blob, Option<Event>)> {
    let name = file_name(name)?;
    if bytes.len() > limits::BLOB_BYTES {
        return Err(Error::TooLarge(format!("a file has at most {} bytes", limits::BLOB_BYTES)));
    }
    let project = room.project;
    if let Some(there) = sql::find_in(tx, project, hash).await? {
        return Ok((there, None));
    }
    let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let used = room.used.saturating_add(size);
    if used > room.most {
        let most = room.most;
        return Err(Error::TooLarge(format!("the files of a project have at most {most} bytes; delete some first")));
    }
    room.used = used;
    let media_type = media_type(bytes).to_owned();
    let blob = Blob { hash, size, media_type, name, created_by: user, created_us: now_us() };
    sql::insert(tx, project, &blob, bytes).await?;
    let event = Event::BlobAdded { hash: hash.to_string(), name: blob.name.clone(), size };
    Ok((blob, Some(event)))
}

/// How many bytes a project has stored, and may store.
///
/// # Errors
/// When the database fails.
pub(crate) async fn stored(db: &Db, project: ProjectId) -> Result<(i64, i64)> {
    let Room { used, most, .. } = room(&mut db.begin_read().await?, project).await?;
    Ok((used, most))
}

/// What is known of all bytes of a project.
///
/// # Errors
/// When the database fails.
pub(crate) async fn all(db: &Db, project: ProjectId) -> Result<Vec<Blob>> {
    sql::list(db, project, None, None, None, i64::MAX).await
}

/// Whether a project has these bytes.
///
/// # Errors
/// When the database fails.
pub(crate) async fn exists(db: &Db, project: ProjectId, hash: Hash) -> Result<bool> {
    Ok(sql::find(db, project, hash).await?.is_some())
}

/// The bytes themselves; `None` when they were deleted meanwhile.
///
/// # Errors
/// When the database fails.
pub(crate) async fn bytes(db: &Db, project: ProjectId, hash: Hash) -> Result<Option<Vec<u8>>> {
    sql::bytes(db, project, hash).await
}

async fn delete(feed: &Feed, project: ProjectId, user: UserId, hash: Hash) -> Result<()> {
    let mut tx = feed.db().begin().await?;
    let name = sql::delete(&mut tx, project, hash).await?.ok_or(Error::NotFound)?;
    let event = Event::BlobDeleted { hash: hash.to_string(), name };
    feed::append(&mut tx, project, Some(user), &[event]).await?;
    feed.commit(tx, project).await
}

/// A file's name: one part of a path, visible, not empty.
fn file_name(given: &str) -> Result<String> {
    let name = given.trim();
    let bad = name.is_empty()
        || name.len() > limits::BLOB_NAME_BYTES
        || matches!(name, "." | "..")
        || name.chars().any(|c| matches!(c, '/' | '\\') || is_deceptive(c));
    if bad {
        let most = limits::BLOB_NAME_BYTES;
        let said =
            format!("name must be a file's name of at most {most} bytes, without slashes and control characters");
        return Err(Error::invalid("bad_name", said));
    }
    Ok(name.to_owned())
}

/// What the bytes themselves say they are. What somebody says of them is not asked.
pub(crate) fn media_type(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
        [0xff, 0xd8, 0xff, ..] => "image/jpeg",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "image/gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_one_spelling() {
        let hash = Hash::of(b"abc");
        assert_eq!(hash.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for bad in ["", "ba78", &hash.to_string().to_uppercase(), &"é".repeat(32)] {
            assert!(bad.parse::<Hash>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_parts_of_a_path() {
        assert_eq!(file_name(" a b.png ").unwrap(), "a b.png");
        for bad in ["", "a/b", "..", "a\\b", "a\nb", &"x".repeat(256)] {
            assert!(file_name(bad).is_err(), "{bad}");
        }
    }
}
