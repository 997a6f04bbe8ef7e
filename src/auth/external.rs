//! An application's own end users: its server names them, with a key of scope act-for, and they act as themselves.
//!
//! Who they are is the application's affair. Their ids mean something only beside its owner's.

use serde::Deserialize;
use utoipa::ToSchema;

use super::sql;
use super::user::{Kind, User};
use crate::db::{Db, Tx, now_us};
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::limits;
use crate::text;

/// An end user as an application names them.
#[derive(Debug, Clone, Deserialize, ToSchema)]
pub struct EndUser {
    /// What the application calls them; the same text is the same user.
    id: String,
    /// Shown to others.
    name: String,
    /// Caret colour, `#rrggbb`.
    color: Option<String>,
    /// Picture address over HTTPS.
    avatar: Option<String>,
}

/// The user of that id in the application of `owner`, made or brought up to date.
///
/// # Errors
/// `bad_user`, `bad_name`, or when the database fails.
pub async fn external(db: &Db, owner: UserId, wanted: &EndUser) -> Result<User> {
    let fault = |message: String| Err(Error::invalid("bad_user", message));
    let id = wanted.id.as_str();
    if id.is_empty() || id.chars().count() > limits::EXTERNAL_ID_CHARS || id.chars().any(char::is_control) {
        return fault(format!("user.id must have 1 to {} visible characters", limits::EXTERNAL_ID_CHARS));
    }
    let color = wanted.color.as_deref().map(str::to_ascii_lowercase);
    if color.as_deref().is_some_and(|color| !is_color(color)) {
        return fault("user.color must be written #rrggbb".to_owned());
    }
    let avatar = wanted.avatar.clone().filter(|avatar| !avatar.is_empty());
    if avatar.as_deref().is_some_and(|avatar| !is_avatar(avatar)) {
        return fault(format!("user.avatar must be an https address of at most {} bytes", limits::AVATAR_BYTES));
    }
    let name = text::name(&wanted.name)?;
    let user = User { id: UserId::new(), name, kind: Kind::External, avatar, color };
    sql::put_external(db, owner, id, &user, now_us()).await
}

/// Gives one owner's end users to another; those whom both have become one.
pub(super) async fn give(tx: &mut Tx, from: UserId, to: UserId) -> Result<()> {
    sql::merge_externals(tx, from, to).await?;
    sql::move_externals(tx, from, to).await
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn is_avatar(text: &str) -> bool {
    text.starts_with("https://") && text.len() <= limits::AVATAR_BYTES && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_pictures_cannot_be_anything_else() {
        assert!(is_color("#12abef"));
        for bad in ["red", "#12abe", "#12abeg", "#12abeff", "url(#a)", "#é1abe"] {
            assert!(!is_color(bad), "{bad}");
        }
        assert!(is_avatar("https://example.com/a.png?s=1"));
        for bad in ["http://example.com/a", "javascript:alert(1)", "https://a b", "https://é", "data:image/png;,"] {
            assert!(!is_avatar(bad), "{bad}");
        }
    }
}
