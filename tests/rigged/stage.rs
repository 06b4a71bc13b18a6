//! The registry the rigged operations work on.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use process_registry::{Child, Clock, Event, Handler, HookKey, Hooks, ManualClock, Registry};

use crate::support::ledger::Ledger;
use crate::support::rigged::{Id, Point, Value, reached};
use crate::support::{Hashing, counts_match_a_walk};

pub(crate) type Rigged = Registry<Value, Value, Value, Id, Hashing>;
pub(crate) type RiggedChild = Child<Value, Value, Value>;

/// Ids that are live on the stage.
pub(crate) const LIVE: std::ops::Range<u32> = 0..8;
pub(crate) const TOMBSTONE: u32 = 20;
pub(crate) const PENDING: u32 = 21;
pub(crate) const EXPIRED: u32 = 22;
pub(crate) const ABSENT: u32 = 23;

/// Ids an operation has no business with, or `ALL` if it touches all.
pub(crate) type Touches = &'static [u32];
pub(crate) const ALL: Touches = &[u32::MAX];

/// What is seen of the entries an operation does not touch: number of the spec, and version.
pub(crate) type Shot = BTreeMap<u32, (u32, u64)>;

pub(crate) struct Stage {
    pub(crate) registry: Arc<Rigged>,
    pub(crate) hooks: Arc<Hooks<Value, Id>>,
    pub(crate) ledger: Ledger,
}

/// A stage that does not keep its registry.
pub(crate) struct WeakStage(Weak<Rigged>, Weak<Hooks<Value, Id>>, Ledger);

impl WeakStage {
    pub(crate) fn upgrade(&self) -> Option<Stage> {
        Some(Stage {
            registry: self.0.upgrade()?,
            hooks: self.1.upgrade()?,
            ledger: self.2.clone(),
        })
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let registry = Registry::<Value, Value, Value, Id>::builder("here")
            .hasher(Hashing::Colliding)
            .clock(Clock::Manual(clock.clone()))
            .build();
        let hooks = Hooks::new();
        for key in [HookKey::ChildRegistered, HookKey::ChildUnregistered] {
            let note = |_: &Event<'_, Value, Id>| reached(Point::Hook);
            hooks.register(key, Handler::new("rigged", note)).expect("new");
        }
        let stage = Self {
            registry: Arc::new(registry),
            hooks: Arc::new(hooks),
            ledger: Ledger::new(1 << 14),
        };
        for number in LIVE {
            let _ = stage.registry.insert(stage.id(number), stage.child(number));
        }
        let _ = stage.registry.insert(stage.id(TOMBSTONE), stage.child(0));
        stage.registry.bulk_delete([(&stage.id(TOMBSTONE), ["here", "there"])]);
        let pending = Child::new(stage.value(0)).metadata(stage.value(0));
        let _ = stage.registry.insert(stage.id(PENDING), pending);
        let lease = stage.child(0).ttl(Duration::from_secs(1));
        let _ = stage.registry.insert(stage.id(EXPIRED), lease);
        clock.advance(Duration::from_secs(2));
        stage
    }

    pub(crate) fn weak(&self) -> WeakStage {
        let hooks = Arc::downgrade(&self.hooks);
        WeakStage(Arc::downgrade(&self.registry), hooks, self.ledger.clone())
    }

    pub(crate) fn id(&self, number: u32) -> Id {
        Id::new(number, &self.ledger)
    }

    pub(crate) fn value(&self, number: u32) -> Value {
        Value::new(number, &self.ledger)
    }

    pub(crate) fn child(&self, number: u32) -> RiggedChild {
        let child = Child::new(self.value(number))
            .metadata(self.value(number))
            .on("here", self.value(number))
            .on("there", self.value(number + 1))
            .tag("all");
        if number.is_multiple_of(2) { child.tag("even") } else { child }
    }

    /// Everything present that the operation does not touch.
    pub(crate) fn shot(&self, touches: Touches) -> Shot {
        let mut shot = Shot::new();
        if touches != ALL {
            self.registry.retain(|entry| {
                let number = entry.id().number;
                // What an operation adds beyond the stage's own is its business.
                if number < 100 && !touches.contains(&number) {
                    shot.insert(number, (entry.spec().number, entry.version()));
                }
                true
            });
        }
        shot
    }

    /// Checks that the registry is whole, and that every id can still be written.
    #[allow(clippy::mutable_key_type, reason = "the canary is no part of an id")]
    pub(crate) fn sane(&self, context: &str) {
        let registry = &*self.registry;
        registry.purge_expired();
        let present = registry.dump_all();
        for entry in present.values() {
            for value in entry.pids().chain([entry.spec(), entry.metadata()]) {
                value.sound();
            }
            let shown = registry.lookup(entry.id());
            let live = !entry.bindings().is_empty();
            assert_eq!(shown.is_some(), live, "{context}: {}", entry.id().number);
        }
        counts_match_a_walk(registry);
        for number in LIVE.chain([TOMBSTONE, PENDING, EXPIRED, ABSENT]) {
            let id = self.id(number);
            let there = present.contains_key(&id);
            assert_eq!(registry.entry_exists(&id), there, "{context}: {number}");
        }
    }

    /// Writes every id, clears the stage, and checks that nothing was left on it.
    #[track_caller]
    pub(crate) fn strike(self, context: &str) {
        let registry = &*self.registry;
        for number in (0..50).rev() {
            let _ = registry.insert(self.id(number), self.child(number));
        }
        assert_eq!(registry.len_all(), registry.len(), "{context}");
        for number in 0..50 {
            let edit = |child: &mut RiggedChild| child.bind("there", self.value(7));
            let updated = registry.update(&self.id(number), edit);
            assert!(updated.is_ok_and(|old| old.is_some()), "{context}: {number}");
            let deleted = registry.delete(&self.id(number));
            assert!(deleted.is_some(), "{context}: {number}");
        }
        counts_match_a_walk(registry);
        let ledger = self.ledger.clone();
        drop(self);
        assert_eq!(ledger.alive(), 0, "left after {context}");
        ledger.closed();
    }
}
