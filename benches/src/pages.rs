//! What pages the tables of ours ask for: one decision for a whole run.

use std::sync::atomic::{AtomicBool, Ordering};

use process_registry::{Builder, Node, Registry};

static HUGE: AtomicBool = AtomicBool::new(false);

/// Registries that are made from now on ask for huge pages.
pub fn ask_for_huge() {
    // Relaxed: a flag by itself.
    HUGE.store(true, Ordering::Relaxed);
}

/// A registry of ours in the making, with the pages that have been decided on.
pub fn builder<S, P, K>(local_node: Node) -> Builder<S, P, (), K> {
    // Relaxed: as above.
    Registry::builder(local_node).huge_pages(HUGE.load(Ordering::Relaxed))
}
