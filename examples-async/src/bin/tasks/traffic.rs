//! The senders of jobs.

use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use process_registry::ChildId;
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep;

use crate::dispatch::{Outcome, RoundRobin, deliver};
use crate::house::{House, Kind, Mailbox};

/// While no worker of a kind is there, its senders look again after this.
const RETRY: Duration = Duration::from_millis(1);

/// Between two messages to all workers of a kind.
const CALL_INTERVAL: Duration = Duration::from_millis(50);

/// What was sent and what became of it, as the senders count.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) jobs: u64,
    pub(crate) attempts: u64,
    pub(crate) handled: u64,
    pub(crate) returned: u64,
    pub(crate) crashing: u64,
}

impl Traffic {
    pub(crate) fn count(&mut self, outcome: &Outcome) {
        self.attempts += 1;
        match outcome {
            Outcome::Handled(_) => self.handled += 1,
            Outcome::Crashing => self.crashing += 1,
            Outcome::Returned => self.returned += 1,
        }
    }
}

impl AddAssign for Traffic {
    fn add_assign(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.attempts += other.attempts;
        self.handled += other.handled;
        self.returned += other.returned;
        self.crashing += other.crashing;
    }
}

/// Sends jobs, one after the other, to the workers of a kind in turn.
pub(crate) async fn send_jobs(house: Arc<House>, kind: Kind, stop: Arc<AtomicBool>) -> Traffic {
    let mut traffic = Traffic::default();
    let mut turns = RoundRobin::new(kind);
    while !stop.load(Ordering::Relaxed) {
        traffic.jobs += 1;
        let number = house.ledger.open();
        send_until_handled(&house, &mut turns, number, &mut traffic).await;
    }
    traffic
}

/// Sends a job, and again whenever it comes back.
pub(crate) async fn send_until_handled(
    house: &House,
    turns: &mut RoundRobin,
    number: usize,
    traffic: &mut Traffic,
) {
    loop {
        // Held across the `.await` below: it keeps the mailbox, copies nothing and blocks nobody.
        let Some(worker) = turns.next(&house.registry) else {
            sleep(RETRY).await;
            continue;
        };
        let mailbox = worker.pid().expect("what a tag finds is bound");
        let outcome = deliver(mailbox, number, None).await;
        traffic.count(&outcome);
        if let Outcome::Handled(_) = outcome {
            return;
        }
        // A closed mailbox answers at once; the worker's restart shall get its turn.
        yield_now().await;
    }
}

/// Every now and then sends a job to all workers of a kind at once.
pub(crate) async fn call_all(house: Arc<House>, kind: Kind, stop: Arc<AtomicBool>) -> Traffic {
    let mut traffic = Traffic::default();
    let mut turns = RoundRobin::new(kind);
    while !stop.load(Ordering::Relaxed) {
        let (_, returned, sent) = send_to_all(&house, kind).await;
        traffic += sent;
        // Whom it was meant for has crashed; the job is done by another.
        for number in returned {
            send_until_handled(&house, &mut turns, number, &mut traffic).await;
        }
        sleep(CALL_INTERVAL).await;
    }
    traffic
}

/// Sends a job to all workers of a kind; who has answered.
pub(crate) async fn roll_call(house: &Arc<House>, kind: Kind) -> (BTreeSet<ChildId>, Traffic) {
    let (answered, _, traffic) = send_to_all(house, kind).await;
    (answered, traffic)
}

/// Who has answered, and the jobs that came back.
async fn send_to_all(house: &House, kind: Kind) -> (BTreeSet<ChildId>, Vec<usize>, Traffic) {
    let mut traffic = Traffic::default();
    let mut calls = JoinSet::new();
    // The owned list, in which no id is twice, whatever happens while it is made.
    for (_, bindings) in house.registry.match_tag(&kind.tag()) {
        for (_, mailbox) in bindings {
            traffic.jobs += 1;
            let number = house.ledger.open();
            calls.spawn(call(mailbox, number));
        }
    }
    let (mut answered, mut returned) = (BTreeSet::new(), Vec::new());
    while let Some(call) = calls.join_next().await {
        let (number, outcome) = call.expect("a call neither panics nor is aborted");
        traffic.count(&outcome);
        match outcome {
            Outcome::Handled(by) => drop(answered.insert(by)),
            _ => returned.push(number),
        }
    }
    (answered, returned, traffic)
}

async fn call(mailbox: Mailbox, number: usize) -> (usize, Outcome) {
    (number, deliver(&mailbox, number, None).await)
}
