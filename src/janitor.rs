//! The owner of periodic expiry: a thread that sweeps.

use std::any::Any;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::panics::discard;
use crate::registry::Registry;
use crate::trace::Log;

/// A thread that calls [`Registry::purge_expired`] at an interval, until it is stopped or dropped.
///
/// Nothing needs a janitor to be correct: what has expired is not seen, swept or not. A janitor
/// gives its memory back, and runs its destructors, without anyone having to think of it; and it moves
/// what writes have left of a table that is being replaced, as [`collect`](Registry::collect) does. Who has
/// a timer of their own calls `purge_expired` from there instead.
///
/// It does not keep the registry alive, and ends by itself, at the next sweep, when the registry is
/// gone. Only during a sweep it holds an `Arc` of it: if the last other one goes meanwhile, the
/// registry is dropped by the janitor's thread, at the end of that sweep.
///
/// Dropping the janitor wakes its thread and waits for it; a sweep in progress is finished first.
/// (Dropped *by* its thread, for instance by the destructor of something that expired, it stops
/// without waiting.)
///
/// Destructors of expired children may panic. That ends neither the sweep nor the janitor, and
/// [`last_panic`](Self::last_panic) and [`stop`](Self::stop) tell.
///
/// Two janitors, each dropped by a destructor that the other's thread runs, would wait for each other for
/// ever, as two threads do that join each other: who keeps a janitor in a child of another registry sees to
/// it that this is not so both ways.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use process_registry::{Child, Janitor, Registry};
///
/// let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("a"));
/// let janitor = Janitor::spawn(Arc::clone(&registry), Duration::from_millis(1));
///
/// registry.insert("lease", Child::new("spec").on("a", 1).ttl(Duration::from_millis(5)));
/// while registry.len_all() > 0 {
///     std::thread::yield_now();
/// }
/// assert_eq!(janitor.stop(), None);
/// ```
#[must_use = "a janitor stops when it is dropped"]
pub struct Janitor {
    shared: Arc<Shared>,
    /// Taken by the one who waits for it.
    thread: Option<JoinHandle<()>>,
}

/// What the janitor and its thread have in common.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Rung when `stop` is set.
    bell: Condvar,
}

#[derive(Default)]
struct State {
    stop: bool,
    last_panic: Option<String>,
}

impl Shared {
    /// No user code runs under the lock, so poison means nothing.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps for the interval; `false` as soon as the janitor is to stop.
    fn sleep(&self, interval: Duration) -> bool {
        let (state, _) = self
            .bell
            .wait_timeout_while(self.lock(), interval, |state| !state.stop)
            .unwrap_or_else(PoisonError::into_inner);
        !state.stop
    }

    fn stop(&self) {
        self.lock().stop = true;
        self.bell.notify_all();
    }
}

impl Janitor {
    /// The interval to choose if there is no reason for another: 15 seconds.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use process_registry::{Janitor, Registry};
    ///
    /// let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("a"));
    /// let _janitor = Janitor::spawn(Arc::clone(&registry), Janitor::DEFAULT_INTERVAL);
    /// ```
    pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(15);

    /// The shortest interval: a shorter one would make the thread spin.
    const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

    /// Starts a janitor, which waits for the interval after each sweep, and before the first.
    ///
    /// An interval of less than a millisecond counts as one. The janitor only observes the
    /// registry: hand it a clone of an `Arc` that you keep.
    ///
    /// # Panics
    ///
    /// If the operating system refuses a thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use process_registry::{Janitor, Registry};
    ///
    /// let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("a"));
    /// let janitor = Janitor::spawn(Arc::clone(&registry), Duration::from_secs(60));
    /// assert!(janitor.is_running());
    /// drop(janitor); // does not take a minute
    /// ```
    // By value, as `thread::spawn` would have it: the janitor keeps what it needs of it.
    #[allow(clippy::needless_pass_by_value)]
    pub fn spawn<S, P, M, K, H>(registry: Arc<Registry<S, P, M, K, H>>, interval: Duration) -> Self
    where
        S: Send + Sync + 'static,
        P: Send + Sync + 'static,
        M: Send + Sync + 'static,
        K: Hash + Eq + Clone + Send + Sync + 'static,
        H: BuildHasher + Send + Sync + 'static,
    {
        let log = Log::new(registry.local_node());
        let registry = Arc::downgrade(&registry);
        Self::spawn_logging(log, interval, move |log| match registry.upgrade() {
            Some(registry) => {
                let swept = registry.purge_expired();
                // Where writes have ended nobody else does it.
                registry.finish_resizes();
                drop(registry);
                log.swept(swept);
                true
            }
            None => false,
        })
    }

    /// Starts a thread that calls `sweep` at the interval, until it is stopped or `sweep` returns
    /// `false`.
    fn spawn_logging(
        log: Log,
        interval: Duration,
        mut sweep: impl FnMut(&Log) -> bool + Send + 'static,
    ) -> Self {
        let interval = interval.max(Self::SHORTEST_INTERVAL);
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("process-janitor".to_owned())
            .spawn(move || {
                log.began(interval);
                while own.sleep(interval) {
                    // A panic leaves `sweep` as it was: all it captures is a weak reference. The
                    // registry withstands panics of the user's code anywhere.
                    match panic::catch_unwind(AssertUnwindSafe(|| sweep(&log))) {
                        Ok(true) => {}
                        Ok(false) => break,
                        Err(panic) => {
                            let message = message(&*panic);
                            own.lock().last_panic = Some(message.clone());
                            log.panicked(&message);
                            discard(panic);
                        }
                    }
                }
                log.ended();
            })
            .expect("the operating system refused a thread for the janitor");
        Self { shared, thread: Some(thread) }
    }

    /// Whether the thread runs: until the registry is gone, and one more interval at most.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use process_registry::{Janitor, Registry};
    ///
    /// let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("a"));
    /// let janitor = Janitor::spawn(Arc::clone(&registry), Duration::from_millis(1));
    /// drop(registry);
    /// while janitor.is_running() {
    ///     std::thread::yield_now();
    /// }
    /// ```
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// The message of the first panic that the last sweep with one met, in a destructor of the user's; `None` if
    /// there was none.
    ///
    /// A panic with something else than a string is called `Box<dyn Any>`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use process_registry::{Janitor, Registry};
    ///
    /// let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("a"));
    /// let janitor = Janitor::spawn(Arc::clone(&registry), Janitor::DEFAULT_INTERVAL);
    /// assert_eq!(janitor.last_panic(), None);
    /// ```
    #[must_use]
    pub fn last_panic(&self) -> Option<String> {
        self.shared.lock().last_panic.clone()
    }

    /// Stops the janitor, waits for its thread, and returns what [`last_panic`](Self::last_panic)
    /// does then.
    ///
    /// As dropping does, it does not wait if it is called by the janitor's own thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use process_registry::{Janitor, Registry};
    ///
    /// let registry: Arc<Registry<&str, u32>> = Arc::new(Registry::new("a"));
    /// let janitor = Janitor::spawn(Arc::clone(&registry), Janitor::DEFAULT_INTERVAL);
    /// if let Some(message) = janitor.stop() {
    ///     eprintln!("a destructor panicked: {message}");
    /// }
    /// ```
    pub fn stop(mut self) -> Option<String> {
        self.finish();
        self.last_panic()
    }

    /// Stops the thread and waits for it, unless it is this one.
    fn finish(&mut self) {
        self.shared.stop();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            // Every sweep is guarded; what is left to panic is the drop of `sweep`, a weak
            // reference.
            let _ = thread.join();
        }
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        self.finish();
    }
}

impl fmt::Debug for Janitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Janitor")
            .field("running", &self.is_running())
            .field("last_panic", &self.last_panic())
            .finish()
    }
}

/// The message of a panic, as far as it has one.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&'static str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (None, Some(message)) => message.clone(),
        (None, None) => "Box<dyn Any>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::sync::mpsc;
    use std::time::Instant;

    use super::*;
    use crate::child::Child;
    use crate::probe::{self, Event};

    const SOON: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(3600);
    /// Longer than anything here takes, shorter than `LONG`.
    const PATIENCE: Duration = Duration::from_secs(60);

    impl Janitor {
        fn spawn_sweeping(
            interval: Duration,
            mut sweep: impl FnMut() -> bool + Send + 'static,
        ) -> Self {
            Self::spawn_logging(Log::new(&"here".into()), interval, move |_| sweep())
        }
    }

    fn wait_until(mut condition: impl FnMut() -> bool) {
        let start = Instant::now();
        while !condition() {
            assert!(start.elapsed() < PATIENCE, "waited in vain");
            thread::sleep(SOON);
        }
    }

    #[test]
    fn sweeps_again_and_again_until_stopped() {
        let count = Arc::new(AtomicUsize::new(0));
        let sweeps = Arc::clone(&count);
        let janitor =
            Janitor::spawn_sweeping(SOON, move || sweeps.fetch_add(1, SeqCst) < usize::MAX);
        wait_until(|| count.load(SeqCst) >= 5);
        assert!(janitor.is_running());
        assert_eq!(janitor.stop(), None);
        let after = count.load(SeqCst);
        thread::sleep(20 * SOON);
        assert_eq!(count.load(SeqCst), after);
        assert_eq!(Arc::strong_count(&count), 1);
    }

    #[test]
    fn stop_and_drop_interrupt_the_sleep() {
        let start = Instant::now();
        for interval in [LONG, Duration::MAX] {
            assert_eq!(Janitor::spawn_sweeping(interval, || panic!("too early")).stop(), None);
            drop(Janitor::spawn_sweeping(interval, || panic!("too early")));
            let slept_in = Janitor::spawn_sweeping(interval, || panic!("too early"));
            thread::sleep(5 * SOON);
            assert!(slept_in.is_running());
            drop(slept_in);
        }
        assert!(start.elapsed() < PATIENCE);
    }

    #[test]
    fn an_interval_of_zero_is_one_of_a_millisecond() {
        let count = Arc::new(AtomicUsize::new(0));
        let sweeps = Arc::clone(&count);
        let start = Instant::now();
        let janitor =
            Janitor::spawn_sweeping(Duration::ZERO, move || sweeps.fetch_add(1, SeqCst) < 20);
        wait_until(|| !janitor.is_running());
        assert_eq!(count.load(SeqCst), 21);
        assert!(start.elapsed() >= 21 * SOON);
    }

    #[test]
    fn ends_when_there_is_nothing_left_to_sweep() {
        let janitor = Janitor::spawn_sweeping(SOON, || false);
        wait_until(|| !janitor.is_running());
        assert!(format!("{janitor:?}").contains("running: false"));
        assert_eq!(janitor.stop(), None);
    }

    #[test]
    fn goes_on_after_panics_and_tells_of_the_last() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic_any(7);
            }
        }
        // A rendezvous: when a command has been sent, all that came of the one before is known.
        let (sender, commands) = mpsc::sync_channel::<fn()>(0);
        let janitor = Janitor::spawn_sweeping(SOON, move || {
            commands.recv().unwrap()();
            true
        });
        let panics: [(fn(), &str); 5] = [
            (|| panic!("plain"), "plain"),
            (|| panic!("with a number: {}", 3), "with a number: 3"),
            (|| panic_any(3_u8), "Box<dyn Any>"),
            (|| panic_any(Bomb), "Box<dyn Any>"),
            (|| panic!("the last one"), "the last one"),
        ];
        sender.send(|| {}).unwrap();
        assert_eq!(janitor.last_panic(), None);
        for (command, message) in panics {
            sender.send(command).unwrap();
            for _ in 0..2 {
                sender.send(|| {}).unwrap();
                assert_eq!(janitor.last_panic().as_deref(), Some(message));
            }
        }
        assert!(janitor.is_running());
        // A sweep may be waiting for a command; one that never comes is a panic more.
        drop(sender);
        assert!(janitor.stop().is_some());
    }

    #[test]
    fn messages_of_all_kinds_are_found() {
        let caught = |f: fn()| message(&*panic::catch_unwind(f).unwrap_err());
        assert_eq!(caught(|| panic!("plain")), "plain");
        assert_eq!(caught(|| panic_any(String::from("owned"))), "owned");
        assert_eq!(caught(|| panic_any(3_u8)), "Box<dyn Any>");
    }

    #[test]
    fn dropped_by_its_own_thread_it_does_not_wait_for_itself() {
        let slot: Arc<Mutex<Option<Janitor>>> = Arc::default();
        let (sender, receiver) = mpsc::channel();
        let own = Arc::clone(&slot);
        let janitor = Janitor::spawn_sweeping(SOON, move || {
            let Some(janitor) = own.lock().unwrap().take() else {
                return true;
            };
            drop(janitor);
            sender.send(()).unwrap();
            true
        });
        *slot.lock().unwrap() = Some(janitor);
        assert_eq!(receiver.recv_timeout(PATIENCE), Ok(()));
        // The thread has ended, for its end of the channel goes.
        assert_eq!(receiver.recv_timeout(PATIENCE), Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn it_moves_what_writes_have_left_of_a_table() {
        let registry: Arc<Registry<(), u32, (), u32>> = Arc::new(Registry::new("here"));
        // To where a table of some size has just begun to be replaced.
        let mut groups = [1, 0];
        for id in 0.. {
            registry.insert(id, Child::new(()).on("here", 1));
            groups = [groups[1], probe::take(Event::GroupMigrated)];
            if id > 1000 && groups[0] == 0 && groups[1] > 0 {
                break;
            }
        }
        let before = registry.capacity();
        let janitor = Janitor::spawn(Arc::clone(&registry), SOON);
        let end = Instant::now() + PATIENCE;
        while registry.capacity() == before {
            assert!(Instant::now() < end, "half moved");
            thread::sleep(SOON);
        }
        assert_eq!(janitor.stop(), None);
    }

    #[test]
    fn a_sweep_in_progress_is_finished_first() {
        let (entered, on_entry) = mpsc::channel();
        let (leave, may_leave) = mpsc::channel::<()>();
        let done = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&done);
        let janitor = Janitor::spawn_sweeping(SOON, move || {
            let _ = entered.send(());
            let _ = may_leave.recv_timeout(20 * SOON);
            count.fetch_add(1, SeqCst);
            true
        });
        on_entry.recv_timeout(PATIENCE).unwrap();
        drop(janitor);
        assert!(done.load(SeqCst) >= 1);
        assert_eq!(Arc::strong_count(&done), 1);
        drop(leave);
    }
}
