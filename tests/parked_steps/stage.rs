//! The registry that a parked thread and the others share, and the accounts about it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use process_registry::{Child, Entry, Registry};
use test_support::{Counters, Tracked};

use crate::support::{Hashing, counts_match_a_walk};

pub(crate) type Value = Tracked<u64>;
pub(crate) type Parked = Registry<Value, u64, Value, u64, Hashing>;

/// Ids that every thread writes.
pub(crate) const SHARED: u64 = 12;
/// The first of the ids that only the parked thread writes.
pub(crate) const PARKED: u64 = 1 << 20;
/// The first of the ids that only the looking-on thread writes.
pub(crate) const ONLOOKER: u64 = 1 << 21;

pub(crate) struct Stage {
    pub(crate) registry: Parked,
    pub(crate) counters: Arc<Counters>,
    /// For each shared id, how often it came less how often it went.
    balance: Vec<AtomicI64>,
}

/// The value `number` of an id: the id can be read from it.
pub(crate) const fn value(id: u64, number: u64) -> u64 {
    id << 32 | number
}

impl Stage {
    pub(crate) fn new(hashing: Hashing) -> Self {
        Self {
            registry: Registry::<Value, u64, Value, u64>::builder("here").hasher(hashing).build(),
            counters: Counters::new(),
            balance: (0..SHARED).map(|_| AtomicI64::new(0)).collect(),
        }
    }

    pub(crate) fn child(&self, value: u64) -> Child<Value, u64, Value> {
        let value_of = || Tracked::new(&self.counters, value);
        Child::new(value_of()).metadata(value_of()).on("here", value).tag("all")
    }

    pub(crate) fn update(&self, id: u64, to: u64) -> bool {
        let edit = |child: &mut Child<Value, u64, Value>| {
            child.bind("here", to);
            child.set_metadata(Tracked::new(&self.counters, to));
        };
        self.registry.update(&id, edit).is_ok()
    }

    fn count(&self, id: u64, by: i64) {
        // Relaxed: looked at when all threads have been joined.
        self.balance[id as usize].fetch_add(by, Ordering::Relaxed);
    }

    /// Writes a shared id, whole. `lonely` gives it a tag and a node that few carry.
    pub(crate) fn put_shared(&self, id: u64, number: u64, lonely: bool) {
        let mut child = self.child(value(id, number)).tag("shared").on("far", 0);
        if lonely {
            child = child.tag("lonely").on("alone", 0);
        }
        match self.registry.insert(id, child) {
            Some(old) => whole(&old),
            None => self.count(id, 1),
        }
    }

    pub(crate) fn try_put_shared(&self, id: u64, number: u64) {
        match self.registry.try_insert(id, self.child(value(id, number)).tag("lonely")) {
            Ok(new) => {
                assert_eq!(**new.spec(), value(id, number));
                self.count(id, 1);
            }
            Err(taken) => whole(taken.holder()),
        }
    }

    pub(crate) fn take_shared(&self, id: u64) {
        if let Some(old) = self.registry.delete(&id) {
            whole(&old);
            self.count(id, -1);
        }
    }

    /// Checks everything there is. No thread is at work; `own` are the ids that must be there
    /// besides the shared ones.
    pub(crate) fn check(&self, mut own: HashSet<u64>) {
        for (id, balance) in (0..).zip(&self.balance) {
            // Relaxed: the threads have been joined.
            let there = i64::from(self.registry.contains(&id));
            assert_eq!(balance.load(Ordering::Relaxed), there, "comings and goings of {id}");
            if there == 1 {
                own.insert(id);
            }
        }
        let all = self.registry.dump_all();
        all.values().for_each(|entry| whole(entry));
        let all: HashSet<u64> = all.into_keys().collect();
        let odd: Vec<_> = all.symmetric_difference(&own).collect();
        assert!(odd.is_empty(), "lost or left behind: {odd:?}");
        counts_match_a_walk(&self.registry);
    }

    /// Frees what can be freed, and checks that no value is left but those of the entries.
    pub(crate) fn check_freed(&self) {
        for _ in 0..6 {
            self.registry.collect();
        }
        let entries = self.registry.len_all() as u64;
        assert_eq!(self.counters.live(), 2 * entries, "values of {entries} entries");
    }
}

/// Checks that the parts of an entry belong together.
#[track_caller]
pub(crate) fn whole(entry: &Entry<Value, u64, Value, u64>) {
    let id = *entry.id();
    assert_eq!(**entry.spec() >> 32, id, "the spec of another id");
    assert_eq!(**entry.metadata() >> 32, id, "the metadata of another id");
    assert_eq!(entry.pid_on("here"), Some(&**entry.metadata()), "a torn update of {id}");
    assert!(entry.has_tag("all"));
}
