//! A hook handler that writes down what it hears.

use std::sync::{Arc, Mutex, PoisonError};

use process_registry::{Event, Handler, HookKey, Hooks};

use super::oracle::Kind;
use super::plain;

/// One event as it was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard<K> {
    pub(crate) kind: Kind,
    pub(crate) id: K,
    pub(crate) bindings: Vec<(String, u32)>,
    pub(crate) incarnation: u64,
    pub(crate) version: u64,
}

impl<K: Clone> Heard<K> {
    pub(crate) fn of(event: &Event<'_, u32, K>) -> Self {
        let registered = matches!(event.kind(), HookKey::ChildRegistered);
        Self {
            kind: if registered { Kind::Registered } else { Kind::Unregistered },
            id: event.id().clone(),
            bindings: plain(event.bindings()),
            incarnation: event.incarnation(),
            version: event.version(),
        }
    }
}

/// Hooks with one handler for every key that writes everything down.
pub(crate) struct Recorder<K: 'static> {
    pub(crate) hooks: Hooks<u32, K>,
    log: Arc<Mutex<Vec<Heard<K>>>>,
}

impl<K: Clone + Send + Sync + 'static> Recorder<K> {
    pub(crate) fn new() -> Self {
        let hooks = Hooks::new();
        let log = Arc::new(Mutex::new(Vec::new()));
        for key in [HookKey::ChildRegistered, HookKey::ChildUnregistered] {
            let log = Arc::clone(&log);
            let handler = Handler::new("recorder", move |event: &Event<'_, u32, K>| {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                log.push(Heard::of(event));
            });
            hooks.register(key, handler).expect("the first of its id");
        }
        Self { hooks, log }
    }

    /// What was heard since the last call.
    pub(crate) fn take(&self) -> Vec<Heard<K>> {
        std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
