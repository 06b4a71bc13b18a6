//! When destructors run. All pins of the process count, whichever registry they are of: these tests
//! take turns, so that each finds the process idle.

mod support;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use process_registry::{Child, Event, Handler, HookKey, Hooks, Registry, WriteOptions};

use support::Hashing;
use support::ledger::{Ledger, Token};
use support::race::race;

/// Keeps the other tests of this file waiting.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn row_2_a_deleted_entry_is_destroyed_after_a_few_collects() {
    let _turn = turn();
    let ledger = Ledger::new(100);
    let registry: Registry<Token, u32> = Registry::new("here");
    registry.insert("id", Child::new(ledger.token()).on("here", 1));
    drop(registry.delete("id"));
    for _ in 0..4 {
        registry.collect();
    }
    ledger.closed();
}

#[test]
fn row_2_purge_expired_collects_too() {
    let _turn = turn();
    let ledger = Ledger::new(100);
    let registry: Registry<Token, u32> = Registry::new("here");
    registry.insert("id", Child::new(ledger.token()).on("here", 1));
    drop(registry.delete("id"));
    for _ in 0..4 {
        registry.purge_expired();
    }
    ledger.closed();
}

#[test]
fn row_2_an_old_pin_keeps_what_it_may_be_reading_and_refresh_lets_go() {
    let _turn = turn();
    let ledger = Ledger::new(100);
    let registry: Registry<Token, u32> = Registry::new("here");
    registry.insert("id", Child::new(ledger.token()).on("here", 1));
    let mut pin = registry.pin();
    let entry = pin.lookup("id").expect("live");
    drop(registry.delete("id"));
    for _ in 0..5 {
        registry.collect();
    }
    entry.spec().sound();
    assert_eq!(ledger.alive(), 1);
    pin.refresh();
    // Another thread, for this one is pinned again and frees nothing.
    race(1, |_| {
        for _ in 0..4 {
            registry.collect();
        }
    });
    ledger.closed();
    drop(pin);
}

#[test]
fn row_2_update_runs_unpinned_so_that_nobody_waits_and_memory_is_freed() {
    let _turn = turn();
    let ledger = Ledger::new(10_000);
    let registry: Registry<Token, u32> = Registry::new("here");
    let given = || Child::new(ledger.token()).on("here", 1);
    registry.insert("id", given());
    let done = registry.update("id", |_| {
        for round in 0..500 {
            registry.insert("other", given());
            if round % 50 == 0 {
                registry.collect();
            }
        }
        for _ in 0..5 {
            registry.collect();
        }
        // The base, the copy being edited, the last of the others.
        ledger.alive()
    });
    assert_eq!(done, Ok(3));
}

#[test]
fn row_3_4_a_handler_runs_unpinned() {
    let _turn = turn();
    let ledger = Ledger::new(100);
    let registry: Arc<Registry<Token, u32>> = Arc::new(Registry::new("here"));
    let hooks: Hooks<u32> = Hooks::new();
    let (weak, books) = (Arc::downgrade(&registry), ledger.clone());
    let free = move |_: &Event<'_, u32>| {
        let registry = weak.upgrade().expect("in use");
        drop(registry.insert("other", Child::new(books.token()).on("a", 1)));
        drop(registry.delete("other"));
        let alive = books.alive();
        for _ in 0..5 {
            registry.collect();
        }
        assert_eq!(books.alive(), alive - 1, "freed, for nobody is pinned");
    };
    hooks.register(HookKey::ChildRegistered, Handler::new("free", free)).expect("new");
    let given = Child::new(ledger.token()).on("a", 1);
    registry.insert_with("id", given, WriteOptions::new().hooks(&hooks));
    assert!(registry.contains("id"));
}

/// Threads that end leave nothing behind.
#[test]
fn what_short_lived_threads_removed_is_freed() {
    let _turn = turn();
    let ledger = Ledger::new(100_000);
    let registry: Registry<Token, u64, Token, u64> = Registry::new("here");
    for wave in 0..30 {
        race(4, |thread| {
            for n in 0..10 {
                let id = 1000 * thread as u64 + n;
                let given = Child::new(ledger.token()).metadata(ledger.token());
                registry.insert(id, given.on("here", wave).tag("x"));
                registry.delete(&id);
            }
        });
    }
    for _ in 0..5 {
        registry.collect();
    }
    ledger.closed();
}

/// After any amount of churn, what is alive is what is there.
#[test]
fn what_churn_left_behind_is_freed() {
    let _turn = turn();
    for hashing in [Hashing::Normal, Hashing::Constant] {
        let ledger = Ledger::new(200_000);
        let registry = Registry::<Token, u64, Token, u64>::builder("here").hasher(hashing).build();
        race(3, |thread| {
            for round in 0..2000 {
                let id = (7 * round + thread as u64) % 20;
                let given = Child::new(ledger.token()).metadata(ledger.token());
                drop(registry.insert(id, given.on("here", round).tag("x")));
                let _ = registry.update(&id, |child| child.bind("there", round));
                if round % 3 == 0 {
                    drop(registry.delete(&id));
                }
            }
        });
        for _ in 0..5 {
            registry.collect();
        }
        assert_eq!(ledger.alive(), 2 * registry.len_all());
        registry.clear_all();
        for _ in 0..5 {
            registry.collect();
        }
        ledger.closed();
    }
}

/// Without a call of `collect`, limbo stays small: every write frees a little.
#[test]
fn writes_alone_keep_limbo_small() {
    let _turn = turn();
    let ledger = Ledger::new(200_000);
    let registry: Registry<Token, u64, (), u64> = Registry::new("here");
    let mut most = 0;
    for round in 0..20_000 {
        drop(registry.insert(round % 10, Child::new(ledger.token()).on("here", round)));
        if round % 500 == 0 {
            most = most.max(ledger.alive());
        }
    }
    assert!(most < 2000, "{most} values were alive at once");
}

/// Pins are of the process, and yet a registry that goes waits for none: nobody can be reading it.
#[test]
fn a_registry_takes_its_entries_along_whoever_is_pinned_to_another() {
    let _turn = turn();
    let other: Registry<Token, u32> = Registry::new("elsewhere");
    let (tell, told) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let elsewhere = &other;
        scope.spawn(move || {
            let _pin = elsewhere.pin();
            tell.send(()).expect("the other thread listens");
            // Also where a check fails.
            let _ = released.recv();
        });
        let _release = release;
        told.recv().expect("it is pinned");
        let own_pin = other.pin();
        for hashing in [Hashing::Normal, Hashing::Colliding] {
            let ledger = Ledger::new(10_000);
            let registry =
                Registry::<Token, u32, Token, u32>::builder("here").hasher(hashing).build();
            let given = |id| Child::new(ledger.token()).metadata(ledger.token()).on("here", id);
            // There, replaced, removed, moved from table to table, and empty.
            for id in 0..500 {
                registry.insert(id, given(id).tag("x"));
                registry.insert(id, given(id).tag("y"));
            }
            for id in 0..100 {
                drop(registry.delete(&id));
            }
            registry.bulk_delete([(&200, ["here"])]);
            registry.shrink_to_fit();
            let kept = registry.get_owned(&300).expect("live");
            let removed = registry.delete(&400).expect("live");
            registry.collect();
            // Everything there has been, for the pins are older.
            assert!(ledger.alive() > 2000, "only {} are left", ledger.alive());
            drop(registry);
            assert_eq!(ledger.alive(), 4, "two entries are owned");
            kept.spec().sound();
            removed.metadata().sound();
            drop((kept, removed));
            ledger.closed();
        }
        assert!(own_pin.lookup("nobody").is_none());
    });
}
