//! Section 2 of the rules, how entries end: expiry, reclamation, owners, the drop of the registry.

mod support;

use std::sync::Arc;
use std::time::Duration;

use process_registry::{Child, Registry};

use support::ledger::{Ledger, Token};
use support::world::{Spec, World, bound, child};
use support::{counts_match_a_walk, plain, tags_of};

const SECOND: Duration = Duration::from_secs(1);
type Editable = Child<Spec, u32, u32>;

// ---- expiry ---------------------------------------------------------------------------------------

#[test]
fn row_2_delete_if_expired_removes_only_what_has_expired() {
    let world = World::new();
    world.registry.insert("permanent", child(&[("a", 1)]));
    world.registry.insert("pending", child(&[]));
    world.registry.insert("lease", child(&[("a", 1)]).tag("x").ttl(2 * SECOND));
    world.pass(1);
    for id in ["permanent", "pending", "lease", "absent"] {
        assert!(world.registry.delete_if_expired(id).is_none(), "{id}");
    }
    world.pass(1);
    let gone = world.registry.delete_if_expired("lease").expect("expired");
    assert_eq!(gone.pid(), Some(&1));
    assert_eq!(world.registry.len_all(), 2);
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_2_purge_expired_removes_what_is_due_and_nothing_else() {
    let world = World::new();
    for seconds in 1..=20 {
        let lease = child(&[("here", 1)]).tag("x").ttl(seconds * SECOND);
        world.registry.insert(format!("{seconds}"), lease);
    }
    world.registry.insert("permanent", child(&[("here", 1)]));
    assert_eq!(world.registry.purge_expired(), 0);
    world.pass(7);
    assert_eq!(world.registry.purge_expired(), 7);
    assert_eq!(world.registry.purge_expired(), 0);
    assert_eq!(world.registry.len_all(), 14);
    assert!(world.registry.contains("8"));
    counts_match_a_walk(&world.registry);
}

#[test]
fn row_2_purge_expired_spares_what_was_renewed_or_made_permanent() {
    let world = World::new();
    for id in ["renewed", "again", "permanent", "replaced", "shortened"] {
        world.registry.insert(id, child(&[("a", 1)]).ttl(5 * SECOND));
    }
    let ttl = |seconds: u32| move |child: &mut Editable| child.set_ttl(seconds * SECOND);
    world.registry.update("renewed", ttl(20)).expect("live");
    for seconds in 6..15 {
        world.registry.update("again", ttl(seconds)).expect("live");
    }
    world.registry.update("permanent", Child::make_permanent).expect("live");
    world.registry.insert("replaced", child(&[("a", 2)]));
    world.registry.update("shortened", ttl(1)).expect("live");
    world.pass(2);
    assert_eq!(world.registry.purge_expired(), 1, "shortened");
    world.pass(4);
    assert_eq!(world.registry.purge_expired(), 0);
    world.pass(9);
    assert_eq!(world.registry.purge_expired(), 1, "again");
    world.pass(6);
    assert_eq!(world.registry.purge_expired(), 1, "renewed");
    assert_eq!(world.registry.len(), 2);
}

#[test]
fn row_2_a_deadline_of_a_former_life_does_not_end_a_new_one() {
    let world = World::new();
    world.registry.insert("id", child(&[("a", 1)]).ttl(SECOND));
    world.registry.delete("id");
    world.registry.insert("id", child(&[("a", 2)]).ttl(9 * SECOND));
    world.pass(2);
    assert_eq!(world.registry.purge_expired(), 0);
    assert!(world.registry.delete_if_expired("id").is_none());
    assert!(world.registry.contains("id"));
    world.pass(8);
    assert_eq!(world.registry.purge_expired(), 1);
}

// ---- memory ---------------------------------------------------------------------------------------

#[test]
fn row_2_the_drop_of_the_registry_drops_all_that_nobody_owns() {
    let ledger = Ledger::new(1000);
    let registry: Registry<Token, u32, u32> = Registry::new("here");
    for id in 0..200_u32 {
        let given = Child::new(ledger.token()).metadata(id).on("here", id).tag("x");
        registry.insert(format!("{}", id % 70), given);
    }
    for id in 0..30 {
        registry.delete(&format!("{id}"));
    }
    let owned = registry.get_owned("40").expect("live");
    let retired = registry.delete("41").expect("live");
    let copy = owned.clone();
    drop(registry);
    assert_eq!(ledger.alive(), 2);
    // They outlive the registry, on any thread.
    let read = std::thread::spawn(move || {
        copy.spec().sound();
        assert!(copy.has_tag("x"));
        (*copy.metadata(), retired.id().as_str().to_owned())
    });
    assert_eq!(read.join().expect("reads"), (180, "41".to_owned()));
    assert_eq!(ledger.alive(), 1);
    owned.spec().sound();
    drop(owned);
    ledger.closed();
}

#[test]
fn row_2_an_owned_entry_never_changes() {
    let World { registry, .. } = &World::new();
    registry.insert("id", child(&[("a", 1)]).tag("x"));
    let owned = registry.get_owned("id").expect("live");
    let shared = registry.lookup("id").expect("live").share();
    registry.rebind("id", "a", 2).expect("live");
    registry.delete("id");
    registry.insert("id", child(&[("b", 3)]));
    for _ in 0..5 {
        registry.collect();
    }
    for entry in [owned, shared] {
        assert_eq!(plain(entry.bindings()), bound(&[("a", 1)]));
        assert_eq!((tags_of(&entry), entry.version()), (vec!["x".to_owned()], 1));
    }
}

#[test]
fn row_2_the_janitor_stops_when_it_is_dropped() {
    let world = World::new();
    let registry = Arc::new(world.registry);
    let day = Duration::from_secs(24 * 3600);
    let janitor = process_registry::Janitor::spawn(Arc::clone(&registry), day);
    drop(janitor);
    assert_eq!(Arc::strong_count(&registry), 1, "it has let go");
}

#[test]
fn row_2_another_table_is_another_registry() {
    let (one, other) = (World::new(), World::new());
    one.registry.insert("id", child(&[("a", 1)]).tag("x"));
    assert!(!other.registry.entry_exists("id"));
    assert!(other.registry.match_tag("x").is_empty());
}
