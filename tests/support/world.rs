//! The small registry most tests of the rules work on.

use std::time::Duration;

use process_registry::{Child, Clock, ManualClock, Registry, WriteOptions};

use super::{Heard, Recorder, plain};

pub(crate) type Spec = &'static str;
pub(crate) type Small = Registry<Spec, u32, u32>;

/// A registry on node `here` with time of its own and hooks that are written down.
pub(crate) struct World {
    pub(crate) registry: Small,
    pub(crate) clock: ManualClock,
    recorder: Recorder<process_registry::ChildId>,
}

/// An event as `(registered, id, bindings)`.
pub(crate) type Simple = (bool, String, Vec<(String, u32)>);

impl World {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let registry = Registry::builder("here").clock(Clock::Manual(clock.clone())).build();
        Self { registry, clock, recorder: Recorder::new() }
    }

    /// Options that fire the recorder.
    pub(crate) fn hooked(&self) -> WriteOptions<'_, u32> {
        WriteOptions::new().hooks(&self.recorder.hooks)
    }

    pub(crate) fn hooks(&self) -> &process_registry::Hooks<u32> {
        &self.recorder.hooks
    }

    /// What was heard since the last call, in full.
    pub(crate) fn heard(&self) -> Vec<Heard<process_registry::ChildId>> {
        self.recorder.take()
    }

    /// What was heard since the last call, without incarnations and versions.
    pub(crate) fn events(&self) -> Vec<Simple> {
        let simple = |heard: Heard<process_registry::ChildId>| {
            let registered = heard.kind == super::oracle::Kind::Registered;
            (registered, heard.id.as_str().to_owned(), heard.bindings)
        };
        self.recorder.take().into_iter().map(simple).collect()
    }

    pub(crate) fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Makes `id` a tombstone.
    pub(crate) fn bury(&self, id: &str, child: Child<Spec, u32, u32>) {
        let nodes: Vec<String> = plain(child.bindings()).into_iter().map(|(n, _)| n).collect();
        self.registry.insert(id, child);
        self.registry.bulk_delete([(id, nodes)]);
    }

    pub(crate) fn version(&self, id: &str) -> u64 {
        self.registry.dump_all()[id].version()
    }

    pub(crate) fn incarnation(&self, id: &str) -> u64 {
        self.registry.dump_all()[id].incarnation()
    }

    pub(crate) fn bindings(&self, id: &str) -> Vec<(String, u32)> {
        plain(self.registry.dump_all()[id].bindings())
    }
}

/// A child with these bindings, spec `spec` and metadata 0.
pub(crate) fn child(bindings: &[(&str, u32)]) -> Child<Spec, u32, u32> {
    bindings.iter().fold(Child::new("spec").metadata(0), |child, (node, pid)| child.on(*node, *pid))
}

/// Bindings as [`plain`] gives them.
pub(crate) fn bound(bindings: &[(&str, u32)]) -> Vec<(String, u32)> {
    let owned = bindings.iter().map(|(node, pid)| ((*node).to_owned(), *pid));
    owned.collect()
}

/// Sorted, for what is returned in no order.
pub(crate) fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort();
    items
}
