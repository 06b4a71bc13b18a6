//! What the hooks tell, kept for the check, and printed if that is asked for.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use examples_async::terminal::say;
use process_registry::{ChildId, Event, Handler, HookKey, Hooks};

use crate::house::Mailbox;

#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) kind: HookKey,
    pub(crate) id: ChildId,
    pub(crate) incarnation: u64,
    pub(crate) version: u64,
}

/// The events in the order in which they were heard.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Vec<Heard>>);

impl Log {
    /// A log that both kinds of events go to. With `verbose`, another handler prints them.
    pub(crate) fn listening_to(hooks: &Hooks<Mailbox>, verbose: bool) -> Arc<Self> {
        let log = Arc::new(Self::default());
        for key in [HookKey::ChildRegistered, HookKey::ChildUnregistered] {
            let own = Arc::clone(&log);
            let mut handlers = vec![Handler::new("log", move |event| own.note(event))];
            if verbose {
                handlers.push(Handler::new("print", print).priority(1));
            }
            hooks.register_all(key, handlers).expect("the set is new, and the ids differ");
        }
        log
    }

    fn note(&self, event: &Event<'_, Mailbox>) {
        self.lock().push(Heard {
            kind: event.kind(),
            id: event.id().clone(),
            incarnation: event.incarnation(),
            version: event.version(),
        });
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Heard>> {
        // A push is all that is done under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs in the task that writes, so it has to be quick; a line is.
fn print(event: &Event<'_, Mailbox>) {
    let what = match (event.kind(), event.version()) {
        (HookKey::ChildRegistered, 1) => "registered",
        (HookKey::ChildRegistered, _) => "bound anew",
        _ => "unregistered",
    };
    say(format_args!("{what}: {}, incarnation {}", event.id(), event.incarnation()));
}
