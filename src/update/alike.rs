//! Whether two writings of a document say the same, unit by unit: what a fold by somebody else is held against.

use std::str::EncodeUtf16;

use super::any::skip_any;
use super::item::{Header, KIND_BITS, Kind, skip_json_value};
use super::reader::Reader;
use super::walk::Walk;
use super::{ClientId, Id, IdSet, Malformed};

/// What one id stands for.
#[derive(Debug, PartialEq, Eq)]
enum Unit<'a> {
    /// A UTF-16 code unit of text.
    Char(u16),
    /// The bytes of anything else, and its kind.
    Other(Kind, &'a [u8]),
}

/// Whether two updates give the same content to the same ids, except for those in `deleted`. How ids are grouped into
/// structs, and where they stand in the document, is not compared; values must have the same bytes.
///
/// # Errors
/// When one of them is [`Malformed`].
pub fn says_the_same(one: &[u8], other: &[u8], deleted: &IdSet) -> Result<bool, Malformed> {
    let (mut one, mut other) = (Units::new(one, deleted)?, Units::new(other, deleted)?);
    loop {
        match (one.next()?, other.next()?) {
            (None, None) => return Ok(true),
            (a, b) if a != b => return Ok(false),
            _ => {}
        }
    }
}

/// The units of an update in the order of its structs, without those that are deleted.
struct Units<'a> {
    bytes: &'a [u8],
    deleted: &'a IdSet,
    walk: Walk<'a>,
    client: ClientId,
    /// The clock of the next unit of the struct that is being read, and that of its end.
    clock: u32,
    end: u32,
    content: Content<'a>,
}

enum Content<'a> {
    Text(EncodeUtf16<'a>),
    Values(Kind, Reader<'a>),
    Whole(Kind, &'a [u8]),
}

impl<'a> Units<'a> {
    fn new(bytes: &'a [u8], deleted: &'a IdSet) -> Result<Self, Malformed> {
        let content = Content::Whole(Kind::Skip, &[]);
        Ok(Self { bytes, deleted, walk: Walk::new(bytes)?, client: ClientId(0), clock: 0, end: 0, content })
    }

    fn next(&mut self) -> Result<Option<(Id, Unit<'a>)>, Malformed> {
        loop {
            if self.clock == self.end && !self.open_struct()? {
                return Ok(None);
            }
            let id = Id { client: self.client, clock: self.clock };
            self.clock += 1;
            let unit = match &mut self.content {
                Content::Whole(kind, bytes) => Unit::Other(*kind, bytes),
                Content::Text(units) => Unit::Char(units.next().unwrap_or_default()),
                Content::Values(kind, reader) => {
                    let from = reader.at;
                    if *kind == Kind::Json {
                        skip_json_value(reader)?
                    } else {
                        skip_any(reader)?
                    }
                    Unit::Other(*kind, &self.bytes[from..reader.at])
                }
            };
            if !self.deleted.contains(id) {
                return Ok(Some((id, self.halved(id, unit))));
            }
        }
    }

    /// Half of a character whose other half is deleted reads U+FFFD once it is cut.
    fn halved(&self, id: Id, unit: Unit<'a>) -> Unit<'a> {
        let clock = match unit {
            Unit::Char(0xd800..=0xdbff) => id.clock + 1,
            Unit::Char(0xdc00..=0xdfff) => id.clock - 1,
            other => return other,
        };
        if self.deleted.contains(Id { clock, ..id }) { Unit::Char(0xfffd) } else { unit }
    }

    /// Goes to the next struct that holds anything; false at the end.
    fn open_struct(&mut self) -> Result<bool, Malformed> {
        loop {
            let Some(one) = self.walk.next()? else {
                match self.walk.section()? {
                    Some(head) => self.client = head.client,
                    None => return Ok(false),
                }
                continue;
            };
            if matches!(one.kind, Kind::Gc | Kind::Skip | Kind::Deleted) {
                continue;
            }
            let info = self.bytes[one.bytes.start];
            let mut reader = Reader::new(&self.bytes[..one.bytes.end], one.bytes.start + 1);
            Header::read(&mut reader, info & !KIND_BITS)?;
            self.content = match one.kind {
                Kind::String => Content::Text(reader.string()?.encode_utf16()),
                Kind::Json | Kind::Any => {
                    reader.number()?;
                    Content::Values(one.kind, reader)
                }
                kind => Content::Whole(kind, &self.bytes[reader.at..one.bytes.end]),
            };
            (self.clock, self.end) = (one.clock, one.end());
            return Ok(true);
        }
    }
}
