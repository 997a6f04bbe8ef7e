//! A model's window while one answer is given: all that it is told, from the first word to the last result of a tool, is
//! taken from one remainder, and cut where that ends.

use super::context::Fence;
use super::tokens;
use crate::limits;

/// What is left of the tokens that a model reads and writes at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    /// The answer, which is kept free.
    pub(super) answer: u32,
    /// All that may be read.
    whole: usize,
    /// What of that is left.
    left: usize,
}

/// A text as a model is told it, between marks.
pub(super) struct Told<'t> {
    /// With its marks.
    pub(super) told: String,
    /// What of the text that is.
    pub(super) text: &'t str,
    /// Whether it is all of it.
    pub(super) is_whole: bool,
}

impl Window {
    pub(super) fn of(tokens: u32) -> Self {
        let answer = (tokens / 4).clamp(64, limits::ASSISTANT_ANSWER_TOKENS);
        let whole = usize::try_from(tokens.saturating_sub(answer)).unwrap_or(usize::MAX);
        Self { answer, whole, left: whole }
    }

    /// So many tokens of it, to be shared out for themselves.
    pub(super) fn part(tokens: usize) -> Self {
        Self { answer: 0, whole: tokens, left: tokens }
    }

    /// What one file, selection or result may take.
    pub(super) fn one(&self) -> usize {
        (self.whole / 8).min(limits::ASSISTANT_RESULT_TOKENS)
    }

    /// What messages from before may take.
    pub(super) fn history(&self) -> usize {
        self.whole / 3
    }

    /// What the files that a question brings along may take.
    pub(super) fn brought(&self) -> usize {
        self.whole / 3
    }

    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// What is told by now.
    pub(super) fn taken(&self) -> usize {
        self.whole - self.left
    }

    /// Takes what is told; false, and nothing, where that does not fit.
    pub(super) fn take(&mut self, tokens: usize) -> bool {
        let fits = tokens <= self.left;
        if fits {
            self.left -= tokens;
        }
        fits
    }

    /// Gives back what was kept free for later.
    pub(super) fn give_back(&mut self, tokens: usize) {
        self.left = (self.left + tokens).min(self.whole);
    }

    /// Tells a text between marks, of which at most so many tokens; `None` where not even its marks fit.
    pub(super) fn tell<'t>(&mut self, fence: &Fence, source: &str, text: &'t str, most: usize) -> Option<Told<'t>> {
        let marks = tokens::count(&fence.around(source, "")) + 1;
        let room = self.left.checked_sub(marks).filter(|room| *room > 0)?;
        let (text, is_whole) = tokens::cut(text, most.min(room));
        let told = fence.around(source, text);
        self.take(tokens::count(&told)).then_some(Told { told, text, is_whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_told_stays_within_it() {
        for tokens in [64, 256, 2_048, 8_192, 128_000, 1_000_000] {
            let mut window = Window::of(tokens);
            let (whole, fence, text) = (window.left(), Fence::new(), "é".repeat(100_000));
            let mut told = 0;
            for most in [1, window.one(), window.brought(), usize::MAX, usize::MAX] {
                told += window.tell(&fence, "a/file", &text, most).map_or(0, |one| tokens::count(&one.told));
            }
            assert_eq!(told + window.left(), whole);
            assert!(
                window.taken() + usize::try_from(window.answer).unwrap() <= usize::try_from(tokens).unwrap().max(64)
            );
            assert!(!window.take(window.left() + 1) && window.take(window.left()) && window.left() == 0);
        }
    }
}
