//! The grammar of a whole update as a stream: section heads, their structs, the delete set. Everything else here
//! is built on this one reader, and keeps of the stream only what it needs.

use super::item::{MIN_STRUCT_BYTES, Struct, read_struct};
use super::reader::Reader;
use super::{ClientId, IdSet, Malformed};

/// The fewest bytes of a section: count, client, clock and one struct.
const MIN_SECTION_BYTES: usize = 3 + MIN_STRUCT_BYTES;

/// The order to call is fixed: `section`, then `next` until it is `None`, until `section` is `None`; then `deletions`.
pub(super) struct Walk<'a> {
    reader: Reader<'a>,
    sections: usize,
    structs: usize,
    clock: u32,
    clients: Vec<(ClientId, usize)>,
    descending: bool,
}

/// The head of one section.
pub(super) struct Head {
    pub(super) client: ClientId,
    pub(super) clock: u32,
    pub(super) structs: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, 0);
        let sections = reader.count(MIN_SECTION_BYTES)?;
        Ok(Self { reader, sections, structs: 0, clock: 0, clients: Vec::new(), descending: true })
    }

    /// How many sections are still to come.
    pub(super) fn sections_left(&self) -> usize {
        self.sections
    }

    /// The offset in bytes that was reached.
    pub(super) fn at(&self) -> usize {
        self.reader.at
    }

    /// How many bytes are still to come.
    pub(super) fn bytes_left(&self) -> usize {
        self.reader.left()
    }

    pub(super) fn section(&mut self) -> Result<Option<Head>, Malformed> {
        debug_assert_eq!(self.structs, 0, "the structs of the section before were not read");
        if self.sections == 0 {
            return Ok(None);
        }
        let from = self.reader.at;
        // Client and clock stand between the count and the structs.
        let structs = self.reader.count(MIN_STRUCT_BYTES)?;
        let client = self.reader.client()?;
        let clock = self.reader.clock()?;
        if structs == 0 {
            return Err(Malformed::EmptySection(from));
        }
        // One section cannot repeat a client, and it is the common case: nothing is kept for it.
        if self.sections > 1 || !self.clients.is_empty() {
            self.descending &= self.clients.last().is_none_or(|(last, _)| client < *last);
            self.clients.push((client, from));
        }
        self.sections -= 1;
        self.structs = structs;
        self.clock = clock;
        Ok(Some(Head { client, clock, structs }))
    }

    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<Struct>, Malformed> {
        if self.structs == 0 {
            return Ok(None);
        }
        let one = read_struct(&mut self.reader, self.clock)?;
        self.structs -= 1;
        self.clock = one.end();
        Ok(Some(one))
    }

    /// The delete set, after which nothing may follow.
    pub(super) fn deletions(mut self) -> Result<IdSet, Malformed> {
        debug_assert_eq!(self.structs + self.sections, 0, "the sections were not read");
        if !self.descending {
            self.clients.sort_unstable();
            if let Some(pair) = self.clients.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                return Err(Malformed::SameClient(pair[1].1));
            }
        }
        let deletions = IdSet::read(&mut self.reader)?;
        if self.reader.left() > 0 {
            return Err(Malformed::Trailing(self.reader.at));
        }
        Ok(deletions)
    }
}
