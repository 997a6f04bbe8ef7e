//! What waits for a worker, in the order of how little of it everybody had lately: who asks for much waits for
//! themselves, and not the others.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::ids::ProjectId;
use crate::limits;

/// Whose turn a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turn {
    /// People's, of one project.
    Project(ProjectId),
    /// The server's own: folding.
    Server,
}

/// Jobs by whose they are.
#[derive(Debug)]
pub(super) struct Turns<J> {
    /// Who waits for something, in the order in which they came or had their last turn.
    waiting: VecDeque<(Turn, VecDeque<J>)>,
    /// The time that a worker spent on each, of which half is forgotten again and again.
    spent: HashMap<Turn, Duration>,
    halved: Instant,
}

impl<J> Turns<J> {
    pub(super) fn new(now: Instant) -> Self {
        Self { waiting: VecDeque::new(), spent: HashMap::new(), halved: now }
    }

    pub(super) fn push(&mut self, turn: Turn, job: J) {
        match self.waiting.iter_mut().find(|(waiting, _)| *waiting == turn) {
            Some((_, jobs)) => jobs.push_back(job),
            None => self.waiting.push_back((turn, VecDeque::from([job]))),
        }
    }

    /// The next job, of whoever had least.
    pub(super) fn pop(&mut self) -> Option<(Turn, J)> {
        let spent = |turn: &Turn| self.spent.get(turn).copied().unwrap_or_default();
        let (at, _) = self.waiting.iter().enumerate().min_by_key(|(_, (turn, _))| spent(turn))?;
        let (turn, mut jobs) = self.waiting.remove(at)?;
        let job = jobs.pop_front()?;
        if !jobs.is_empty() {
            self.waiting.push_back((turn, jobs));
        }
        Some((turn, job))
    }

    /// Notes what a job took.
    pub(super) fn spend(&mut self, turn: Turn, took: Duration, now: Instant) {
        *self.spent.entry(turn).or_default() += took;
        if now.duration_since(self.halved) >= limits::WORKER_TIME {
            self.halved = now;
            self.spent.retain(|_, spent| {
                *spent /= 2;
                *spent > Duration::from_millis(1)
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(turns: &mut Turns<i32>, took: impl Fn(Turn) -> u64, now: Instant) -> Vec<i32> {
        std::iter::from_fn(|| {
            let (turn, job) = turns.pop()?;
            turns.spend(turn, Duration::from_millis(took(turn)), now);
            Some(job)
        })
        .collect()
    }

    #[test]
    fn who_asks_a_lot_waits_for_themselves() {
        let (many, few) = (Turn::Project(ProjectId::new()), Turn::Project(ProjectId::new()));
        let now = Instant::now();
        let mut turns = Turns::new(now);
        let fill = |turns: &mut Turns<i32>| {
            (1..=3).for_each(|number| turns.push(many, number));
            turns.push(few, 10);
            turns.push(Turn::Server, 20);
            turns.push(few, 11);
        };
        fill(&mut turns);
        assert_eq!(order(&mut turns, |_| 5, now), [1, 10, 20, 2, 11, 3], "in turn, when all take the same");
        assert!(turns.waiting.is_empty());
        let mut turns = Turns::new(now);
        fill(&mut turns);
        assert_eq!(order(&mut turns, |turn| if turn == many { 900 } else { 1 }, now), [1, 10, 20, 11, 2, 3]);
    }

    #[test]
    fn what_was_spent_is_forgotten_in_time() {
        let (one, other) = (Turn::Project(ProjectId::new()), Turn::Server);
        let mut now = Instant::now();
        let mut turns = Turns::<i32>::new(now);
        turns.spend(one, Duration::from_secs(1), now);
        for _ in 0..20 {
            now += limits::WORKER_TIME;
            turns.spend(other, Duration::from_millis(10), now);
        }
        assert!(!turns.spent.contains_key(&one));
        turns.push(one, 1);
        turns.push(other, 2);
        assert_eq!(turns.pop(), Some((one, 1)));
    }
}
