//! A wire to Postgres that can be cut: altogether, or at the moment of a commit.

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

/// The wire. It ends with this value.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    cut: watch::Sender<bool>,
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
        let cut = watch::Sender::new(false);
        let (plan, is_cut) = (at_commit.clone(), cut.subscribe());
        let accepting = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                if *is_cut.borrow() {
                    continue;
                }
                let (to, plan, mut is_cut) = (to.clone(), plan.clone(), is_cut.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        _ = is_cut.wait_for(|cut| *cut) => {}
                        _ = pass(near, &to, &plan) => {}
                    }
                });
            }
        });
        Self { address, cut, at_commit, accepting }
    }

    /// The database's address by this wire.
    pub fn url(&self, database: &Database) -> String {
        database.url.replace(host_of(&database.url), &self.address.to_string())
    }

    /// Cuts every connection, and every new one.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Lets new connections pass.
    pub fn mend(&self) {
        self.cut.send_replace(false);
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

async fn pass(mut near: TcpStream, to: &str, plan: &Mutex<Option<AtCommit>>) -> std::io::Result<()> {
    let mut far = TcpStream::connect(to).await?;
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
