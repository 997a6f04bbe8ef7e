//! When the assistant speaks: what was said, and whether it is meant.

use super::persona;
use crate::chat::{Answers, Mention, Message};

/// What it needs to know of a message to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    /// Whether it is mentioned, addressed or replied to.
    pub(super) meant: bool,
    /// When it speaks in that conversation.
    pub(super) answers: Answers,
    /// How many people are in the project's session, the author among them.
    pub(super) people: usize,
    /// Whether a model is connected.
    pub(super) connected: bool,
    /// Whether the author may ask it.
    pub(super) may_ask: bool,
}

impl Heard {
    /// Whether it speaks. Where it could only say that it cannot, it does so when it is meant.
    pub(super) fn speaks(self) -> bool {
        if self.meant {
            return true;
        }
        let always = match self.answers {
            Answers::Everything => true,
            Answers::Auto => self.people <= 1,
            Answers::Mentioned => false,
        };
        always && self.connected && self.may_ask
    }
}

/// Whether a message is meant for the assistant by what it says; `personas` are the words that mean some.
pub(super) fn is_meant(message: &Message, personas: &[String]) -> bool {
    let is_persona = |word: &str| persona::meant(personas.iter().map(String::as_str), word).is_some();
    let mentioned = message.mentions.iter().any(|mention| match mention {
        Mention::Assistant => true,
        Mention::Name { name } => is_persona(name),
        Mention::Person { .. } | Mention::File { .. } => false,
    });
    let addressed = message.to.as_deref().is_some_and(|to| to == "assistant" || is_persona(to));
    mentioned || addressed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_speaks_to_one_who_is_alone_and_to_several_when_it_is_meant() {
        let heard = |meant, answers, people| Heard { meant, answers, people, connected: true, may_ask: true };
        assert!(heard(false, Answers::Auto, 1).speaks() && heard(false, Answers::Auto, 0).speaks());
        assert!(!heard(false, Answers::Auto, 2).speaks() && heard(true, Answers::Auto, 2).speaks());
        assert!(heard(false, Answers::Everything, 5).speaks());
        assert!(!heard(false, Answers::Mentioned, 1).speaks() && heard(true, Answers::Mentioned, 1).speaks());
    }

    #[test]
    fn it_says_that_it_cannot_only_when_it_is_meant() {
        let alone = Heard { meant: false, answers: Answers::Auto, people: 1, connected: false, may_ask: true };
        assert!(!alone.speaks() && Heard { meant: true, ..alone }.speaks());
        let commenter = Heard { connected: true, may_ask: false, ..alone };
        assert!(!commenter.speaks() && Heard { meant: true, ..commenter }.speaks());
    }
}
