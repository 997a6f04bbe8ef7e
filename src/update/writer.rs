//! The primitive writes of lib0, into a plain `Vec<u8>`.

use super::Id;

/// Appends a number in 7-bit groups, lowest first.
#[inline]
pub(crate) fn put_number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_id(out: &mut Vec<u8>, id: Id) {
    put_number(out, id.client.0);
    put_number(out, id.clock.into());
}

pub(crate) fn put_string(out: &mut Vec<u8>, text: &str) {
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}
