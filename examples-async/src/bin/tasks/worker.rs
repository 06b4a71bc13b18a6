//! A worker: a task that handles jobs until it is told to stop, or crashes.

use std::fmt;
use std::panic;
use std::sync::Arc;

use process_registry::{Child, ChildId, WriteOptions};
use tokio::sync::mpsc;

use crate::house::{Fault, House, Inbox, Kind, MAILBOX, Message, NODE, Reply, Spec};

/// Why a worker has ended before its time. A panic is the other way.
#[derive(Debug)]
pub(crate) enum Crash {
    /// A job made it fail.
    Failed,
    /// Its id was taken.
    Taken(ChildId),
    /// Nobody can send to it any more, and nobody has told it to stop.
    Deserted,
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed => f.write_str("a job made it fail"),
            Self::Taken(id) => write!(f, "the id {id} was taken"),
            Self::Deserted => f.write_str("its mailbox was closed"),
        }
    }
}

/// A worker that registers itself.
///
/// The lease is a local of this future and lives across the `.await` below. An error, a panic and an abort
/// all drop it, and with it the child goes. It is declared after the inbox, so it is dropped before: nobody
/// finds a child whose mailbox is closed, unless he found it before it went.
pub(crate) async fn registered(house: Arc<House>, id: ChildId, spec: Spec) -> Result<(), Crash> {
    let (mailbox, mut inbox) = mpsc::channel(MAILBOX);
    let child = Child::new(spec).on(NODE, mailbox).tag(spec.kind.tag());
    let options = WriteOptions::new().hooks(&house.hooks);
    let lease = house
        .registry
        .register_with(id, child, options)
        .map_err(|taken| Crash::Taken(taken.into_parts().0))?;
    house.count_registered();

    if spec.kind == Kind::Hopeless {
        tokio::task::yield_now().await;
        return Err(Crash::Failed);
    }
    work(&house, lease.id(), &mut inbox).await?;
    house.release(lease);
    Ok(())
}

/// A worker whose child is kept by the supervisor.
pub(crate) async fn kept(house: Arc<House>, id: ChildId, mut inbox: Inbox) -> Result<(), Crash> {
    work(&house, &id, &mut inbox).await
}

async fn work(house: &House, id: &ChildId, inbox: &mut Inbox) -> Result<(), Crash> {
    while let Some(message) = inbox.recv().await {
        let job = match message {
            Message::Job(job) => job,
            // Told, not inferred from a closed mailbox: what the registry has removed is dropped some time
            // later, and the sender in it keeps the mailbox open until then.
            Message::Stop => return Ok(()),
        };
        match job.fault {
            // Entry and reply without an `.await` in between: an abort cannot separate them.
            None => {
                house.ledger.handled(job.number);
                // A sender that does not wait for the answer is its own affair.
                let _ = job.done.send(Reply::Handled(id.clone()));
            }
            Some(fault) => {
                let _ = job.done.send(Reply::Crashing);
                match fault {
                    Fault::Error => return Err(Crash::Failed),
                    // Unwinds as any panic does, but without a message on stderr for each.
                    Fault::Panic => panic::resume_unwind(Box::new("a job made it panic")),
                }
            }
        }
    }
    Err(Crash::Deserted)
}
