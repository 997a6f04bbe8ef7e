//! Archives of files: out, in, and those that are made to harm.

use std::io::{Cursor, Read, Write};

use coterie::ids::ProjectId;
use coterie::limits;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::client::{TestClient, answer};
use crate::engines::{Database, Engine, on_both_engines};
use crate::events::all;
use crate::program::Program;
use crate::server::TestServer;

on_both_engines![
    what_goes_out_comes_in_again,
    an_import_is_made_wholly_or_not_at_all,
    what_is_made_to_harm_is_refused_by_name,
    the_limit_that_was_met_is_said,
    an_archive_may_have_ten_thousand_files,
    what_differs_from_what_is_there_in_capital_letters_is_refused,
    a_list_of_a_million_files_is_not_read,
];

/// An archive of these files.
pub fn archive_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub async fn import(
    client: &TestClient,
    project: impl std::fmt::Display,
    query: &str,
    body: Vec<u8>,
) -> (StatusCode, Value) {
    let request = client.request(Method::POST, &format!("/api/projects/{project}/import{query}"));
    answer(request.header(header::CONTENT_TYPE, "application/zip").body(body)).await
}

async fn paths(client: &TestClient, project: impl std::fmt::Display) -> Vec<String> {
    let (_, page) = client.get(&format!("/api/projects/{project}/documents?limit=200")).await;
    let mut paths: Vec<String> =
        page["items"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap().to_owned()).collect();
    paths.sort();
    paths
}

async fn what_goes_out_comes_in_again(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let picture = b"\x89PNG\r\n\x1a\n\0\0";
    let body = archive_of(&[
        ("a.md", "één\r\n🌍".as_bytes()),
        ("docs/deep/b.md", b""),
        ("__MACOSX/._a.md", b"\0\0"),
        ("docs/.DS_Store", b"\0"),
        ("docs/picture.png", picture),
    ]);
    let feed = &server.state().feed;
    let mut follower = feed.follow(project, None);
    follower.position().await;
    let id = uuid::Uuid::now_v7();
    let (status, imported) = import(&ann, project, &format!("?import={id}"), body).await;
    assert_eq!(status, StatusCode::CREATED, "{imported}");
    assert_eq!(imported["skipped"], json!(["__MACOSX/._a.md", "docs/.DS_Store"]));
    assert_eq!(
        (&imported["blobs"][0]["name"], &imported["blobs"][0]["media_type"]),
        (&json!("picture.png"), &json!("image/png"))
    );
    assert_eq!(paths(&ann, project).await, ["a.md", "docs/deep/b.md"]);
    let kinds: Vec<Value> = all(&ann, project).await.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(json!(kinds), json!(["file.created", "file.created", "blob.added"]));
    let begun: Value = serde_json::from_str(follower.next().await.unwrap().json()).unwrap();
    assert_eq!(begun, json!({ "type": "import.progress", "import": id, "done": 0, "total": 3 }));

    let response = ann.request(Method::GET, &format!("/api/projects/{project}/export")).send().await.unwrap();
    assert_eq!(response.headers()[header::CONTENT_TYPE], "application/zip");
    let out = response.bytes().await.unwrap().to_vec();
    let mut archive = ZipArchive::new(Cursor::new(out.clone())).unwrap();
    let mut found = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        found.push((file.name().unwrap().into_owned(), bytes));
    }
    found.sort();
    assert_eq!(found[0], ("a.md".to_owned(), "één\n🌍".as_bytes().to_vec()));
    assert!(found[1].0.starts_with("attachments/") && found[1].0.ends_with("-picture.png"), "{}", found[1].0);
    assert_eq!((&found[1].1[..], &found[2]), (&picture[..], &("docs/deep/b.md".to_owned(), Vec::new())));

    // Below a folder beside what is there.
    let (status, again) = import(&ann, project, "?into=copy", out).await;
    assert_eq!(status, StatusCode::CREATED, "{again}");
    assert_eq!(paths(&ann, project).await, ["a.md", "copy/a.md", "copy/docs/deep/b.md", "docs/deep/b.md"]);

    // What is called much like a leftover is none; and what is called like an attachment stands beside it.
    let (name, other) = (found[1].0.as_str(), ".DS_Store_notes/Thumbs.db.md");
    let (status, last) = import(&ann, project, "", archive_of(&[(other, b"kept"), (name, b"text")])).await;
    assert_eq!((status, &last["skipped"]), (StatusCode::CREATED, &json!([])), "{last}");
    let response = ann.request(Method::GET, &format!("/api/projects/{project}/export")).send().await.unwrap();
    let archive = ZipArchive::new(Cursor::new(response.bytes().await.unwrap().to_vec())).unwrap();
    let mut names: Vec<String> = archive.file_names().map(|name| name.unwrap().into_owned()).collect();
    names.sort_unstable();
    let beside = format!("{name} (2)");
    assert_eq!(names, [other, "a.md", name, beside.as_str(), "copy/a.md", "copy/docs/deep/b.md", "docs/deep/b.md"]);
}

async fn an_import_is_made_wholly_or_not_at_all(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    ann.create(project, "taken", "").await;
    let (status, said) =
        import(&ann, project, "", archive_of(&[("new", b"x"), ("other.bin", b"\0"), ("taken", b"y")])).await;
    assert_eq!((status, &said["error"]["code"]), (StatusCode::CONFLICT, &json!("path_taken")), "{said}");
    // A file cannot be a folder too, also within one archive.
    let (status, said) = import(&ann, project, "", archive_of(&[("a", b""), ("a/b", b"")])).await;
    assert_eq!((status, &said["error"]["code"]), (StatusCode::CONFLICT, &json!("path_taken")), "{said}");
    assert_eq!(paths(&ann, project).await, ["taken"]);
    assert_eq!(ann.get(&format!("/api/projects/{project}/blobs")).await.1["items"], json!([]));
    assert_eq!(all(&ann, project).await.len(), 1);
    for (bad, kind) in [(&b"no zip"[..], "bad_zip"), (b"", "bad_zip")] {
        let (status, said) = import(&ann, project, "", bad.to_vec()).await;
        assert_eq!((status, &said["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(kind)), "{said}");
    }
    let request = ann.request(Method::POST, &format!("/api/projects/{project}/import")).body(archive_of(&[("a", b"")]));
    assert_eq!(answer(request).await.0, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

/// An archive of files that claim another size than they have, in both places that say it.
fn lying(names: &[String], size: u32) -> Vec<u8> {
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &[b'x'; 1_000][..])).collect();
    let mut bytes = archive_of(&files);
    let real = 1_000_u32.to_le_bytes();
    let found: Vec<usize> = bytes.windows(4).enumerate().filter(|(_, four)| *four == real).map(|(at, _)| at).collect();
    assert!(found.len() >= names.len());
    for at in found {
        bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
    }
    bytes
}

/// A few kilobytes that say they become a thousand bytes, and become fifteen million.
fn bomb() -> Vec<u8> {
    const LENGTH: u32 = 15_000_000;
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let deflated = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    archive.start_file("bomb.txt", deflated).unwrap();
    archive.write_all(&vec![b'x'; LENGTH as usize]).unwrap();
    let mut bytes = archive.finish().unwrap().into_inner();
    assert!(bytes.len() < 100_000, "{}", bytes.len());
    replace(&mut bytes, &LENGTH.to_le_bytes(), &1_000_u32.to_le_bytes());
    bytes
}

/// Two files whose bytes are the same ones.
fn overlapping() -> Vec<u8> {
    let mut bytes = archive_of(&[("a.txt", &[b'x'; 1_000]), ("b.txt", &[b'x'; 1_000])]);
    let entries: Vec<usize> = find(&bytes, b"PK\x01\x02");
    assert_eq!(entries.len(), 2);
    // Where a file's own head stands is the last field before its name.
    let second = entries[1] + 42;
    bytes[second..second + 4].copy_from_slice(&[0; 4]);
    bytes
}

fn find(bytes: &[u8], what: &[u8]) -> Vec<usize> {
    bytes.windows(what.len()).enumerate().filter(|(_, some)| *some == what).map(|(at, _)| at).collect()
}

fn replace(bytes: &mut [u8], what: &[u8], with: &[u8]) {
    let found = find(bytes, what);
    assert!(!found.is_empty());
    for at in found {
        bytes[at..at + with.len()].copy_from_slice(with);
    }
}

/// That a refused import left no trace.
async fn nothing_is_kept(client: &TestClient, project: ProjectId) {
    assert!(paths(client, project).await.is_empty());
    assert_eq!(client.get(&format!("/api/projects/{project}/blobs")).await.1["items"], json!([]));
    assert!(all(client, project).await.is_empty());
}

async fn what_is_made_to_harm_is_refused_by_name(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let link = {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        archive.add_symlink("link.md", "/etc/passwd", SimpleFileOptions::default()).unwrap();
        archive.finish().unwrap().into_inner()
    };
    let cases = [
        (archive_of(&[("../up.md", b"x")]), "../up.md"),
        (archive_of(&[("a/../../up.md", b"x")]), "up.md"),
        (archive_of(&[("/etc/passwd", b"x")]), "passwd"),
        (archive_of(&[("a\\b.md", b"x")]), "b.md"),
        (archive_of(&[("a\nb.md", b"x")]), "b.md"),
        (archive_of(&[("Read.md", b"x"), ("read.md", b"y")]), "read.md"),
        (archive_of(&[("Docs/a.md", b"x"), ("docs/b.md", b"y")]), "docs"),
        (link, "link.md"),
        (lying(&["lies.txt".to_owned()], 10), "lies.txt"),
        (lying(&["lies.txt".to_owned()], 2_000), "lies.txt"),
        (bomb(), "bomb.txt"),
        (overlapping(), "share their bytes"),
    ];
    for (body, name) in cases {
        let (status, said) = import(&ann, project, "", body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name}: {said}");
        assert!(said["error"]["message"].as_str().unwrap().contains(name), "{name}: {said}");
        nothing_is_kept(&ann, project).await;
    }
    // What is not taken in gives its place back.
    assert_eq!(import(&ann, project, "", archive_of(&[("a", b"")])).await.0, StatusCode::CREATED);
}

async fn the_limit_that_was_met_is_said(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    // Kilobytes that would become more than may be held.
    let names: Vec<String> = (0..14).map(|n| format!("{n}.txt")).collect();
    let (status, said) = import(&ann, project, "", lying(&names, 15 * 1024 * 1024)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("209715200 bytes, at \"13.txt\""), "{said}");

    let (status, said) = import(&ann, project, "", lying(&["large.txt".to_owned()], 17 * 1024 * 1024)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("large.txt"), "{said}");

    let names: Vec<String> = (0..2_001).map(|n| format!("{n}.txt")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let (status, said) = import(&ann, project, "", archive_of(&many)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("at most 2000"), "{said}");
    nothing_is_kept(&ann, project).await;

    // Bytes that are no text, beyond what all of them may have: those before are not kept either.
    server.database.execute("update project set blob_bytes_max = 2500".to_owned()).await;
    let others =
        [("note.md", &b"text"[..]), ("1.bin", &[0; 1_000]), ("2.bin", &[0xfe; 1_000]), ("3.bin", &[0xff; 1_000])];
    let (status, said) = import(&ann, project, "", archive_of(&others)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("at most 2500 bytes"), "{said}");
    nothing_is_kept(&ann, project).await;
}

async fn an_archive_may_have_ten_thousand_files(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    // Most of them are what systems leave: a project does not take so many documents.
    let names: Vec<String> = (0..limits::ARCHIVE_FILES).map(|n| format!("__MACOSX/{n}")).collect();
    let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    files[17] = ("kept.md", b"text");
    let (status, imported) = import(&ann, project, "", archive_of(&files)).await;
    assert_eq!(status, StatusCode::CREATED, "{imported}");
    assert_eq!(imported["skipped"].as_array().unwrap().len(), limits::ARCHIVE_FILES - 1);
    assert_eq!(paths(&ann, project).await, ["kept.md"]);

    let other = ann.project().await;
    files.push(("one-more.md", b"text"));
    let (status, said) = import(&ann, other, "", archive_of(&files)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("has 10001 files, and may have 10000"), "{said}");
    nothing_is_kept(&ann, other).await;
}

async fn what_differs_from_what_is_there_in_capital_letters_is_refused(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    for path in ["README.md", "Docs/a.md", "éLAN/x", "both", "Both"] {
        ann.create(project, path, "").await;
    }
    for (name, there) in [("readme.md", "README.md"), ("docs/b.md", "Docs"), ("Élan/y", "éLAN"), ("BOTH", "Both")] {
        let (status, said) = import(&ann, project, "", archive_of(&[("new.md", b"text"), (name, b"text")])).await;
        assert_eq!((status, &said["error"]["code"]), (StatusCode::CONFLICT, &json!("path_taken")), "{name}: {said}");
        let message = said["error"]["message"].as_str().unwrap();
        assert!(message.contains("capital letters") && message.contains(&format!("{there:?}")), "{name}: {said}");
    }
    let (status, said) = import(&ann, project, "?into=docs", archive_of(&[("b.md", b"text")])).await;
    assert_eq!(status, StatusCode::CONFLICT, "{said}");
    assert_eq!(paths(&ann, project).await.len(), 5);
    // In the same spelling it is the same folder.
    let (status, said) = import(&ann, project, "", archive_of(&[("Docs/b.md", b"text"), ("both.md", b"text")])).await;
    assert_eq!(status, StatusCode::CREATED, "{said}");
}

/// An archive whose list has so many entries of so many files that the record for large ones is needed.
fn long_list(files: u64) -> Vec<u8> {
    let mut archive = Vec::new();
    for number in 0..files {
        archive.extend_from_slice(b"PK\x01\x02");
        archive.extend_from_slice(&[0; 24]);
        archive.extend_from_slice(&[8, 0]);
        archive.extend_from_slice(&[0; 16]);
        archive.extend_from_slice(format!("{number:08}").as_bytes());
    }
    let list = archive.len() as u64;
    archive.extend_from_slice(b"PK\x06\x06");
    archive.extend_from_slice(&44_u64.to_le_bytes());
    archive.extend_from_slice(&[45, 0, 45, 0]);
    archive.extend_from_slice(&[0; 8]);
    for number in [files, files, list, 0] {
        archive.extend_from_slice(&number.to_le_bytes());
    }
    archive.extend_from_slice(b"PK\x06\x07");
    archive.extend_from_slice(&[0; 4]);
    archive.extend_from_slice(&list.to_le_bytes());
    archive.extend_from_slice(&[1, 0, 0, 0]);
    archive.extend_from_slice(b"PK\x05\x06");
    archive.extend_from_slice(&[0; 4]);
    archive.extend_from_slice(&[0xff; 12]);
    archive.extend_from_slice(&[0; 2]);
    archive
}

async fn a_list_of_a_million_files_is_not_read(engine: Engine) {
    let database = Database::create(engine).await;
    let program = Program::start(&database).await;
    let ann = TestClient::guest(&program.place, "Ann").await;
    let project = ann.project().await;
    // It is one that can be read.
    let (status, said) = import(&ann, project, "", long_list(20)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{said}");
    assert!(!said["error"]["message"].as_str().unwrap().contains("cannot be read"), "{said}");
    let many = long_list(1_100_000);
    let (before, sent) = (program.memory(), many.len());
    let (status, said) = import(&ann, project, "", many).await;
    let grown = program.peak_memory().saturating_sub(before);
    println!("{sent} bytes that list 1,100,000 files cost {grown} bytes");
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{said}");
    assert!(said["error"]["message"].as_str().unwrap().contains("has 1100000 files, and may have 10000"), "{said}");
    assert!(grown < sent * 5 / 2, "{grown} bytes");
}
