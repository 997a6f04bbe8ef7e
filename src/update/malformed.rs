//! Why a byte string is not an update (or state vector) that everyone would read alike.

use std::fmt;

/// What is wrong with the bytes, and the offset in bytes at which it was noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// The bytes end inside a value.
    Truncated(usize),
    /// Bytes follow the end of the update or state vector.
    Trailing(usize),
    /// A number of more than 8 bytes or above 2^53 - 1.
    Number(usize),
    /// A declared count that the bytes left could not hold.
    Count(usize),
    /// A clock, or a clock plus a length, above [`MAX_CLOCK`](super::MAX_CLOCK).
    Clock(usize),
    /// A client named by two sections, or twice in the delete set.
    SameClient(usize),
    /// A section without structs.
    EmptySection(usize),
    /// A struct or a deleted range of length 0.
    ZeroLength(usize),
    /// An info byte that names no kind of struct.
    Kind(usize),
    /// A parent marked neither as root name (1) nor as id (0).
    Parent(usize),
    /// A shared type that Yjs does not know.
    TypeRef(usize),
    /// An `Any` value of an unknown tag.
    AnyTag(usize),
    /// A string that is not UTF-8.
    Utf8(usize),
    /// Embedded text that `JSON.parse` would refuse.
    Json(usize),
    /// Values nested deeper than [`MAX_NESTING`](super::MAX_NESTING).
    Nested(usize),
    /// A root name, key or node name above [`MAX_NAME_BYTES`](super::MAX_NAME_BYTES).
    Name(usize),
    /// More structs than [`scan`](fn@super::scan) keeps, [`MAX_STRUCTS`](super::MAX_STRUCTS).
    Structs(usize),
    /// Options of a subdocument that are not an object, at which every Yjs reader throws.
    DocOptions(usize),
}

impl Malformed {
    /// The offset in bytes at which it was noticed.
    pub fn at(self) -> usize {
        match self {
            Self::Truncated(at)
            | Self::Trailing(at)
            | Self::Number(at)
            | Self::Count(at)
            | Self::Clock(at)
            | Self::SameClient(at)
            | Self::EmptySection(at)
            | Self::ZeroLength(at)
            | Self::Kind(at)
            | Self::Parent(at)
            | Self::TypeRef(at)
            | Self::AnyTag(at)
            | Self::Utf8(at)
            | Self::Json(at)
            | Self::Nested(at)
            | Self::Name(at)
            | Self::Structs(at)
            | Self::DocOptions(at) => at,
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Truncated(_) => "truncated",
            Self::Trailing(_) => "trailing bytes",
            Self::Number(_) => "number out of range",
            Self::Count(_) => "count beyond the bytes left",
            Self::Clock(_) => "clock out of range",
            Self::SameClient(_) => "same client twice",
            Self::EmptySection(_) => "section without structs",
            Self::ZeroLength(_) => "length zero",
            Self::Kind(_) => "unknown kind of struct",
            Self::Parent(_) => "unknown kind of parent",
            Self::TypeRef(_) => "unknown shared type",
            Self::AnyTag(_) => "unknown kind of value",
            Self::Utf8(_) => "invalid utf-8",
            Self::Json(_) => "invalid json",
            Self::Nested(_) => "nested too deep",
            Self::Name(_) => "name too long",
            Self::Structs(_) => "too many structs",
            Self::DocOptions(_) => "subdocument options are no object",
        }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what(), self.at())
    }
}

impl std::error::Error for Malformed {}
