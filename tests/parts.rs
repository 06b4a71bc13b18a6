//! Entries of all shapes: long lists, parts that are aligned to much or take no room, destructors that panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use process_registry::{Child, Registry};

/// Around the length from which on a byte does not count a list any more.
const LENGTHS: [usize; 8] = [0, 1, 2, 3, 254, 255, 256, 300];

fn child(bindings: usize, tags: usize) -> Child<String, u64> {
    let mut child = Child::new(format!("{bindings}, {tags}"));
    for nth in 0..bindings {
        child.bind(format!("node-{nth}"), nth as u64);
    }
    child.tagged((0..tags).map(|nth| format!("tag {nth}, which is too long to be kept inline")))
}

#[test]
fn lists_of_any_length_are_what_was_put_in() {
    let registry: Registry<String, u64> = Registry::new("node-0");
    for bindings in LENGTHS {
        for tags in LENGTHS {
            let id = format!("{bindings}-{tags}");
            let given = child(bindings, tags);
            assert!(registry.insert(&*id, given.clone()).is_none());
            if bindings == 0 {
                assert!(registry.entry_exists(&*id) && registry.lookup(&*id).is_none());
                continue;
            }
            let entry = registry.lookup(&*id).expect("just inserted");
            assert_eq!(*entry.spec(), *given.spec());
            assert_eq!(entry.bindings(), given.bindings());
            assert_eq!(entry.tags(), given.tags());
            assert_eq!((entry.version(), entry.deadline()), (1, None));
        }
    }
    let with = |least: usize| LENGTHS.iter().filter(|&&length| length >= least).count();
    let pinned = registry.pin();
    for nth in [0, 1, 253, 254, 255, 299] {
        // Of the bound ones, as many as have so many tags, or bindings.
        let tag = format!("tag {nth}, which is too long to be kept inline");
        assert_eq!(pinned.match_tag(&tag).count(), (LENGTHS.len() - 1) * with(nth + 1));
        let node = format!("node-{nth}");
        assert_eq!(pinned.children_on(&node).count(), LENGTHS.len() * with(nth + 1));
    }
}

#[test]
fn lists_grow_and_shrink_from_version_to_version() {
    let registry: Registry<String, u64> = Registry::new("node-0");
    registry.insert("it", child(1, 0));
    let mut kept = vec![registry.get_owned("it").expect("just inserted")];
    for (version, (bindings, tags)) in
        [(256, 0), (256, 256), (255, 256), (1, 255), (1, 256), (3, 2)].into_iter().enumerate()
    {
        let next = child(bindings, tags);
        registry.update("it", |child| *child = next.clone()).expect("it is there");
        let entry = registry.get_owned("it").expect("it is there");
        assert_eq!(entry.version(), version as u64 + 2);
        assert_eq!((entry.bindings(), entry.tags()), (next.bindings(), next.tags()));
        kept.push(entry);
        for nth in [0, 1, 254, 255] {
            let tag = format!("tag {nth}, which is too long to be kept inline");
            let pinned = registry.pin();
            assert_eq!(pinned.match_tag(&tag).count(), usize::from(nth < tags));
            let node = format!("node-{nth}");
            assert_eq!(pinned.children_on(&node).count(), usize::from(nth < bindings));
        }
    }
    drop(registry);
    let lengths = kept.iter().map(|entry| (entry.bindings().len(), entry.tags().len()));
    assert!(lengths.eq([(1, 0), (256, 0), (256, 256), (255, 256), (1, 255), (1, 256), (3, 2)]));
}

#[test]
fn a_refused_child_comes_back_whole() {
    let registry: Registry<String, u64> = Registry::new("node-0");
    registry.insert("it", child(1, 1));
    for lengths in [(0, 0), (1, 0), (2, 3), (300, 300)] {
        let given = child(lengths.0, lengths.1);
        let pinned = registry.pin();
        let refused = pinned.try_insert("it", given.clone()).expect_err("it is there");
        let (id, back, _) = refused.into_parts();
        assert_eq!((&*id, back), ("it", given));
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(align(64))]
struct Wide(u8);

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(align(32))]
struct Broad(u16);

#[test]
fn parts_lie_where_their_alignment_wants_them() {
    let registry: Registry<Broad, Wide, Wide, Broad> = Registry::new("a");
    for nth in 0..200_u8 {
        let mut child = Child::new(Broad(nth.into())).metadata(Wide(nth));
        for node in ["a", "b", "c"].iter().take(usize::from(nth % 4)) {
            child.bind(*node, Wide(nth));
        }
        for tag in 0..nth % 3 {
            child.add_tag(format!("{tag}"));
        }
        registry.insert(Broad(nth.into()), child);
    }
    let pinned = registry.pin();
    for nth in (0..200_u8).filter(|nth| nth % 4 != 0) {
        let entry = pinned.lookup(&Broad(nth.into())).expect("inserted above");
        assert_eq!((entry.spec(), entry.metadata()), (&Broad(nth.into()), &Wide(nth)));
        assert!(entry.pids().all(|pid| *pid == Wide(nth)));
        assert_eq!(entry.pids().count(), usize::from(nth % 4));
        let aligned = |address: usize| address.is_multiple_of(64);
        assert!(entry.pids().all(|pid| aligned(std::ptr::from_ref(pid).addr())));
        assert!(aligned(std::ptr::from_ref(entry.metadata()).addr()));
    }
}

#[test]
fn what_takes_no_room_is_there_as_well() {
    let registry: Registry<(), (), (), ()> = Registry::new("a");
    registry.insert((), Child::new(()).on("a", ()).on("b", ()).tag("x"));
    let entry = registry.lookup(&()).expect("just inserted");
    assert_eq!((entry.pids().count(), entry.tags().len()), (2, 1));
}

/// Counts itself, and panics when it goes if it is to.
struct Fragile(Arc<AtomicUsize>, bool);

impl Fragile {
    fn new(alive: &Arc<AtomicUsize>, panics: bool) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(alive), panics)
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        assert!(!self.1, "a destructor that panics");
    }
}

#[test]
fn each_part_goes_though_the_destructor_of_another_panics() {
    // The specification, the metadata, and the pids: which of them panics.
    for culprit in 0..4 {
        let alive = Arc::new(AtomicUsize::new(0));
        let part = |nth| Fragile::new(&alive, nth == culprit);
        let registry: Registry<Fragile, Fragile, Fragile> = Registry::new("a");
        let child = Child::new(part(0)).on("a", part(1)).on("b", part(2)).metadata(part(3));
        registry.insert("it", child);
        let kept = registry.get_owned("it").expect("just inserted");
        drop(registry);
        assert_eq!(alive.load(Ordering::Relaxed), 4);
        assert!(catch_unwind(AssertUnwindSafe(|| drop(kept))).is_err(), "{culprit}");
        assert_eq!(alive.load(Ordering::Relaxed), 0, "{culprit}");
    }
}
