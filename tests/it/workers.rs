//! Workers that are killed, crash, loop or eat their memory: that costs the request, or the text of a document, and never
//! the server or anybody's edits.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use coterie::ids::DocumentId;
use coterie::limits;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::time::Instant;

use crate::client::TestClient;
use crate::engines::{Database, Engine, on_both_engines};
use crate::opening::{DIALECTS, Dialect};
use crate::program::{PROGRAM, Program};
use crate::server::{TestServer, until};
use crate::stored::store;
use crate::update::{hex, number};

on_both_engines![
    people_type_and_read_while_workers_are_killed,
    hostile_bytes_cost_a_document_its_text_and_nothing_else,
    a_worker_that_takes_too_long_is_killed,
    who_asks_for_much_does_not_keep_others_waiting,
    a_worker_that_eats_memory_ends_at_its_limit,
    workers_are_confined,
    an_operator_looks_sets_aside_and_takes_back,
    workers_end_with_their_server,
    without_workers_nothing_is_blamed,
];

fn kill(process: u32) {
    // It may have ended by itself.
    let _ = kill_process(Pid::from_raw(process.cast_signed()).unwrap(), Signal::KILL);
}

async fn people_type_and_read_while_workers_are_killed(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let seed: u64 = rand::random();
    println!("killing workers: seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut documents = Vec::new();
    let mut typists = Vec::new();
    for number in 0..4 {
        let document = ann.create(project, &format!("{number}"), &"some text\n".repeat(2_000)).await;
        documents.push(document);
        for dialect in DIALECTS {
            typists.push(ann.socket(dialect, project, document).join().await);
        }
    }
    let until_when = Instant::now() + Duration::from_secs(8);
    let typing = join_all(typists.iter_mut().map(async |typist| {
        let mut typed = 0;
        while Instant::now() < until_when {
            typist.insert(0, "x").await;
            typed += 1;
            typist.round_trip().await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        typed
    }));
    // One of them writes into a document that nobody types in, and one searches.
    let put = ann.create(project, "put", "").await;
    let reading = join_all((0..4).map(async |reader: usize| {
        let (mut read, mut failed) = (0, 0);
        while Instant::now() < until_when {
            let (status, text) = match reader {
                0 => {
                    let (status, said, _) = ann.put_text(project, put, &format!("{read}\n"), None).await;
                    (status, said.to_string())
                }
                1 => {
                    let (status, found) = ann.get(&format!("/api/projects/{project}/search?q=some+text")).await;
                    (status, found.to_string())
                }
                _ => {
                    let (status, text, _) = ann.read_text(project, documents[reader]).await;
                    (status, text)
                }
            };
            match status {
                StatusCode::OK => read += 1,
                StatusCode::SERVICE_UNAVAILABLE => failed += 1,
                other => panic!("seed {seed}: {other} {text}"),
            }
        }
        (read, failed)
    }));
    let killing = async {
        let mut killed = 0;
        while Instant::now() < until_when {
            tokio::time::sleep(Duration::from_millis(random.random_range(50..400))).await;
            for process in server.state().replicas.processes() {
                kill(process);
                killed += 1;
            }
        }
        killed
    };
    let (typed, read, killed) = tokio::join!(typing, reading, killing);
    println!("{typed:?} typed, {killed} killed, {} met, (read, failed): {read:?}", server.state().replicas.lost());
    let (done, failed): (Vec<usize>, Vec<usize>) = read.iter().copied().unzip();
    assert!(done.iter().all(|done| *done > 2), "seed {seed}: {read:?}");
    assert!(failed.iter().sum::<usize>() * 5 <= done.iter().sum(), "seed {seed}: {read:?}");
    assert!(server.state().replicas.lost() > 10, "requests met the kills");
    for (number, document) in documents.iter().enumerate() {
        let typed: usize = typed[2 * number] + typed[2 * number + 1];
        let expected = format!("{}{}", "x".repeat(typed), "some text\n".repeat(2_000));
        for typist in &mut typists[2 * number..2 * number + 2] {
            typist.until_text(&expected).await;
        }
        until("its text is read", async || ann.read_text(project, *document).await.1 == expected).await;
    }
    assert_eq!((server.tally("refused"), server.db_findings().await), (0, Vec::new()));
}

/// Text nested in text, and then the outermost deleted.
fn nested_types(depth: u64) -> Vec<Vec<u8>> {
    let mut update = [number(1), number(depth), hex("09 00"), hex("07 01 01 74 02")].concat();
    for clock in 1..depth {
        update.extend([hex("07 00 09"), number(clock - 1), hex("02")].concat());
    }
    update.push(0);
    vec![update, hex("00 01 09 01 00 01")]
}

/// Bytes that crash, loop, or poison yrs, or that no gate lets in, by name.
fn hostile() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let arrays = |depth| [hex("01 01 07 00 08 01 01 74 01"), hex("75 01").repeat(depth), hex("7e 00")].concat();
    let list = |text: &str| text.split('|').map(hex).collect::<Vec<_>>();
    vec![
        ("a section over a hole", list("01020303040101740161000400 | 010103018103070300")),
        ("a client twice", list("010104000401017404f09f918b00 | 0201020084040101610102000401016d01610104010104")),
        ("a clock near the end", list("010101faffffff0f04010174016100")),
        (
            "parts of a map entry deleted",
            list(
                "0101040004010174016100 | 0102030009010178046775696476000701017804010400 | \
                 010401000901016d04677569647600010003010108000301017e28000301016a047e7e7e7e0203010101010201010601",
            ),
        ),
        (
            "an invalid parent",
            list(
                "0101030004000107016100 | 0102010004010178016104010174016100 | \
                 010201030401017409f09f918bf09f918b6504000101016100",
            ),
        ),
        ("a lower section of the same client", list("02010705040101740161 0107000401017401 6200")),
        ("a delete of nothing", list("020102000601017404626f6c640474727565010200040101780362636400")),
        (
            "a split that is none",
            list("010101010401017409f09f918bf09f918b6500 | 020101030401016d016101011e0400010d016100"),
        ),
        ("an XML hook", list("0102c4d4fcb00f00070101780502686b04010174027a7a00")),
        ("nested values", vec![arrays(8_000)]),
        ("values nested deeper yet", vec![arrays(30_000)]),
        ("nested values within the limit", vec![arrays(60)]),
        ("nested types", nested_types(10_000)),
        ("many nested types", nested_types(200_000)),
        ("garbage of another", list("010107000401017405616263646500 | 01010705006400")),
        ("all garbage of another", list("010107000401017405616263646500 | 0101070500faffffff0f00")),
        ("deletions of the future", list("0001090100ffffffff0f")),
        ("a clock ahead", list("010107000401017405616263646500 | 010107080401017401 5800")),
        ("a count of the sender's", list("01ffffffff0f0700")),
        ("nothing at all", vec![Vec::new()]),
    ]
}

async fn hostile_bytes_cost_a_document_its_text_and_nothing_else(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let honest = ann.create(project, "honest.md", "all is well\n").await;
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, updates) in hostile() {
        let document = ann.create(project, name, "").await;
        store(server.db(), document, ann.id, &updates).await;
        let readable = coterie::update::merge(&updates).is_ok();
        let lost = server.state().replicas.lost();
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(ann.read_text(project, document).await.0.as_u16());
        }
        let crashes = server.state().replicas.lost() - lost;
        assert!(crashes <= 2, "{name} cost {crashes} workers");
        println!("{name}: readable {readable}, {statuses:?}, {crashes} crashes");
        if readable {
            *seen
                .entry(if crashes > 0 {
                    "crashed"
                } else if statuses[0] == 200 {
                    "read"
                } else {
                    "unreadable"
                })
                .or_default() += 1;
            assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{name}: {statuses:?}");
            // A worker may also end while it lets go of the document before; its successor answers then.
            let answered = statuses.iter().all(|status| *status == 200);
            assert!(crashes == 0 || answered || statuses[2] == 503, "{name}: {statuses:?}");
            // One after the other, as a live document takes them in.
            let live = ann.create(project, &format!("{name}, live"), "").await;
            let mut sender = ann.socket(Dialect::Hocuspocus, project, live).bytes_only().join().await;
            let lost = server.state().replicas.lost();
            let mut told = Vec::new();
            for update in &updates {
                sender.send_update(update).await;
                sender.round_trip().await;
                told.push(ann.read_text(project, live).await.0.as_u16());
            }
            let crashes = server.state().replicas.lost() - lost;
            println!("    live: {told:?}, {crashes} crashes");
            assert!(crashes <= 2 && told.iter().all(|status| matches!(status, 200 | 503)), "{name}: {told:?}");
            // Sync goes on: people join, write, and see each other.
            let mut left = ann.socket(Dialect::Hocuspocus, project, document).bytes_only().join().await;
            let mut right = ann.socket(Dialect::Yjs, project, document).bytes_only().join().await;
            left.insert(0, "hello").await;
            left.until_saved().await;
            right.until("the edit is there", |peer| peer.updates > 0).await;
        } else {
            *seen.entry("not loaded").or_default() += 1;
            assert_eq!((statuses, crashes), (vec![503; 3], 0), "{name}");
            // Whoever comes gets what stands before it, or is told that nothing can be read.
            let mut peer = ann.socket(Dialect::Yjs, project, document).bytes_only().open().await;
            peer.until("it is told", |peer| {
                peer.denied.iter().any(|why| why.contains("damaged")) || peer.closed.is_some()
            })
            .await;
            match &peer.closed {
                None => *seen.entry("readable in part").or_default() += 1,
                Some((code, _)) => assert_eq!(*code, 1011, "{name}"),
            }
        }
        assert_eq!(ann.read_text(project, honest).await.1, "all is well\n", "after {name}");
    }
    println!("{seen:?}");
    assert!(seen["unreadable"] >= 2 && seen["not loaded"] >= 3, "{seen:?}");
    let (status, found) = ann.get(&format!("/api/projects/{project}/search?q=well")).await;
    assert_eq!((status, found["items"].as_array().unwrap().len()), (StatusCode::OK, 1));
    assert_eq!(found["complete"], false);
}

/// Inserts between the begin and each character of a text: yrs looks at all that is in between for each.
fn quadratic(inserts: u64) -> Vec<u8> {
    let base = inserts + 1;
    let head = [number(inserts + 1), number(1), number(base), hex("00 04 01 07 63 6f 6e 74 65 6e 74"), number(inserts)];
    let mut update = [head.concat(), b"a".repeat(inserts as usize)].concat();
    for client in (1..=inserts).rev() {
        update
            .extend([number(1), number(client), hex("00 44"), number(base), number(client - 1), hex("01 62")].concat());
    }
    update.push(0);
    update
}

async fn a_worker_that_takes_too_long_is_killed(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let slow = ann.create(project, "slow", "").await;
    store(server.db(), slow, ann.id, &[quadratic(100_000)]).await;
    // On both workers, so that one waits behind the slow one.
    let mut others = Vec::new();
    for number in 0..6 {
        others.push(ann.create(project, &format!("{number}"), "quick\n").await);
    }
    for round in 1..=2 {
        let began = Instant::now();
        let (looping, quick) = tokio::join!(ann.read_text(project, slow), async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            join_all(others.iter().map(|document| ann.read_text(project, *document))).await
        });
        assert_eq!(looping.0, StatusCode::SERVICE_UNAVAILABLE);
        assert!(looping.1.contains("took too long"), "{}", looping.1);
        assert!(began.elapsed() < 3 * limits::WORKER_TIME, "it takes minutes: {:?}", began.elapsed());
        assert!(quick.iter().all(|(status, text, _)| *status == StatusCode::OK && text == "quick\n"), "{quick:?}");
        assert_eq!(server.state().replicas.lost(), round);
    }
    let began = Instant::now();
    assert_eq!(ann.read_text(project, slow).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(began.elapsed() < Duration::from_secs(5), "it is set aside");
    assert_eq!(server.state().replicas.lost(), 2);
    let faults = coterie::replica::faults(server.db()).await.unwrap();
    assert_eq!((faults.len(), faults[0].document, faults[0].set_aside), (1, slow, true));
}

async fn who_asks_for_much_does_not_keep_others_waiting(engine: Engine) {
    let server = TestServer::start(engine).await;
    let (ann, bob) = (TestClient::guest(server.place(), "Ann").await, TestClient::guest(server.place(), "Bob").await);
    let (quick, slow) = (ann.project().await, bob.project().await);
    let mut honest = Vec::new();
    let mut heavy = Vec::new();
    for number in 0..8 {
        honest.push(ann.create(quick, &format!("{number}"), "quick\n").await);
        heavy.push(bob.create(slow, &format!("{number}"), "").await);
        store(server.db(), heavy[number], bob.id, &[quadratic(3_000)]).await;
    }
    let asked = server.state().replicas.asked();
    let mut waiting: FuturesUnordered<_> = heavy.iter().map(|document| bob.read_text(slow, *document)).collect();
    let mut answered = 0;
    let all_wait = until("all wait", async || server.state().replicas.asked() == asked + 8);
    tokio::pin!(all_wait);
    loop {
        tokio::select! { Some(_) = waiting.next() => answered += 1, () = &mut all_wait => break }
    }
    let others = join_all(honest.iter().map(|document| ann.read_text(quick, *document)));
    tokio::pin!(others);
    let told = loop {
        tokio::select! { Some(_) = waiting.next() => answered += 1, told = &mut others => break told }
    };
    assert!(told.iter().all(|(status, text, _)| *status == StatusCode::OK && text == "quick\n"), "{told:?}");
    println!("{answered} of 8 slow ones were answered before all quick ones");
    assert!(answered < 8, "the others were not kept waiting until all was done");
}

async fn a_worker_that_eats_memory_ends_at_its_limit(engine: Engine) {
    const MAPS: u64 = 3_900_000;
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let eater = ann.create(project, "eater", "").await;
    let maps = [hex("01 01 09 00 08 01 01 74"), number(MAPS), hex("76 01 00 7e").repeat(MAPS as usize), hex("00")];
    store(server.db(), eater, ann.id, &[maps.concat()]).await;
    let watch = async {
        let mut peak = 0;
        loop {
            for process in server.state().replicas.processes() {
                peak = peak.max(status_of(process, "VmPeak").parse().unwrap_or(0));
            }
            assert!(peak * 1024 <= limits::WORKER_MEMORY_BYTES, "{peak} KiB");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let put = async {
        let put = ann.put_text(project, eater, "x", None).await;
        (put.0, put.1, ann.put_text(project, eater, "x", None).await.0)
    };
    let (first, said, second) = tokio::select! { outcome = put => outcome, () = watch => unreachable!() };
    assert_eq!((first, second), (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE), "{said}");
    assert_eq!(server.state().replicas.lost(), 2, "{said}");
    let fine = ann.create(project, "fine", "fine").await;
    assert_eq!(ann.read_text(project, fine).await.1, "fine");
}

/// A line of a process' status, without its unit; empty when it has ended.
fn status_of(process: u32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_default().trim().trim_end_matches(" kB").to_owned()
}

async fn workers_are_confined(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "one\n").await;
    assert!(server.state().replicas.processes().is_empty(), "none is started before it is needed");
    ann.read_text(project, document).await;
    let [process] = server.state().replicas.processes()[..] else { panic!("one worker") };
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        let status = std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2") && status.contains("NoNewPrivs:\t1"), "{status}");
    }
    let limit = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let of = |name: &str| {
        let line = limit.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let memory = limits::WORKER_MEMORY_BYTES.to_string();
    assert_eq!(of("Max address space")[..2], [memory.clone(), memory]);
    for none in ["Max core file size", "Max file size"] {
        assert_eq!(of(none)[..2], ["0", "0"], "{none}");
    }
    assert_eq!(std::fs::read(format!("/proc/{process}/environ")).unwrap(), b"", "it knows no secret of the server");
    assert_eq!(std::fs::read_link(format!("/proc/{process}/cwd")).unwrap().to_str(), Some("/"));
    for file in std::fs::read_dir(format!("/proc/{process}/fd")).unwrap() {
        let target = std::fs::read_link(file.unwrap().path()).unwrap();
        let target = target.to_str().unwrap();
        assert!(target.starts_with("pipe:") || target == "/dev/null", "it holds {target}");
    }
}

/// Runs the binary; answers its code, and what it said on both streams.
fn coterie(database: &Database, arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(PROGRAM);
    command.args(arguments).env_clear().env("DATABASE_URL", &database.url).env("RUST_LOG", "off");
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

async fn an_operator_looks_sets_aside_and_takes_back(engine: Engine) {
    let server = TestServer::start(engine).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "one\n").await;
    let id = document.to_string();
    let database = &server.database;
    assert_eq!(coterie(database, &["documents", "inspect"]), (0, String::new(), String::new()));
    assert_eq!(coterie(database, &["documents", "quarantine", &id, "--reason", "looks odd"]).0, 0);
    let (status, said, _) = ann.read_text(project, document).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(said.contains("looks odd"), "{said}");
    let change = json!([{ "op": "write", "document": document, "content": "x" }]);
    assert_eq!(ann.change(project, change).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let mut peer = ann.socket(Dialect::Hocuspocus, project, document).join().await;
    peer.insert(0, "still ").await;
    peer.until_saved().await;

    let (code, said, _) = coterie(database, &["documents", "inspect"]);
    assert_eq!((code, said), (0, format!("{id}  set aside, cost 0 workers: looks odd\n")));
    assert_eq!(coterie(database, &["documents", "release", &id]), (0, String::new(), String::new()));
    assert_eq!(ann.read_text(project, document).await.1, "still one\n");
    let (code, _, said) = coterie(database, &["documents", "release", &id]);
    assert_eq!((code, said), (1, format!("coterie: document {id} was not set aside\n")));
    let unknown = DocumentId::new().to_string();
    let (code, _, said) = coterie(database, &["documents", "quarantine", &unknown]);
    assert_eq!((code, said), (1, format!("coterie: there is no document {unknown}\n")));
    let (code, said, _) = coterie(database, &["doctor"]);
    assert_eq!((code, said.as_str()), (0, "1 documents looked at, 0 findings\n"));
    store(server.db(), document, ann.id, &[vec![7]]).await;
    let (code, said, complaint) = coterie(database, &["doctor"]);
    assert_eq!(code, 1);
    assert!(said.starts_with(&format!("{id}: row 3 cannot be read:")), "{said}");
    assert!(complaint.starts_with("coterie: "), "{complaint}");
}

/// The workers that are children of a process.
fn workers_of(server: u32) -> Vec<u32> {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    processes.filter(|process| status_of(*process, "PPid") == server.to_string()).collect()
}

async fn workers_end_with_their_server(engine: Engine) {
    let database = Database::create(engine).await;
    let mut program = Program::start(&database).await;
    let ann = TestClient::guest(&program.place, "Ann").await;
    let project = ann.project().await;
    let slow = ann.create(project, "slow", "").await;
    let db = database.connect().await;
    store(&db, slow, ann.id, &[quadratic(100_000)]).await;
    db.close().await;
    let slow_path = ann.url(&format!("/api/projects/{project}/documents/{slow}/text"));
    let request = ann.request(reqwest::Method::GET, slow_path.strip_prefix(&ann.origin()).unwrap());
    let looping = tokio::spawn(request.send());
    let mut workers = Vec::new();
    let mut number = 0;
    until("both workers run", async || {
        let quick = ann.create(project, &format!("{number}"), "quick").await;
        number += 1;
        // Behind the slow one it would wait; nobody needs the answer.
        let _ = tokio::time::timeout(Duration::from_millis(200), ann.read_text(project, quick)).await;
        workers = workers_of(program.id());
        workers.len() == limits::WORKERS
    })
    .await;
    program.kill();
    until("no worker is left", async || {
        workers.iter().all(|worker| matches!(status_of(*worker, "State").as_bytes().first(), None | Some(b'Z')))
    })
    .await;
    assert!(looping.await.unwrap().is_err());
}

async fn without_workers_nothing_is_blamed(engine: Engine) {
    let database = Database::create(engine).await;
    let mut config = coterie::config::Config::local(database.folder.path().to_owned(), database.url.clone());
    config.program = "/nowhere/coterie".into();
    let server = TestServer::with(config, database).await;
    let ann = TestClient::guest(server.place(), "Ann").await;
    let project = ann.project().await;
    let document = ann.create(project, "a.md", "one\n").await;
    for _ in 0..3 {
        assert_eq!(ann.read_text(project, document).await.0, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert_eq!(coterie::replica::faults(server.db()).await.unwrap(), []);
    assert_eq!(ann.socket(Dialect::Yjs, project, document).join().await.text(), "one\n");
}
