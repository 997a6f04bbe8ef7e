//! A position in bytes and the primitive reads of lib0, each bounded. Knows nothing of structs.

use super::{ClientId, Id, Malformed};

/// The highest clock that may exist, in units. yrs and some SDKs keep clocks in 32 signed bits.
pub const MAX_CLOCK: u32 = i32::MAX as u32;

/// How deep `Any` values and embedded JSON may nest, in levels. Readers recurse (`Any` in yrs aborts the process at
/// about 7,000 levels on a small stack); rich-text JSON in the field stays below 40.
pub const MAX_NESTING: usize = 64;

/// The longest root name, map key, format key, node name or subdocument guid, in bytes. Such names become keys of
/// every index a reader builds; apps that key maps by a whole paragraph still fit.
pub const MAX_NAME_BYTES: usize = 64 * 1024;

/// The longest number, in bytes: 8 × 7 bits hold 2^53 - 1, the largest JavaScript can count to.
const MAX_NUMBER_BYTES: usize = 8;
const MAX_NUMBER: u64 = (1 << 53) - 1;

#[derive(Clone)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(crate) fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    #[inline]
    pub(crate) fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = *self.bytes.get(self.at).ok_or(Malformed::Truncated(self.at))?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        if len > self.left() {
            return Err(Malformed::Truncated(self.bytes.len()));
        }
        let from = self.at;
        self.at += len;
        Ok(&self.bytes[from..self.at])
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Result<u64, Malformed> {
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(byte.into())
            }
            _ => self.long_number(),
        }
    }

    fn long_number(&mut self) -> Result<u64, Malformed> {
        let from = self.at;
        let mut value = 0;
        for index in 0..MAX_NUMBER_BYTES {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return if value <= MAX_NUMBER { Ok(value) } else { Err(Malformed::Number(from)) };
            }
        }
        Err(Malformed::Number(from))
    }

    /// Reads past a signed number (6 bits and a sign in the first byte).
    pub(crate) fn skip_signed(&mut self) -> Result<(), Malformed> {
        let from = self.at;
        let first = self.byte()?;
        let mut value = u64::from(first & 0x3f);
        let mut more = first >= 0x80;
        for index in 0..MAX_NUMBER_BYTES - 1 {
            if !more {
                break;
            }
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (6 + 7 * index);
            more = byte >= 0x80;
        }
        if more || value > MAX_NUMBER { Err(Malformed::Number(from)) } else { Ok(()) }
    }

    pub(crate) fn client(&mut self) -> Result<ClientId, Malformed> {
        self.number().map(ClientId)
    }

    #[inline]
    pub(crate) fn clock(&mut self) -> Result<u32, Malformed> {
        let from = self.at;
        let clock = self.number()?;
        match u32::try_from(clock) {
            Ok(clock) if clock <= MAX_CLOCK => Ok(clock),
            _ => Err(Malformed::Clock(from)),
        }
    }

    #[inline]
    pub(crate) fn id(&mut self) -> Result<Id, Malformed> {
        Ok(Id { client: self.client()?, clock: self.clock()? })
    }

    /// A count of things of at least `least` bytes each, all of which must fit into the bytes left.
    pub(crate) fn count(&mut self, least: usize) -> Result<usize, Malformed> {
        let from = self.at;
        let count = self.number()?;
        if count > (self.left() / least) as u64 {
            return Err(Malformed::Count(from));
        }
        Ok(count as usize)
    }

    pub(crate) fn buffer(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.count(1).map_err(|wrong| match wrong {
            Malformed::Count(at) => Malformed::Truncated(at),
            other => other,
        })?;
        self.take(len)
    }

    pub(crate) fn string(&mut self) -> Result<&'a str, Malformed> {
        let bytes = self.buffer()?;
        let start = self.at - bytes.len();
        std::str::from_utf8(bytes).map_err(|wrong| Malformed::Utf8(start + wrong.valid_up_to()))
    }

    pub(crate) fn name(&mut self) -> Result<&'a str, Malformed> {
        let from = self.at;
        let name = self.string()?;
        if name.len() > MAX_NAME_BYTES { Err(Malformed::Name(from)) } else { Ok(name) }
    }
}

/// The length of `text` as JavaScript counts it, in UTF-16 units.
pub(crate) fn utf16_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    if bytes.is_ascii() {
        return bytes.len();
    }
    // One unit for each character, and one more for those beyond 16 bits, which take four bytes in UTF-8.
    bytes.iter().map(|&byte| usize::from((byte as i8) >= -0x40) + usize::from(byte >= 0xf0)).sum()
}
