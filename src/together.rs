//! Questions that many ask at once: while one is being answered, those who come with the same gather for the next answer,
//! and share it. A crowd whose every answer were followed by the next at once would keep the database busier the slower it is;
//! so between two answers there is a rest, the longer the longer they take.
//!
//! Nobody is given an answer that was begun before they asked, so whatever changed before is in it. *Absent: a cache.*

use std::hash::Hash;
use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::sync::{OnceCell, Semaphore};
use tokio::time::{Instant, sleep_until};

use crate::limits;

/// Who asks what. Cheap to clone.
#[derive(Debug)]
pub struct Together<K: Hash + Eq, V> {
    lines: Arc<Lines<K, V>>,
}

/// For each question those who ask it, and how many they are.
type Lines<K, V> = DashMap<K, (usize, Arc<Line<V>>)>;

/// Where those who ask the same wait.
#[derive(Debug)]
struct Line<V> {
    /// Held while an answer is looked up.
    turn: Semaphore,
    /// The answer that is looked up next.
    next: Mutex<Arc<OnceCell<V>>>,
    /// When that may begin.
    from: Mutex<Option<Instant>>,
}

impl<V> Default for Line<V> {
    fn default() -> Self {
        Self { turn: Semaphore::new(1), next: Mutex::default(), from: Mutex::default() }
    }
}

impl<K: Hash + Eq, V> Default for Together<K, V> {
    fn default() -> Self {
        Self { lines: Arc::default() }
    }
}

impl<K: Hash + Eq, V> Clone for Together<K, V> {
    fn clone(&self) -> Self {
        Self { lines: self.lines.clone() }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Together<K, V> {
    /// The answer to `question`, which `look_up` finds unless somebody else does who asks the same. When who looks it up
    /// stops waiting, another begins anew.
    pub async fn ask<F: Future<Output = V>>(&self, question: K, look_up: impl FnOnce() -> F) -> V {
        let line = {
            let mut line = self.lines.entry(question.clone()).or_default();
            line.0 += 1;
            line.1.clone()
        };
        let _place = Place { lines: &self.lines, question };
        let next = line.next.lock().clone();
        let found = next.get_or_init(|| async {
            // It is never closed.
            let _turn = line.turn.acquire().await;
            let from = *line.from.lock();
            if let Some(from) = from {
                sleep_until(from).await;
            }
            // Who asks from here on is not served by this answer.
            *line.next.lock() = Arc::default();
            let began = Instant::now();
            let answer = look_up().await;
            let rest = (began.elapsed() * limits::LOOK_UP_REST).min(limits::LOOK_UP_REST_LONGEST);
            *line.from.lock() = Some(Instant::now() + rest);
            answer
        });
        found.await.clone()
    }
}

/// A place in a line, which goes with the last of those in it.
struct Place<'a, K: Hash + Eq, V> {
    lines: &'a Lines<K, V>,
    question: K,
}

impl<K: Hash + Eq, V> Drop for Place<'_, K, V> {
    fn drop(&mut self) {
        self.lines.remove_if_mut(&self.question, |_, (waiting, _)| {
            *waiting -= 1;
            *waiting == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test]
    async fn those_who_ask_while_one_is_answered_share_the_next_answer() {
        let (together, asked, go) = (Together::default(), Arc::new(AtomicU32::new(0)), Arc::new(Semaphore::new(0)));
        let ask = || {
            let (together, asked, go) = (together.clone(), asked.clone(), go.clone());
            tokio::spawn(async move {
                let look_up = || async {
                    let number = asked.fetch_add(1, Ordering::SeqCst);
                    go.acquire().await.unwrap().forget();
                    number
                };
                together.ask("the same", look_up).await
            })
        };
        let first = ask();
        while asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let later: Vec<_> = (0..9).map(|_| ask()).collect();
        tokio::task::yield_now().await;
        go.add_permits(2);
        assert_eq!(first.await.unwrap(), 0);
        for one in later {
            assert_eq!(one.await.unwrap(), 1, "it came after the first was begun, and before the second");
        }
        assert!(together.lines.is_empty(), "nothing stays");
    }

    #[tokio::test]
    async fn between_two_answers_there_is_a_rest_and_after_the_last_of_a_crowd_none() {
        const TOOK: Duration = Duration::from_millis(4);
        let together: Together<&str, Instant> = Together::default();
        let look_up = || async {
            sleep_until(Instant::now() + TOOK).await;
            Instant::now()
        };
        let first = together.ask("it", look_up);
        let second = async {
            tokio::task::yield_now().await;
            together.ask("it", look_up).await
        };
        let (first, second) = tokio::join!(first, second);
        assert!(second - first >= TOOK * limits::LOOK_UP_REST, "{:?}", second - first);
        assert!(together.lines.is_empty(), "who comes later does not wait for it");
    }

    #[tokio::test]
    async fn another_looks_it_up_when_the_first_gives_up() {
        let together: Together<&str, u32> = Together::default();
        let mut first = Box::pin(together.ask("it", std::future::pending));
        assert!(futures_util::poll!(&mut first).is_pending());
        let second = together.ask("it", || async { 2 });
        let mut second = Box::pin(second);
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first);
        assert_eq!(second.await, 2);
        assert!(together.lines.is_empty());
    }
}
