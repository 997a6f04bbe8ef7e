//! A wire to Postgres that can be cut, altogether or at the moment of a commit, or that passes nothing on any more.

use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::engines::Database;

/// A commit as it is sent: a simple query.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// What happens to the next commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtCommit {
    /// It reaches the database, but its answer is lost with the connection.
    LoseAnswer,
    /// It is lost with the connection.
    LoseCommit,
}

/// How the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Cut,
    /// Connections stand, and nothing goes over them any more, not even their end.
    Swallowing,
}

/// The wire. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    at_commit: Arc<Mutex<Option<AtCommit>>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// A wire to the cluster of a database.
    pub async fn start(database: &Database) -> Self {
        let to = host_of(&database.url).to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let at_commit = Arc::new(Mutex::new(None));
        let state = watch::Sender::new(State::Whole);
        let (plan, is) = (at_commit.clone(), state.subscribe());
        let accepting = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let now = *is.borrow();
                let (to, plan, is) = (to.clone(), plan.clone(), is.clone());
                match now {
                    State::Whole => drop(tokio::spawn(connection(near, to, plan, is))),
                    State::Cut => {}
                    State::Swallowing => drop(tokio::spawn(swallow(near, None, is))),
                }
            }
        });
        Self { address, state, at_commit, accepting }
    }

    /// The database's address by this wire.
    pub fn url(&self, database: &Database) -> String {
        database.url.replace(host_of(&database.url), &self.address.to_string())
    }

    /// Cuts every connection, and every new one.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Passes nothing on any more over any connection, also a new one, and tells neither side.
    pub fn swallow(&self) {
        self.state.send_replace(State::Swallowing);
    }

    /// Lets new connections pass. What was swallowed does not come back, nor do the connections.
    pub fn mend(&self) {
        self.state.send_replace(State::Whole);
    }

    /// Cuts one connection at its next commit.
    pub fn cut_at_commit(&self, what: AtCommit) {
        *self.at_commit.lock() = Some(what);
    }

    /// Whether a cut is still to come.
    pub fn is_armed(&self) -> bool {
        self.at_commit.lock().is_some()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.cut();
    }
}

/// `host:port` of an address.
fn host_of(url: &str) -> &str {
    let (_, rest) = url.rsplit_once('@').expect("the address has a password");
    rest.split('/').next().expect("something stands before the slash")
}

/// One connection, until it ends, is cut or is swallowed.
async fn connection(mut near: TcpStream, to: String, plan: Arc<Mutex<Option<AtCommit>>>, is: watch::Receiver<State>) {
    let Ok(mut far) = TcpStream::connect(to).await else { return };
    let mut changes = is.clone();
    tokio::select! {
        Ok(now) = changes.wait_for(|now| *now != State::Whole) => {
            if *now == State::Cut {
                return;
            }
        }
        _ = pass(&mut near, &mut far, &plan) => return,
    }
    swallow(near, Some(far), is).await;
}

/// Keeps both ends open, until the wire is cut.
async fn swallow(near: TcpStream, far: Option<TcpStream>, mut is: watch::Receiver<State>) {
    let _ = is.wait_for(|now| *now == State::Cut).await;
    drop((near, far));
}

async fn pass(near: &mut TcpStream, far: &mut TcpStream, plan: &Mutex<Option<AtCommit>>) -> std::io::Result<()> {
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = near.read(&mut asked) => match read? {
                0 => return Ok(()),
                read => {
                    let commits = asked[..read].windows(COMMIT.len()).any(|window| window == COMMIT);
                    match if commits { plan.lock().take() } else { None } {
                        None => far.write_all(&asked[..read]).await?,
                        Some(AtCommit::LoseCommit) => return Ok(()),
                        Some(AtCommit::LoseAnswer) => {
                            far.write_all(&asked[..read]).await?;
                            // The answer is there, so the commit is done.
                            return far.read(&mut answered).await.map(drop);
                        }
                    }
                }
            },
            read = far.read(&mut answered) => match read? {
                0 => return Ok(()),
                read => near.write_all(&answered[..read]).await?,
            },
        }
    }
}
