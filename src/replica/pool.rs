//! The supervisor: a few workers, each with a short queue. A document always goes to the same one, which may have it
//! warm. A worker that does not answer in time, or ends, is replaced at the next request.

use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Source;
use super::wire::{self, Reply, Request, Verb};
use super::worker::ARGUMENT;
use crate::head::Head;
use crate::ids::DocumentId;
use crate::limits;

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// The worker ended or had to be killed; the word says how.
    Crashed(&'static str),
    /// The queue is full, or the server is going down.
    Busy,
}

struct Job {
    document: DocumentId,
    frame: Vec<u8>,
    /// What the worker has afterwards.
    reaches: Head,
    answer: oneshot::Sender<Result<Reply, Lost>>,
}

#[derive(Debug)]
pub(super) struct Pool {
    workers: Vec<mpsc::Sender<Job>>,
    /// What the workers have warm: by document.
    warm: Arc<DashMap<DocumentId, Head>>,
    spread: RandomState,
    lost: Arc<AtomicU64>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

impl Pool {
    pub(super) fn new(program: PathBuf) -> Self {
        let warm: Arc<DashMap<DocumentId, Head>> = Arc::default();
        let lost: Arc<AtomicU64> = Arc::default();
        let workers = (0..limits::WORKERS)
            .map(|_| {
                let (queue, jobs) = mpsc::channel(limits::WORKER_QUEUE);
                tokio::spawn(supervise(program.clone(), jobs, warm.clone(), lost.clone()));
                queue
            })
            .collect();
        Self { workers, warm, spread: RandomState::new(), lost }
    }

    /// The epoch and row at which a worker has a document.
    pub(super) fn warm(&self, document: DocumentId) -> Option<Head> {
        self.warm.get(&document).map(|kept| *kept)
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) async fn ask(&self, document: DocumentId, source: &Source, verb: Verb) -> Result<Reply, Lost> {
        let Source { head, from, update } = source;
        let request = Request { document, head: *head, from: *from, update: update.to_vec(), verb };
        let frame = wire::encode(&request).map_err(|_| Lost::Busy)?;
        let (answer, reply) = oneshot::channel();
        let job = Job { document, frame, reaches: *head, answer };
        let at = usize::try_from(self.spread.hash_one(document)).unwrap_or(0) % self.workers.len();
        self.workers[at].try_send(job).map_err(|_| Lost::Busy)?;
        reply.await.unwrap_or(Err(Lost::Busy))
    }
}

async fn supervise(
    program: PathBuf,
    mut jobs: mpsc::Receiver<Job>,
    warm: Arc<DashMap<DocumentId, Head>>,
    lost: Arc<AtomicU64>,
) {
    let mut running: Option<Running> = None;
    let mut has: Vec<DocumentId> = Vec::new();
    while let Some(job) = jobs.recv().await {
        let outcome = match &mut running {
            Some(worker) => carry(worker, &job.frame).await,
            None => match start(&program) {
                Ok(worker) => carry(running.insert(worker), &job.frame).await,
                Err(error) => {
                    tracing::error!(%error, program = %program.display(), "a worker cannot be started");
                    Err("a worker cannot be started")
                }
            },
        };
        let reply = match outcome {
            Ok(reply) => {
                if matches!(reply, Reply::Cold | Reply::Unreadable(_)) {
                    warm.remove(&job.document);
                } else if warm.insert(job.document, job.reaches).is_none() {
                    has.push(job.document);
                }
                Ok(reply)
            }
            Err(how) => {
                lost.fetch_add(1, Ordering::Relaxed);
                // What it had is gone with it.
                has.drain(..).for_each(|document| {
                    warm.remove(&document);
                });
                if let Some(mut worker) = running.take() {
                    // Already dead, or about to be.
                    let _ = worker.child.start_kill();
                    let _ = worker.child.wait().await;
                }
                Err(Lost::Crashed(how))
            }
        };
        // Who stopped waiting needs no answer.
        let _ = job.answer.send(reply);
    }
}

fn start(program: &PathBuf) -> std::io::Result<Running> {
    let mut child = Command::new(program)
        .arg(ARGUMENT)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (input, output) = pipes.ok_or_else(|| std::io::Error::other("no pipes"))?;
    Ok(Running { child, input, output })
}

/// Sends a frame and reads the reply, within the time a request may take.
async fn carry(worker: &mut Running, frame: &[u8]) -> Result<Reply, &'static str> {
    let Running { input, output, .. } = worker;
    let exchange = async {
        input.write_all(frame).await?;
        let mut len = [0; 4];
        output.read_exact(&mut len).await?;
        let mut reply = vec![0; wire::checked(len)?];
        output.read_exact(&mut reply).await?;
        wire::decode(&reply)
    };
    match timeout(limits::WORKER_TIME, exchange).await {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(_)) => Err("the worker crashed"),
        Err(_) => Err("the worker took too long"),
    }
}
