//! Looking again at what a socket has open: whether its holder may still be there, and as what. After a change of rights,
//! when a credential ends by itself, and when the database could not be asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::admission;
use super::connection::Connection;
use super::slot::{Slot, Turn};
use crate::access::{self, Role};
use crate::auth::{Caller, Credential};
use crate::db::now_us;
use crate::error::Result;
use crate::ids::ProjectId;
use crate::limits;
use crate::protocol::close::Close;
use crate::rights::Change;

/// What tells a socket to look again, and the looks under way: none before the first, which most sockets never need.
#[derive(Debug)]
pub(super) struct Looks {
    changes: broadcast::Receiver<Option<Change>>,
    under_way: Option<JoinSet<Looked>>,
    /// When to look again at everything: a credential ends, or the database may be back.
    due: Option<Instant>,
    /// Whether something changed while somebody was being let in, perhaps by what was so before.
    missed: bool,
}

/// What a socket hears.
#[derive(Debug)]
pub(super) enum Heard {
    /// Look again where this concerns what is open; `None` stands for everything.
    Look(Option<Change>),
    /// A look has ended.
    Looked(Box<Looked>),
}

/// Addresses of open documents, each with the join that it is open by.
type Open = Vec<(Arc<str>, Turn)>;

/// What became of one holder's right in one project.
#[derive(Debug)]
pub(super) struct Looked {
    /// Where they have it open, each as it was when the look began.
    open: Open,
    outcome: Result<(Caller, Role)>,
}

impl Looks {
    pub(super) fn new(changes: broadcast::Receiver<Option<Change>>) -> Self {
        Self { changes, under_way: None, due: None, missed: false }
    }

    /// Waits for something to do.
    pub(super) async fn heard(&mut self) -> Heard {
        let looked = async {
            match &mut self.under_way {
                Some(looks) => looks.join_next().await,
                None => None,
            }
        };
        tokio::select! {
            change = self.changes.recv() => Heard::Look(change.ok().flatten()),
            Some(Ok(looked)) = looked => Heard::Looked(Box::new(looked)),
        }
    }

    /// Whether to look again at who was let in just now.
    pub(super) fn take_missed(&mut self) -> bool {
        std::mem::take(&mut self.missed)
    }

    /// When to look again at everything.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether that is now.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// Has everything looked at when a credential ends.
    pub(super) fn expect(&mut self, expires_us: Option<i64>) {
        if let Some(left) = expires_us.map(|at| at.saturating_sub(now_us())) {
            self.look_in(Duration::from_micros(u64::try_from(left).unwrap_or_default()));
        }
    }

    fn look_in(&mut self, time: Duration) {
        // What is too far away to be told is not waited for.
        let Some(at) = Instant::now().checked_add(time) else { return };
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }
}

impl Connection {
    /// Does what was heard.
    pub(super) async fn look(&mut self, heard: Heard) -> Result<(), Close> {
        match heard {
            Heard::Look(change) => {
                self.look_again(change);
                Ok(())
            }
            Heard::Looked(looked) => self.looked(*looked).await,
        }
    }

    /// Begins to look: once for each holder and project, however many documents they have open there.
    pub(super) fn look_again(&mut self, change: Option<Change>) {
        let mut holders: HashMap<(ProjectId, &Credential), (&Caller, Open)> = HashMap::new();
        for (address, slot) in &self.slots {
            let Slot::Open(open) = slot else {
                self.looks.missed |= matches!(slot, Slot::Waiting(..));
                continue;
            };
            let Some(project) = project_of(address) else { continue };
            let caller = &open.caller;
            if !change.is_none_or(|change| caller.is_concerned(change, project)) {
                continue;
            }
            let (_, theirs) = holders.entry((project, &caller.credential)).or_insert_with(|| (&**caller, Vec::new()));
            theirs.push((address.clone(), open.turn));
        }
        for ((project, _), (caller, open)) in holders {
            let (db, caller) = (self.state.db.clone(), caller.clone());
            self.looks.under_way.get_or_insert_default().spawn(async move {
                let outcome = access::recheck(&db, &caller, project).await;
                Looked { open, outcome }
            });
        }
    }

    async fn looked(&mut self, looked: Looked) -> Result<(), Close> {
        let gone = match looked.outcome {
            Ok((caller, role)) => return self.goes_on(looked.open, Arc::new(caller), role),
            Err(error) => admission::away(error),
        };
        if gone.is_transient() {
            // Nothing is known. Nothing can be written either while the database is away, nor read that is new.
            self.looks.look_in(limits::RIGHTS_RETRY);
            return Ok(());
        }
        for (address, turn) in looked.open {
            if self.is_as_it_was(&address, turn) {
                self.put_out(address, gone).await?;
            }
        }
        Ok(())
    }

    fn goes_on(&mut self, open: Open, caller: Arc<Caller>, role: Role) -> Result<(), Close> {
        for (address, turn) in open {
            if !self.is_as_it_was(&address, turn) {
                continue;
            }
            let Some(Slot::Open(open)) = self.slots.get_mut(&address) else { continue };
            let standing = open.standing;
            let of_project = !address.contains('/');
            if standing.user != caller.user.id || (!of_project && standing.may_write != role.can_write()) {
                // Providers take in what another standing brings with a new socket only.
                return Err(Close::TryAgain);
            }
            open.caller = caller.clone();
        }
        self.looks.expect(caller.expires_us());
        Ok(())
    }

    /// Whether a document is still open by the join that it was open by.
    fn is_as_it_was(&self, address: &str, turn: Turn) -> bool {
        matches!(self.slots.get(address), Some(Slot::Open(open)) if open.turn == turn)
    }
}

/// The project that an address names.
fn project_of(address: &str) -> Option<ProjectId> {
    address.split(['/', '\0']).next().and_then(|project| project.parse().ok())
}
