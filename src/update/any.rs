//! Reads past one lib0 `Any` value (the content of arrays and maps) without recursion; builds nothing.

use super::Malformed;
use super::reader::{MAX_NESTING, Reader};

pub(super) const OBJECT: u8 = 118;

/// What is left to read of one open container.
#[derive(Clone, Copy, Default)]
struct Open {
    values: usize,
    keyed: bool,
}

/// Reads past one value of any tag.
pub(super) fn skip_any(reader: &mut Reader<'_>) -> Result<(), Malformed> {
    let mut open = [Open::default(); MAX_NESTING];
    let mut depth = 0;
    loop {
        let from = reader.at;
        let opened = match reader.byte()? {
            // undefined, null, false, true
            127 | 126 | 121 | 120 => None,
            125 => reader.skip_signed().map(|()| None)?,
            // float32; then float64 and bigint
            124 => reader.take(4).map(|_| None)?,
            123 | 122 => reader.take(8).map(|_| None)?,
            119 => reader.string().map(|_| None)?,
            116 => reader.buffer().map(|_| None)?,
            // A key takes at least its length byte, a value at least its tag.
            OBJECT => Some(Open { values: reader.count(2)?, keyed: true }),
            117 => Some(Open { values: reader.count(1)?, keyed: false }),
            _ => return Err(Malformed::AnyTag(from)),
        };
        if let Some(container) = opened {
            if depth == MAX_NESTING {
                return Err(Malformed::Nested(from));
            }
            open[depth] = container;
            depth += 1;
        }
        while depth > 0 && open[depth - 1].values == 0 {
            depth -= 1;
        }
        if depth == 0 {
            return Ok(());
        }
        open[depth - 1].values -= 1;
        if open[depth - 1].keyed {
            reader.string()?;
        }
    }
}
