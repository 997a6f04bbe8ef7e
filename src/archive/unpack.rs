//! What an archive holds, taken out in memory within bounds of size, number and time.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::time::Instant;

use axum::body::Bytes;
use memchr::memmem;
use zip::ZipArchive;
use zip::read::ZipFile;

use crate::document::DocumentPath;
use crate::error::{Error, Result};
use crate::limits;

/// What systems put into archives by themselves.
const LEFTOVERS: [&str; 2] = [".DS_Store", "Thumbs.db"];
/// The folder of such things.
const LEFTOVER_FOLDER: &str = "__MACOSX/";

/// How the end of an archive begins that has more files or bytes than the first zip archives could have.
const END_OF_LARGE: &[u8] = b"PK\x06\x06";
/// How what points to it begins, right behind it.
const LOCATOR_OF_LARGE: &[u8] = b"PK\x06\x07";

/// What an archive may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Files, those that are left out among them.
    pub(super) files: usize,
    /// Bytes that all of them have together.
    pub(super) bytes: u64,
    /// When it must be unpacked.
    pub(super) until: Instant,
}

impl Bounds {
    /// Those of every archive, from now on.
    pub(super) fn from_now() -> Self {
        Self {
            files: limits::ARCHIVE_FILES,
            bytes: limits::ARCHIVE_UNPACKED,
            until: Instant::now() + limits::ARCHIVE_TIME,
        }
    }
}

/// The files of an archive.
#[derive(Debug, Default)]
pub(super) struct Unpacked {
    /// What is text, by its path in the project.
    pub(super) texts: Vec<(DocumentPath, String)>,
    /// What is none, by its own name.
    pub(super) others: Vec<(String, Bytes)>,
    /// What was left out.
    pub(super) skipped: Vec<String>,
}

/// Takes everything out.
pub(super) fn unpack(archive: Bytes, into: &str, bounds: Bounds) -> Result<Unpacked> {
    let unreadable =
        |error: &dyn std::fmt::Display| bad(format!("the body is not a zip archive that can be read: {error}"));
    refuse_long_lists(&archive, bounds.files)?;
    let mut archive = ZipArchive::new(Cursor::new(archive)).map_err(|error| unreadable(&error))?;
    if archive.len() > bounds.files {
        return Err(too_many(archive.len() as u64, bounds.files));
    }
    if archive.has_duplicate_names() {
        return Err(bad("two files of the archive have one name"));
    }
    if archive.has_overlapping_entries().map_err(|error| unreadable(&error))? {
        return Err(bad("files of the archive share their bytes: it is made to grow when it is unpacked"));
    }
    refuse_claims(&mut archive, bounds.bytes)?;
    let mut unpacked = Unpacked::default();
    let mut spellings = HashMap::new();
    let mut left = bounds.bytes;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(|error| bad(format!("file {index} of the archive: {error}")))?;
        let name = file.name().map_err(|error| bad(format!("the name of file {index}: {error}")))?.into_owned();
        if file.is_dir() {
            continue;
        }
        if name.starts_with(LEFTOVER_FOLDER) || LEFTOVERS.iter().any(|one| name.rsplit('/').next() == Some(one)) {
            unpacked.skipped.push(name);
            continue;
        }
        let path = path_of(&mut file, &name, into)?;
        refuse_clash(&mut spellings, path.as_str())?;
        let bytes = read(&mut file, &name, &mut left, bounds)?;
        sort(&mut unpacked, path, &name, bytes)?;
    }
    if unpacked.texts.is_empty() && unpacked.others.is_empty() {
        return Err(bad("the archive holds no file"));
    }
    Ok(unpacked)
}

/// Refuses an archive whose end says that more files are in it, before the list of them is read: each of its entries costs
/// several times what it is long. Only the record of large archives can say more than two bytes can.
fn refuse_long_lists(archive: &[u8], most: usize) -> Result<()> {
    let at = |from: usize, length: usize| archive.get(from..from.checked_add(length)?);
    let number = |from: usize| at(from, 8)?.try_into().ok().map(u64::from_le_bytes);
    for end in memmem::find_iter(archive, END_OF_LARGE) {
        let length = number(end + 4).and_then(|rest| usize::try_from(rest).ok());
        let locator = length.and_then(|length| end.checked_add(length)?.checked_add(12));
        // Without what points to it, it is somebody's bytes.
        if locator.and_then(|locator| at(locator, 4)) != Some(LOCATOR_OF_LARGE) {
            continue;
        }
        let files = number(end + 32).unwrap_or_default();
        if files > most as u64 {
            return Err(too_many(files, most));
        }
    }
    Ok(())
}

fn too_many(files: u64, most: usize) -> Error {
    Error::TooLarge(format!("the archive has {files} files, and may have {most}"))
}

/// Refuses what by its own words is too much, before anything of it is unpacked.
fn refuse_claims(archive: &mut ZipArchive<Cursor<Bytes>>, most_of_all: u64) -> Result<()> {
    let mut total: u64 = 0;
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).map_err(|error| bad(format!("file {index} of the archive: {error}")))?;
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        let most = limits::CONTENT_BYTES.max(limits::BLOB_BYTES) as u64;
        if file.size() > most {
            let claimed = file.size();
            return Err(Error::TooLarge(format!("{name:?} has {claimed} bytes, and a file at most {most}")));
        }
        total = total.saturating_add(file.size());
        if total > most_of_all {
            return Err(too_much(&name, most_of_all));
        }
    }
    Ok(())
}

fn too_much(name: &str, most: u64) -> Error {
    Error::TooLarge(format!("the archive unpacks to more than {most} bytes, at {name:?}"))
}

/// Where a file goes; what is no ordinary file, or would go elsewhere, is refused.
fn path_of<R: Read>(file: &mut ZipFile<'_, R>, name: &str, into: &str) -> Result<DocumentPath> {
    if file.encrypted() {
        return Err(bad(format!("{name:?} is encrypted")));
    }
    if file.is_symlink() || !file.is_file() {
        return Err(bad(format!("{name:?} is a link or a device, and no file")));
    }
    if name.contains('\\') {
        return Err(Error::invalid("bad_path", format!("{name:?}: folders are parted by /")));
    }
    let path = if into.is_empty() { name.to_owned() } else { format!("{into}/{name}") };
    DocumentPath::new(&path).map_err(|error| Error::invalid("bad_path", format!("{name:?}: {error}")))
}

/// Refuses a path that differs from another of the archive, or from a folder above one, in capital letters only: on many
/// systems they are one file.
fn refuse_clash(spellings: &mut HashMap<String, String>, path: &str) -> Result<()> {
    for part in with_folders(path) {
        let known = spellings.entry(part.to_lowercase()).or_insert_with(|| part.to_owned());
        if known != part {
            return Err(bad(format!("{part:?} and {known:?} differ in capital letters only")));
        }
    }
    Ok(())
}

/// A path, and before it the folders above it.
pub(super) fn with_folders(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| at).chain([path.len()]).map(|end| &path[..end])
}

/// Takes a file's bytes out, as many as it said and no more than are left.
fn read<R: Read>(file: &mut ZipFile<'_, R>, name: &str, left: &mut u64, bounds: Bounds) -> Result<Vec<u8>> {
    let claimed = file.size();
    let mut bytes = Vec::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        if Instant::now() >= bounds.until {
            let seconds = limits::ARCHIVE_TIME.as_secs();
            return Err(Error::TooLarge(format!("the archive takes longer than {seconds} s to unpack, at {name:?}")));
        }
        let read = file.read(&mut piece).map_err(|error| bad(format!("{name:?} is damaged: {error}")))?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..read]);
        if bytes.len() as u64 > claimed {
            return Err(bad(format!("{name:?} is larger than it says")));
        }
        *left = left.checked_sub(read as u64).ok_or_else(|| too_much(name, bounds.bytes))?;
    }
    if (bytes.len() as u64) < claimed {
        return Err(bad(format!("{name:?} is smaller than it says")));
    }
    Ok(bytes)
}

/// Text is what is UTF-8 without NUL.
fn sort(unpacked: &mut Unpacked, path: DocumentPath, name: &str, bytes: Vec<u8>) -> Result<()> {
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => unpacked.texts.push((path, text)),
        other => {
            let bytes = other.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
            if bytes.len() > limits::BLOB_BYTES {
                let most = limits::BLOB_BYTES;
                return Err(Error::TooLarge(format!("{name:?} is no text and has more than {most} bytes")));
            }
            let own = path.as_str().rsplit('/').next().unwrap_or_default().to_owned();
            unpacked.others.push((own, bytes.into()));
        }
    }
    Ok(())
}

fn bad(message: impl Into<String>) -> Error {
    Error::invalid("bad_zip", message)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn archive(files: &[(&str, usize)]) -> Bytes {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, length) in files {
            archive.start_file(*name, SimpleFileOptions::default()).unwrap();
            archive.write_all(&vec![b'x'; *length]).unwrap();
        }
        archive.finish().unwrap().into_inner().into()
    }

    fn told(outcome: Result<Unpacked>) -> String {
        match outcome {
            Err(Error::TooLarge(said)) => said,
            other => panic!("not too large: {other:?}"),
        }
    }

    #[test]
    fn an_archive_may_have_so_many_bytes_and_not_one_more() {
        let bounds = Bounds { bytes: 3_000, ..Bounds::from_now() };
        let unpacked = unpack(archive(&[("a", 1_000), ("b", 2_000)]), "", bounds).unwrap();
        assert_eq!(unpacked.texts.len(), 2);
        let said = told(unpack(archive(&[("a", 1_000), ("b", 2_001)]), "", bounds));
        assert!(said.contains("3000 bytes, at \"b\""), "{said}");
    }

    #[test]
    fn an_archive_may_have_so_many_files_and_not_one_more() {
        let bounds = Bounds { files: 3, ..Bounds::from_now() };
        let three = [("a", 1), ("b", 1), ("__MACOSX/b", 1)];
        assert_eq!(unpack(archive(&three), "", bounds).unwrap().skipped, ["__MACOSX/b"]);
        let said = told(unpack(archive(&[&three[..], &[("c", 1)]].concat()), "", bounds));
        assert!(said.contains("has 4 files, and may have 3"), "{said}");
    }

    #[test]
    fn an_archive_that_takes_too_long_is_given_up_at_the_file_it_was_at() {
        let bounds = Bounds { until: Instant::now(), ..Bounds::from_now() };
        let said = told(unpack(archive(&[("slow.md", 1_000)]), "", bounds));
        assert!(said.contains("takes longer than 30 s to unpack, at \"slow.md\""), "{said}");
    }
}
