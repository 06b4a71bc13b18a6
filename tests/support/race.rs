//! Threads that start together, and threads that look on until others are done.

use std::panic::resume_unwind;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Runs `body` on so many threads at once. A panic of any is a panic of all. When it returns the
/// threads are gone, with all that was theirs: the end of a scope alone does not wait for that.
pub(crate) fn race(threads: usize, body: impl Fn(usize) + Sync) {
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let run = |thread| {
            let (start, body) = (&start, &body);
            scope.spawn(move || {
                start.wait();
                body(thread);
            })
        };
        let running: Vec<_> = (0..threads).map(run).collect();
        for thread in running {
            if let Err(panic) = thread.join() {
                resume_unwind(panic);
            }
        }
    });
}

/// Counts a thread out, also if it panics.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// Runs `work` once on so many threads, and `watch` over and over on so many others until all the
/// work is done, and once more afterwards.
pub(crate) fn watched(
    workers: usize,
    work: impl Fn(usize) + Sync,
    watchers: usize,
    watch: impl Fn(usize) + Sync,
) {
    let running = AtomicUsize::new(workers);
    race(workers + watchers, |thread| {
        if thread < workers {
            let _done = Done(&running);
            work(thread);
        } else {
            while running.load(Ordering::Acquire) > 0 {
                watch(thread - workers);
            }
            watch(thread - workers);
        }
    });
}

/// How long [`until_seen`] goes on at least, on however slow a machine, before it gives up.
const PATIENCE: Duration = Duration::from_secs(120);

/// Works so many rounds, and on until the others have `seen` enough meanwhile, for whoever works may
/// be done before anybody else has begun.
#[track_caller]
pub(crate) fn until_seen(rounds: u64, seen: impl Fn() -> bool, mut round: impl FnMut(u64)) {
    let end = Instant::now() + PATIENCE;
    for number in 0..rounds {
        round(number);
    }
    for number in rounds.. {
        if seen() {
            return;
        }
        assert!(Instant::now() < end, "nobody has seen enough in {number} rounds");
        thread::yield_now();
        round(number);
    }
}
