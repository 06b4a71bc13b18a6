//! A thread that stands still in the middle of an operation, at one of the first [`MOMENTS`] at which user
//! code of each kind runs, keeps nobody from anything. A hidden wait would make these tests hang. The
//! moments between single steps, where no user code runs, are those of `parked_steps`.

#[path = "rigged/operations.rs"]
#[allow(dead_code, reason = "shared with semantics_user_code")]
mod operations;
#[path = "rigged/stage.rs"]
#[allow(dead_code, reason = "shared with semantics_user_code")]
mod stage;
mod support;

use std::hint::black_box;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;

use process_registry::{Child, Decision, Global, WriteOptions};

use operations::OPERATIONS;
use stage::{ABSENT, EXPIRED, LIVE, PENDING, RiggedChild, Stage, TOMBSTONE};
use support::rigged::{Action, Point, rigged};

/// Everything there is to do, done by somebody else meanwhile.
fn go_about(stage: &Stage) {
    let registry = &*stage.registry;
    for number in LIVE.chain([TOMBSTONE, PENDING, EXPIRED, ABSENT]) {
        let id = stage.id(number);
        let options = WriteOptions::new().hooks(&stage.hooks);
        drop(registry.insert_with(stage.id(number), stage.child(number), options));
        assert!(registry.contains(&id));
        let edit = |child: &mut RiggedChild| child.bind("there", stage.value(1));
        assert!(registry.update(&id, edit).is_ok());
        assert!(registry.rebind(&id, "new", stage.value(2)).is_ok());
        let put = registry.compute(stage.id(number), |_| Decision::Put(stage.child(number)));
        assert!(put.is_some_and(|entry| entry.version() == 4));
        registry
            .bulk_insert([(stage.id(number), Child::new(stage.value(1)).metadata(stage.value(1)))]);
        registry.bulk_delete([(&id, ["here", "there"])]);
        assert!(!registry.contains(&id) && registry.entry_exists(&id));
        assert!(registry.try_insert(stage.id(number), stage.child(number)).is_ok());
    }
    assert!(registry.match_tag("all").len() >= LIVE.len());
    assert!(registry.local_data().len() >= LIVE.len());
    assert!(registry.process_list(Global).len() >= LIVE.len());
    // Enough to make the table grow, and to halve it again.
    for number in 300..380 {
        drop(registry.insert(stage.id(number), stage.child(number)));
    }
    registry.retain(|entry| entry.id().number < 300);
    registry.shrink_to_fit();
    for number in LIVE.chain([ABSENT]) {
        assert!(registry.delete(&stage.id(number)).is_some());
    }
    black_box(registry.remove_node("there"));
    black_box(registry.purge_expired());
    registry.collect();
    registry.clear_all();
}

/// How many moments of each kind a thread is parked at in each operation.
const MOMENTS: u32 = 3;

/// Parks a thread in every operation, at the first few moments at which it reaches `point`.
fn parked_at(point: Point) {
    let mut moments = 0;
    for operation in OPERATIONS {
        for nth in 1..=MOMENTS {
            let stage = Stage::new();
            let (tell, told) = mpsc::channel();
            let (release, released) = mpsc::channel::<()>();
            let parked = thread::scope(|scope| {
                let stage = &stage;
                let parked_thread = scope.spawn(move || {
                    let arrive = tell.clone();
                    let park = Rc::new(move || {
                        arrive.send(true).expect("the other thread listens");
                        // An error means that the other thread has failed: go on, so that it can.
                        let _ = released.recv();
                    });
                    let run = || (operation.run)(stage);
                    let (_, result) = rigged(point, nth, Action::Call(park), run);
                    tell.send(false).expect("the other thread listens");
                    result.expect("nothing panics");
                });
                let parked = told.recv().expect("it arrives or ends");
                if parked {
                    go_about(stage);
                }
                drop(release);
                parked_thread.join().expect("ends well");
                parked
            });
            if !parked {
                break;
            }
            moments += 1;
            let context = format!("{} parked at {point:?} {nth}", operation.name);
            stage.sane(&context);
            stage.strike(&context);
        }
    }
    assert!(moments > 0, "{point:?} is never reached");
}

#[test]
fn parked_in_hash() {
    parked_at(Point::Hash);
}

#[test]
fn parked_in_eq() {
    parked_at(Point::Eq);
}

#[test]
fn parked_in_clone_of_an_id() {
    parked_at(Point::CloneId);
}

#[test]
fn parked_in_drop_of_an_id() {
    parked_at(Point::DropId);
}

#[test]
fn parked_in_clone_of_a_value() {
    parked_at(Point::CloneValue);
}

#[test]
fn parked_in_drop_of_a_value() {
    parked_at(Point::DropValue);
}

#[test]
fn parked_in_equality_of_pids() {
    parked_at(Point::EqValue);
}

#[test]
fn parked_in_closures() {
    parked_at(Point::Closure);
}

#[test]
fn parked_in_hooks() {
    parked_at(Point::Hook);
}

/// An iterator half-way through, a reference and a pin, all held by a thread that does nothing.
#[test]
fn parked_with_a_pin() {
    let stage = Stage::new();
    let (tell, told) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let stage = &stage;
        let parked = scope.spawn(move || {
            let pin = stage.registry.pin();
            let (mut tagged, mut all) = (pin.match_tag("all"), pin.iter());
            let first = tagged.next().expect("live ones carry it");
            let other = all.next().expect("there are live ones");
            let held = stage.registry.lookup(&stage.id(3)).expect("live");
            tell.send(()).expect("the other thread listens");
            let _ = released.recv();
            for entry in [first, other, &*held] {
                entry.spec().sound();
                entry.pids().for_each(|pid| pid.sound());
            }
            tagged.chain(all).for_each(|entry| entry.spec().sound());
        });
        told.recv().expect("it arrives");
        go_about(stage);
        drop(release);
        parked.join().expect("ends well");
    });
    stage.sane("a pin");
    stage.strike("a pin");
}
