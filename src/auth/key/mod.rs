//! API keys: by which programs act for whoever made them, as far as a key's scopes and its owner's rights go.

mod routes;
mod sql;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

pub(super) use self::routes::routes;
pub(super) use self::sql::give;

use super::credential::{Caller, Scope, Scopes};
use super::{Secret, digest, operator};
use crate::audit::Entry;
use crate::db::{Db, micros, now_us};
use crate::error::{Error, Result};
use crate::extract::lifetime;
use crate::filter::Words;
use crate::ids::{KeyId, UserId};
use crate::limits;
use crate::page::{Page, PageQuery};
use crate::rights::{self, Change};
use crate::state::Shared;
use crate::text;
use crate::timestamp::Timestamp;

/// How every key begins, so that it is told from tokens, and found where it should not be.
pub(super) const BEGINS_WITH: &str = "cot_";

/// A key without its secret.
#[derive(Debug, Clone)]
pub(super) struct Key {
    id: KeyId,
    name: String,
    prefix: String,
    scopes: Scopes,
    created_us: i64,
    expires_us: Option<i64>,
    used_us: Option<i64>,
}

/// What a key shall be.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub(super) struct NewKey {
    #[serde(default = "unnamed")]
    name: String,
    /// Left out: read and write.
    scopes: Option<Vec<Scope>>,
    /// Seconds; left out, it does not expire.
    expires_in: Option<i64>,
}

/// A key as its owner is told of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct KeyView {
    id: KeyId,
    name: String,
    /// Its first characters.
    prefix: String,
    scopes: Vec<Scope>,
    created_at: Timestamp,
    #[schema(required)]
    expires_at: Option<Timestamp>,
    /// To the minute.
    #[schema(required)]
    used_at: Option<Timestamp>,
}

/// A new key as its owner is told it, once.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct NewKeyView {
    #[serde(flatten)]
    view: KeyView,
    key: String,
}

impl NewKey {
    /// One by which a terminal acts for whoever signed in at it: for a while, as far as most goes.
    pub(super) fn of_terminal(name: String) -> Self {
        let seconds = i64::try_from(limits::TERMINAL_KEY_LIFETIME.as_secs()).unwrap_or(i64::MAX);
        Self { name, scopes: None, expires_in: Some(seconds) }
    }
}

fn unnamed() -> String {
    "API key".to_owned()
}

impl Key {
    /// That something was done to it.
    fn entry(&self, owner: UserId, action: &'static str) -> Entry {
        let detail = json!({ "name": self.name, "prefix": self.prefix, "scopes": self.scopes.list() });
        Entry::new(owner, action, self.id).saying(detail)
    }

    fn view(&self) -> KeyView {
        KeyView {
            id: self.id,
            name: self.name.clone(),
            prefix: self.prefix.clone(),
            scopes: self.scopes.list(),
            created_at: Timestamp(self.created_us),
            expires_at: self.expires_us.map(Timestamp),
            used_at: self.used_us.map(Timestamp),
        }
    }
}

/// Makes a key that acts for `owner`, and answers its secret.
pub(super) async fn create(state: &Shared, owner: UserId, wanted: &NewKey) -> Result<String> {
    Ok(create_and_show(state, owner, wanted).await?.key)
}

/// Makes a key that acts for `owner`.
async fn create_and_show(state: &Shared, owner: UserId, wanted: &NewKey) -> Result<NewKeyView> {
    let scopes = Scopes::of(wanted.scopes.as_deref().unwrap_or(&[Scope::Read, Scope::Write]));
    if scopes.list().is_empty() {
        return Err(Error::invalid("bad_scopes", "a key needs a scope: read, write, manage, act-for or admin"));
    }
    if scopes.has(Scope::Admin) && !operator::is_operator(state, owner).await? {
        return Err(Error::Forbidden("only operators of the server make keys of scope admin"));
    }
    let now = now_us();
    let expires_us = match wanted.expires_in {
        Some(seconds) => Some(now.saturating_add(micros(lifetime(seconds, limits::KEY_LIFETIME_MAX)?))),
        None => None,
    };
    let secret = format!("{BEGINS_WITH}{}", Secret::new().reveal());
    let key = Key {
        id: KeyId::new(),
        name: text::name(&wanted.name)?,
        prefix: secret.chars().take(limits::KEY_PREFIX_CHARS).collect(),
        scopes,
        created_us: now,
        expires_us,
        used_us: None,
    };
    let mut tx = state.db.begin().await?;
    super::lock(&mut tx, owner).await?;
    if sql::count(&mut tx, owner).await? >= limits::KEYS_PER_USER {
        return Err(Error::conflict("too_many_keys", "you have too many keys; delete those that nobody uses"));
    }
    sql::insert(&mut tx, owner, &key, digest(&secret)).await?;
    key.entry(owner, "key.created").record(&mut tx).await?;
    tx.commit().await?;
    Ok(NewKeyView { view: key.view(), key: secret })
}

async fn list(db: &Db, owner: UserId, page: &PageQuery, words: &Words) -> Result<Page<KeyView>> {
    let (needle, now) = (words.needle()?, now_us());
    let read = |after, limit| sql::list(db, owner, after, needle.pattern(), now, limit);
    let keys = Page::sift(page.limit()?, page.after()?, read, |key| key.id, |key| needle.is_in(&key.name)).await?;
    Ok(keys.map(|key| key.view()))
}

/// Ends a key, the tokens that were issued with it, and what they have open.
pub(super) async fn revoke(db: &Db, owner: UserId, id: KeyId) -> Result<()> {
    let mut tx = db.begin().await?;
    let key = sql::delete(&mut tx, owner, id).await?.ok_or(Error::NotFound)?;
    key.entry(owner, "key.revoked").record(&mut tx).await?;
    rights::record(&mut tx, Change::user(owner)).await?;
    tx.commit().await?;
    Ok(())
}

/// Whose key this is; notes that it was used.
pub(super) async fn caller(db: &Db, key: &str) -> Result<Option<Caller>> {
    let now = now_us();
    let Some((caller, id, used_us)) = sql::by_hash(db, digest(key), now).await? else { return Ok(None) };
    if used_us.is_none_or(|used| used < now.saturating_sub(micros(limits::KEY_TOUCH))) {
        sql::touch(db, id, now).await?;
    }
    Ok(Some(caller))
}

/// Who acts by this key now.
pub(super) async fn refresh(db: &Db, key: KeyId) -> Result<Option<Caller>> {
    sql::by_id(db, key, now_us()).await
}
