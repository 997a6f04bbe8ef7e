//! How often somebody may ask, as settings say it.

use std::num::NonZeroU32;
use std::str::FromStr;

use anyhow::Context;

/// So many requests a second for long, and so many at once: `20/200`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// For long.
    pub per_second: NonZeroU32,
    /// At once.
    pub burst: NonZeroU32,
}

impl Rate {
    /// This many a second, and this many at once; 0 counts as 1.
    #[must_use]
    pub const fn new((per_second, burst): (u32, u32)) -> Self {
        Self { per_second: at_least_one(per_second), burst: at_least_one(burst) }
    }
}

const fn at_least_one(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl FromStr for Rate {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parse = || {
            let (per_second, burst) = text.split_once('/')?;
            Some(Self { per_second: per_second.trim().parse().ok()?, burst: burst.trim().parse().ok()? })
        };
        parse().with_context(|| format!("{text:?} must be requests a second and at once, such as 20/200"))
    }
}

/// The rates of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// For one user, whatever they come with.
    pub user: Rate,
    /// For one address, but for the machine itself.
    pub address: Rate,
    /// For one project, whoever asks.
    pub project: Rate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_two_numbers() {
        assert_eq!("20/200".parse::<Rate>().unwrap(), Rate::new((20, 200)));
        for bad in ["", "20", "0/5", "5/0", "a/b", "-1/2", "20/200/1"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }
}
