//! Lists in pages: `?limit=&after=` in, `{"items":[…],"next":…}` out. The cursor is the last item's id.

use std::fmt::Display;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::error::{Error, Result};
use crate::limits;

/// Which page is wanted.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// How many items are wanted; above 200 it means 200.
    #[param(minimum = 1, default = 50)]
    limit: Option<i64>,
    /// The `next` of the page before; the first page when left out.
    after: Option<String>,
}

/// How many items are wanted, at most [`limits::PAGE_ITEMS_MAX`].
///
/// # Errors
/// `bad_limit` for less than one.
pub fn limit(given: Option<i64>) -> Result<i64> {
    match given.unwrap_or(limits::PAGE_ITEMS) {
        limit if limit >= 1 => Ok(limit.min(limits::PAGE_ITEMS_MAX)),
        _ => Err(Error::invalid("bad_limit", "limit must be at least 1")),
    }
}

impl PageQuery {
    /// How many items are wanted, at most [`limits::PAGE_ITEMS_MAX`].
    ///
    /// # Errors
    /// `bad_limit` for less than one.
    pub fn limit(&self) -> Result<i64> {
        limit(self.limit)
    }

    /// The item after which the page begins; `None` for the first page.
    ///
    /// # Errors
    /// `bad_cursor` for what no page gave as its `next`.
    pub fn after<I: FromStr>(&self) -> Result<Option<I>> {
        let parsed = self.after.as_deref().map(str::parse).transpose();
        parsed.map_err(|_| Error::invalid("bad_cursor", "after must be the `next` of the page before"))
    }
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Where the next page begins; null on the last.
    #[schema(required)]
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of `limit` items from a query that asked for one more, to see whether there is a next page.
    #[must_use]
    pub fn cut<I: Display>(mut items: Vec<T>, limit: i64, id: impl Fn(&T) -> I) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(|item| id(item).to_string()) } else { None };
        Self { items, next }
    }

    /// A page of `limit` items that are wanted, of a list that `read` answers in its order: so many after an item. Where few
    /// are wanted, a page may hold less than asked for and yet not be the last: so much is looked through for one.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn sift<I: Display + Clone, R: Future<Output = Result<Vec<T>>>>(
        limit: i64,
        mut after: Option<I>,
        read: impl Fn(Option<I>, i64) -> R,
        id: impl Fn(&T) -> I,
        is_wanted: impl Fn(&T) -> bool,
    ) -> Result<Self> {
        let (size, mut found, mut looked) = (usize::try_from(limit).unwrap_or(usize::MAX), Vec::new(), 0);
        loop {
            let some = read(after, limit + 1).await?;
            let is_last = some.len() <= size;
            let last = some.last().map(&id);
            looked += some.len();
            found.extend(some.into_iter().filter(&is_wanted));
            if is_last || found.len() > size {
                return Ok(Self::cut(found, limit, id));
            }
            if looked >= limits::SIFTED_ROWS {
                return Ok(Self { items: found, next: last.map(|last| last.to_string()) });
            }
            after = last;
        }
    }

    /// A list that is short by its nature, as one page.
    #[must_use]
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    /// The same page with each item turned into its view.
    #[must_use]
    pub fn map<U>(self, view: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(view).collect(), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_the_next_only_when_there_is_one() {
        let page = Page::cut(vec![1, 2, 3], 2, |n| *n);
        assert_eq!((page.items, page.next), (vec![1, 2], Some("2".to_owned())));
        let page = Page::cut(vec![1, 2], 2, |n| *n);
        assert_eq!((page.items, page.next), (vec![1, 2], None));
    }

    #[tokio::test]
    async fn what_is_wanted_is_found_page_by_page_however_little_it_is() {
        let all = |from: Option<i64>, most: i64| async move {
            Ok((from.map_or(0, |from| from + 1)..10_000).take(usize::try_from(most).unwrap()).collect())
        };
        let every = |step: i64| move |n: &i64| *n % step == 0;
        let page = Page::sift(2, None, all, |n| *n, every(1)).await.unwrap();
        assert_eq!((page.items, page.next.as_deref()), (vec![0, 1], Some("1")));
        let page = Page::sift(2, Some(1), all, |n| *n, every(10)).await.unwrap();
        assert_eq!((page.items, page.next.as_deref()), (vec![10, 20], Some("20")));
        let page = Page::sift(2, Some(9_997), all, |n| *n, every(10)).await.unwrap();
        assert_eq!((page.items, page.next), (vec![], None));
        let (mut after, mut found, mut pages) = (None, Vec::new(), 0);
        loop {
            let page = Page::sift(50, after, all, |n| *n, every(4_000)).await.unwrap();
            (found, pages) = ([found, page.items].concat(), pages + 1);
            let Some(next) = page.next else { break };
            after = Some(next.parse().unwrap());
        }
        assert_eq!(found, [0, 4_000, 8_000]);
        assert!((4..8).contains(&pages), "{pages} pages");
    }

    #[test]
    fn limits_are_bounded_on_both_sides() {
        let query = |limit| PageQuery { limit: Some(limit), after: None };
        assert!(query(0).limit().is_err());
        assert_eq!(query(1_000_000).limit().unwrap(), limits::PAGE_ITEMS_MAX);
    }
}
