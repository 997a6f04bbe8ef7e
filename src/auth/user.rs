//! People and other principals, as stored and as told.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ids::UserId;

/// Somebody who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The principal.
    pub id: UserId,
    /// Shown to others.
    pub name: String,
    /// What kind of principal.
    pub kind: Kind,
    /// Picture address; none means initials.
    pub avatar: Option<String>,
    /// Caret colour that an application chose, `#rrggbb`; none means by the id.
    pub color: Option<String>,
}

/// What kind of principal somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(as = UserKind, rename_all = "lowercase")]
pub enum Kind {
    /// Came in with just a name.
    Guest,
    /// Signed in with an identity provider.
    Person,
    /// An application's own end user.
    External,
    /// The AI teammate.
    Assistant,
}

impl Kind {
    /// The word for it in the API, in presence and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Person => "person",
            Self::External => "external",
            Self::Assistant => "assistant",
        }
    }

    /// The kind a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Guest, Self::Person, Self::External, Self::Assistant].into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The AI teammate, the same on every server.
pub const ASSISTANT: UserId = UserId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0a55_1574));

/// Colours on which white text is readable (at least 5.1 : 1), each with the translucent one for selections.
const COLORS: [(&str, &str); 10] = [
    ("#b42318", "#b4231833"),
    ("#b54708", "#b5470833"),
    ("#7a5c00", "#7a5c0033"),
    ("#3b7c0f", "#3b7c0f33"),
    ("#027a48", "#027a4833"),
    ("#0e7090", "#0e709033"),
    ("#175cd3", "#175cd333"),
    ("#5925dc", "#5925dc33"),
    ("#9e1a7a", "#9e1a7a33"),
    ("#475467", "#47546733"),
];

impl User {
    /// Caret and selection colour: the same for one user everywhere and always.
    #[must_use]
    pub fn colors(&self) -> (Cow<'static, str>, Cow<'static, str>) {
        if let Some(color) = &self.color {
            return (Cow::Owned(color.clone()), Cow::Owned(format!("{color}33")));
        }
        let (_, random) = self.id.0.as_u64_pair();
        let count = COLORS.len() as u64;
        let (color, light) = COLORS[usize::try_from(random % count).unwrap_or_default()];
        (Cow::Borrowed(color), Cow::Borrowed(light))
    }

    /// As the API tells it.
    #[must_use]
    pub fn view(&self) -> UserView {
        let (color, color_light) = self.colors();
        UserView {
            id: self.id,
            name: self.name.clone(),
            kind: self.kind.as_str(),
            avatar: self.avatar.clone(),
            color,
            color_light,
        }
    }
}

/// A user as the API tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct UserView {
    /// The principal.
    pub id: UserId,
    /// Shown to others.
    pub name: String,
    /// What kind of principal they are.
    #[schema(value_type = Kind)]
    pub kind: &'static str,
    /// Picture address; null means initials.
    #[schema(required)]
    pub avatar: Option<String>,
    /// Colour of the caret, `#rrggbb`.
    #[schema(example = "#175cd3", value_type = String)]
    pub color: Cow<'static, str>,
    /// Colour of the selection, `#rrggbbaa`.
    #[schema(example = "#175cd333", value_type = String)]
    pub color_light: Cow<'static, str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_has_the_colour_of_its_caret() {
        assert!(COLORS.iter().all(|(color, light)| light.strip_prefix(color) == Some("33")));
    }

    #[test]
    fn colours_follow_the_id() {
        let user = |id| User { id, name: "Ann".to_owned(), kind: Kind::Guest, avatar: None, color: None };
        let id = UserId::new();
        assert_eq!(user(id).colors(), user(id).colors());
        let seen: std::collections::HashSet<_> = (0..200).map(|_| user(UserId::new()).colors().0).collect();
        assert!(seen.len() > 5);
    }
}
