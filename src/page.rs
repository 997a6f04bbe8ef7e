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

    #[test]
    fn limits_are_bounded_on_both_sides() {
        let query = |limit| PageQuery { limit: Some(limit), after: None };
        assert!(query(0).limit().is_err());
        assert_eq!(query(1_000_000).limit().unwrap(), limits::PAGE_ITEMS_MAX);
    }
}
