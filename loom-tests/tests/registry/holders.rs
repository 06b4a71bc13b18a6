//! What is held on to: registrations, owned entries; and who is told of changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use process_registry::{Handler, HookKey, Hooks, WriteOptions};

use crate::world::{Id, World, whole};

/// Three threads register one id, hold it and let go, during growth: never two at once.
pub fn registrations() {
    // Of one execution at a time, and all of them leave it as it was.
    static HELD: AtomicBool = AtomicBool::new(false);
    fn hold(world: &World, number: u32) -> usize {
        let mut held = 0;
        for _ in 0..2 {
            let registered = world.registry.register(world.id(0), world.child(number));
            let Ok(registration) = registered else { continue };
            assert!(!HELD.swap(true, Ordering::SeqCst), "two hold one id");
            let own = registration.entry().expect("nobody else removes it");
            assert_eq!(own.incarnation(), registration.incarnation());
            assert_eq!(*own.metadata(), u64::from(number), "another's entry");
            registration.rebind("b", number).expect("nobody else removes it");
            assert!(registration.is_current());
            HELD.store(false, Ordering::SeqCst);
            drop(registration);
            held += 1;
        }
        held
    }
    HELD.store(false, Ordering::SeqCst);
    let world = World::new();
    let held = world.at_once([
        |world| hold(world, 1),
        |world| hold(world, 2),
        |world| hold(world, 3),
        |world| {
            world.fill([1, 2, 3]);
            0
        },
    ]);
    assert!(held.iter().sum::<usize>() >= 2, "refused by nobody");
    assert_eq!(world.check(), [1, 2, 3]);
    world.end();
}

/// A registration is overruled by an insert, which its end then leaves alone.
pub fn overruled() {
    fn hold(world: &World) {
        for _ in 0..2 {
            let registered = world.registry.register(world.id(0), world.child(1));
            let Ok(registration) = registered else { continue };
            let current = registration.is_current();
            let released = registration.release();
            assert!(current || released.is_none(), "what is lost is back");
            assert!(released.is_none_or(|one| *one.metadata() == 1), "another's entry");
        }
    }
    let world = World::new();
    world.at_once([
        hold,
        hold,
        |world| {
            drop(world.registry.register(world.id(0), world.child(2)));
            world.fill([2, 3]);
        },
        |world| {
            world.insert(0, 9);
            world.sees(0);
        },
    ]);
    let left = world.registry.get_owned(&0).map(|one| *one.metadata());
    assert_eq!(left, Some(9), "a registration has removed another's entry");
    assert_eq!(world.check(), [0, 2, 3]);
    world.end();
}

/// Owned entries outlive replacement, deletion and the registry.
pub fn owned() {
    let world = World::new();
    world.fill([0, 1]);
    let owned = world.at_once([
        |world| {
            let mut own: Vec<_> = (0..4).filter_map(|_| world.registry.get_owned(&0)).collect();
            own.extend(own.last().cloned());
            world.registry.collect();
            own
        },
        |world| {
            let pinned = world.registry.pin();
            let mut own: Vec<_> = pinned.match_tag("t").map(|one| one.share()).collect();
            own.extend((0..4).filter_map(|_| pinned.lookup(&0)).map(|one| one.share()));
            drop(pinned);
            world.insert(2, 2);
            own
        },
        |world| world.registry.delete(&0).into_iter().collect(),
        |world| {
            let mut all: Vec<_> = world.insert(1, 10).into_iter().collect();
            all.extend(world.registry.delete(&1));
            world.registry.collect();
            all.pop();
            all
        },
    ]);
    assert_eq!(world.check(), [2]);
    world.registry.collect();
    let owned: Vec<_> = owned.into_iter().flatten().collect();
    assert!(owned.iter().all(|one| whole(one)), "a torn entry");
    let numbers: Vec<_> = owned.iter().map(|one| *one.metadata()).collect();
    world.end_with(Reading(owned, numbers));
}

/// Reads what it keeps once more when it goes.
struct Reading(Vec<crate::world::Owned>, Vec<u64>);

impl Drop for Reading {
    fn drop(&mut self) {
        for (one, number) in self.0.iter().zip(&self.1) {
            assert!(whole(one) && one.metadata() == number, "an owned entry has changed");
        }
    }
}

/// What a handler was told: handler, kind, incarnation, version, number of bindings.
type Told = (&'static str, HookKey, u64, u64, usize);

/// Handlers hear of every change once, in the order of their priorities, after it is visible.
pub fn hooks() {
    let world = World::new();
    let hooks: Arc<Hooks<u32, Id>> = Arc::default();
    let log: Arc<Mutex<Vec<Told>>> = Arc::default();
    let keys = [HookKey::ChildRegistered, HookKey::ChildUnregistered];
    for (key, name) in keys.into_iter().flat_map(|key| [(key, "late"), (key, "early")]) {
        let (log, registry) = (Arc::clone(&log), Arc::clone(&world.registry));
        let handler = Handler::new(name, move |event: &process_registry::Event<'_, u32, Id>| {
            let told = (name, event.kind(), event.incarnation(), event.version());
            log.lock().expect("no panic").push((
                told.0,
                told.1,
                told.2,
                told.3,
                event.bindings().len(),
            ));
            let one = registry.lookup(event.id());
            let same = one.filter(|one| one.incarnation() == told.2);
            let seen = same.map(|one| one.version());
            match event.kind() {
                HookKey::ChildRegistered if event.id().number() == 0 => {
                    assert!(seen.is_none_or(|version| version >= told.3), "told too early");
                }
                // Nobody else touches it.
                HookKey::ChildRegistered => assert!(seen == Some(told.3), "told too early"),
                _ => assert!(seen.is_none(), "a removed child is back"),
            }
        });
        let priority = if name == "early" { 1 } else { 0 };
        hooks.register(key, handler.priority(priority)).expect("no other of that name");
    }
    shared(&world, &hooks, &log);
    drop(hooks);
    world.check();
    world.end();
}

/// What the threads of [`hooks`] do, and what they must have been told.
fn shared(world: &Arc<World>, hooks: &Arc<Hooks<u32, Id>>, log: &Mutex<Vec<Told>>) {
    let threads = (0..4).map(|number: u32| {
        let (world, hooks) = (Arc::clone(world), Arc::clone(hooks));
        shuttle::thread::spawn(move || {
            let with = || WriteOptions::new().hooks(&hooks);
            let id = || world.id(0);
            match number {
                0 => drop(world.registry.insert_with(id(), world.child(1), with())),
                1 => return usize::from(world.registry.delete_with(&0, &hooks).is_some()),
                2 => {
                    let put = world.registry.try_insert_with(id(), world.child(2), with()).is_ok();
                    return usize::from(put);
                }
                _ => {
                    let bound = world.registry.rebind_with(&0, "b", 7, &hooks).is_ok();
                    for id in [1, 2] {
                        world.registry.insert_with(world.id(id), world.child(3), with());
                    }
                    return usize::from(bound);
                }
            }
            1
        })
    });
    let threads: Vec<_> = threads.collect();
    let written = threads.into_iter().map(|thread| thread.join().expect("no panic"));
    let [_, deleted, put, bound] = written.collect::<Vec<_>>()[..] else { unreachable!("four") };
    let log = std::mem::take(&mut *log.lock().expect("no panic"));
    let of = |name| {
        let told = log.iter().filter(move |told| told.0 == name);
        told.map(|told| (told.1, told.2, told.3, told.4)).collect::<Vec<_>>()
    };
    let (mut early, mut late) = (of("early"), of("late"));
    for told in &late {
        let at = |name, told: &(HookKey, u64, u64, usize)| {
            let same =
                |other: &Told| other.0 == name && (other.1, other.2, other.3, other.4) == *told;
            log.iter().position(same)
        };
        assert!(at("early", told) < at("late", told), "the lower priority first");
    }
    early.sort_unstable();
    late.sort_unstable();
    assert_eq!(early, late, "both hear the same");
    let whole = early.len();
    early.dedup();
    assert_eq!(early.len(), whole, "told twice");
    let registered = early.iter().filter(|told| told.0 == HookKey::ChildRegistered);
    let firsts = registered.clone().filter(|told| told.2 == 1).count();
    assert_eq!(firsts, 3 + put, "every insert is told");
    assert_eq!(registered.count(), 3 + put + bound, "every binding is told");
    let gone = early.iter().filter(|told| told.0 == HookKey::ChildUnregistered);
    assert_eq!(gone.count(), deleted, "every removal is told");
}
