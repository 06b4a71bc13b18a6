//! Tokio tasks under a supervisor, with a registry as the one place where they are found.
//!
//! Workers of three kinds handle jobs that senders give them, while some jobs make them crash. What it shows
//! about the registry:
//!
//! - **A lease inside the task** (`worker.rs`): a worker registers itself, and the `Registration` lives
//!   across every `.await`. However the task ends, by an error, by a panic or by being aborted, the lease is
//!   dropped and the child is gone. Nobody has to clean up after it.
//! - **A lease that outlives the task** (`supervisor.rs`): for one kind the supervisor holds it, and a
//!   restart binds the new mailbox to the child that never went away.
//! - **Queries by tag** (`dispatch.rs`): round robin over the workers of a kind, and a message to all of
//!   them. An `OwnedEntry` is held across `.await` while a job is on its way.
//! - **Leases with a deadline** (`leader.rs`): two candidates compete for one id. The leader renews its
//!   lease, then stops; the lease lapses by itself and the other takes over. What was let go of is swept.
//! - **Hooks** (`events.rs`): handlers are told what came and what was given up. The end of a lease by drop
//!   fires none, which is why crashes are counted by the supervisor and not by a handler.
//!
//! No call on the registry waits, so none needs `spawn_blocking`. What a task may not do is hold a pin across
//! `.await`; it would not compile.
//!
//! In the end the program checks its own results (`check.rs`): each job was handled exactly once, however
//! often it was returned; restarts equal crashes; the events fit the leases; the registry is empty.
//!
//! ```text
//! cargo run --release -p examples-async --bin tasks
//! cargo run --release -p examples-async --bin tasks -- --workers 100 --crashes 500 --verbose
//! ```
//!
//! Exit status: 0 all is as it should be, 1 something differs, 2 bad option.

mod chaos;
mod check;
mod dispatch;
mod events;
mod house;
mod leader;
mod ledger;
mod options;
mod supervisor;
mod traffic;
mod worker;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use examples_async::terminal::{complain, conclude, say};
use examples_async::waiting::{finished, until};
use process_registry::ChildId;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};

use crate::check::Account;
use crate::house::{House, Kind};
use crate::options::{Options, Request};
use crate::supervisor::{Standing, Supervisor};

/// Senders for each kind of worker.
const SENDERS: usize = 3;

fn main() -> ExitCode {
    let options = match options::parse(std::env::args_os()) {
        Ok(Request::Run(options)) => options,
        Ok(Request::Help) => {
            say(format_args!("{}", options::USAGE.trim_end()));
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            complain(format_args!("tasks: {message}; try --help"));
            return ExitCode::from(2);
        }
    };
    // More than one thread on any machine, so that the tasks do run at the same time.
    let threads = thread::available_parallelism().map_or(2, usize::from).max(2);
    let runtime = runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(&options)),
        Err(error) => Err(format!("cannot start the runtime: {error}")),
    };
    outcome.unwrap_or_else(|message| {
        complain(format_args!("tasks: {message}"));
        ExitCode::FAILURE
    })
}

async fn run(options: &Options) -> Result<ExitCode, String> {
    let house = Arc::new(House::new(options.verbose));
    let (stop_supervisor, stopped) = oneshot::channel();
    let supervisor = Supervisor::new(Arc::clone(&house), options.workers, options.crashes);
    let staff = supervisor.staff();
    let mut standing = supervisor.standing();
    let supervisor = tokio::spawn(supervisor.run(stopped));
    all_are_in(&house, &staff).await?;

    let begun = Instant::now();
    let stop_traffic = Arc::new(AtomicBool::new(false));
    let mut senders = JoinSet::new();
    for kind in Kind::WORKING {
        for _ in 0..SENDERS {
            let stop = Arc::clone(&stop_traffic);
            senders.spawn(traffic::send_jobs(Arc::clone(&house), kind, stop));
        }
        let stop = Arc::clone(&stop_traffic);
        senders.spawn(traffic::call_all(Arc::clone(&house), kind, stop));
    }
    let leaders = tokio::spawn(leader::compete(Arc::clone(&house)));
    let chaos = tokio::spawn(chaos::crash(
        Arc::clone(&house),
        options.crashes,
        Duration::from_secs(options.seconds),
        options.seed,
    ));

    let mut traffic = chaos.await.map_err(broken)??;
    let leadership = finished("the leaders", leaders).await?.map_err(broken)??;
    // Relaxed: nothing is handed over with it.
    stop_traffic.store(true, Ordering::Relaxed);
    while let Some(sent) = finished("the senders", senders.join_next()).await? {
        traffic += sent.map_err(broken)?;
    }
    let elapsed = begun.elapsed();

    // Nothing crashes any more. When all that has crashed is back, each worker is called once more, and all
    // have to answer.
    let quiet = |standing: &Standing| standing.settled && standing.crashes == options.crashes;
    let settled = finished("the restarts", standing.wait_for(quiet)).await?;
    settled.map_err(|_| "the supervisor has gone".to_owned())?;
    all_are_in(&house, &staff).await?;
    let mut answers = Vec::new();
    for kind in Kind::WORKING {
        let (answered, sent) = traffic::roll_call(&house, kind).await;
        traffic += sent;
        answers.push((kind, answered));
    }
    let entries = house.registry.dump();
    let _ = stop_supervisor.send(());
    let report = finished("the supervisor", supervisor).await?.map_err(broken)?;

    if options.corrupt {
        house.ledger.handled(0);
    }
    let house = &*house;
    let account =
        Account { options, house, staff, traffic, elapsed, leadership, answers, entries, report };
    let checks = account.check();
    say(format_args!("{account}"));
    Ok(conclude("tasks", &checks, format_args!("{} jobs handled", account.traffic.handled)))
}

/// Waits until the workers of all kinds are registered and can be sent to.
async fn all_are_in(house: &House, staff: &[(Kind, BTreeSet<ChildId>)]) -> Result<(), String> {
    until("the workers to register", || {
        staff.iter().all(|(kind, ids)| dispatch::reachable(&house.registry, *kind) == ids.len())
    })
    .await
}

/// A task of the program itself has panicked.
fn broken(error: JoinError) -> String {
    format!("a task failed: {error}")
}
