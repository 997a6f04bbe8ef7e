//! What a person may do in a project. Nobody compares roles; they are asked questions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A person's standing in a project, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also chats.
    Commenter,
    /// Also edits, and decides on proposals.
    Editor,
    /// Also manages: members, invites, the project itself.
    Owner,
}

impl Role {
    /// Whether this role sees documents and who is there; every role does.
    #[must_use]
    pub fn can_read(self) -> bool {
        true
    }

    /// Whether this role takes part in the chat.
    #[must_use]
    pub fn can_comment(self) -> bool {
        self.rank() >= Self::Commenter.rank()
    }

    /// Whether this role changes documents.
    #[must_use]
    pub fn can_write(self) -> bool {
        self.rank() >= Self::Editor.rank()
    }

    /// Whether this role manages members, invites and the project.
    #[must_use]
    pub fn can_manage(self) -> bool {
        self.rank() >= Self::Owner.rank()
    }

    /// Whether this role may do all that `other` may.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.rank() >= other.rank()
    }

    /// What both roles may do.
    #[must_use]
    pub fn lesser(self, other: Self) -> Self {
        if self.covers(other) { other } else { self }
    }

    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Commenter => "commenter",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }

    /// The role a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Viewer, Self::Commenter, Self::Editor, Self::Owner].into_iter().find(|role| role.as_str() == word)
    }

    fn rank(self) -> u8 {
        match self {
            Self::Viewer => 0,
            Self::Commenter => 1,
            Self::Editor => 2,
            Self::Owner => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_answers_its_questions() {
        let answers = |role: Role| (role.can_read(), role.can_comment(), role.can_write(), role.can_manage());
        assert_eq!(answers(Role::Viewer), (true, false, false, false));
        assert_eq!(answers(Role::Commenter), (true, true, false, false));
        assert_eq!(answers(Role::Editor), (true, true, true, false));
        assert_eq!(answers(Role::Owner), (true, true, true, true));
    }

    #[test]
    fn the_lesser_of_two_is_what_both_may_do() {
        assert_eq!(Role::Owner.lesser(Role::Viewer), Role::Viewer);
        assert_eq!(Role::Commenter.lesser(Role::Editor), Role::Commenter);
        assert_eq!(Role::Editor.lesser(Role::Editor), Role::Editor);
    }

    #[test]
    fn words_go_both_ways() {
        for word in ["viewer", "commenter", "editor", "owner"] {
            assert_eq!(Role::from_word(word).map(Role::as_str), Some(word));
        }
        assert_eq!(Role::from_word("Owner"), None);
    }
}
