//! A registry, the model of it, and the comparison of everything that can be seen of both.

use std::time::Duration;

use process_registry::{Clock, ManualClock, Registry};

use crate::reads::{Key, Names, Tested, compare};
use crate::relations::Relations;
use crate::support::oracle::{Fired, Oracle};
use crate::support::{Hashing, Heard};
use crate::vocabulary::{CROWD, GRACE, IDS, NODES, TAGS};

/// A registry whose time is told to it.
pub(crate) fn registry<K: Key>(
    hashing: Hashing,
    capacity: usize,
    clock: &ManualClock,
) -> Tested<K> {
    Registry::<u32, u32, u32, K>::builder(NODES[0])
        .hasher(hashing)
        .capacity(capacity)
        .tombstone_ttl(GRACE)
        .clock(Clock::Manual(clock.clone()))
        .build()
}

/// The model, and what is needed to hold the registry against it.
pub(crate) struct World<'r, K: Key> {
    pub(crate) registry: &'r Tested<K>,
    clock: &'r ManualClock,
    pub(crate) oracle: Oracle,
    pub(crate) relations: Relations,
    nodes: Vec<String>,
    tags: Vec<String>,
    /// How many of the crowd's ids have ever been used.
    pub(crate) crowd: u32,
}

impl<'r, K: Key> World<'r, K> {
    pub(crate) fn new(registry: &'r Tested<K>, clock: &'r ManualClock) -> Self {
        // Some that occur, and one that never does.
        let named = |names: &[&str]| names.iter().chain(&["never"]).map(|n| (*n).into()).collect();
        Self {
            registry,
            clock,
            oracle: Oracle::new(NODES[0], clock.now(), GRACE),
            relations: Relations::default(),
            nodes: named(&NODES),
            tags: named(&TAGS),
            crowd: 0,
        }
    }

    pub(crate) fn pass(&mut self, by: Duration) {
        self.clock.advance(by);
        self.oracle.advance(by);
    }

    /// After an operation: learns what it swept, and compares every read of every kind.
    pub(crate) fn check(&mut self) {
        self.oracle.settle(self.registry.len_all());
        let ids = (0..IDS + 1).chain(CROWD..CROWD + self.crowd);
        let names = Names { nodes: &self.nodes, tags: &self.tags };
        compare(self.registry, &self.oracle, &mut self.relations, ids, &names);
    }

    /// Compares an event that was heard with the one that was due.
    pub(crate) fn heard(&mut self, heard: &Heard<K>, fired: &Fired) {
        let got = (heard.kind, heard.id.number(), &heard.bindings, heard.version);
        assert_eq!(got, (fired.kind, fired.id, &fired.bindings, fired.version), "event");
        self.relations.incarnation(heard.incarnation, fired.incarnation);
    }
}
