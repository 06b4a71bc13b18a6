//! What a sequence has done, for the one who has to find out why it failed.

use std::collections::VecDeque;

use crate::driver::Profile;

/// Tells on failure what was run.
pub(crate) struct Trail {
    seed: u64,
    profile: Profile,
    done: u32,
    last: VecDeque<String>,
}

impl Trail {
    pub(crate) fn new(seed: u64, profile: Profile) -> Self {
        Self { seed, profile, done: 0, last: VecDeque::new() }
    }

    pub(crate) fn note(&mut self, what: String) {
        self.done += 1;
        if self.last.len() == 30 {
            self.last.pop_front();
        }
        self.last.push_back(what);
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("ORACLE_SEED={} with {:?}", self.seed, self.profile);
            eprintln!("failed at operation {}; the last were:", self.done);
            for what in &self.last {
                eprintln!("  {what}");
            }
        }
    }
}
