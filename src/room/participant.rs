//! Who is in a room, as the login says.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::ids::UserId;

/// What the gate, the log and presence know of a person. None of it is taken from a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The principal.
    pub user: UserId,
    /// Guests this user was before signing in; what is theirs is the user's.
    pub merged: Arc<[UserId]>,
    /// Shown to others.
    pub name: String,
    /// guest, person, external or assistant.
    pub kind: &'static str,
    /// Colour of the caret, `#rrggbb`.
    pub color: Cow<'static, str>,
    /// Colour of the selection, `#rrggbbaa`.
    pub color_light: Cow<'static, str>,
    /// Picture address.
    pub avatar: Option<String>,
}

impl Participant {
    /// Whether `user` is this person, or a guest they were before signing in.
    #[must_use]
    pub fn is(&self, user: UserId) -> bool {
        self.user == user || self.merged.contains(&user)
    }

    /// Writes the person into an awareness state: `user` keeps what the client put there, but for what the login knows.
    pub fn stamp(&self, state: &mut Map<String, Value>) {
        let user = state.entry("user").or_insert_with(|| json!({}));
        if !user.is_object() {
            *user = json!({});
        }
        let identity = json!({
            "id": self.user,
            "name": self.name,
            "kind": self.kind,
            "color": self.color,
            "colorLight": self.color_light,
            "avatar": self.avatar,
        });
        if let (Value::Object(user), Value::Object(identity)) = (user, identity) {
            user.extend(identity);
        }
    }
}
