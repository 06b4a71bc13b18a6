//! How long things took: histograms, and lookups that are timed one by one.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::yield_now;

use crate::server::Server;
use crate::table::User;

/// Of each task that looks up.
const LOOKUPS: u32 = 50_000;

/// Lookups between two chances for other tasks.
const TURN: u32 = 64;

/// An hour: longer than a run.
const LONGEST: u64 = 3_600_000_000_000;

/// Times in nanoseconds, to three digits.
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self(Histogram::new_with_max(LONGEST, 3).expect("the bounds are supported"))
    }

    pub(crate) fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, others: &Self) {
        self.0.add(&others.0).expect("the bounds are the same");
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
            let time = Duration::from_nanos(self.0.value_at_quantile(quantile));
            write!(f, "{name} {time:.1?}  ")?;
        }
        write!(f, "max {:.1?}", Duration::from_nanos(self.0.max()))
    }
}

/// Looks sessions up, which are there all the time, and times each lookup, pin and clock included. `Err` if
/// one is not found, or belongs to somebody else.
pub(crate) async fn look_up(
    server: Arc<Server>,
    sessions: Arc<[(u64, User)]>,
    seed: u64,
) -> Result<Latencies, String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut latencies = Latencies::new();
    for lookup in 0..LOOKUPS {
        let (session, user) = &sessions[random.usize(..sessions.len())];
        let begun = Instant::now();
        let found = server.table.sessions.lookup(session);
        let took = begun.elapsed();
        if found.is_none_or(|entry| entry.spec() != user) {
            return Err(format!("session {session} of {user:?} was not found"));
        }
        latencies.record(took);
        // What was found is gone by now; the compiler would not let it live across this.
        if lookup % TURN == 0 {
            yield_now().await;
        }
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_times_recorded() {
        let (mut all, mut some) = (Latencies::new(), Latencies::new());
        (1..=50).for_each(|millis| all.record(Duration::from_millis(millis)));
        (51..=100).for_each(|millis| some.record(Duration::from_millis(millis)));
        all.add(&some);
        assert_eq!(all.count(), 100);
        let quantile = |quantile| all.0.value_at_quantile(quantile) / 1_000_000;
        assert_eq!([quantile(0.5), quantile(0.99), quantile(1.0)], [50, 99, 100]);
    }
}
