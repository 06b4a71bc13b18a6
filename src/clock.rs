//! The time by which deadlines pass: the system's, or one that a test turns by hand.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use crate::sync::{AtomicU64, Ordering};

/// The zero of the axis on which every [`Moment`] of the process lies.
///
/// An `Instant` does not fit into one word and has no maximum; nanoseconds since a fixed one do and
/// have.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A point in time: nanoseconds since [`ORIGIN`].
///
/// A deadline has passed as soon as `deadline <= now`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(u64);

impl Moment {
    /// Later than every moment a clock can show: "no deadline".
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// The last moment of the axis, some 584 years after its origin. Clocks stop here and sums
    /// saturate here, so that neither ever turns into [`NEVER`](Self::NEVER).
    const LAST: Self = Self(u64::MAX - 1);

    /// The moment `duration` later, the last one at most. What never comes does not come later
    /// either.
    pub(crate) fn saturating_add(self, duration: Duration) -> Self {
        if self == Self::NEVER {
            return Self::NEVER;
        }
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos)).min(Self::LAST)
    }

    /// The same moment for users; `None` for what never comes, or lies beyond what the platform can
    /// express.
    pub(crate) fn to_instant(self) -> Option<Instant> {
        if self == Self::NEVER {
            return None;
        }
        ORIGIN.checked_add(Duration::from_nanos(self.0))
    }

    /// The moment of an instant. Anything before the origin counts as the origin.
    fn from_instant(instant: Instant) -> Self {
        Self(0).saturating_add(instant.saturating_duration_since(*ORIGIN))
    }

    /// The time of the system.
    fn now() -> Self {
        // The origin must be set first: on the very first call it would otherwise lie after "now".
        LazyLock::force(&ORIGIN);
        Self::from_instant(Instant::now())
    }
}

/// Where a registry reads the time, by which deadlines pass.
///
/// It is read where an entry with a deadline is met or made, by `purge_expired`, and when a registry is saved.
///
/// # Examples
///
/// ```
/// use process_registry::{Clock, ManualClock};
///
/// let time = ManualClock::new();
/// let clock = Clock::Manual(time.clone());
/// assert!(matches!(Clock::default(), Clock::System));
/// # let _ = clock;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Clock {
    /// The monotonic clock of the system, [`Instant::now`].
    #[default]
    System,
    /// A clock that stands still until it is [advanced](ManualClock::advance): tests of expiry need
    /// not sleep.
    Manual(ManualClock),
}

impl Clock {
    /// The time it is. Never inlined: entries without a deadline have their lookups pay for none of it.
    #[inline(never)]
    pub(crate) fn now(&self) -> Moment {
        #[cfg(test)]
        crate::probe::count(crate::probe::Event::ClockRead);
        match self {
            Self::System => Moment::now(),
            Self::Manual(clock) => clock.moment(),
        }
    }
}

/// A clock that is turned by hand.
///
/// Clones show the same time: give one to a registry and advance the other. It begins at the time
/// of its making and never goes back.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use process_registry::{Child, Clock, ManualClock, Registry};
///
/// let time = ManualClock::new();
/// let registry: Registry<&str, u32> =
///     Registry::builder("node-a").clock(Clock::Manual(time.clone())).build();
/// registry.insert("lease", Child::new("spec").on("node-a", 4711).ttl(Duration::from_secs(10)));
///
/// time.advance(Duration::from_secs(9));
/// assert!(registry.contains("lease"));
/// time.advance(Duration::from_secs(1));
/// assert!(!registry.contains("lease"));
/// ```
#[derive(Clone)]
pub struct ManualClock {
    /// Nanoseconds since the origin, as in a `Moment`.
    nanos: Arc<AtomicU64>,
}

impl ManualClock {
    /// A clock that shows the present time and stands still.
    ///
    /// # Examples
    ///
    /// ```
    /// use process_registry::ManualClock;
    ///
    /// let clock = ManualClock::new();
    /// assert_eq!(clock.now(), clock.now());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self { nanos: Arc::new(AtomicU64::new(Moment::now().0)) }
    }

    /// Moves the time forward, for every clone.
    ///
    /// Operations that begin after the call see the new time. It stops some 584 years ahead, it
    /// never wraps.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use process_registry::ManualClock;
    ///
    /// let clock = ManualClock::new();
    /// let before = clock.now();
    /// clock.clone().advance(Duration::from_secs(1));
    /// assert_eq!(clock.now(), before + Duration::from_secs(1));
    /// ```
    pub fn advance(&self, duration: Duration) {
        // Release: pairs with the Acquire load in `moment`; who sees the new time sees what was
        // done before it. Relaxed on failure: the value is only compared with again.
        let _ = self.nanos.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |nanos| {
            Some(Moment(nanos).saturating_add(duration).0)
        });
    }

    /// The time the clock shows.
    ///
    /// # Panics
    ///
    /// If the clock was advanced to where the platform's [`Instant`] cannot follow. None that the
    /// standard library supports ends within the 584 years that this clock spans.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Instant;
    /// use process_registry::ManualClock;
    ///
    /// assert!(ManualClock::new().now() <= Instant::now());
    /// ```
    #[must_use]
    pub fn now(&self) -> Instant {
        self.moment()
            .to_instant()
            .expect("the clock was advanced beyond what an `Instant` can express")
    }

    fn moment(&self) -> Moment {
        // Acquire: pairs with `advance`; also keeps the reads that follow a look at the clock
        // behind it.
        Moment(self.nanos.load(Ordering::Acquire))
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.moment().to_instant()).finish()
    }
}

#[cfg(all(test, not(any(process_registry_loom, process_registry_shuttle))))]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn sums_saturate_short_of_never() {
        let now = Clock::System.now();
        for duration in [Duration::MAX, Duration::from_nanos(u64::MAX)] {
            let later = now.saturating_add(duration);
            assert_eq!(later, Moment::LAST);
            assert!(later < Moment::NEVER && later > now);
            assert_eq!(later.saturating_add(duration), Moment::LAST);
        }
        assert_eq!(now.saturating_add(SECOND).0, now.0 + 1_000_000_000);
        assert_eq!(now.saturating_add(Duration::ZERO), now);
    }

    #[test]
    fn never_stays_never() {
        assert_eq!(Moment::NEVER.saturating_add(Duration::ZERO), Moment::NEVER);
        assert_eq!(Moment::NEVER.saturating_add(SECOND), Moment::NEVER);
        assert_eq!(Moment::NEVER.to_instant(), None);
        assert!(Moment::LAST.to_instant().is_some());
    }

    #[test]
    fn instants_go_round() {
        let now = Instant::now();
        let Some(instant) = Moment::from_instant(now).to_instant() else {
            panic!("the present is expressible");
        };
        // The very first use of the axis may come after `now` was read.
        assert!(instant >= now && instant - now < SECOND);
        let later = now + SECOND;
        assert_eq!(Moment::from_instant(later).to_instant(), Some(later));
    }

    #[test]
    fn what_precedes_the_origin_is_the_origin() {
        if let Some(early) = ORIGIN.checked_sub(SECOND) {
            assert_eq!(Moment::from_instant(early), Moment(0));
        }
    }

    #[test]
    fn the_system_clock_goes_with_instant() {
        let before = Moment::now();
        let start = Instant::now();
        let mut now = before;
        while now == before {
            now = Clock::System.now();
            assert!(now >= before);
        }
        assert!(now.0 - before.0 <= start.elapsed().as_nanos() as u64 + 1_000_000_000);
    }

    #[test]
    fn a_manual_clock_moves_only_when_told_and_for_all_clones() {
        let clock = ManualClock::new();
        let (user, registry) = (clock.clone(), Clock::Manual(clock));
        let (instant, moment) = (user.now(), registry.now());
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!((user.now(), registry.now()), (instant, moment));

        user.advance(SECOND);
        assert_eq!(user.now(), instant + SECOND);
        assert_eq!(registry.now(), moment.saturating_add(SECOND));
        assert_ne!(ManualClock::new().now(), user.now());
    }

    #[test]
    fn a_manual_clock_stops_at_the_end_of_time() {
        let clock = ManualClock::default();
        clock.advance(Duration::MAX);
        clock.advance(SECOND);
        assert_eq!(clock.moment(), Moment::LAST);
        assert!(clock.moment() < Moment::NEVER);
        assert_eq!(Some(clock.now()), Moment::LAST.to_instant());
    }

    #[test]
    fn advances_of_many_threads_add_up() {
        let clock = ManualClock::new();
        let before = clock.now();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|_| clock.advance(Duration::from_millis(1))));
            }
        });
        assert_eq!(clock.now(), before + 4 * SECOND);
    }
}
