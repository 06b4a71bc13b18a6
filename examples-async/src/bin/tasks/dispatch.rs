//! Finding workers by tag, and giving them jobs.

use process_registry::{ChildId, OwnedEntry};
use tokio::sync::oneshot;

use crate::house::{Fault, Job, Kind, Mailbox, Message, Reply, Spec, Tasks};

/// What has become of a job that was sent.
#[derive(Debug)]
pub(crate) enum Outcome {
    Handled(ChildId),
    /// The worker took it and crashed by it.
    Crashing,
    /// Nobody has handled it, and nobody is going to.
    Returned,
}

/// Takes the workers of a kind in turn, whoever they are at the moment.
#[derive(Debug)]
pub(crate) struct RoundRobin {
    kind: Kind,
    last: Option<ChildId>,
}

impl RoundRobin {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self { kind, last: None }
    }

    /// The worker with the smallest id above the last one's, else with the smallest of all.
    ///
    /// It takes one look at each member. No list of workers is kept that could be out of date. The pin is
    /// gone when this returns; the entry may be kept.
    pub(crate) fn next(&mut self, tasks: &Tasks) -> Option<OwnedEntry<Spec, Mailbox>> {
        let pinned = tasks.pin();
        let turn = pinned.match_tag(&self.kind.tag()).min_by_key(|entry| {
            let over = self.last.as_ref().is_some_and(|last| entry.id() <= last);
            (over, entry.id())
        })?;
        self.last = Some(turn.id().clone());
        Some(turn.share())
    }
}

/// Workers of a kind that are registered and take messages.
pub(crate) fn reachable(tasks: &Tasks, kind: Kind) -> usize {
    let pinned = tasks.pin();
    let members = pinned.match_tag(&kind.tag());
    members.filter(|entry| entry.pid().is_some_and(|mailbox| !mailbox.is_closed())).count()
}

/// Sends a job and waits for what becomes of it.
///
/// A mailbox is closed when its worker's inbox is dropped. Workers never close it and go on reading, so
/// nothing that is in a closed mailbox will be handled: the job counts as returned. Waiting for the answer
/// alone would not do. A job put into the mailbox at the very moment of the crash is dropped with the last
/// sender, and one of those is in an entry that the registry frees at its leisure.
pub(crate) async fn deliver(mailbox: &Mailbox, number: usize, fault: Option<Fault>) -> Outcome {
    let (done, mut reply) = oneshot::channel();
    if mailbox.send(Message::Job(Job { number, fault, done })).await.is_err() {
        return Outcome::Returned;
    }
    let reply = tokio::select! {
        reply = &mut reply => reply.ok(),
        () = mailbox.closed() => reply.try_recv().ok(),
    };
    match reply {
        Some(Reply::Handled(by)) => Outcome::Handled(by),
        Some(Reply::Crashing) => Outcome::Crashing,
        None => Outcome::Returned,
    }
}
