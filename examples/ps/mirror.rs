//! Applies what changed between two scans to the registry.

use std::sync::Arc;

use process_registry::Child;

use crate::Processes;
use crate::scan::{List, Process, Program};

/// What the scans saw, once the first list was in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Churn {
    pub(crate) added: u64,
    pub(crate) updated: u64,
    pub(crate) removed: u64,
}

/// The registry beside the list it is to mirror.
#[derive(Debug)]
pub(crate) struct Mirror<'r> {
    registry: &'r Processes,
    host: &'r str,
    list: List,
    churn: Churn,
    faults: Vec<String>,
}

impl<'r> Mirror<'r> {
    pub(crate) fn new(registry: &'r Processes, host: &'r str) -> Self {
        Self { registry, host, list: List::new(), churn: Churn::default(), faults: Vec::new() }
    }

    /// The list the registry should hold.
    pub(crate) fn list(&self) -> &List {
        &self.list
    }

    pub(crate) fn churn(&self) -> Churn {
        self.churn
    }

    /// Answers of the registry that no correct registry gives: this thread is the only writer.
    pub(crate) fn faults(&self) -> &[String] {
        &self.faults
    }

    /// Starts the count of changes anew: the first list is no churn.
    pub(crate) fn forget_churn(&mut self) {
        self.churn = Churn::default();
    }

    /// Makes the registry hold `next`; returns whether anything changed.
    pub(crate) fn apply(&mut self, next: List) -> bool {
        let before = self.churn;
        for id in self.list.keys().filter(|id| !next.contains_key(*id)) {
            self.churn.removed += 1;
            if self.registry.delete(id.as_str()).is_none() {
                self.faults.push(format!("delete of {id} found no such entry"));
            }
        }
        for (id, process) in &next {
            match self.list.get(id) {
                None => {
                    self.churn.added += 1;
                    let replaced = self.registry.insert(id, self.child(process));
                    if replaced.is_some() {
                        self.faults.push(format!("insert of {id} found an entry there"));
                    }
                }
                Some(known) if known != process => {
                    self.churn.updated += 1;
                    if self.change(id, known, process).is_err() {
                        self.faults.push(format!("update of {id} found no such entry"));
                    }
                }
                Some(_) => {}
            }
        }
        self.list = next;
        before.added != self.churn.added
            || before.updated != self.churn.updated
            || before.removed != self.churn.removed
    }

    /// Makes one entry wrong: bound to another node, and under a name that is not its own.
    pub(crate) fn damage_one(&self) {
        if let Some((id, process)) = self.list.first_key_value() {
            let [_, name, _] = process.tags();
            // An entry that is not there is wrong already.
            let _ = self.registry.update(id.as_str(), |child| {
                child.unbind(self.host);
                child.bind("corrupt-node", process.pid);
                child.remove_tag(&name);
                child.add_tag("comm:corrupt");
            });
        }
    }

    fn child(&self, process: &Process) -> Child<Arc<Program>, u32> {
        Child::new(Arc::clone(&process.program)).on(self.host, process.pid).tagged(process.tags())
    }

    fn change(
        &self,
        id: &str,
        known: &Process,
        process: &Process,
    ) -> Result<(), process_registry::NoChild> {
        self.registry.update(id, |child| {
            child.set_spec(Arc::clone(&process.program));
            for (old, new) in known.tags().into_iter().zip(process.tags()) {
                if old != new {
                    child.remove_tag(&old);
                    child.add_tag(new);
                }
            }
        })
    }
}
