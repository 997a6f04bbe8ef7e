//! How often somebody may ask: token buckets for each user, each address and each project, and a count of sign-ins that
//! failed.
//!
//! A bucket is forgotten once it is full again ([`Rates::forget`]), so what is kept is bounded by how many ask at all
//! within the time one takes to fill.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::address::ClientAddress;
use crate::error::{Error, Result};
use crate::ids::{ProjectId, UserId};
use crate::limits;
use crate::rate::{Allowed, Rate};

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// A user's.
    User(UserId),
    /// An address's.
    Address(ClientAddress),
    /// A project's.
    Project(ProjectId),
}

impl Whose {
    /// The word for it in the measurements.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Address(_) => "address",
            Self::Project(_) => "project",
        }
    }
}

type Buckets<K> = RateLimiter<K, DashMapStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// Who asked how often.
#[derive(Debug)]
pub struct Rates {
    allowed: Allowed,
    users: Buckets<UserId>,
    addresses: Buckets<ClientAddress>,
    projects: Buckets<ProjectId>,
    failed: Mutex<HashMap<ClientAddress, Failures>>,
}

/// Sign-ins of one address that failed.
#[derive(Debug, Clone, Copy)]
struct Failures {
    number: u32,
    until: Instant,
}

/// Marks an answer that counts among the failed sign-ins of its address: what was shown was not right, or nobody is let in
/// that way. Who says no at the last moment, or makes a slip, has not failed.
#[derive(Debug, Clone, Copy)]
pub struct FailedSignIn;

/// The state of the tightest bucket that a request came through, for its answer's headers.
#[derive(Debug, Clone, Default)]
pub struct Standing(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    left: Option<Left>,
    /// Who asks, once they are counted; a request may look twice.
    user: Option<UserId>,
    refused: Option<&'static str>,
}

#[derive(Debug, Clone, Copy)]
struct Left {
    limit: u32,
    remaining: u32,
    /// Seconds until the bucket is full.
    reset: u32,
}

impl Rates {
    /// Nobody has asked yet.
    #[must_use]
    pub fn new(allowed: Allowed) -> Self {
        Self {
            allowed,
            users: buckets(allowed.user),
            addresses: buckets(allowed.address),
            projects: buckets(allowed.project),
            failed: Mutex::default(),
        }
    }

    /// Counts one more request.
    ///
    /// # Errors
    /// [`Error::RateLimited`] when there were too many.
    pub fn count(&self, whose: Whose, standing: &Standing) -> Result<()> {
        let counted = match whose {
            Whose::User(user) if standing.0.lock().user.replace(user).is_some() => Ok(()),
            Whose::User(user) => take(&self.users, &user, self.allowed.user, standing),
            // A proxy on this machine speaks for everyone.
            Whose::Address(address) if address.is_local() => Ok(()),
            Whose::Address(address) => take(&self.addresses, &address, self.allowed.address, standing),
            Whose::Project(project) => take(&self.projects, &project, self.allowed.project, standing),
        };
        if counted.is_err() {
            standing.0.lock().refused = Some(whose.kind());
        }
        counted
    }

    /// Whether an address may try to sign in.
    ///
    /// # Errors
    /// [`Error::RateLimited`] after too many tries that failed.
    pub fn may_sign_in(&self, address: ClientAddress) -> Result<()> {
        self.may_sign_in_at(address, Instant::now())
    }

    fn may_sign_in_at(&self, address: ClientAddress, now: Instant) -> Result<()> {
        match self.failed.lock().get(&address) {
            Some(failures) if failures.number >= limits::SIGN_IN_FAILURES && failures.until > now => {
                Err(Error::RateLimited { retry_after: whole_seconds(failures.until - now) })
            }
            _ => Ok(()),
        }
    }

    /// Notes that a sign-in failed.
    pub fn sign_in_failed(&self, address: ClientAddress) {
        let now = Instant::now();
        let mut failed = self.failed.lock();
        if failed.len() >= limits::SIGN_IN_ADDRESSES {
            failed.retain(|_, failures| failures.until > now);
        }
        let fresh = Failures { number: 0, until: now + limits::SIGN_IN_WAIT };
        // Where there is no place, an attack comes from so many addresses that counting by address stops nothing.
        if failed.len() < limits::SIGN_IN_ADDRESSES || failed.contains_key(&address) {
            let failures = failed.entry(address).or_insert(fresh);
            if failures.until <= now {
                *failures = fresh;
            }
            failures.number += 1;
        }
    }

    /// Forgets who has asked so little lately that it makes no difference.
    pub fn forget(&self) {
        self.users.retain_recent();
        self.users.shrink_to_fit();
        self.addresses.retain_recent();
        self.addresses.shrink_to_fit();
        self.projects.retain_recent();
        self.projects.shrink_to_fit();
        let now = Instant::now();
        self.failed.lock().retain(|_, failures| failures.until > now);
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.users.len() + self.addresses.len() + self.projects.len() + self.failed.lock().len()
    }

    /// Whether nobody is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn buckets<K: Hash + Eq + Clone>(rate: Rate) -> Buckets<K> {
    RateLimiter::dashmap(quota(rate)).with_middleware()
}

fn quota(rate: Rate) -> Quota {
    Quota::per_second(rate.per_second).allow_burst(rate.burst)
}

fn take<K: Hash + Eq + Clone>(buckets: &Buckets<K>, key: &K, rate: Rate, standing: &Standing) -> Result<()> {
    let (limit, per_second) = (rate.burst.get(), rate.per_second.get());
    let (remaining, taken) = match buckets.check_key(key) {
        Ok(state) => (state.remaining_burst_capacity(), Ok(())),
        Err(until) => {
            let wait = until.wait_time_from(DefaultClock::default().now());
            (0, Err(Error::RateLimited { retry_after: whole_seconds(wait) }))
        }
    };
    standing.note(Left { limit, remaining, reset: limit.saturating_sub(remaining).div_ceil(per_second) });
    taken
}

/// At least one, since a wait of none is no answer.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1_000).try_into().map_or(u64::MAX, |seconds: u64| seconds.max(1))
}

impl Standing {
    fn note(&self, left: Left) {
        let mut noted = self.0.lock();
        if noted.left.is_none_or(|noted| left.remaining <= noted.remaining) {
            noted.left = Some(left);
        }
    }

    /// Who asks, as far as they were counted.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.0.lock().user
    }

    /// Whose limit refused the request, in a word.
    #[must_use]
    pub fn refused(&self) -> Option<&'static str> {
        self.0.lock().refused
    }

    /// Tells it in an answer's headers.
    pub fn tell(&self, headers: &mut HeaderMap) {
        let Some(left) = self.0.lock().left else { return };
        headers.insert(LIMIT, HeaderValue::from(left.limit));
        headers.insert(REMAINING, HeaderValue::from(left.remaining));
        headers.insert(RESET, HeaderValue::from(left.reset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Rate = Rate::new((1, 2));

    fn address(text: &str) -> ClientAddress {
        ClientAddress::new(text.parse().unwrap())
    }

    fn rates() -> Rates {
        Rates::new(Allowed { user: ONE, address: ONE, project: ONE })
    }

    #[test]
    fn a_bucket_empties_for_one_and_not_for_others() {
        let (rates, user) = (rates(), UserId::new());
        assert!(rates.count(Whose::User(user), &Standing::default()).is_ok());
        let standing = Standing::default();
        assert!(rates.count(Whose::User(user), &standing).is_ok());
        assert!(rates.count(Whose::User(user), &standing).is_ok(), "one request counts once");
        let standing = Standing::default();
        let refused = rates.count(Whose::User(user), &standing);
        assert!(matches!(refused, Err(Error::RateLimited { retry_after: 1 })), "{refused:?}");
        assert!(rates.count(Whose::User(UserId::new()), &Standing::default()).is_ok());
        let mut headers = HeaderMap::new();
        standing.tell(&mut headers);
        assert_eq!(
            (&headers[LIMIT], &headers[REMAINING], &headers[RESET]),
            (&"2".parse().unwrap(), &"0".parse().unwrap(), &"2".parse().unwrap())
        );
    }

    #[test]
    fn the_machine_itself_asks_as_often_as_it_likes() {
        let rates = rates();
        for _ in 0..9 {
            rates.count(Whose::Address(address("127.0.0.1")), &Standing::default()).unwrap();
        }
        assert!(rates.is_empty());
    }

    #[test]
    fn sign_ins_that_fail_are_counted_until_their_time_is_over() {
        let (rates, from) = (rates(), address("192.0.2.1"));
        for _ in 0..limits::SIGN_IN_FAILURES {
            rates.may_sign_in(from).unwrap();
            rates.sign_in_failed(from);
        }
        assert!(matches!(rates.may_sign_in(from), Err(Error::RateLimited { retry_after: 2.. })));
        assert!(rates.may_sign_in(address("192.0.2.2")).is_ok());
        assert!(rates.may_sign_in_at(from, Instant::now() + limits::SIGN_IN_WAIT).is_ok());
        assert_eq!(rates.len(), 1);
    }
}
