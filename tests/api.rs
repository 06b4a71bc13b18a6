//! What users of the crate may count on to compile.

mod support;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Debug;
use std::hash::Hash;
use std::iter::FusedIterator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use process_registry::{
    Builder, ByNode, ByTag, Child, ChildId, Clock, Decision, DuplicateHandlers, Entry, EntryRef,
    Event, GetMany, Global, Handler, HookKey, Hooks, IntoId, Iter, Janitor, Local, ManualClock,
    NoChild, Node, Occupied, OwnedEntry, Pids, Pinned, Registration, Registry, Tag, Taken,
    UpdateError, WriteOptions,
};

/// The name of a type that shows itself, without its path and parameters.
fn debug<T: Debug + ?Sized>() -> &'static str {
    let path = std::any::type_name::<T>().split('<').next().expect("a name");
    path.rsplit("::").next().expect("a name")
}

/// The types and traits that the crate exports, with whatever features it has.
fn exported() -> BTreeSet<&'static str> {
    let items = include_str!("../src/lib.rs").split("pub use self::").skip(1);
    let names = items.flat_map(|item| {
        let names = item.split(';').next().expect("its end").rsplit("::").next().expect("names");
        names.split(|c: char| !c.is_alphanumeric() && c != '_')
    });
    names.filter(|name| name.starts_with(char::is_uppercase)).collect()
}

fn error<T: Error>() {}
fn fused<T: FusedIterator>() {}

#[test]
fn everything_public_shows_itself() {
    type Ids = std::iter::Empty<&'static ChildId>;
    let shown = BTreeSet::from([
        debug::<Builder<u8, u8>>(),
        debug::<ByNode<'_, u8, u8>>(),
        debug::<ByTag<'_, u8, u8>>(),
        debug::<Child<u8, u8>>(),
        debug::<ChildId>(),
        debug::<Clock>(),
        debug::<Decision<u8, u8>>(),
        debug::<DuplicateHandlers<u8>>(),
        debug::<Entry<u8, u8>>(),
        debug::<EntryRef<'_, u8, u8>>(),
        debug::<Event<'_, u8>>(),
        debug::<GetMany<'_, Ids, u8, u8>>(),
        debug::<Global>(),
        debug::<Handler<u8>>(),
        debug::<HookKey>(),
        debug::<Hooks<u8>>(),
        debug::<Iter<'_, u8, u8>>(),
        debug::<Janitor>(),
        debug::<Local>(),
        debug::<ManualClock>(),
        debug::<NoChild>(),
        debug::<Node>(),
        debug::<Occupied<'_, u8, u8>>(),
        debug::<OwnedEntry<u8, u8>>(),
        debug::<Pids<'_, u8>>(),
        debug::<Pinned<'_, u8, u8>>(),
        debug::<Registration<u8, u8>>(),
        debug::<Registry<u8, u8>>(),
        debug::<Tag>(),
        debug::<Taken<u8, u8>>(),
        debug::<UpdateError<u8>>(),
        debug::<WriteOptions<'_, u8>>(),
        #[cfg(feature = "metrics")]
        debug::<process_registry::Metrics>(),
        #[cfg(feature = "serde")]
        debug::<process_registry::Snapshot<u8, u8>>(),
        #[cfg(feature = "serde")]
        debug::<process_registry::IntoChildren<u8, u8>>(),
        // Traits.
        "IntoId",
        "Scope",
    ]);
    // What a feature brings is tested with it.
    let mut exported = exported();
    for (name, there) in [
        ("Metrics", cfg!(feature = "metrics")),
        ("Snapshot", cfg!(feature = "serde")),
        ("IntoChildren", cfg!(feature = "serde")),
    ] {
        assert!(exported.contains(name));
        if !there {
            exported.remove(name);
        }
    }
    assert_eq!(shown, exported);

    let registry: Registry<&str, u32> = Registry::new("here");
    registry.insert("id", Child::new("spec").on("here", 7).tag("x"));
    let pin = registry.pin();
    let entry = pin.lookup("id").expect("live");
    for (text, name) in [
        (format!("{registry:?}"), "Registry"),
        (format!("{pin:?}"), "Pinned"),
        (format!("{:?}", pin.iter()), "Iter"),
        (format!("{:?}", pin.match_tag("x")), "ByTag"),
        (format!("{:?}", pin.children_on("here")), "ByNode"),
        (format!("{:?}", pin.get_many_iter(["id"])), "GetMany"),
        (format!("{:?}", entry.pids()), "[7]"),
    ] {
        assert!(text.starts_with(name), "{text}");
    }
    for text in [format!("{entry:?}"), format!("{:?}", entry.share())] {
        assert!(text.contains("id") && text.contains("spec") && text.contains('7'), "{text}");
    }
}

#[test]
fn iterators_are_fused() {
    fused::<ByTag<'_, u8, u8>>();
    fused::<ByNode<'_, u8, u8>>();
    fused::<Iter<'_, u8, u8>>();

    let registry: Registry<(), u32> = Registry::new("here");
    registry.insert("id", Child::new(()).on("here", 1).tag("x"));
    let pin = registry.pin();
    let (mut all, mut tagged, mut bound) =
        (pin.iter(), pin.match_tag("x"), pin.children_on("here"));
    assert!(all.next().is_some() && tagged.next().is_some() && bound.next().is_some());
    registry.insert("late", Child::new(()).on("here", 1).tag("x"));
    let _ = (all.next(), tagged.next(), bound.next());
    for _ in 0..3 {
        assert!(all.next().is_none() && tagged.next().is_none() && bound.next().is_none());
    }
}

#[test]
fn errors_are_errors_and_hand_values_back() {
    error::<NoChild>();
    error::<UpdateError<std::fmt::Error>>();
    error::<Taken<u8, u8>>();
    error::<Occupied<'_, u8, u8>>();
    error::<DuplicateHandlers<u8>>();

    let registry: Registry<String, u32> = Registry::new("here");
    says(&registry.update("id", |_| ()).unwrap_err(), "no such child");
    let absent = registry.try_update("id", |_| Err::<(), _>(std::fmt::Error)).unwrap_err();
    says(&absent, "no such child");
    let _ = registry.insert("id", Child::new("first".to_owned()).on("here", 1));
    let taken = registry.try_insert("id", Child::new("second".to_owned()).on("here", 2));
    let taken = taken.expect_err("taken");
    says(&taken, r#"child id "id" is taken"#);
    assert_eq!((taken.id().as_str(), taken.child().spec().as_str()), ("id", "second"));
    let (id, child, holder) = taken.into_parts();
    assert_eq!((id.as_str(), child.spec().as_str()), ("id", "second"));
    assert_eq!(holder.spec(), "first");
    let pin = registry.pin();
    let occupied = pin.try_insert("id", child).expect_err("taken");
    says(&occupied, r#"child id "id" is taken"#);
    assert_eq!((occupied.id().as_str(), occupied.child().spec().as_str()), ("id", "second"));
    assert_eq!(occupied.current().spec(), "first");
    let (id, child, current) = occupied.into_parts();
    assert_eq!((id.as_str(), child.spec().as_str()), ("id", "second"));
    assert_eq!(current.spec(), "first");

    // What the closure gave is the source, and not said twice.
    let cause = "no".parse::<u8>().expect_err("no number");
    let failed = registry.try_update("id", |_| Err::<(), _>(cause.clone())).expect_err("fails");
    assert_eq!(failed.to_string(), "the update failed");
    let source = failed.source().expect("why");
    assert_eq!(source.downcast_ref(), Some(&cause));
    assert!(source.source().is_none());
    assert_eq!(failed.into_failed(), Some(cause));

    let hooks: Hooks<u32> = Hooks::new();
    let handlers = || ["a", "b", "a", "c", "c"].map(|id| Handler::new(id, |_| {}));
    let twice = hooks.register_all(HookKey::ChildUnregistered, handlers()).expect_err("twice");
    says(&twice, r#"duplicate handler ids for ChildUnregistered: "a", "c""#);
    let (ids, back) = twice.into_parts();
    assert_eq!((ids, back.len()), (vec!["a".to_owned(), "c".to_owned()], 5));
}

/// Checks what an error without a source says.
#[track_caller]
fn says(error: &dyn Error, text: &str) {
    assert_eq!(error.to_string(), text);
    assert!(error.source().is_none(), "{error}");
}

#[test]
fn ids_of_every_kind_are_given_as_they_are() {
    let text: Registry<(), u32> = Registry::new("here");
    let given = || Child::new(()).on("here", 1);
    text.insert("x", given());
    text.insert(String::from("x"), given());
    let string = String::from("x");
    text.insert(&string, given());
    text.insert(ChildId::from("x"), given());
    text.insert(Cow::Borrowed("x"), given());
    assert_eq!(text.len(), 1);

    let numbers: Registry<(), u32, (), u64> = Registry::new("here");
    numbers.insert(42, given());
    assert!(numbers.contains(&42));

    let pairs: Registry<(), u32, (), (u8, i32)> = Registry::new("here");
    pairs.insert((1, 2), given());
    assert!(pairs.contains(&(1, 2)));

    let owned: Registry<(), u32, (), String> = Registry::new("here");
    owned.insert("x", given());
    owned.insert(String::from("x"), given());
    assert!(owned.contains("x") && owned.len() == 1);
}

#[test]
fn ids_are_looked_up_borrowed() {
    let registry: Registry<(), u32> = Registry::new("here");
    registry.insert("x", Child::new(()).on("here", 1));
    let string = String::from("x");
    assert!(registry.contains("x"));
    assert!(registry.contains(&string));
    assert!(registry.contains(string.as_str()));
    assert!(registry.contains(&ChildId::from("x")));
    assert_eq!(registry.get_pid(&string), Some(1));
    let pin = registry.pin();
    assert!(pin.lookup("x").is_some() && pin.lookup(&string).is_some());
    assert_eq!(registry.contains_children(["x", "y"]), ["x"]);
    assert_eq!(registry.contains_children([&string]), [&string]);
    registry.bulk_delete([("x", ["nowhere"])]);
    registry.bulk_delete([(&string, vec![String::from("nowhere")])]);
    registry.bulk_delete(std::iter::once((&string, &[Node::from("nowhere")])));
    assert!(registry.update(&string, |_| ()).is_ok());
    assert!(registry.delete(&string).is_some());
}

/// An id that is found by a pair without being made of one.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Address(String, u16);

#[derive(Hash)]
struct Borrowed<'a>(&'a str, u16);

impl equivalent::Equivalent<Address> for Borrowed<'_> {
    fn equivalent(&self, key: &Address) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}

#[test]
fn ids_of_the_users_own_may_have_borrowed_forms() {
    let registry: Registry<(), u32, (), Address> = Registry::new("here");
    registry.insert(Address("host".into(), 80), Child::new(()).on("here", 1));
    assert!(registry.contains(&Borrowed("host", 80)));
    assert!(!registry.contains(&Borrowed("host", 81)));
    assert!(registry.delete(&Borrowed("host", 80)).is_some());
}

#[test]
fn parameters_need_not_be_static() {
    let (spec, pid, id) = (String::from("spec"), 7_u32, String::from("id"));
    {
        let registry: Registry<&str, &u32, &String, &str> = Registry::new("here");
        registry.insert(id.as_str(), Child::new(spec.as_str()).on("here", &pid).metadata(&spec));
        assert_eq!(registry.get_pid(&id.as_str()), Some(&pid));
        let node = String::from("there");
        assert!(registry.rebind(&id.as_str(), node.as_str(), &pid).is_ok());
        assert_eq!(registry.tag_len(&String::from("x")), 0);
        assert_eq!(registry.purge_expired(), 0);
    }
    assert_eq!(spec, "spec");
}

/// Neither clones nor equality of what only travels through.
#[test]
fn inserting_and_deleting_needs_clones_of_nothing_but_ids() {
    struct Opaque;
    let registry: Registry<Opaque, Opaque, Opaque> = Registry::new("here");
    let given = || Child::new(Opaque).metadata(Opaque).on("here", Opaque);
    assert!(registry.insert("id", given()).is_none());
    assert!(registry.try_insert("id", given()).is_err());
    let _ = registry.get_or_insert_with("id", given);
    let _ = registry.compute("id", |_| Decision::Put(given()));
    assert!(registry.lookup("id").is_some() && registry.contains("id"));
    assert_eq!(registry.children_on("here").len(), 1);
    assert_eq!((registry.dump().len(), registry.pin().iter().count()), (1, 1));
    registry.retain(|_| true);
    assert!(registry.delete_if("id", |_| true).is_some());
    assert!(registry.delete("id").is_none());
    assert_eq!(registry.purge_expired(), 0);
    registry.clear_all();
}

#[test]
fn reading_needs_clones_of_nothing() {
    #[derive(PartialEq, Eq, Hash)]
    struct OnlyHashed(u8);
    let registry: Registry<(), (), (), OnlyHashed> = Registry::new("here");
    assert!(registry.lookup(&OnlyHashed(1)).is_none());
    assert!(!registry.contains(&OnlyHashed(1)) && !registry.entry_exists(&OnlyHashed(1)));
    assert_eq!(registry.pin().iter().count(), 0);
}

static GLOBAL: LazyLock<Registry<String, u32>> = LazyLock::new(|| Registry::new("here"));

#[test]
fn a_registry_may_be_static() {
    let _ = GLOBAL.insert("id", Child::new("spec".to_owned()).on("here", 1));
    let found = std::thread::spawn(|| GLOBAL.get_pid("id")).join();
    assert_eq!(found.expect("reads"), Some(1));
}

#[test]
fn registries_are_extended() {
    let mut registry: Registry<(), u32> = Registry::new("here");
    let given = |pid| Child::new(()).on("here", pid);
    registry.extend([("a", given(1)), ("b", given(2))]);
    (&registry).extend([(String::from("c"), given(3))]);
    (&registry).extend(std::iter::once((ChildId::from("a"), given(4))));
    assert_eq!(registry.len(), 3);
    assert_eq!(registry.get_pid("a"), Some(4));
}

#[test]
fn a_builder_sets_everything() {
    let registry = Registry::<(), u32>::builder(String::from("here"))
        .capacity(1000)
        .hasher(std::hash::RandomState::new())
        .tombstone_ttl(Duration::from_secs(1))
        .clock(Clock::System)
        .build();
    assert!(registry.capacity() >= 1000);
    assert_eq!(registry.local_node().as_str(), "here");
    registry.reserve(5000);
    assert!(registry.capacity() >= 5000);
    let _: Registry<(), u32> = Registry::new(Node::from("here"));
}

#[test]
fn owned_entries_travel() {
    let registry: Arc<Registry<String, u32>> = Arc::new(Registry::new("here"));
    let _ = registry.insert("id", Child::new("spec".to_owned()).on("here", 1));
    let entry: OwnedEntry<String, u32> = registry.get_owned("id").expect("live");
    drop(registry);
    let read = std::thread::spawn(move || (entry.clone(), entry));
    let (one, two) = read.join().expect("reads");
    assert_eq!((one.spec(), two.pid()), (&"spec".to_owned(), Some(&1)));
}

#[test]
fn names_are_strings() {
    fn check<T>(name: T)
    where
        T: AsRef<str> + std::borrow::Borrow<str> + std::ops::Deref<Target = str> + Clone + Ord,
        T: Hash + Debug + std::fmt::Display + for<'a> From<&'a str> + From<String>,
        T: for<'a> From<&'a String> + PartialEq<str> + for<'a> PartialEq<&'a str>,
    {
        assert_eq!(name, *"name");
        assert_eq!(name, "name");
        assert_eq!((name.to_string(), name.len()), ("name".to_owned(), 4));
        let (same, other) = (T::from(String::from("name")), T::from("other"));
        assert!(same == name && other > name);
    }
    check(ChildId::from("name"));
    check(Node::from("name"));
    check(Tag::from("name"));
    let id: ChildId = IntoId::into_id("name");
    assert_eq!(id, ChildId::from("name"));
}

#[test]
fn a_first_program() -> Result<(), Box<dyn Error>> {
    let registry: Registry<&str, u32> = Registry::new("node-a");
    registry.insert("session-42", Child::new("spec").on("node-a", 4711).tag("sessions"));

    assert_eq!(registry.get_pid("session-42"), Some(4711));
    registry.update("session-42", |child| child.bind("node-a", 4712))?;
    for entry in registry.pin().match_tag("sessions") {
        assert_eq!(format!("{} {:?}", entry.id(), entry.pids().next()), "session-42 Some(4712)");
    }
    Ok(())
}

#[test]
fn a_table_beyond_all_memory_is_refused_and_changes_nothing() {
    let registry: Registry<(), u32> = Registry::new("here");
    registry.insert("a", Child::new(()).on("here", 1));
    let capacity = registry.capacity();
    assert!(catch_unwind(AssertUnwindSafe(|| registry.reserve(usize::MAX))).is_err());
    assert!(registry.contains("a") && registry.capacity() == capacity);
    let build = || Registry::<(), u32>::builder("here").capacity(usize::MAX).build();
    assert!(catch_unwind(|| drop(build())).is_err());
}
