//! How the database takes what is to be saved, as people are told.

use crate::error::is_away;

/// The state of the database as the last commits found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// Commits succeed.
    Well,
    /// A commit hangs, or waits for somebody's lock.
    Slow,
    /// It cannot be reached.
    Away,
    /// Its disk is full.
    Full,
    /// It takes no writes.
    ReadOnly,
}

impl Storage {
    /// What an error that is tried again says of it.
    pub(super) fn of(error: &sqlx::Error) -> Self {
        let sqlx::Error::Database(said) = error else {
            return if is_away(error) { Self::Away } else { Self::Slow };
        };
        let code = said.code().unwrap_or_default();
        // SQLite's codes are numbers of at most four digits, whose lowest byte is the kind.
        let kind = (code.len() < 5).then(|| code.parse::<u32>().ok()).flatten().map(|number| number & 0xff);
        match (&*code, kind) {
            ("53100", _) | (_, Some(13)) => Self::Full,
            ("25006", _) | (_, Some(8)) => Self::ReadOnly,
            (_, Some(5 | 6)) | ("55P03" | "40P01" | "40001", _) => Self::Slow,
            _ => Self::Away,
        }
    }

    /// A stable word for programs; `None` when all is well.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Well => None,
            Self::Slow => Some("database_slow"),
            Self::Away => Some("database_away"),
            Self::Full => Some("database_full"),
            Self::ReadOnly => Some("database_read_only"),
        }
    }

    /// What people are told.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Well => "changes are saved again",
            Self::Slow => "the database is slow; changes wait until it takes them",
            Self::Away => "the database is away; changes wait until it is back",
            Self::Full => "the database has no space left; changes wait until there is some",
            Self::ReadOnly => "the database takes no changes; they wait until it does",
        }
    }
}
