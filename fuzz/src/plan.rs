//! An input as a row of decisions. It never ends: after the last byte every decision is the first choice.

/// The decisions that are left.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    bytes: &'a [u8],
}

impl<'a> Plan<'a> {
    /// All of an input.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether nothing is left to be decided.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        let (&first, rest) = self.bytes.split_first().unwrap_or((&0, &[]));
        self.bytes = rest;
        first
    }

    /// One of so many choices.
    pub fn below(&mut self, choices: usize) -> usize {
        usize::from(self.byte()) % choices.max(1)
    }

    /// True once in so many times.
    pub fn one_in(&mut self, times: u8) -> bool {
        self.byte() % times == times - 1
    }

    /// One of these.
    pub fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    /// A number below 2^28, mostly a small one.
    pub fn number(&mut self) -> u32 {
        match self.byte() {
            byte @ 0..0xf0 => (byte % 8).into(),
            0xf0..0xfc => u32::from(self.byte()) << 8 | u32::from(self.byte()),
            _ => u32::from(self.byte()) << 20 | u32::from(self.byte()),
        }
    }

    /// What is left, as it is.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// So many bytes at most.
    pub fn take(&mut self, most: usize) -> &'a [u8] {
        let (some, rest) = self.bytes.split_at(most.min(self.bytes.len()));
        self.bytes = rest;
        some
    }
}
