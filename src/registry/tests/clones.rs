//! What runs unpinned: clones of specs, pids and metadata, but for the pids of a single read; and callers' iterators.

use std::cell::Cell;

use super::*;

thread_local! {
    /// How many clones were made unpinned, and how many under a pin.
    static CLONES: Cell<[usize; 2]> = const { Cell::new([0; 2]) };
}

/// Looks whether this thread is pinned when it is cloned.
#[derive(Debug, PartialEq)]
struct Wary(u32);

impl Clone for Wary {
    fn clone(&self) -> Self {
        let mut clones = CLONES.get();
        clones[usize::from(crate::sync::is_pinned())] += 1;
        CLONES.set(clones);
        Self(self.0)
    }
}

type Cloning = Arc<Registry<Wary, Wary, Wary>>;

fn wary(number: u32) -> Child<Wary, Wary, Wary> {
    Child::new(Wary(number)).metadata(Wary(number)).on("here", Wary(number)).tag("t")
}

/// These say in their docs that they clone under the pin of the call.
const UNDER_A_PIN: [&str; 3] = ["get_pid", "get_pids", "local_pid"];

#[test]
#[allow(deprecated, reason = "it clones as well")]
fn specs_pids_and_metadata_are_cloned_unpinned() {
    type Run = fn(&Cloning);
    let clones: [(&str, Run); 21] = [
        ("update", |registry| assert!(registry.update("both", |child| child.add_tag("u")).is_ok())),
        ("try_update", |registry| {
            assert!(registry.try_update("both", |_| Err::<(), _>(())).is_err());
        }),
        ("rebind, bound", |registry| drop(registry.rebind("both", "here", Wary(8)))),
        ("rebind, new", |registry| drop(registry.rebind("both", "far", Wary(9)))),
        ("bulk_insert", |registry| {
            registry.bulk_insert([("both", wary(3).on("more", Wary(4))), ("fresh", wary(5))]);
        }),
        ("bulk_insert, nothing new", |registry| {
            registry.bulk_insert([("both", Child::new(Wary(6)).metadata(Wary(6)))]);
        }),
        ("bulk_insert_by", |registry| {
            registry.bulk_insert_by([("both", wary(7))], |_, _| false);
        }),
        ("bulk_delete, some", |registry| registry.bulk_delete([("both", ["there"])])),
        ("bulk_delete, all", |registry| registry.bulk_delete([("one", ["here"])])),
        ("remove_node", |registry| assert_eq!(registry.remove_node("there"), ["both"])),
        ("get_pid", |registry| assert!(registry.get_pid("one").is_some())),
        ("get_pids", |registry| assert_eq!(registry.get_pids("both").len(), 2)),
        ("local_pid", |registry| assert!(registry.local_pid("one").is_some())),
        ("match_tag", |registry| assert_eq!(registry.match_tag("t").len(), 2)),
        ("match_all", |registry| assert_eq!(registry.match_all(&["t"]).len(), 2)),
        ("Global", |registry| assert_eq!(registry.process_list(Global).len(), 2)),
        ("Local", |registry| assert_eq!(registry.process_list(Local).len(), 2)),
        ("local_child_specs", |registry| assert_eq!(registry.local_child_specs().len(), 2)),
        ("registry", |registry| assert_eq!(registry.registry().len(), 2)),
        ("lease, update", |registry| {
            let lease = registry.register("lease", wary(1)).expect("free");
            assert!(lease.renew(TTL).is_ok() && lease.update(|_| ()).is_ok());
        }),
        ("lease, rebind", |registry| {
            let lease = registry.register("lease", wary(1)).expect("free");
            assert!(lease.rebind("there", Wary(2)).is_ok());
        }),
    ];
    for (name, run) in clones {
        let registry: Cloning = Arc::new(Registry::new("here"));
        registry.insert("one", wary(1));
        registry.insert("both", wary(2).on("there", Wary(2)));
        CLONES.set([0; 2]);
        run(&registry);
        let [unpinned, pinned] = CLONES.get();
        assert!(unpinned + pinned > 0, "{name} clones nothing");
        let expected = if UNDER_A_PIN.contains(&name) { unpinned } else { pinned };
        assert_eq!(expected, 0, "{name}: {unpinned} clones unpinned, {pinned} under a pin");
    }
}

#[test]
fn contains_children_takes_its_ids_unpinned() {
    let registry: Registry<(), u32> = Registry::new("here");
    registry.insert("a", Child::new(()).on("here", 1));
    let ids = ["a", "b"].into_iter().inspect(|_| assert!(!crate::sync::is_pinned()));
    assert_eq!(registry.contains_children(ids), ["a"]);
}
