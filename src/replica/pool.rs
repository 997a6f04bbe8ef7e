//! The supervisor: a few workers, each with a short queue in which projects take turns. A document always goes to the same
//! one, which may have it warm. A worker that does not answer in time, or ends, is replaced at the next request.
//!
//! A crash is a document's fault only if a fresh worker crashes on it too: the one before may have suffered from another
//! document, or have been killed by somebody.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::turns::{Turn, Turns};
use super::wire::{self, Answer, Reply, Request, Verb};
use super::worker::ARGUMENT;
use super::{Source, Told, fault};
use crate::db::Db;
use crate::error::Result;
use crate::head::Head;
use crate::ids::DocumentId;
use crate::limits;

/// The unit in which bytes of queues are counted.
const KIB: usize = 1024;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// The document cost workers, is set aside, or cannot be read; why.
    Unreadable(String),
    /// No worker can be had now.
    Away,
    /// The queue is full, or the server is going down.
    Busy,
    /// The request does not fit a frame.
    TooLong,
    /// What was asked for takes too long.
    Late,
}

#[derive(Debug)]
struct Job {
    document: DocumentId,
    frame: Vec<u8>,
    /// Whether what it takes is the document's doing, and not that of what was sent along.
    is_documents: bool,
    /// Its bytes of the queues; given back when it is done.
    _place: OwnedSemaphorePermit,
    answer: oneshot::Sender<Result<Told, Lost>>,
}

/// What the workers have.
type Warm = Arc<DashMap<DocumentId, Kept>>;

/// A document that a worker has: which one, where, and what it takes there, in bytes.
#[derive(Debug)]
struct Kept {
    worker: usize,
    head: Head,
    bytes: usize,
}

#[derive(Debug)]
pub(super) struct Pool {
    queues: Vec<Queue>,
    warm: Warm,
    spread: RandomState,
    asked: AtomicU64,
    lost: Arc<AtomicU64>,
    processes: Processes,
    /// What all queues may hold together, in KiB.
    places: Arc<Semaphore>,
}

/// What waits for one worker. The channel counts the jobs, and closes with the pool.
#[derive(Debug)]
struct Queue {
    bell: mpsc::Sender<()>,
    jobs: Arc<Mutex<Turns<Job>>>,
}

/// The process of each worker that runs.
type Processes = Arc<Mutex<Vec<Option<u32>>>>;

/// One worker's keeper.
struct Supervisor {
    index: usize,
    program: PathBuf,
    /// What the worker may keep, in bytes.
    most: usize,
    db: Db,
    warm: Warm,
    lost: Arc<AtomicU64>,
    processes: Processes,
    running: Option<Running>,
    /// Documents that cost this worker something: they are looked up again before they are carried, since requests may
    /// have been waiting when they were set aside.
    suspects: HashSet<DocumentId>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
}

/// How an exchange ended without an answer.
enum Broken {
    /// It took too long.
    Late,
    /// The worker ended or spoke nonsense.
    Off,
}

impl Pool {
    pub(super) fn new(db: &Db, program: &Path, most: usize) -> Self {
        let warm: Warm = Arc::default();
        let lost: Arc<AtomicU64> = Arc::default();
        let processes: Processes = Arc::new(Mutex::new(vec![None; limits::WORKERS]));
        let start = |index| {
            let (bell, rung) = mpsc::channel(limits::WORKER_QUEUE);
            let jobs = Arc::new(Mutex::new(Turns::new(Instant::now())));
            let supervisor = Supervisor {
                index,
                program: program.to_owned(),
                most,
                db: db.clone(),
                warm: warm.clone(),
                lost: lost.clone(),
                processes: processes.clone(),
                running: None,
                suspects: HashSet::new(),
            };
            tokio::spawn(supervisor.run(rung, jobs.clone()));
            Queue { bell, jobs }
        };
        let queues = (0..limits::WORKERS).map(start).collect();
        let places = Arc::new(Semaphore::new(limits::WORKER_QUEUE_BYTES / KIB));
        Self { queues, warm, spread: RandomState::new(), asked: AtomicU64::new(0), lost, processes, places }
    }

    /// The epoch and row at which a worker has a document.
    pub(super) fn warm(&self, document: DocumentId) -> Option<Head> {
        self.warm.get(&document).map(|kept| kept.head)
    }

    /// How many documents workers have, and their bytes.
    pub(super) fn kept(&self) -> (usize, usize) {
        (self.warm.len(), self.warm.iter().map(|kept| kept.bytes).sum())
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn processes(&self) -> Vec<u32> {
        self.processes.lock().iter().flatten().copied().collect()
    }

    pub(super) async fn ask(
        &self,
        turn: Turn,
        document: DocumentId,
        source: &Source,
        verb: Verb,
    ) -> Result<Told, Lost> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let is_documents = matches!(verb, Verb::Text { .. } | Verb::Json { .. } | Verb::Fold | Verb::Digest);
        let Source { head, from, update } = source;
        let request = Request { document, head: *head, from: *from, update: update.to_vec(), verb };
        let frame = wire::encode(&request).map_err(|_| Lost::TooLong)?;
        let size = u32::try_from(frame.len().div_ceil(KIB)).map_err(|_| Lost::TooLong)?;
        let place = self.places.clone().try_acquire_many_owned(size).map_err(|_| Lost::Busy)?;
        let (answer, reply) = oneshot::channel();
        let at = usize::try_from(self.spread.hash_one(document)).unwrap_or(0) % self.queues.len();
        let Queue { bell, jobs } = &self.queues[at];
        let ring = bell.try_reserve().map_err(|_| Lost::Busy)?;
        jobs.lock().push(turn, Job { document, frame, is_documents, _place: place, answer });
        ring.send(());
        reply.await.unwrap_or(Err(Lost::Busy))
    }
}

impl Supervisor {
    async fn run(mut self, mut rung: mpsc::Receiver<()>, jobs: Arc<Mutex<Turns<Job>>>) {
        loop {
            let ring = if self.running.is_none() {
                rung.recv().await
            } else if let Ok(ring) = timeout(limits::WORKER_IDLE, rung.recv()).await {
                ring
            } else {
                self.end().await;
                continue;
            };
            if ring.is_none() {
                break;
            }
            let Some((turn, job)) = jobs.lock().pop() else { continue };
            // Who stopped waiting needs no answer.
            if !job.answer.is_closed() {
                let began = Instant::now();
                let told = self.carry_out(&job).await;
                let _ = job.answer.send(told);
                let now = Instant::now();
                jobs.lock().spend(turn, now - began, now);
            }
        }
        self.end().await;
    }

    async fn carry_out(&mut self, job: &Job) -> Result<Told, Lost> {
        if self.suspects.contains(&job.document) {
            match fault::set_aside(&self.db, job.document).await {
                Ok(Some(fault)) => return Err(Lost::Unreadable(fault.reason)),
                Ok(None) => {}
                Err(_) => return Err(Lost::Away),
            }
        }
        let (mut crashes, mut kills) = (0, 0);
        loop {
            let running = match &mut self.running {
                Some(running) => running,
                None => match start(&self.program, self.most) {
                    Ok(running) => {
                        self.processes.lock()[self.index] = running.child.id();
                        self.running.insert(running)
                    }
                    Err(error) => {
                        tracing::error!(%error, program = %self.program.display(), "a worker cannot be started");
                        return Err(Lost::Away);
                    }
                },
            };
            let broken = match exchange(running, &job.frame).await {
                Ok(answer) => return self.take(job.document, answer).await,
                Err(broken) => broken,
            };
            let ended = self.end().await;
            self.lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!(document = %job.document, ?ended, "a worker was lost");
            match broken {
                // A document that takes long by itself is found out by whoever only reads it.
                Broken::Late if !job.is_documents => return Err(Lost::Late),
                Broken::Late => return self.blame(job.document, 1, "the worker took too long").await,
                Broken::Off if ended.is_some_and(was_killed) => {
                    kills += 1;
                    if kills == limits::WORKER_KILLS {
                        return Err(Lost::Away);
                    }
                }
                Broken::Off => {
                    crashes += 1;
                    if crashes == limits::WORKER_CRASHES {
                        return self.blame(job.document, crashes, "the worker crashed").await;
                    }
                }
            }
        }
    }

    /// Notes what the worker has now.
    async fn take(&mut self, document: DocumentId, answer: Answer) -> Result<Told, Lost> {
        let Answer { reply, head, kept, gone } = answer;
        gone.iter().for_each(|document| {
            self.warm.remove(document);
        });
        match kept {
            Some(bytes) => self.warm.insert(document, Kept { worker: self.index, head, bytes }).map(drop),
            None => self.warm.remove(&document).map(drop),
        };
        match reply {
            Reply::Unreadable(said) => self.blame(document, 1, &format!("it cannot be read: {said}")).await,
            reply => Ok(Told { head, reply }),
        }
    }

    /// Counts against a document what it cost. Here, since who asked may have stopped waiting.
    async fn blame(&mut self, document: DocumentId, crashes: i64, reason: &str) -> Result<Told, Lost> {
        self.suspects.insert(document);
        if let Err(error) = fault::note(&self.db, document, crashes, reason).await {
            tracing::warn!(%document, %error, "cannot note what a document cost");
        }
        Err(Lost::Unreadable(reason.to_owned()))
    }

    /// Ends the worker, if it has not ended by itself, and forgets what it had. Answers how it ended by itself.
    async fn end(&mut self) -> Option<ExitStatus> {
        self.warm.retain(|_, kept| kept.worker != self.index);
        let Running { mut child, input, output } = self.running.take()?;
        self.processes.lock()[self.index] = None;
        drop((input, output));
        if let Ok(Ok(status)) = timeout(limits::WORKER_END, child.wait()).await {
            return Some(status);
        }
        if let Err(error) = child.kill().await {
            tracing::warn!(%error, "a worker cannot be ended");
        }
        None
    }
}

fn start(program: &Path, most: usize) -> io::Result<Running> {
    let mut child = Command::new(program)
        .args([ARGUMENT, &most.to_string()])
        .env_clear()
        .current_dir("/")
        // What is typed at the server's terminal is for the server alone.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let pipes = child.stdin.take().zip(child.stdout.take());
    let (input, output) = pipes.ok_or_else(|| io::Error::other("no pipes"))?;
    Ok(Running { child, input, output })
}

/// Sends a frame and reads the answer, within the time a request may take.
async fn exchange(worker: &mut Running, frame: &[u8]) -> Result<Answer, Broken> {
    let Running { input, output, .. } = worker;
    let exchange = async {
        input.write_all(frame).await?;
        let mut len = [0; 4];
        output.read_exact(&mut len).await?;
        let mut answer = vec![0; wire::checked(len)?];
        output.read_exact(&mut answer).await?;
        wire::decode(&answer)
    };
    match timeout(limits::WORKER_TIME, exchange).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err::<_, io::Error>(_)) => Err(Broken::Off),
        Err(_) => Err(Broken::Late),
    }
}

/// Whether somebody ended the process, by a signal that no fault of its own raises.
fn was_killed(status: ExitStatus) -> bool {
    matches!(status.signal(), Some(libc::SIGKILL | libc::SIGTERM | libc::SIGINT | libc::SIGHUP | libc::SIGQUIT))
}
