//! Hunks of a document's text, for proposals: made, looked at, applied and taken back, by workers.

use bytes::Bytes;
use tokio::time::timeout;

use super::content::{ask, nonsense};
use super::{Document, content_of};
use crate::db::Tx;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::journal::{self, CONTENT};
use crate::limits;
use crate::replica::{Fitted, Gone, Held, Hunk, Replacement, Replicas, Reply, Told, Turn, Verb, Wanted};
use crate::room::{Rooms, stored};
use crate::update::is_empty_update;

/// The hunks that make a document's text what is wanted, held by what it says at the head that is answered.
///
/// # Errors
/// As [`super::text`]; `bad_edit` for what is not there to be replaced, [`Error::TooLarge`] for too much text.
pub(crate) async fn propose(
    rooms: &Rooms,
    replicas: &Replicas,
    document: &Document,
    wanted: Wanted,
) -> Result<(Head, Vec<Hunk>)> {
    let wanted = match wanted {
        Wanted::Text { base, text } => {
            let base = base.as_deref().map(content_of).transpose()?;
            Wanted::Text { base, text: content_of(&text)? }
        }
        Wanted::Edits(edits) => Wanted::Edits(edits.into_iter().map(with_lf).collect::<Result<_>>()?),
    };
    let told = ask(rooms, replicas, document, Verb::Propose { root: CONTENT.to_owned(), wanted }).await?;
    match told.reply {
        Reply::Hunks(hunks) => Ok((told.head, hunks)),
        other => Err(nonsense(&other)),
    }
}

fn with_lf(edit: Replacement) -> Result<Replacement> {
    Ok(match edit {
        Replacement::Found { find, replace } => {
            Replacement::Found { find: content_of(&find)?, replace: content_of(&replace)? }
        }
        Replacement::Range { from, to, replace } => Replacement::Range { from, to, replace: content_of(&replace)? },
    })
}

/// Where hunks stand now; nothing is changed.
///
/// # Errors
/// As [`super::text`].
pub(crate) async fn fit(rooms: &Rooms, replicas: &Replicas, document: &Document, hunks: Vec<Held>) -> Result<Fitted> {
    let told = ask(rooms, replicas, document, Verb::Fit { root: CONTENT.to_owned(), hunks }).await?;
    fitted(told).map(|(_, fitted)| fitted)
}

/// The edit that applies those hunks that fit, and the only head at which it may be made.
///
/// # Errors
/// As [`super::text`].
pub(crate) async fn apply(
    rooms: &Rooms,
    replicas: &Replicas,
    document: &Document,
    hunks: Vec<Held>,
) -> Result<(Head, Fitted)> {
    fitted(ask(rooms, replicas, document, Verb::Apply { root: CONTENT.to_owned(), hunks }).await?)
}

/// As [`apply`], of a document whose log is held by a transaction, so that it does not move on meanwhile.
///
/// # Errors
/// As [`apply`]; 503 when it takes longer than others can be made to wait.
pub(crate) async fn apply_held(
    tx: &mut Tx,
    replicas: &Replicas,
    document: &Document,
    hunks: Vec<Held>,
) -> Result<(Head, Fitted)> {
    let (committed, _) = stored::committed(document.id, journal::load_in(tx, document.id).await?)?;
    let (source, turn) = (committed.source(None), Turn::Project(document.project));
    let verb = Verb::Apply { root: CONTENT.to_owned(), hunks };
    let asked = timeout(limits::ACCEPT_HELD, replicas.ask(turn, document.id, &source, verb)).await;
    let told = asked.map_err(|_| Error::unavailable("too much is going on in this document; try again"))??;
    fitted(told.ok_or_else(|| Error::Internal(anyhow::anyhow!("a worker wants more than a whole document")))?)
}

/// The edit that takes back what clients wrote and puts back what they removed, and the head it was made at; it may be
/// made at later ones too. `None` when there is nothing left of it.
///
/// # Errors
/// As [`super::text`].
pub(crate) async fn revert(
    rooms: &Rooms,
    replicas: &Replicas,
    document: &Document,
    clients: Vec<u64>,
    gone: Vec<Gone>,
) -> Result<(Head, Option<Bytes>)> {
    let verb = Verb::Revert { root: CONTENT.to_owned(), clients, gone };
    let told = ask(rooms, replicas, document, verb).await?;
    match told.reply {
        Reply::Update(update) => {
            Ok((told.head, Some(update).filter(|update| !is_empty_update(update)).map(Bytes::from)))
        }
        other => Err(nonsense(&other)),
    }
}

fn fitted(told: Told) -> Result<(Head, Fitted)> {
    match told.reply {
        Reply::Fitted(fitted) => Ok((told.head, fitted)),
        other => Err(nonsense(&other)),
    }
}
