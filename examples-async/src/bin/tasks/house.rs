//! What all tasks share, and the types they talk in.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use process_registry::{ChildId, Hooks, Registration, Registry, Tag};
use tokio::sync::{mpsc, oneshot};

use crate::events::Log;
use crate::ledger::Ledger;

/// The "pid" of a task: what it takes to send to it.
pub(crate) type Mailbox = mpsc::Sender<Message>;
pub(crate) type Inbox = mpsc::Receiver<Message>;
pub(crate) type Tasks = Registry<Spec, Mailbox>;
pub(crate) type Lease = Registration<Spec, Mailbox>;

/// All tasks run in this process.
pub(crate) const NODE: &str = "local";

/// Messages that wait in a mailbox before senders have to.
pub(crate) const MAILBOX: usize = 16;

pub(crate) struct House {
    pub(crate) registry: Arc<Tasks>,
    pub(crate) hooks: Hooks<Mailbox>,
    pub(crate) log: Arc<Log>,
    pub(crate) ledger: Ledger,
    pub(crate) verbose: bool,
    /// Leases taken with hooks, and those given up with hooks, as their holders count them.
    pub(crate) registered: AtomicU64,
    pub(crate) released: AtomicU64,
}

impl House {
    pub(crate) fn new(verbose: bool) -> Self {
        let hooks = Hooks::new();
        let log = Log::listening_to(&hooks, verbose);
        Self {
            registry: Arc::new(Tasks::new(NODE)),
            hooks,
            log,
            ledger: Ledger::default(),
            verbose,
            registered: AtomicU64::new(0),
            released: AtomicU64::new(0),
        }
    }

    pub(crate) fn count_registered(&self) {
        // Relaxed, as below: read when the tasks that count have been joined.
        self.registered.fetch_add(1, Ordering::Relaxed);
    }

    /// Ends a lease in order, which hooks hear of.
    pub(crate) fn release(&self, lease: Lease) {
        if lease.release_with(&self.hooks).is_some() {
            self.released.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// What a child is: the specification kept in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    /// By which start of the worker it was registered, counted from 1.
    pub(crate) start: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Resize,
    Index,
    Mail,
    /// Crashes whenever it is started.
    Hopeless,
    /// Holds, or held, a lease with a deadline.
    Leader,
}

/// Whom a crash concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    OneForOne,
    /// A crash of one restarts all of the kind.
    OneForAll,
}

/// Who holds the lease of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// The task: the child goes with it.
    Task,
    /// The supervisor: the child stays, and a restart binds it anew.
    Supervisor,
}

impl Kind {
    pub(crate) const WORKING: [Self; 3] = [Self::Resize, Self::Index, Self::Mail];

    pub(crate) const fn tag(self) -> Tag {
        match self {
            Self::Resize => Tag::from_static("kind:resize"),
            Self::Index => Tag::from_static("kind:index"),
            Self::Mail => Tag::from_static("kind:mail"),
            Self::Hopeless => Tag::from_static("kind:hopeless"),
            Self::Leader => Tag::from_static("kind:leader"),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Resize => "resize",
            Self::Index => "index",
            Self::Mail => "mail",
            Self::Hopeless => "hopeless",
            Self::Leader => "leader",
        }
    }

    pub(crate) const fn strategy(self) -> Strategy {
        match self {
            Self::Index => Strategy::OneForAll,
            _ => Strategy::OneForOne,
        }
    }

    pub(crate) const fn keeper(self) -> Keeper {
        match self {
            Self::Mail => Keeper::Supervisor,
            _ => Keeper::Task,
        }
    }
}

#[derive(Debug)]
pub(crate) enum Message {
    Job(Job),
    Stop,
}

#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) number: usize,
    /// The worker that takes this job crashes.
    pub(crate) fault: Option<Fault>,
    pub(crate) done: oneshot::Sender<Reply>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Error,
    Panic,
}

#[derive(Debug)]
pub(crate) enum Reply {
    Handled(ChildId),
    /// The last word of a worker about to crash.
    Crashing,
}
