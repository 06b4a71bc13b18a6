//! The jobs that make workers crash.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use crate::dispatch::{Outcome, RoundRobin, deliver};
use crate::house::{Fault, House, Kind};
use crate::traffic::{Traffic, send_until_handled};

/// Makes so many workers crash, spread over this time, by errors and panics. Takes at least that time.
///
/// A job that was to crash a worker and came back, because somebody else did, is sent to another. When a
/// worker has crashed by it, the job is sent again as one that can be handled, so that this one too is
/// handled exactly once.
///
/// # Errors
///
/// If a job with a fault was handled.
pub(crate) async fn crash(
    house: Arc<House>,
    crashes: u64,
    over: Duration,
    seed: u64,
) -> Result<Traffic, String> {
    let begun = Instant::now();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut turns = Kind::WORKING.map(RoundRobin::new);
    let mut traffic = Traffic::default();
    for crash in 0..crashes {
        sleep_until(begun + over.mul_f64(crash as f64 / crashes as f64)).await;
        let turns = &mut turns[random.usize(..Kind::WORKING.len())];
        let fault = if random.bool() { Fault::Panic } else { Fault::Error };
        // Not each one in turn, but any.
        for _ in 0..random.u32(..8) {
            turns.next(&house.registry);
        }
        traffic.jobs += 1;
        let number = house.ledger.open();
        loop {
            let Some(worker) = turns.next(&house.registry) else {
                sleep(Duration::from_millis(1)).await;
                continue;
            };
            let mailbox = worker.pid().expect("what a tag finds is bound");
            let outcome = deliver(mailbox, number, Some(fault)).await;
            traffic.count(&outcome);
            match outcome {
                Outcome::Crashing => break,
                Outcome::Returned => tokio::task::yield_now().await,
                Outcome::Handled(by) => {
                    return Err(format!("{by} handled a job that should have crashed it"));
                }
            }
        }
        send_until_handled(&house, turns, number, &mut traffic).await;
    }
    sleep_until(begun + over).await;
    Ok(traffic)
}
