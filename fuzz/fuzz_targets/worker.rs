//! What the gate admits, integrated by a worker: it may crash, and costs that request; the next document is read.
#![no_main]

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use bytes::Bytes;
use coterie::db::Db;
use coterie::error::Error;
use coterie::gate::{Context, State, Writer, decide};
use coterie::head::Head;
use coterie::ids::{DocumentId, UserId};
use coterie::limits;
use coterie::replica::{Part, Replicas, Reply, Source, Turn, Verb};
use coterie::update::{ClientId, StateVector, merge, seed};
use coterie_fuzz::tally::count;
use coterie_fuzz::{History, Plan};
use tokio::runtime::Runtime;
use uuid::Uuid;

struct Stage {
    runtime: Runtime,
    replicas: Replicas,
    _folder: tempfile::TempDir,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = std::env::var_os("COTERIE_BIN").expect("COTERIE_BIN names the server's binary").into();
    let db = runtime.block_on(Db::connect(&format!("sqlite://{}/f.db", folder.path().display()))).unwrap();
    let replicas = runtime.block_on(async { Replicas::new(db, program, limits::WORKERS_BYTES) });
    Stage { runtime, replicas, _folder: folder }
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    count("inputs");
    let mut plan = Plan::new(bytes);
    let mut history = History::default();
    let mut state = State::default();
    let (mut log, ended, nobody) = (Vec::new(), HashSet::new(), HashMap::new());
    let verb = plan.below(5);
    while !plan.is_over() && log.len() < 24 {
        let update = Bytes::from(history.update(&mut plan));
        let writer = Writer { user: UserId(Uuid::from_u128(1)), merged: &[], may_write: true, ended: &ended };
        let committed = StateVector::default();
        let context = Context { committed: &committed, announced: &nobody };
        if let Some(admitted) = decide(&state, &writer, &context, &update).admitted {
            state.admit(&admitted);
            log.push(admitted.update);
        }
    }
    if log.is_empty() {
        return;
    }
    let root = || "content".to_owned();
    let verb = match verb {
        0 => Verb::Text { root: root(), part: Part::Whole },
        1 => Verb::Edit { root: root(), text: "other".to_owned() },
        2 => Verb::Fold,
        3 => Verb::Digest,
        _ => Verb::Json { root: "m".to_owned() },
    };
    let lost = STAGE.replicas.lost();
    match ask(&merge(&log).unwrap(), verb) {
        Ok(Reply::Unreadable(_)) => count("unreadable"),
        Ok(Reply::Update(update)) => {
            count("answered with an update");
            // Whoever uses it checks it; here it is enough that it can be.
            let _ = coterie::update::scan(&update);
        }
        Ok(_) => count("answered"),
        Err(Error::Unavailable { .. } | Error::TooLarge(_) | Error::Conflict { .. }) => count("lost or refused"),
        Err(other) => panic!("{other}"),
    }
    if STAGE.replicas.lost() > lost {
        count("documents that cost a worker");
        let honest = seed(ClientId(3), "content", "honest");
        let Ok(Reply::Text(text)) = ask(&honest, Verb::Text { root: root(), part: Part::Whole }) else {
            panic!("the next is not read")
        };
        assert_eq!(text, "honest");
    }
});

fn ask(update: &[u8], verb: Verb) -> Result<Reply, Error> {
    let source = Source { head: Head { seq: 1, epoch: 1 }, from: None, update: Bytes::copy_from_slice(update) };
    let asked = STAGE.replicas.ask(Turn::Server, DocumentId::new(), &source, verb);
    STAGE.runtime.block_on(asked).map(|told| told.expect("a whole source needs no warm document").reply)
}
