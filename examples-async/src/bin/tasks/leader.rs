//! Two candidates for one id, whose holder has to renew its lease in time.

use std::sync::Arc;
use std::time::{Duration, Instant};

use examples_async::waiting::until;
use process_registry::{Child, ChildId, WriteOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{interval, sleep, sleep_until};

use crate::house::{House, Kind, Lease, NODE, Spec};

const LEADER: &str = "leader";
const NOTICE: &str = "notice";

const TTL: Duration = Duration::from_millis(300);
const RENEWAL_INTERVAL: Duration = Duration::from_millis(75);
/// Enough to lead for longer than a lease lasts that is not renewed.
const RENEWALS: u32 = 6;

const SWEEP_INTERVAL: Duration = Duration::from_millis(50);

/// What has come of it, for the check.
#[derive(Debug)]
pub(crate) struct Leadership {
    pub(crate) first: Term,
    pub(crate) second: Term,
    /// Whether the first candidate still counted as the leader when the second did.
    pub(crate) two_at_once: bool,
    /// Whether the first one's lease, dropped late, left the second's child alone.
    pub(crate) second_stayed: bool,
    /// Whether what was let go of was there after its holder had gone, while its deadline lasted.
    pub(crate) notice_stayed: bool,
    pub(crate) swept: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Term {
    pub(crate) began: Instant,
    /// The last deadline known to its holder.
    pub(crate) deadline: Instant,
    /// Whether each renewal succeeded. One that comes too late, on a machine that was busy with something
    /// else for as long as the lease lasts, finds the lease lost, and rightly so.
    pub(crate) renewed: bool,
    pub(crate) late: bool,
}

impl Term {
    /// Leads for a while, renewing the lease.
    async fn serve(lease: &Lease, began: Instant) -> Self {
        let deadline = |or| lease.entry().and_then(|entry| entry.deadline()).unwrap_or(or);
        let mut term = Self { began, deadline: deadline(began), renewed: true, late: false };
        for _ in 0..RENEWALS {
            sleep(RENEWAL_INTERVAL).await;
            if lease.renew(TTL).is_err() {
                term.renewed = false;
                term.late = Instant::now() >= term.deadline;
                break;
            }
            term.deadline = deadline(term.deadline);
        }
        term
    }

    /// Whether it lasted for longer than a lease does that is not renewed.
    pub(crate) fn outlasted_ttl(&self) -> bool {
        self.deadline.duration_since(self.began) > TTL
    }
}

/// The first leader renews its lease, and then goes silent without giving it up. The lease lapses by itself,
/// and the second takes over. Meanwhile a sweep at intervals removes what has lapsed: on tokio it takes no
/// `Janitor`, which is a thread, but a timer and `purge_expired`.
pub(crate) async fn compete(house: Arc<House>) -> Result<Leadership, String> {
    let (stop_sweep, stopped) = oneshot::channel();
    let sweep = tokio::spawn(sweep(Arc::clone(&house), stopped));

    let (mailbox, _inbox) = mpsc::channel(1);
    let first = house.registry.register_with(
        LEADER,
        Child::new(Spec { kind: Kind::Leader, start: 1 }).on(NODE, mailbox).tag(Kind::Leader.tag()),
        WriteOptions::new().ttl(TTL).hooks(&house.hooks),
    );
    let first = first.map_err(|taken| taken.to_string())?;
    house.count_registered();
    let rival = tokio::spawn(stand(Arc::clone(&house)));
    let term = Term::serve(&first, Instant::now()).await;

    // Silent now. The rival's lease is in this task too, so that both are there at the same time.
    let (second, began) = rival.await.map_err(|error| format!("the rival failed: {error}"))??;
    let two_at_once = first.is_current() || first.renew(TTL).is_ok();
    drop(first);
    let second_stayed = second.is_current();
    let second_term = Term::serve(&second, began).await;
    let notice_stayed = leave_notice(&house)?;
    house.release(second);

    // No read shows what has expired, but it is counted until it is swept.
    until("the notice to be swept", || house.registry.tag_len(NOTICE) == 0).await?;
    let _ = stop_sweep.send(());
    let swept = sweep.await.map_err(|error| format!("the sweep failed: {error}"))?;
    Ok(Leadership {
        first: term,
        second: second_term,
        two_at_once,
        second_stayed,
        notice_stayed,
        swept,
    })
}

/// Registers as the leader as soon as that is possible; the lease, and when it was taken. Whoever is refused
/// learns who holds the id, and until when.
async fn stand(house: Arc<House>) -> Result<(Lease, Instant), String> {
    let (mailbox, _inbox) = mpsc::channel(1);
    let child = Child::new(Spec { kind: Kind::Leader, start: 2 });
    let mut child = child.on(NODE, mailbox).tag(Kind::Leader.tag());
    let mut id = ChildId::from(LEADER);
    loop {
        let options = WriteOptions::new().ttl(TTL).hooks(&house.hooks);
        match house.registry.register_with(id, child, options) {
            Ok(lease) => {
                house.count_registered();
                return Ok((lease, Instant::now()));
            }
            Err(taken) => {
                // Both come back, and are used again.
                let (own, refused, holder) = taken.into_parts();
                (id, child) = (own, refused);
                let deadline = holder.deadline().ok_or("the leader cannot be deposed")?;
                sleep_until(deadline.into()).await;
            }
        }
    }
}

/// Registers a child and lets go of it: it stays until its deadline. Whether it did stay, as far as could be
/// seen in time.
fn leave_notice(house: &House) -> Result<bool, String> {
    let (mailbox, _) = mpsc::channel(1);
    let child = Child::new(Spec { kind: Kind::Leader, start: 1 }).on(NODE, mailbox).tag(NOTICE);
    let options = WriteOptions::new().ttl(TTL).hooks(&house.hooks);
    let lease = house.registry.register_with(NOTICE, child, options);
    let lease = lease.map_err(|taken| taken.to_string())?;
    house.count_registered();
    let deadline = lease.entry().and_then(|entry| entry.deadline());
    let id = lease.detach();
    let stayed = house.registry.contains(&id);
    Ok(stayed || deadline.is_none_or(|deadline| Instant::now() >= deadline))
}

/// Removes what has expired, at intervals; how much that was.
async fn sweep(house: Arc<House>, mut stopped: oneshot::Receiver<()>) -> usize {
    let mut timer = interval(SWEEP_INTERVAL);
    let mut swept = 0;
    loop {
        tokio::select! {
            _ = timer.tick() => swept += house.registry.purge_expired(),
            _ = &mut stopped => return swept,
        }
    }
}
