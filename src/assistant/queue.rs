//! One answer at a time in each conversation; the others wait where everybody sees them.

use super::{Assistant, Job, run};
use crate::limits;

impl Assistant {
    /// Has an answer given when its turn comes. False when too many wait already.
    pub(super) fn enqueue(&self, job: Job) -> bool {
        let conversation = job.conversation;
        let mut queues = self.0.queues.lock();
        if let Some(waiting) = queues.get_mut(&conversation) {
            if waiting.len() >= limits::ASSISTANT_QUEUE {
                return false;
            }
            waiting.push_back(job);
            return true;
        }
        queues.insert(conversation, [job].into());
        drop(queues);
        let assistant = self.clone();
        self.0.running.spawn(async move {
            while let Some(job) = assistant.next_of(conversation) {
                // A fault of one answer must not end those that wait behind it.
                let giving = tokio::spawn(run::give(assistant.clone(), job.clone()));
                if let Err(error) = giving.await {
                    tracing::error!(answer = %job.answer, %error, "an answer broke off");
                    assistant.lose(&job).await;
                }
            }
        });
        true
    }

    fn next_of(&self, conversation: crate::ids::ConversationId) -> Option<Job> {
        let mut queues = self.0.queues.lock();
        let job = queues.get_mut(&conversation).and_then(std::collections::VecDeque::pop_front);
        if job.is_none() {
            queues.remove(&conversation);
        }
        job
    }
}
