//! What a caller shows, and what that allows at most.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::secret::Digest;
use super::user::User;
use crate::error::{Error, Result};
use crate::ids::{KeyId, ProjectId, UserId};
use crate::rights::Change;
use crate::role::Role;

/// Somebody who asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who they are.
    pub user: User,
    /// How they are known.
    pub credential: Credential,
}

/// What a caller showed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Credential {
    /// The cookie of a login, which allows whatever the user may do.
    Login {
        /// SHA-256 of the cookie's value.
        hash: Digest,
        /// When the login ends, unless it is used before.
        expires_us: i64,
    },
    /// A project token, which allows less.
    Token(Grant),
    /// An API key, which allows what its scopes say.
    Key(KeyGrant),
}

impl Credential {
    /// Whose right it borrows, if it does.
    #[must_use]
    pub fn issuer(&self) -> Option<UserId> {
        match self {
            Self::Token(grant) => Some(grant.issuer),
            Self::Login { .. } | Self::Key(_) => None,
        }
    }
}

/// What a project token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Grant {
    /// SHA-256 of the token.
    pub hash: Digest,
    /// The only project it opens.
    pub project: ProjectId,
    /// Whose right it borrows.
    pub issuer: UserId,
    /// The most it allows.
    pub role: Role,
    /// When it ends.
    pub expires_us: i64,
}

/// What an API key allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyGrant {
    /// Which key.
    pub id: KeyId,
    /// For what.
    pub scopes: Scopes,
    /// When it ends, if it does.
    pub expires_us: Option<i64>,
}

/// What an API key may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Reading.
    Read,
    /// Also chatting, editing, and new projects.
    Write,
    /// Also what owners do.
    Manage,
    /// Tokens for an application's own end users.
    ActFor,
    /// What operators do.
    Admin,
}

/// The scopes of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Caller {
    /// When what they showed ends by itself, in microseconds since 1970.
    #[must_use]
    pub fn expires_us(&self) -> Option<i64> {
        match &self.credential {
            Credential::Login { expires_us, .. } | Credential::Token(Grant { expires_us, .. }) => Some(*expires_us),
            Credential::Key(grant) => grant.expires_us,
        }
    }

    /// Whether what they may do hangs on this user: it is them, or whoever issued their token.
    fn depends_on(&self, user: UserId) -> bool {
        self.user.id == user || matches!(&self.credential, Credential::Token(grant) if grant.issuer == user)
    }

    /// Whether a change may be one of what they may do in a project.
    #[must_use]
    pub fn is_concerned(&self, change: Change, project: ProjectId) -> bool {
        change.project.is_none_or(|changed| changed == project) && change.user.is_none_or(|user| self.depends_on(user))
    }

    /// Refuses callers who are here by a token, for what would outlive it: whoever finds one must not be able to stay.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for those.
    pub fn refuse_token(&self) -> Result<()> {
        match self.credential {
            Credential::Login { .. } | Credential::Key(_) => Ok(()),
            Credential::Token(_) => Err(Error::Forbidden("a project token cannot do this; sign in or use an API key")),
        }
    }
}

impl Scope {
    const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Manage, Self::ActFor, Self::Admin];

    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Manage => "manage",
            Self::ActFor => "act-for",
            Self::Admin => "admin",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl Scopes {
    /// These scopes.
    #[must_use]
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |bits, scope| bits | scope.bit()))
    }

    /// Whether a scope is among them.
    #[must_use]
    pub fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The most that a key of these scopes allows in a project. Who may act for others may look at the project itself.
    #[must_use]
    pub fn role(self) -> Option<Role> {
        if self.has(Scope::Manage) {
            Some(Role::Owner)
        } else if self.has(Scope::Write) {
            Some(Role::Editor)
        } else {
            (self.has(Scope::Read) || self.has(Scope::ActFor)).then_some(Role::Viewer)
        }
    }

    /// One by one.
    #[must_use]
    pub fn list(self) -> Vec<Scope> {
        Scope::ALL.into_iter().filter(|scope| self.has(*scope)).collect()
    }

    /// As a column holds them.
    #[must_use]
    pub fn words(self) -> String {
        self.list().iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The scopes that a column holds; a word of a newer version allows nothing.
    #[must_use]
    pub fn from_words(words: &str) -> Self {
        let known = Scope::ALL.into_iter().filter(|scope| words.split(' ').any(|word| word == scope.as_str()));
        Self::of(&known.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_kept_as_words() {
        let scopes = Scopes::of(&[Scope::ActFor, Scope::Read]);
        assert_eq!(scopes.words(), "read act-for");
        assert_eq!(Scopes::from_words("read act-for fly"), scopes);
        assert!(!scopes.has(Scope::Admin));
    }

    #[test]
    fn a_key_allows_what_its_scopes_say() {
        let role = |words| Scopes::from_words(words).role();
        assert_eq!(role("read"), Some(Role::Viewer));
        assert_eq!(role("read write"), Some(Role::Editor));
        assert_eq!(role("manage"), Some(Role::Owner));
        assert_eq!(role("act-for"), Some(Role::Viewer));
        assert_eq!(role("admin"), None);
        assert_eq!(role(""), None);
    }
}
