//! Edits as models name them: by the text that they replace, or by its lines, in a file as they were shown it.

use serde::Deserialize;

use super::bad;
use crate::error::Result;

/// What is replaced, and by what.
#[derive(Debug, Deserialize)]
pub(super) struct ProposedEdit {
    #[serde(default)]
    find: Option<String>,
    #[serde(default)]
    first_line: Option<usize>,
    #[serde(default)]
    last_line: Option<usize>,
    #[serde(alias = "new_text")]
    replace: String,
}

/// A text with its edits carried out. Lines are those of the text before any.
pub(super) fn edited(base: &str, edits: &[ProposedEdit]) -> Result<String> {
    let mut changes = Vec::with_capacity(edits.len());
    for edit in edits {
        let (from, to) = place(base, edit)?;
        changes.push((from, to, ended(&base[from..to], &edit.replace, edit.find.is_none())));
    }
    changes.sort_by_key(|(from, to, _)| (*from, *to));
    if changes.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return Err(bad("two edits change the same place; make them one"));
    }
    let mut text = base.to_owned();
    for (from, to, replace) in changes.into_iter().rev() {
        text.replace_range(from..to, &replace);
    }
    Ok(text)
}

/// Which bytes an edit replaces.
fn place(base: &str, edit: &ProposedEdit) -> Result<(usize, usize)> {
    match (edit.find.as_deref(), edit.first_line) {
        (Some(find), _) if !find.is_empty() => {
            let mut places = base.match_indices(find);
            let (at, _) = places.next().ok_or_else(|| bad(format!("the file does not say {find:?}; read it again")))?;
            if places.next().is_some() {
                return Err(bad(format!("the file says {find:?} more than once; find more of it")));
            }
            Ok((at, at + find.len()))
        }
        (_, Some(first)) => {
            let starts: Vec<usize> = std::iter::once(0)
                .chain(base.match_indices('\n').map(|(at, _)| at + 1))
                .filter(|at| *at < base.len().max(1))
                .collect();
            // Beyond the last line is its end.
            let first = first.max(1) - 1;
            let last = edit.last_line.map_or(first, |last| last.max(1) - 1).max(first);
            let from = starts.get(first).copied().unwrap_or(base.len());
            let to = last.checked_add(1).and_then(|next| starts.get(next)).copied().unwrap_or(base.len());
            Ok((from, to))
        }
        _ => Err(bad("an edit says what it replaces, by `find` or by `first_line` and `last_line`")),
    }
}

/// Whole lines are replaced by whole lines.
fn ended(replaced: &str, replace: &str, is_lines: bool) -> String {
    let lacks_end = is_lines && !replace.is_empty() && !replace.ends_with('\n') && replaced.ends_with('\n');
    if lacks_end { format!("{replace}\n") } else { replace.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(find: Option<&str>, lines: Option<(usize, usize)>, replace: &str) -> ProposedEdit {
        ProposedEdit {
            find: find.map(str::to_owned),
            first_line: lines.map(|(first, _)| first),
            last_line: lines.map(|(_, last)| last),
            replace: replace.to_owned(),
        }
    }

    #[test]
    fn edits_name_text_or_lines() {
        let base = "one\ntwo\nthree\n";
        assert_eq!(edited(base, &[edit(Some("two"), None, "2")]).unwrap(), "one\n2\nthree\n");
        assert_eq!(edited(base, &[edit(None, Some((2, 3)), "2")]).unwrap(), "one\n2\n");
        assert_eq!(
            edited(base, &[edit(None, Some((3, 1)), "3\n"), edit(None, Some((1, 1)), "1")]).unwrap(),
            "1\ntwo\n3\n"
        );
        assert_eq!(edited(base, &[edit(None, Some((9, usize::MAX)), "four\n")]).unwrap(), "one\ntwo\nthree\nfour\n");
        assert_eq!(edited("", &[edit(None, Some((1, 1)), "x")]).unwrap(), "x");
        for bad in [
            vec![edit(Some("four"), None, "")],
            vec![edit(Some("o"), None, "")],
            vec![edit(None, None, "x")],
            vec![edit(Some("two"), None, "x"), edit(None, Some((2, 2)), "y")],
        ] {
            assert!(edited(base, &bad).is_err(), "{bad:?}");
        }
    }
}
