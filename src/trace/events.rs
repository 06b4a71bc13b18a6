//! The events of the feature `tracing`.
//!
//! A subscriber is a user's code. So it is called where a destructor might be as well: by a thread that holds
//! no pin and no part of the registry. What happens elsewhere is noted, and told of at the next such place.
//! A panic of a subscriber goes no further, for the operation has done what it was asked to do; and what a
//! subscriber causes by calling the registry is not told while it runs, or it would never end.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use tracing::{debug, error, trace};

use crate::entry::TAGS;
use crate::hooks::HookKey;
use crate::janitor::message;
use crate::name::Node;
use crate::panics::discard;
use crate::raw::Resize;
use crate::state::Registry;
use crate::sync;

/// The target of every event, wherever in the crate it comes from.
const TARGET: &str = "process_registry";

thread_local! {
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// This thread is telling something.
struct Telling;

impl Telling {
    /// `None` if it is already: then a subscriber has called the registry.
    fn begin() -> Option<Self> {
        let first = TELLING.try_with(|telling| !telling.replace(true)).unwrap_or(false);
        first.then(|| Telling)
    }

    /// Runs the subscriber. It is the end of its panic.
    fn event(&self, emit: impl FnOnce()) {
        if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(emit)) {
            discard(panic);
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        let _ = TELLING.try_with(|telling| telling.set(false));
    }
}

fn tell(emit: impl FnOnce()) {
    if let Some(telling) = Telling::begin() {
        telling.event(emit);
    }
}

impl<S, P, M, K, H> Registry<S, P, M, K, H> {
    /// Tells of tables that have been replaced since, unless this thread is pinned or telling already.
    #[inline]
    pub(crate) fn tell_resizes(&self) {
        if self.store.has_resized() && !sync::is_pinned() {
            self.tell_all_resizes();
        }
    }

    #[cold]
    fn tell_all_resizes(&self) {
        let Some(telling) = Telling::begin() else { return };
        let node = self.local_node.as_str();
        for (names, resize) in self.store.take_resizes() {
            let table = match names {
                None => "children",
                Some(TAGS) => "tags",
                Some(_) => "nodes",
            };
            let Resize { done, from, to, len } = resize;
            telling.event(|| match done {
                false => debug!(target: TARGET, node, table, from, to, len, "resize began"),
                true => debug!(target: TARGET, node, table, from, to, len, "resize ended"),
            });
        }
    }

    pub(crate) fn tell_purge(&self, swept: usize) {
        tell(|| debug!(target: TARGET, node = self.local_node.as_str(), swept, "purged"));
    }
}

pub(crate) fn handler_panicked(handler: &str, key: HookKey, panic: &(dyn Any + Send)) {
    let panic = message(panic);
    tell(|| error!(target: TARGET, handler, ?key, panic, "handler panicked"));
}

/// What a janitor tells of itself.
pub(crate) struct Log {
    node: Node,
}

impl Log {
    pub(crate) fn new(node: &Node) -> Self {
        Self { node: node.clone() }
    }

    pub(crate) fn began(&self, interval: Duration) {
        tell(|| debug!(target: TARGET, node = self.node.as_str(), ?interval, "janitor began"));
    }

    pub(crate) fn swept(&self, swept: usize) {
        tell(|| trace!(target: TARGET, node = self.node.as_str(), swept, "janitor swept"));
    }

    pub(crate) fn panicked(&self, panic: &str) {
        tell(|| error!(target: TARGET, node = self.node.as_str(), panic, "janitor panicked"));
    }

    pub(crate) fn ended(&self) {
        tell(|| debug!(target: TARGET, node = self.node.as_str(), "janitor ended"));
    }
}
