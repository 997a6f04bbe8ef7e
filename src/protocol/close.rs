//! Close codes. 4400–4499 tell y-websocket to stay away; every other code lets a client come back.

/// Why the server closes a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Close {
    /// The server shuts down or restarts: come back soon.
    Restart,
    /// The server cannot serve this now (database away, too busy): come back later.
    TryAgain,
    /// A document could not be loaded for a reason that lies with the server.
    Failed,
    /// A frame above the limit.
    TooLarge,
    /// Bytes that are not of the dialect.
    Malformed,
    /// No valid credential.
    Unauthorized,
    /// Unknown, or not for this person; the two look alike.
    NotFound,
    /// No document can have this path: it is malformed, or another document is where its folder would be.
    BadPath,
    /// The document was deleted.
    Deleted,
    /// The document's history was replaced by a restored one; a reload begins anew.
    Replaced,
    /// The project takes no more documents.
    Full,
    /// The user has too many sockets open.
    TooManySockets,
    /// Nobody authenticated on the socket in time.
    AuthTimeout,
}

impl Close {
    /// Whether coming back soon may help.
    #[must_use]
    pub fn is_transient(self) -> bool {
        !(4400..4500).contains(&self.code())
    }

    /// The code on the wire.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Restart => 1012,
            Self::TryAgain => 1013,
            Self::Failed => 1011,
            Self::TooLarge => 1009,
            Self::Malformed => 4400,
            Self::Unauthorized => 4401,
            Self::NotFound | Self::BadPath | Self::Deleted => 4404,
            Self::AuthTimeout => 4408,
            Self::Full => 4413,
            Self::TooManySockets => 4429,
            Self::Replaced => 4410,
        }
    }

    /// The reason on the wire, in words a developer understands.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Restart => "the server restarts",
            Self::TryAgain => "not available now, try again",
            Self::Failed => "the document cannot be loaded",
            Self::TooLarge => "frame too large",
            Self::Malformed => "malformed frame",
            Self::Unauthorized => "sign in first",
            Self::NotFound => "not found",
            Self::BadPath => "no document can have this path: it is malformed, or another document is in its way",
            Self::Deleted => "the document was deleted",
            Self::Replaced => "the document's history was replaced, reload",
            Self::Full => "the project has reached its limit of documents",
            Self::TooManySockets => "you have too many connections open; close some, then reload",
            Self::AuthTimeout => "no authentication in time",
        }
    }
}
