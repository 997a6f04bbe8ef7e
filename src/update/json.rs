//! Says whether `JSON.parse` would accept a text, without recursion and without building the value.

use super::Malformed;
use super::reader::MAX_NESTING;

/// What must come next inside the text.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    CommaOrEnd,
}

/// Accepts exactly what `JSON.parse` accepts, up to [`MAX_NESTING`] levels; `start` is the offset of `text` in the
/// update, for the error.
pub(super) fn check_json(text: &str, start: usize) -> Result<(), Malformed> {
    let mut cursor = Cursor { bytes: text.as_bytes(), at: 0 };
    cursor.document().map_err(|flaw| match flaw {
        Flaw::Grammar => Malformed::Json(start + cursor.at),
        Flaw::Depth => Malformed::Nested(start + cursor.at),
    })
}

enum Flaw {
    Grammar,
    Depth,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn document(&mut self) -> Result<(), Flaw> {
        // One entry a level: whether it is an object.
        let mut open = [false; MAX_NESTING];
        let mut depth = 0;
        let mut expect = Expect::Value;
        loop {
            self.space();
            let byte = self.peek();
            match (expect, byte) {
                (Expect::ValueOrEnd, Some(b']')) | (Expect::KeyOrEnd, Some(b'}')) => {
                    self.at += 1;
                    depth -= 1;
                }
                (Expect::CommaOrEnd, Some(b',')) => {
                    self.at += 1;
                    expect = if open[depth - 1] { Expect::Key } else { Expect::Value };
                    continue;
                }
                (Expect::CommaOrEnd, Some(end)) if end == if open[depth - 1] { b'}' } else { b']' } => {
                    self.at += 1;
                    depth -= 1;
                }
                (Expect::Key | Expect::KeyOrEnd, Some(b'"')) => {
                    self.string()?;
                    self.space();
                    self.expect(b':')?;
                    expect = Expect::Value;
                    continue;
                }
                (Expect::Value | Expect::ValueOrEnd, Some(bracket @ (b'{' | b'['))) => {
                    if depth == MAX_NESTING {
                        return Err(Flaw::Depth);
                    }
                    self.at += 1;
                    open[depth] = bracket == b'{';
                    depth += 1;
                    expect = if bracket == b'{' { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                    continue;
                }
                (Expect::Value | Expect::ValueOrEnd, Some(byte)) => self.scalar(byte)?,
                _ => return Err(Flaw::Grammar),
            }
            if depth == 0 {
                self.space();
                return if self.at == self.bytes.len() { Ok(()) } else { Err(Flaw::Grammar) };
            }
            expect = Expect::CommaOrEnd;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Flaw> {
        if self.peek() != Some(byte) {
            return Err(Flaw::Grammar);
        }
        self.at += 1;
        Ok(())
    }

    fn scalar(&mut self, first: u8) -> Result<(), Flaw> {
        match first {
            b'"' => self.string(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Flaw> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(Flaw::Grammar);
        }
        self.at += word.len();
        Ok(())
    }

    fn string(&mut self) -> Result<(), Flaw> {
        self.expect(b'"')?;
        loop {
            match self.peek().ok_or(Flaw::Grammar)? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => self.escape()?,
                0..0x20 => return Err(Flaw::Grammar),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        let escape = self.bytes.get(self.at + 1).ok_or(Flaw::Grammar)?;
        let len = match escape {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            b'u' => {
                let digits = self.bytes.get(self.at + 2..self.at + 6).ok_or(Flaw::Grammar)?;
                if !digits.iter().all(u8::is_ascii_hexdigit) {
                    return Err(Flaw::Grammar);
                }
                6
            }
            _ => return Err(Flaw::Grammar),
        };
        self.at += len;
        Ok(())
    }

    fn number(&mut self) -> Result<(), Flaw> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == from { Err(Flaw::Grammar) } else { Ok(()) }
    }
}
