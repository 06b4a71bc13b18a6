//! How often each job has been handled, as the workers say.

use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<u8>>);

impl Ledger {
    /// The number of a new job.
    pub(crate) fn open(&self) -> usize {
        let mut times = self.lock();
        times.push(0);
        times.len() - 1
    }

    pub(crate) fn handled(&self, number: usize) {
        let times = &mut self.lock()[number];
        *times = times.saturating_add(1);
    }

    /// The jobs there are, and those handled never or more than once, each with its number of times.
    pub(crate) fn review(&self) -> (u64, Vec<(usize, u8)>) {
        let times = self.lock();
        let wrong = times.iter().copied().enumerate().filter(|(_, times)| *times != 1);
        (times.len() as u64, wrong.collect())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        // A count is whole whenever the lock is free.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
