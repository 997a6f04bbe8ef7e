//! One struct of an update: the smallest thing with a clock and a length. Reads and checks it; splitting is in `take`.

use std::ops::Range;

use super::any::{OBJECT, skip_any};
use super::json::check_json;
use super::reader::{MAX_CLOCK, Reader, utf16_len};
use super::{Id, Malformed};

/// The kind of content is in the low bits of the info byte; the others say what the header holds.
pub(super) const KIND_BITS: u8 = 0b0001_1111;
pub(super) const HAS_SUB: u8 = 0b0010_0000;
pub(super) const HAS_RIGHT: u8 = 0b0100_0000;
pub(super) const HAS_ORIGIN: u8 = 0b1000_0000;

/// Yjs's numbers of the contents.
pub(super) const GC: u8 = 0;
pub(super) const DELETED: u8 = 1;
pub(super) const JSON: u8 = 2;
const BINARY: u8 = 3;
pub(super) const STRING: u8 = 4;
const EMBED: u8 = 5;
const FORMAT: u8 = 6;
const TYPE: u8 = 7;
const ANY: u8 = 8;
const DOC: u8 = 9;
pub(super) const SKIP: u8 = 10;

/// The fewest bytes a struct can take: an info byte and a length.
pub(super) const MIN_STRUCT_BYTES: usize = 2;
/// The fewest bytes an item of embedded JSON can take: its length and one digit.
const MIN_JSON_BYTES: usize = 2;

/// What a struct is. All but `Gc` and `Skip` are items: content with a place in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Content collected as garbage, of which only the length is left.
    Gc,
    /// No content: clocks that the update leaves out.
    Skip,
    /// Deleted content that still has its place.
    Deleted,
    /// Values as JSON texts (old Yjs).
    Json,
    /// One byte string.
    Binary,
    /// Text, one unit for each UTF-16 code unit.
    String,
    /// One object in rich text.
    Embed,
    /// The begin or end of a formatted range.
    Format,
    /// A nested shared type.
    Type,
    /// Values.
    Any,
    /// A subdocument.
    Doc,
}

impl Kind {
    /// Whether ids of this kind are deleted by being there: no delete set need name them.
    pub fn is_deleted(self) -> bool {
        matches!(self, Self::Gc | Self::Deleted)
    }
}

/// One struct of a scanned update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Struct {
    /// Its first clock.
    pub clock: u32,
    /// How many ids it takes, at least 1.
    pub len: u32,
    /// Where it lies in the update, in bytes.
    pub bytes: Range<usize>,
    /// What it is.
    pub kind: Kind,
    /// The id it was inserted after.
    pub origin: Option<Id>,
    /// The id it was inserted before.
    pub right: Option<Id>,
    /// The id of the nested type that holds it, where the bytes say so; an item with a neighbour shares that one's.
    pub parent: Option<Id>,
}

impl Struct {
    /// The clock after its last.
    pub fn end(&self) -> u32 {
        self.clock + self.len
    }
}

/// Where an item lies: what stands between its info byte and its content.
#[derive(Default)]
pub(super) struct Header {
    pub(super) origin: Option<Id>,
    pub(super) right: Option<Id>,
    pub(super) parent: Option<Id>,
}

impl Header {
    pub(super) fn read(reader: &mut Reader<'_>, info: u8) -> Result<Self, Malformed> {
        let mut header = Self::default();
        if info & HAS_ORIGIN != 0 {
            header.origin = Some(reader.id()?);
        }
        if info & HAS_RIGHT != 0 {
            header.right = Some(reader.id()?);
        }
        if info & (HAS_ORIGIN | HAS_RIGHT) == 0 {
            let from = reader.at;
            match reader.number()? {
                1 => {
                    reader.name()?;
                }
                0 => header.parent = Some(reader.id()?),
                _ => return Err(Malformed::Parent(from)),
            }
            if info & HAS_SUB != 0 {
                reader.name()?;
            }
        }
        Ok(header)
    }
}

/// Reads one struct that starts at `clock`.
#[inline]
pub(super) fn read_struct(reader: &mut Reader<'_>, clock: u32) -> Result<Struct, Malformed> {
    let from = reader.at;
    let info = reader.byte()?;
    let (header, kind, len) = match info & KIND_BITS {
        // With other bits set some readers of Yjs see an item here and others do not.
        GC | SKIP if info & !KIND_BITS != 0 => return Err(Malformed::Kind(from)),
        GC => (Header::default(), Kind::Gc, reader.clock()?),
        SKIP => (Header::default(), Kind::Skip, reader.clock()?),
        content => {
            let header = Header::read(reader, info)?;
            let (kind, len) = read_content(reader, content, from)?;
            (header, kind, len)
        }
    };
    if len == 0 {
        return Err(Malformed::ZeroLength(from));
    }
    if len > MAX_CLOCK - clock {
        return Err(Malformed::Clock(from));
    }
    let Header { origin, right, parent } = header;
    Ok(Struct { clock, len, bytes: from..reader.at, kind, origin, right, parent })
}

/// Reads the content of an item; answers its kind and its length in ids.
fn read_content(reader: &mut Reader<'_>, content: u8, from: usize) -> Result<(Kind, u32), Malformed> {
    Ok(match content {
        DELETED => (Kind::Deleted, reader.clock()?),
        JSON => (Kind::Json, read_values(reader, MIN_JSON_BYTES, skip_json_value)?),
        BINARY => {
            reader.buffer()?;
            (Kind::Binary, 1)
        }
        STRING => {
            let len = utf16_len(reader.string()?);
            (Kind::String, u32::try_from(len).map_err(|_| Malformed::Clock(from))?)
        }
        EMBED => {
            skip_json(reader)?;
            (Kind::Embed, 1)
        }
        FORMAT => {
            reader.name()?;
            skip_json(reader)?;
            (Kind::Format, 1)
        }
        TYPE => {
            skip_type(reader)?;
            (Kind::Type, 1)
        }
        ANY => (Kind::Any, read_values(reader, 1, skip_any)?),
        DOC => {
            reader.name()?;
            skip_doc_options(reader)?;
            (Kind::Doc, 1)
        }
        _ => return Err(Malformed::Kind(from)),
    })
}

/// Reads a count and that many values of at least `least` bytes; answers the count.
fn read_values<'a>(
    reader: &mut Reader<'a>,
    least: usize,
    skip: impl Fn(&mut Reader<'a>) -> Result<(), Malformed>,
) -> Result<u32, Malformed> {
    let from = reader.at;
    let count = reader.count(least)?;
    for _ in 0..count {
        skip(reader)?;
    }
    u32::try_from(count).map_err(|_| Malformed::Clock(from))
}

/// Reads past one value of JSON content, which may also be the word that stands for no value.
pub(super) fn skip_json_value(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let text = reader.string()?;
    if text == "undefined" { Ok(()) } else { check_json(text, reader.at - text.len()) }
}

fn skip_json(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let text = reader.string()?;
    check_json(text, reader.at - text.len())
}

fn skip_type(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let from = reader.at;
    match reader.number()? {
        // Array, map, text, XML fragment, XML text.
        0..=2 | 4 | 6 => Ok(()),
        // An XML element has a node name, an XML hook a hook name.
        3 | 5 => reader.name().map(|_| ()),
        _ => Err(Malformed::TypeRef(from)),
    }
}

fn skip_doc_options(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let from = reader.at;
    if reader.clone().byte()? != OBJECT {
        return Err(Malformed::DocOptions(from));
    }
    skip_any(reader)
}
