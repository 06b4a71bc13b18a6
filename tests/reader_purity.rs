//! Readers do nothing for others: over more than a million pins of lookups, queries and walks, while
//! others churn and the tables grow and shrink, they run no destructor and no clone of a user's,
//! allocate nothing, and free nothing but what is the collector's own.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use process_registry::{Child, Registry};
use test_support::{CountingAlloc, thread_activity, thread_freed_sizes};

#[global_allocator]
static ALLOC: CountingAlloc = CountingAlloc::new();

thread_local! {
    static CLONES: Cell<u64> = const { Cell::new(0) };
    static DROPS: Cell<u64> = const { Cell::new(0) };
}

fn more(counter: &'static thread::LocalKey<Cell<u64>>) {
    let _ = counter.try_with(|count| count.set(count.get() + 1));
}

/// A key, spec, pid or metadata; it owns memory, as those of users do.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Value(Box<u64>);

impl Value {
    fn new(n: u64) -> Self {
        Self(Box::new(n))
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        more(&CLONES);
        Self(self.0.clone())
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        more(&DROPS);
    }
}

type Values = Registry<Value, Value, Value, Value>;

/// Entries that stay, so that every table is larger than any block of the collector's.
const STAY: u64 = 1_000;
/// Those of them that carry the tag, and are bound to the node, that are asked for.
const FEW: u64 = 100;
const READERS: usize = 2;
/// Pins of each reader.
const PINS: u64 = 520_000;
/// The collector's blocks: bags of 64 deferred calls, and the records of threads that have ended.
/// Of ours, those of about that size are arrays, whose size is a power of two.
const BAG: std::ops::RangeInclusive<usize> = 1_500..=4_000;

fn child(n: u64, few: bool) -> Child<Value, Value, Value> {
    let child = Child::new(Value::new(n)).metadata(Value::new(n)).on("here", Value::new(n));
    if few { child.tag("few").on("there", Value::new(n)) } else { child.tag("many") }
}

/// What the writers do: replace what stays, and come and go with others in waves, of which the
/// number comes back.
fn write(registry: &Values, thread: u64, stop: &AtomicBool) -> u64 {
    let mut waves = 0;
    let first = STAY + (thread << 32);
    while !stop.load(Ordering::Relaxed) {
        for n in first..first + 4 * STAY {
            registry.insert(Value::new(n), child(n, false));
            let old = registry.insert(Value::new(n % STAY), child(n, n % STAY < FEW));
            assert!(old.is_some());
            let _ = registry.update(&Value::new(n % FEW), |child| {
                child.bind("here", Value::new(n));
            });
        }
        for n in first..first + 4 * STAY {
            assert!(registry.delete(&Value::new(n)).is_some());
        }
        registry.shrink_to_fit();
        waves += 1;
    }
    waves
}

/// What a reader has found out about itself.
#[derive(Debug, Default)]
struct Account {
    pins: u64,
    walks: u64,
}

/// Reads until it has pinned often enough. Nothing here allocates by itself.
fn read(registry: &Values, keys: &[Value]) -> Account {
    let mut account = Account::default();
    let mut round = 0;
    while account.pins < PINS {
        round += 1;
        let at = (round % STAY) as usize;
        // A pin each.
        assert!(registry.contains(&keys[at]) && registry.entry_exists(&keys[at]));
        let held = registry.lookup(&keys[at]).expect("it stays");
        assert_eq!(held.id(), &keys[at]);
        drop(held);
        let pin = registry.pin();
        assert!(pin.get_pid(&keys[at]).is_some());
        if round % 8 == 0 {
            let many: [&Value; 16] = std::array::from_fn(|i| &keys[(at + i) % keys.len()]);
            assert_eq!(pin.get_many(many).iter().flatten().count(), 16);
            assert!(pin.get_many_iter(&keys[..20]).all(|entry| entry.is_some()));
        }
        drop(pin);
        account.pins += 4;
        if round % 64 == 0 {
            assert_eq!(registry.pin().match_tag("few").count() as u64, FEW);
            assert_eq!(registry.pin().children_on("there").count() as u64, FEW);
            assert!(registry.tag_len("few") > 0 && !registry.is_empty());
            account.pins += 3;
        }
        if round % 2048 == 0 {
            let entries = registry.pin().iter().count() as u64;
            assert!(entries >= STAY);
            account.pins += 1;
            account.walks += 1;
        }
    }
    account
}

#[test]
fn readers_do_nothing_for_others() {
    let registry = &Values::builder("here").capacity(8 * STAY as usize).build();
    for n in 0..STAY {
        registry.insert(Value::new(n), child(n, n < FEW));
    }
    let keys: &Vec<Value> = &(0..STAY).map(Value::new).collect();
    let stop = &AtomicBool::new(false);
    thread::scope(|scope| {
        let writers = [1, 2].map(|thread| scope.spawn(move || write(registry, thread, stop)));
        let reader = move || {
            // The thread's handle of the collector comes with its first pin.
            drop(registry.pin());
            let _ = thread_freed_sizes();
            CLONES.set(0);
            DROPS.set(0);
            let (account, activity) = thread_activity(|| read(registry, keys));
            let freed = thread_freed_sizes();
            assert_eq!((CLONES.get(), DROPS.get()), (0, 0), "user code on a reader");
            (account, activity, freed)
        };
        let readers: Vec<_> = (0..READERS).map(|_| scope.spawn(reader)).collect();
        let ends: Vec<_> = readers.into_iter().map(|reader| reader.join()).collect();
        // First of all, or a failure would leave the writers running.
        stop.store(true, Ordering::Relaxed);
        for end in ends {
            let (account, activity, freed) = end.expect("reads well");
            println!("{account:?}: {activity:?}, blocks of {freed:?} bytes freed");
            assert!(account.pins >= PINS && account.walks > 50);
            // crossbeam looks at its queue once in 128 pins, and takes up to eight bags from it.
            assert!(activity.frees <= account.pins / 64, "{activity:?}");
            assert!(activity.allocations <= account.pins / 64, "{activity:?}");
            let bag = |size: usize| BAG.contains(&size) && !size.is_power_of_two();
            let collectors = freed.is_none_or(|(least, most)| bag(least) && bag(most));
            assert!(collectors, "blocks of {freed:?} bytes freed");
        }
        let waves = writers.map(|writer| writer.join().expect("writes well"));
        assert!(waves.iter().sum::<u64>() > 2, "no churn beside the readers");
    });
}
