//! The supervisor: starts the workers, and starts again those that crash.
//!
//! It is a task that owns the workers' tasks and learns from tokio how each has ended. By the time it does,
//! the future of that task has been dropped, with the lease in it: the id is free again.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use examples_async::terminal::say;
use process_registry::{Child, ChildId, WriteOptions};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::house::{House, Keeper, Kind, Lease, MAILBOX, Message, NODE, Spec, Strategy};
use crate::worker::{self, Crash};

/// How often a hopeless worker is started again before it is given up.
pub(crate) const HOPELESS_RESTARTS: usize = 3;

/// Restarts are counted over this time.
const WINDOW: Duration = Duration::from_secs(60);

/// What the supervisor has seen and done, for the check.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) crashes: u64,
    pub(crate) panics: u64,
    pub(crate) restarts: u64,
    /// Workers that were aborted because another of their kind crashed, and were started again.
    pub(crate) aborted: u64,
    pub(crate) restarts_of_aborted: u64,
    pub(crate) rebound: u64,
    /// How often each worker that keeps its own lease was started, the hopeless one aside.
    pub(crate) starts: BTreeMap<ChildId, u64>,
    /// Workers told to stop that have done so.
    pub(crate) stopped: u64,
    pub(crate) given_up: Vec<ChildId>,
    /// Of each lease the supervisor held: the restarts of its worker, and the entry's incarnation and
    /// version at the end.
    pub(crate) kept: Vec<Kept>,
    pub(crate) faults: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) id: ChildId,
    pub(crate) restarts: u64,
    /// When it was registered, and at the end.
    pub(crate) incarnations: (u64, Option<u64>),
    pub(crate) version: Option<u64>,
}

/// How things stand, for those who wait for a quiet moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Standing {
    /// Crashes of workers that are not hopeless.
    pub(crate) crashes: u64,
    /// Whether every worker is running, or has been given up.
    pub(crate) settled: bool,
}

pub(crate) struct Supervisor {
    house: Arc<House>,
    workers: Vec<Worker>,
    tasks: JoinSet<Result<(), Crash>>,
    by_task: HashMap<Id, usize>,
    report: Report,
    standing: watch::Sender<Standing>,
}

struct Worker {
    id: ChildId,
    kind: Kind,
    starts: u64,
    state: State,
    /// The lease, if the supervisor keeps it.
    lease: Option<Lease>,
    /// So many restarts within the window are granted.
    limit: usize,
    recent: VecDeque<Instant>,
}

enum State {
    Running(AbortHandle),
    /// Told to end at its next `.await`, and not yet seen to have.
    Aborted,
    /// To be started again. It has crashed, or been aborted.
    Down {
        crashed: bool,
    },
    GivenUp,
    Stopped,
}

impl Supervisor {
    /// Workers of the three kinds in equal numbers, and a hopeless one. A worker may crash `crashes` times.
    pub(crate) fn new(house: Arc<House>, workers: u64, crashes: u64) -> Self {
        let kinds = Kind::WORKING.iter().cycle();
        let limit = usize::try_from(crashes).unwrap_or(usize::MAX);
        let mut staff: Vec<Worker> = (0..workers)
            .zip(kinds)
            .map(|(number, kind)| Worker::new(format!("{}-{number}", kind.name()), *kind, limit))
            .collect();
        staff.push(Worker::new("hopeless".to_owned(), Kind::Hopeless, HOPELESS_RESTARTS));
        Self {
            house,
            workers: staff,
            tasks: JoinSet::new(),
            by_task: HashMap::new(),
            report: Report::default(),
            standing: watch::Sender::new(Standing::default()),
        }
    }

    /// The ids of the workers of each kind, the hopeless one aside.
    pub(crate) fn staff(&self) -> Vec<(Kind, BTreeSet<ChildId>)> {
        let of = |kind| self.workers.iter().filter(move |worker| worker.kind == kind);
        let ids = |kind| of(kind).map(|worker| worker.id.clone()).collect();
        Kind::WORKING.map(|kind| (kind, ids(kind))).into()
    }

    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// Supervises until it is told to stop, then stops the workers.
    pub(crate) async fn run(mut self, mut stop: oneshot::Receiver<()>) -> Report {
        for at in 0..self.workers.len() {
            self.start(at);
        }
        loop {
            self.publish_standing();
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => {
                    let at = self.note_end(ended);
                    self.restart(at);
                }
                // An error means that nobody is left to stop it.
                _ = &mut stop => break,
            }
        }
        self.shut_down().await;
        self.report
    }

    fn start(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        worker.starts += 1;
        let spec = Spec { kind: worker.kind, start: worker.starts };
        let (house, id) = (Arc::clone(&self.house), worker.id.clone());
        let task = match worker.kind.keeper() {
            Keeper::Task => self.tasks.spawn(worker::registered(house, id, spec)),
            Keeper::Supervisor => {
                let (mailbox, inbox) = mpsc::channel(MAILBOX);
                let bound = match &worker.lease {
                    // The child was there all the time, with a mailbox that was closed.
                    Some(lease) => {
                        let rebound = lease.rebind_with(NODE, mailbox, &house.hooks);
                        self.report.rebound += u64::from(rebound.is_ok());
                        rebound.map(drop).map_err(|error| error.to_string())
                    }
                    None => {
                        let child = Child::new(spec).on(NODE, mailbox).tag(spec.kind.tag());
                        let options = WriteOptions::new().hooks(&house.hooks);
                        let lease = house.registry.register_with(&id, child, options);
                        lease.map_err(|taken| taken.to_string()).map(|lease| {
                            house.count_registered();
                            worker.lease = Some(lease);
                        })
                    }
                };
                if let Err(error) = bound {
                    self.report.faults.push(format!("{id} cannot be bound: {error}"));
                }
                self.tasks.spawn(worker::kept(house, id, inbox))
            }
        };
        self.by_task.insert(task.id(), at);
        worker.state = State::Running(task);
    }

    /// Takes note of how a task has ended, and returns whose it was.
    fn note_end(&mut self, ended: Result<(Id, Result<(), Crash>), JoinError>) -> usize {
        let (task, crash) = match ended {
            Ok((task, Ok(()))) => (task, None),
            Ok((task, Err(crash))) => (task, Some(crash.to_string())),
            Err(error) if error.is_panic() => {
                self.report.panics += 1;
                (error.id(), Some("it panicked".to_owned()))
            }
            // Aborted: by this supervisor, which knows why.
            Err(error) => {
                let at = self.worker_of(error.id());
                self.report.aborted += 1;
                self.workers[at].state = State::Down { crashed: false };
                return at;
            }
        };
        let at = self.worker_of(task);
        let worker = &mut self.workers[at];
        match crash {
            Some(why) => {
                if self.house.verbose {
                    say(format_args!("crashed: {}, since {why}", worker.id));
                }
                self.report.crashes += 1;
                if worker.kind != Kind::Hopeless {
                    self.standing.send_modify(|standing| standing.crashes += 1);
                }
                worker.state = State::Down { crashed: true };
            }
            None => {
                self.report.stopped += 1;
                worker.state = State::Stopped;
            }
        }
        at
    }

    fn worker_of(&mut self, task: Id) -> usize {
        self.by_task.remove(&task).expect("each task is entered when it is spawned, and ends once")
    }

    /// Starts again what has ended, by the strategy of its kind.
    fn restart(&mut self, at: usize) {
        let kind = self.workers[at].kind;
        match kind.strategy() {
            Strategy::OneForOne => self.start_again(at),
            Strategy::OneForAll => {
                let group = (0..self.workers.len()).filter(|at| self.workers[*at].kind == kind);
                let group: Vec<usize> = group.collect();
                let mut under_way = false;
                for &at in &group {
                    let state = &mut self.workers[at].state;
                    if let State::Running(task) = state {
                        task.abort();
                        *state = State::Aborted;
                    }
                    under_way |= matches!(state, State::Aborted);
                }
                // The last of them to end brings all of them back.
                if !under_way {
                    group.into_iter().for_each(|at| self.start_again(at));
                }
            }
        }
    }

    /// Starts a worker that is down, unless it has crashed too often.
    fn start_again(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        let State::Down { crashed } = worker.state else { return };
        if !crashed {
            self.report.restarts_of_aborted += 1;
        } else if worker.may_restart() {
            self.report.restarts += 1;
        } else {
            worker.state = State::GivenUp;
            self.report.given_up.push(worker.id.clone());
            return;
        }
        self.start(at);
    }

    fn publish_standing(&self) {
        let at_rest = |worker: &Worker| matches!(worker.state, State::Running(_) | State::GivenUp);
        let settled = self.workers.iter().all(at_rest);
        self.standing.send_modify(|standing| standing.settled = settled);
    }

    async fn shut_down(&mut self) {
        for worker in &self.workers {
            let State::Running(task) = &worker.state else { continue };
            // Held across the `.await`, as in `traffic.rs`.
            let entry = self.house.registry.get_owned(&worker.id);
            let told = match entry.as_ref().and_then(|entry| entry.pid()) {
                Some(mailbox) => mailbox.send(Message::Stop).await.is_ok(),
                None => false,
            };
            if !told {
                task.abort();
            }
        }
        while let Some(ended) = self.tasks.join_next_with_id().await {
            self.note_end(ended);
        }
        for worker in &mut self.workers {
            if worker.kind.keeper() == Keeper::Task && worker.kind != Kind::Hopeless {
                self.report.starts.insert(worker.id.clone(), worker.starts);
            }
            if let Some(lease) = worker.lease.take() {
                let entry = lease.entry();
                self.report.kept.push(Kept {
                    id: worker.id.clone(),
                    restarts: worker.starts - 1,
                    incarnations: (
                        lease.incarnation(),
                        entry.as_ref().map(|entry| entry.incarnation()),
                    ),
                    version: entry.as_ref().map(|entry| entry.version()),
                });
                self.house.release(lease);
            }
        }
    }
}

impl Worker {
    fn new(id: String, kind: Kind, limit: usize) -> Self {
        Self {
            id: ChildId::from(id),
            kind,
            starts: 0,
            state: State::Down { crashed: false },
            lease: None,
            limit,
            recent: VecDeque::new(),
        }
    }

    /// Whether there were fewer than `limit` restarts within the window; if so, one more is counted.
    fn may_restart(&mut self) -> bool {
        while self.recent.front().is_some_and(|restart| restart.elapsed() > WINDOW) {
            self.recent.pop_front();
        }
        let granted = self.recent.len() < self.limit;
        if granted {
            self.recent.push_back(Instant::now());
        }
        granted
    }
}
