//! Signing in with GitHub: a browser is sent there, comes back with a code, and is signed in as whose account it is.
//!
//! What ties the two together is a row named by the state, which only the browser that began can take, and once. It is
//! known by a cookie of its own, so that two tabs can sign in beside each other while the login's id changes.

mod device;
mod next;
mod page;
mod routes;
mod sql;

use axum::http::HeaderMap;
use tower_sessions::Session;
use utoipa_axum::router::OpenApiRouter;

use self::next::Next;
use super::secret::Digest;
use super::user::{Kind, User};
use super::{Secret, by_cookie, digest, login, merge_guest};
use crate::audit::Entry;
use crate::db::{Db, micros, now_us};
use crate::error::{Error, Result};
use crate::github::{Began, Fault, Github, Profile};
use crate::ids::UserId;
use crate::limits;
use crate::state::{AppState, Shared};
use crate::text;

/// `/auth/github`, where GitHub sends a browser back to, and how one signs in without one.
pub(super) fn routes() -> OpenApiRouter<AppState> {
    routes::routes().merge(device::routes())
}

/// A sign-in that has begun.
#[derive(Debug, Clone)]
struct Pending {
    hash: Digest,
    browser: Digest,
    verifier: String,
    next: Next,
    expires_us: i64,
}

/// Why nobody was signed in; each is told by a page.
#[derive(Debug)]
enum Refusal {
    /// No GitHub app is configured.
    NotOffered,
    /// The address to go to afterwards is not one of ours.
    Elsewhere,
    /// Begun by another browser, too long ago, or ended already.
    Unknown,
    /// The person said no.
    Denied,
    /// GitHub had something against it.
    Github(Fault),
    /// An operator shut the person out.
    Suspended,
    /// The server's own fault.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What a browser brings back.
#[derive(Debug)]
struct Return {
    state: String,
    /// The code, or GitHub's word for why there is none.
    code: Result<String, String>,
}

/// Begins a sign-in of the browser that holds `browser`; answers where to send it.
async fn begin(state: &Shared, browser: &str, next: Next, base_url: &str) -> Result<String, Refusal> {
    let github = state.github.as_ref().ok_or(Refusal::NotOffered)?;
    let Began { url, state: given, verifier } = github.begin(&redirect(base_url)).map_err(Refusal::Github)?;
    let expires_us = now_us().saturating_add(micros(limits::SIGN_IN_TIME));
    let pending = Pending { hash: digest(&given), browser: digest(browser), verifier, next, expires_us };
    sql::insert(&state.db, &pending).await?;
    Ok(url)
}

/// Ends a sign-in: signs the browser in and answers where to go. A guest who is signed in becomes the person.
async fn end(
    state: &AppState,
    browser: &str,
    session: &Session,
    headers: &HeaderMap,
    back: Return,
    base_url: &str,
) -> Result<Next, Refusal> {
    let github = state.github.as_ref().ok_or(Refusal::NotOffered)?;
    let found = sql::take(&state.db, digest(&back.state), digest(browser), now_us()).await?;
    let pending = found.ok_or(Refusal::Unknown)?;
    let profile = whose(github, &redirect(base_url), back.code, pending.verifier).await?;
    let (user, suspended) = person(&state.db, &profile).await?;
    if suspended {
        return Err(Refusal::Suspended);
    }
    let before = by_cookie(state, headers).await?;
    if let Some(guest) = before.filter(|caller| caller.user.kind == Kind::Guest) {
        merge_guest(&state.db, guest.user.id, user.id).await?;
    }
    login::sign_in(&state.db, session, headers, user.id).await?;
    state.rights.look();
    Ok(pending.next)
}

async fn whose(
    github: &Github,
    redirect: &str,
    code: Result<String, String>,
    verifier: String,
) -> Result<Profile, Refusal> {
    match code {
        Ok(code) => github.profile(redirect, code, verifier).await.map_err(Refusal::Github),
        Err(word) if word == "access_denied" => Err(Refusal::Denied),
        Err(word) if matches!(&*word, "redirect_uri_mismatch" | "application_suspended" | "unauthorized_client") => {
            Err(Refusal::Github(Fault::Misconfigured(word)))
        }
        Err(word) if matches!(&*word, "temporarily_unavailable" | "server_error") => {
            Err(Refusal::Github(Fault::Away(word)))
        }
        Err(word) => Err(Refusal::Github(Fault::Odd(word.chars().filter(|c| !c.is_control()).take(80).collect()))),
    }
}

/// The user whose account this is, by its number; made at the first sign-in, named anew at each. And whether they are
/// shut out.
async fn person(db: &Db, profile: &Profile) -> Result<(User, bool)> {
    let named = profile.name.as_deref().and_then(shown).or_else(|| shown(&profile.login));
    let name = named.unwrap_or_else(|| format!("GitHub user {}", profile.id));
    let avatar = profile.avatar.clone().filter(|url| url.starts_with("https://") && url.len() <= limits::AVATAR_BYTES);
    let user = User { id: UserId::new(), name, kind: Kind::Person, avatar, color: None };
    let mut tx = db.begin().await?;
    sql::lock(&mut tx).await?;
    sql::free_name(&mut tx, profile).await?;
    let (user, suspended) = sql::put_person(&mut tx, &user, profile, now_us()).await?;
    let detail = serde_json::json!({ "github_id": profile.id, "github_login": profile.login });
    Entry::new(user.id, "login.github", user.id).saying(detail).record(&mut tx).await?;
    tx.commit().await?;
    Ok((user, suspended))
}

/// A name from elsewhere as one of ours: without what ours may not hold.
fn shown(given: &str) -> Option<String> {
    let kept: String = given.chars().filter(|c| !text::is_deceptive(*c)).take(limits::NAME_CHARS).collect();
    text::name(&kept).ok()
}

fn redirect(base_url: &str) -> String {
    format!("{base_url}/auth/github/callback")
}

/// A browser that is not known yet.
fn new_browser() -> String {
    Secret::new().reveal()
}
