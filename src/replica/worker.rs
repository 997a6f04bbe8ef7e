//! The worker: a child process that holds integrated documents. The only place where yrs reads anything.
//!
//! It may crash, loop or eat its memory at any request; the server kills it and starts another. So it keeps nothing
//! that cannot be had again, and answers one request at a time.

use std::collections::HashMap;
use std::io::{self, BufReader};
use std::thread;

use rustix::process::getppid;
use yrs::updates::decoder::Decode;
use yrs::{Doc, OffsetKind, Options, ReadTxn, StateVector, Transact, Update, WriteTxn};

use super::wire::{self, Answer, Reply, Request, Verb};
use super::{confine, hunks, said, verbs};
use crate::head::Head;
use crate::ids::DocumentId;
use crate::limits;
use crate::update::summary;

/// The argument that makes the binary a worker.
pub const ARGUMENT: &str = "replica-worker";

/// A document kept for the next request.
struct Warm {
    head: Head,
    doc: Doc,
    /// What it takes, in bytes, by estimate: the measure of the budget.
    bytes: usize,
    used: u64,
}

/// Serves requests from standard input until it ends, or the server does. It keeps so many bytes of documents for the next
/// requests, those that were asked for last.
///
/// # Errors
/// When the process cannot be confined, or the pipes break.
pub fn run(most: usize) -> io::Result<()> {
    let server = getppid();
    confine::limit_resources()?;
    let main = thread::current();
    // Integration recurses with the nesting of a document; the main thread's stack depends on the machine.
    let worker = thread::Builder::new().name("replica".to_owned()).stack_size(limits::WORKER_STACK_BYTES);
    let worker = worker.spawn(move || {
        let served = confine::forbid_files_and_network()
            .and_then(|()| serve(most, &mut BufReader::new(io::stdin().lock()), &mut io::stdout().lock()));
        main.unpark();
        served
    })?;
    while !worker.is_finished() {
        // A worker that is busy does not see its input end; nobody waits for what it does any more.
        if getppid() != server {
            std::process::exit(1);
        }
        thread::park_timeout(limits::WORKER_WATCH);
    }
    worker.join().map_err(|_| io::Error::other("panicked"))?
}

fn serve(most: usize, input: &mut impl io::Read, output: &mut impl io::Write) -> io::Result<()> {
    let mut warm: HashMap<DocumentId, Warm> = HashMap::new();
    let mut requests = 0;
    while let Some(request) = wire::read::<Request>(input)? {
        requests += 1;
        let (document, asked) = (request.document, request.head);
        let reply = answer(&mut warm, request, requests);
        let gone = evict(&mut warm, most, document);
        let kept = warm.get(&document);
        let head = kept.map_or(asked, |kept| kept.head);
        let answer = |reply| Answer { reply, head, kept: kept.map(|kept| kept.bytes), gone: gone.clone() };
        let frame = wire::encode(&answer(reply)).or_else(|_| wire::encode(&answer(Reply::TooLong)))?;
        wire::write(output, &frame)?;
    }
    Ok(())
}

/// Answers a request. The document stays warm only if all of its update was applied: after an error it may hold a part.
fn answer(warm: &mut HashMap<DocumentId, Warm>, request: Request, now: u64) -> Reply {
    let kept = warm.remove(&request.document);
    let mut document = match request.from {
        None => Warm { head: request.head, doc: new_doc(), bytes: limits::WORKER_WARM_OVERHEAD, used: now },
        // One that is further than the update's beginning knows some of it already, which does no harm.
        Some(from) => match kept {
            Some(kept) if kept.head.epoch == request.head.epoch && kept.head.seq >= from => kept,
            _ => return Reply::Cold,
        },
    };
    if let Err(said) = integrate(&document.doc, &request.update) {
        return Reply::Unreadable(said);
    }
    document.head.seq = document.head.seq.max(request.head.seq);
    document.bytes += integrated(&request.update);
    document.used = now;
    let reply = match request.verb {
        Verb::Text { root, part } => verbs::text(&document.doc, &root, part),
        Verb::Search { root, needle, case, limit } => verbs::search(&document.doc, &root, &needle, case, limit),
        Verb::Edit { root, text } => verbs::edit(&state(&document.doc), &root, &text),
        Verb::Propose { root, wanted } => hunks::propose(&document.doc, &root, &wanted),
        Verb::Fit { root, hunks } => hunks::fit(&document.doc, &root, &hunks),
        Verb::Apply { root, hunks } => hunks::apply(&state(&document.doc), &root, &hunks),
        Verb::Revert { root, clients, gone } => hunks::revert(&state(&document.doc), &root, &clients, &gone),
        Verb::Fold => Reply::Update(state(&document.doc)),
        Verb::Digest => said::digest(&document.doc),
        Verb::Json { root } => said::json(&document.doc, &root),
    };
    warm.insert(request.document, document);
    reply
}

/// A document that counts as JavaScript does, under a client id drawn for it alone.
pub(super) fn new_doc() -> Doc {
    Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() })
}

/// Applies an update in full, or says why it could not be.
pub(super) fn integrate(doc: &Doc, update: &[u8]) -> Result<(), String> {
    let update = Update::decode_v1(update).map_err(|error| error.to_string())?;
    let mut txn = doc.transact_mut();
    txn.apply_update(update).map_err(|error| error.to_string())?;
    if txn.has_missing_updates() {
        txn.prune_pending();
        return Err("something it builds on is missing".to_owned());
    }
    Ok(())
}

/// Folds an update as a worker does, in the process that calls it. For tests of folding alone: the server asks a worker,
/// which may crash.
///
/// # Errors
/// What yrs said, when it cannot read the update.
pub fn fold(update: &[u8]) -> Result<Vec<u8>, String> {
    let doc = new_doc();
    integrate(&doc, update)?;
    Ok(state(&doc))
}

/// The whole document as one update.
pub(super) fn state(doc: &Doc) -> Vec<u8> {
    doc.transact().encode_state_as_update_v1(&StateVector::default())
}

/// What an update takes once it is integrated, in bytes: its content, and its structs, of which adjacent ones may become one.
fn integrated(update: &[u8]) -> usize {
    // What our own reading does not take has no more structs than bytes.
    let structs = summary(update).map_or(update.len(), |summary| summary.structs + summary.deleted.ranges());
    update.len() + structs * limits::WORKER_STRUCT_BYTES
}

/// Lets the documents go that were longest not asked for, beyond the budget. Answers those other than `asked`.
fn evict(warm: &mut HashMap<DocumentId, Warm>, most: usize, asked: DocumentId) -> Vec<DocumentId> {
    let mut bytes: usize = warm.values().map(|document| document.bytes).sum();
    let mut gone = Vec::new();
    while bytes > most {
        let Some((&oldest, _)) = warm.iter().min_by_key(|(_, document)| document.used) else { break };
        bytes -= warm.remove(&oldest).map_or(0, |document| document.bytes);
        gone.push(oldest);
    }
    gone.retain(|&document| document != asked);
    gone
}
