//! What a task may hold across `.await`, and what becomes of it, on a runtime of several threads.

use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use process_registry::{Child, OwnedEntry, Registration, Registry};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, yield_now};

type Tasks = Registry<u64, u32>;

fn registry() -> Arc<Tasks> {
    Arc::new(Tasks::new("local"))
}

fn child(pid: u32) -> Child<u64, u32> {
    Child::new(0).on("local", pid).tag("task")
}

#[test]
fn leases_and_owned_entries_go_anywhere() {
    fn goes_anywhere<T: Send + Sync + 'static>() {}
    goes_anywhere::<Registration<u64, u32>>();
    goes_anywhere::<OwnedEntry<u64, u32>>();
    goes_anywhere::<Arc<Tasks>>();
}

/// Both are held while other tasks run, and go to another task, which drops them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn they_are_good_after_an_await_and_in_another_task() {
    let registry = registry();
    let (send, mut receive) = mpsc::channel(1);
    let mut holders = JoinSet::new();
    for pid in 0..100 {
        let (registry, send) = (Arc::clone(&registry), send.clone());
        holders.spawn(async move {
            let lease = registry.register(format!("task-{pid}"), child(pid)).unwrap();
            let entry = lease.entry().unwrap();
            for turn in 0..20 {
                lease.rebind("local", pid + turn).unwrap();
                yield_now().await;
                assert!(lease.is_current());
                assert_eq!(registry.get_pid(lease.id()), Some(pid + turn));
                // As it was when it was taken.
                assert_eq!((entry.pid(), entry.version()), (Some(&pid), 1));
            }
            send.send((lease, entry)).await.unwrap();
        });
    }
    drop(send);
    let mut received = 0;
    while let Some((lease, entry)) = receive.recv().await {
        let id = lease.id().clone();
        assert!(registry.contains(&id));
        drop(lease);
        assert!(!registry.contains(&id));
        assert_eq!(*entry.id(), id);
        received += 1;
    }
    assert_eq!(received, 100);
    while let Some(ended) = holders.join_next().await {
        ended.unwrap();
    }
    assert_eq!((registry.len_all(), registry.tags().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn however_a_task_ends_its_child_goes_with_it() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum End {
        Return,
        Error,
        Panic,
        Abort,
    }
    let registry = registry();
    for end in [End::Return, End::Error, End::Panic, End::Abort] {
        let (registered, is_registered) = oneshot::channel();
        let (go_on, may_go_on) = oneshot::channel::<()>();
        let own = Arc::clone(&registry);
        let task = tokio::spawn(async move {
            let _lease = own.register("task", child(1)).unwrap();
            registered.send(()).unwrap();
            let _ = may_go_on.await;
            match end {
                End::Return => Ok(()),
                End::Error => Err("an error")?,
                // Unwinds without a message.
                End::Panic => panic::resume_unwind(Box::new("a panic")),
                End::Abort => unreachable!("it is aborted where it waits"),
            }
        });
        is_registered.await.unwrap();
        assert!(registry.contains("task"), "{end:?}");
        // Kept until the task has ended: without its sender it would go on.
        let kept = if end == End::Abort {
            task.abort();
            Some(go_on)
        } else {
            go_on.send(()).unwrap();
            None
        };
        let ended: Result<Result<(), &str>, _> = task.await;
        drop(kept);
        match end {
            End::Return => assert_eq!(ended.unwrap(), Ok(())),
            End::Error => assert_eq!(ended.unwrap(), Err("an error")),
            End::Panic => assert!(ended.unwrap_err().is_panic()),
            End::Abort => assert!(ended.unwrap_err().is_cancelled()),
        }
        assert!(!registry.entry_exists("task"), "{end:?}");
    }
}

#[test]
fn the_end_of_a_runtime_ends_the_leases_of_its_tasks() {
    let registry = registry();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for pid in 0..10 {
        let own = Arc::clone(&registry);
        runtime.block_on(async move {
            let (registered, is_registered) = oneshot::channel();
            tokio::spawn(async move {
                let _lease = own.register(format!("task-{pid}"), child(pid)).unwrap();
                registered.send(()).unwrap();
                std::future::pending::<()>().await;
            });
            is_registered.await.unwrap();
        });
    }
    assert_eq!(registry.len(), 10);
    drop(runtime);
    assert_eq!(registry.len_all(), 0);
}

/// Many tasks want few ids: of those who do, one at a time has each.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_lease_excludes_all_others() {
    const IDS: usize = 4;
    const TASKS: usize = 32;
    const ATTEMPTS: usize = 200;
    let registry = registry();
    let held: Arc<[AtomicBool; IDS]> = Arc::default();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (registry, held) = (Arc::clone(&registry), Arc::clone(&held));
        tasks.spawn(async move {
            let (mut had, mut refused) = (0, 0);
            for attempt in 0..ATTEMPTS {
                let at = (task + attempt) % IDS;
                match registry.register(format!("id-{at}"), child(task as u32)) {
                    Ok(lease) => {
                        assert!(!held[at].swap(true, Ordering::Relaxed), "two have it");
                        yield_now().await;
                        assert!(lease.is_current());
                        assert!(held[at].swap(false, Ordering::Relaxed));
                        drop(lease);
                        had += 1;
                    }
                    Err(taken) => {
                        // The holder's entry, for as long as it is wanted.
                        let (_, _, holder) = taken.into_parts();
                        yield_now().await;
                        assert_eq!(*holder.id(), format!("id-{at}"));
                        assert_ne!(holder.pid(), Some(&(task as u32)));
                        refused += 1;
                    }
                }
            }
            (had, refused)
        });
    }
    let (mut had, mut refused) = (0, 0);
    while let Some(ended) = tasks.join_next().await {
        let (own, others) = ended.unwrap();
        had += own;
        refused += others;
    }
    assert_eq!(had + refused, TASKS * ATTEMPTS);
    // Every id is free at first, so each was had by somebody.
    assert!(had >= IDS);
    assert_eq!(registry.len_all(), 0);
}

/// Queries by tag from tasks, while others update the entries that they find.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn updates_of_many_tasks_are_all_made() {
    const TASKS: u64 = 16;
    const UPDATES: u64 = 500;
    let registry = registry();
    let lease = registry.register("counter", child(1)).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(AtomicU32::new(0));
    let reader = tokio::spawn({
        let (registry, stop, seen) = (Arc::clone(&registry), Arc::clone(&stop), Arc::clone(&seen));
        async move {
            let mut last = 0;
            while !stop.load(Ordering::Relaxed) {
                // The pin and what it borrows end before the `.await`, the shared entry does not.
                let found = registry.pin().match_tag("task").next().map(|entry| entry.share());
                yield_now().await;
                let found = found.expect("it is there all the time");
                assert!(*found.spec() >= last, "it went back from {last} to {}", found.spec());
                last = *found.spec();
                seen.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let mut writers = JoinSet::new();
    for _ in 0..TASKS {
        let registry = Arc::clone(&registry);
        writers.spawn(async move {
            for _ in 0..UPDATES {
                registry.update("counter", |child| *child.spec_mut() += 1).unwrap();
                yield_now().await;
            }
        });
    }
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    // It has looked at least once, however late it was started.
    while seen.load(Ordering::Relaxed) == 0 && !reader.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    stop.store(true, Ordering::Relaxed);
    reader.await.unwrap();
    let entry = lease.release().unwrap();
    assert_eq!(*entry.spec(), TASKS * UPDATES);
    assert_eq!(entry.version(), 1 + TASKS * UPDATES);
}
