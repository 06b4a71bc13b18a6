//! Compares entries with the rows of the model.

use std::collections::HashMap;

use process_registry::Entry;

use crate::support::oracle::Row;
use crate::support::{plain, tags_of};

/// Incarnations have no agreed numbers; that two are the same or not is agreed.
#[derive(Debug, Default)]
pub(crate) struct Relations {
    modelled: HashMap<u64, u64>,
    actual: HashMap<u64, u64>,
}

impl Relations {
    #[track_caller]
    pub(crate) fn incarnation(&mut self, got: u64, want: u64) {
        let modelled = *self.modelled.entry(got).or_insert(want);
        assert_eq!(modelled, want, "incarnation {got} was seen on another life");
        let actual = *self.actual.entry(want).or_insert(got);
        assert_eq!(actual, got, "one life, two incarnations");
    }

    /// Everything an entry shows, but its id.
    #[track_caller]
    pub(crate) fn same<K>(&mut self, got: &Entry<u32, u32, u32, K>, want: &Row) {
        assert_eq!(*got.spec(), want.spec, "spec");
        assert_eq!(plain(got.bindings()), want.bindings, "bindings");
        assert_eq!(tags_of(got), want.tags, "tags");
        assert_eq!(*got.metadata(), want.metadata, "metadata");
        assert_eq!(got.deadline(), want.deadline, "deadline");
        assert_eq!(got.version(), want.version, "version");
        self.incarnation(got.incarnation(), want.incarnation);

        let first = want.bindings.first().map(|(_, pid)| pid);
        assert_eq!(got.pid(), first, "pid");
        assert!(got.pids().eq(want.bindings.iter().map(|(_, pid)| pid)));
        for (node, pid) in &want.bindings {
            assert_eq!(got.pid_on(node), Some(pid), "pid_on");
        }
        assert_eq!(got.pid_on("nowhere"), None);
        assert!(want.tags.iter().all(|tag| got.has_tag(tag)), "has_tag");
        assert!(!got.has_tag("nothing"), "has_tag");
    }

    #[track_caller]
    pub(crate) fn maybe<K>(
        &mut self,
        what: &str,
        got: Option<&Entry<u32, u32, u32, K>>,
        want: Option<&Row>,
    ) {
        assert_eq!(got.is_some(), want.is_some(), "{what} finds something");
        if let (Some(got), Some(want)) = (got, want) {
            self.same(got, want);
        }
    }
}
