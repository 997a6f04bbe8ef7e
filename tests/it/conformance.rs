//! WebSocket conformance: the cases of Autobahn, which `kosoku` drives, on an echo with the settings of our sockets.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use coterie::socket;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};

/// Limits (9) take minutes, and compression (12, 13) is not spoken, so that nobody can send a bomb.
const NOT_RUN: [&str; 3] = ["9.*", "12.*", "13.*"];

/// How many cases there are besides.
const CASES: usize = 240;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_sockets_pass_the_cases_of_autobahn() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/venv/bin/kosoku");
    assert!(
        program.exists(),
        "{} is missing: run `make tests/python/venv/.installed` (`make test` does)",
        program.display()
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    });

    let reports = tempfile::tempdir().unwrap();
    let mut kosoku = Command::new(program);
    kosoku.args(["--mode", "fuzzingclient", "--parallelism", "8", "--outdir"]).arg(reports.path());
    kosoku.args(NOT_RUN.iter().flat_map(|case| ["--exclude", case])).arg(address.to_string());
    let output = tokio::task::spawn_blocking(move || kosoku.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);

    let index = std::fs::read(reports.path().join("index.json")).unwrap_or_else(|error| panic!("{error}: {said}"));
    let index: BTreeMap<String, BTreeMap<String, serde_json::Value>> = serde_json::from_slice(&index).unwrap();
    let mut outcomes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (case, outcome) in index.values().flatten() {
        for part in ["behavior", "behaviorClose"] {
            let outcome = outcome[part].as_str().unwrap_or("none");
            outcomes.entry(format!("{part} {outcome}")).or_default().push(case.clone());
        }
    }
    let counts: BTreeMap<&str, usize> =
        outcomes.iter().map(|(outcome, cases)| (outcome.as_str(), cases.len())).collect();
    println!("{counts:?}");
    assert!(output.status.success(), "{said}");
    assert!(!outcomes.keys().any(|outcome| outcome.contains("FAILED") || outcome.contains("ERROR")), "{outcomes:#?}");
    assert!(index.values().map(BTreeMap::len).sum::<usize>() >= CASES, "{said}");
}

async fn echo(stream: TcpStream) {
    let Ok(mut socket) = socket::bare(stream).await else { return };
    while let Some(Ok(message)) = socket.next().await {
        // The library answers pings and closes.
        if (message.is_text() || message.is_binary()) && socket.send(message).await.is_err() {
            return;
        }
    }
}
