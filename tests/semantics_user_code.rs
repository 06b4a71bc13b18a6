//! Section 4 of the rules: user code that panics or calls back, at every moment of every
//! operation. Nothing hangs, leaks, is lost or poisoned.

#[path = "rigged/operations.rs"]
mod operations;
#[path = "rigged/stage.rs"]
mod stage;
mod support;

use std::rc::Rc;
use std::sync::Arc;

use operations::{OPERATIONS, Operation};
use stage::Stage;
use support::rigged::{Action, Point, rigged};

/// Runs every operation with `action` at each moment `point` is reached, up to `most`.
fn sweep(point: Point, most: u32, action: impl Fn(&Stage) -> Action) -> u32 {
    let mut moments = 0;
    for operation in OPERATIONS {
        for nth in 1..=most {
            let stage = Stage::new();
            let before = stage.shot(operation.touches);
            let (tripped, _) = rigged(point, nth, action(&stage), || (operation.run)(&stage));
            if !tripped {
                break;
            }
            moments += 1;
            let context = format!("{} at {point:?} {nth}", operation.name);
            stage.sane(&context);
            if let Action::Panic = action(&stage) {
                assert_eq!(stage.shot(operation.touches), before, "bystanders of {context}");
            }
            stage.strike(&context);
        }
    }
    moments
}

fn panics_at(point: Point) {
    let moments = sweep(point, 60, |_| Action::Panic);
    assert!(moments > 10, "only {moments} moments of {point:?}");
}

#[test]
fn row_4_hash_may_panic() {
    panics_at(Point::Hash);
}

#[test]
fn row_4_eq_may_panic() {
    panics_at(Point::Eq);
}

#[test]
fn row_4_clone_of_an_id_may_panic() {
    panics_at(Point::CloneId);
}

#[test]
fn row_4_drop_of_an_id_may_panic() {
    panics_at(Point::DropId);
}

#[test]
fn row_4_clone_of_a_value_may_panic() {
    panics_at(Point::CloneValue);
}

#[test]
fn row_4_drop_of_a_value_may_panic() {
    panics_at(Point::DropValue);
}

#[test]
fn row_4_equality_of_pids_may_panic() {
    let moments = sweep(Point::EqValue, 60, |_| Action::Panic);
    assert!(moments > 0, "bulk_insert compares pids");
}

#[test]
fn row_4_closures_may_panic() {
    panics_at(Point::Closure);
}

#[test]
fn row_4_hooks_may_panic() {
    panics_at(Point::Hook);
}

/// Calls back into the registry at each moment of each operation.
fn calls_back(call: fn(&Stage)) {
    for point in Point::ALL {
        let moments = sweep(point, 7, |stage| {
            // Weak, or the registry would not be dropped where its drop is what calls back.
            let stage = stage.weak();
            Action::Call(Rc::new(move || {
                if let Some(stage) = stage.upgrade() {
                    call(&stage);
                }
            }))
        });
        assert!(moments > 0, "{point:?} is never reached");
    }
}

#[test]
#[allow(clippy::mutable_key_type, reason = "the canary is no part of an id")]
fn row_4_user_code_may_read_everything() {
    calls_back(|stage| {
        let entry = stage.registry.get_owned(&stage.id(3));
        assert!(entry.is_none_or(|entry| entry.id().number == 3));
        let entries = stage.registry.dump();
        let pin = stage.registry.pin();
        assert!(pin.match_tag("even").all(|entry| entry.has_tag("even")));
        assert!(pin.children_on("here").all(|entry| entry.pid_on("here").is_some()));
        drop(entries);
    });
}

#[test]
fn row_4_user_code_may_insert_the_same_id() {
    calls_back(|stage| {
        let _ = stage.registry.insert(stage.id(3), stage.child(33));
        let _ = stage.registry.insert(stage.id(40), stage.child(40));
    });
}

#[test]
fn row_4_user_code_may_update_the_same_id() {
    calls_back(|stage| {
        let edit = |child: &mut stage::RiggedChild| child.bind("there", stage.value(9));
        let _ = stage.registry.update(&stage.id(3), edit);
        let _ = stage.registry.rebind(&stage.id(4), "here", stage.value(8));
    });
}

#[test]
fn row_4_user_code_may_delete_the_same_id() {
    calls_back(|stage| {
        let _ = stage.registry.delete(&stage.id(3));
        let _ = stage.registry.delete(&stage.id(40));
    });
}

#[test]
fn row_4_user_code_may_clear_everything() {
    calls_back(|stage| stage.registry.clear_all());
}

#[test]
fn row_4_user_code_may_maintain() {
    calls_back(|stage| {
        let _ = stage.registry.purge_expired();
        stage.registry.collect();
        stage.registry.shrink_to_fit();
        stage.registry.reserve(200);
    });
}

#[test]
fn row_4_the_drop_of_the_registry_survives_a_panicking_destructor() {
    for point in [Point::DropId, Point::DropValue] {
        for nth in 1..60 {
            let stage = Stage::new();
            let registry = stage.weak();
            let ledger = stage.ledger.clone();
            let (tripped, _) = rigged(point, nth, Action::Panic, move || drop(stage));
            assert!(tripped || nth > 11, "one drop for each entry at least");
            assert!(registry.upgrade().is_none());
            ledger.closed();
        }
    }
}

/// A rival changes the entry between the first attempt of a merge and its end: what the attempt had taken
/// over from the entry goes before the second.
#[test]
fn row_4_a_destructor_may_panic_between_two_attempts_of_a_merge() {
    let mut panics = 0;
    for nth in 1..40 {
        let stage = Stage::new();
        let (registry, number) = (&stage.registry, 1);
        let more = stage.child(number).on("far", stage.value(3)).on("beyond", stage.value(4));
        let _ = registry.insert(stage.id(number), more);
        let given = stage.child(number).on("new", stage.value(5));
        let (mut attempts, mut rivals) = (0, 1);
        let merge = || {
            registry.bulk_insert_by([(stage.id(number), given)], |_, _| {
                attempts += 1;
                if rivals > 0 {
                    rivals -= 1;
                    registry.rebind(&stage.id(number), "far", stage.value(6)).expect("it is there");
                }
                false
            });
        };
        let (tripped, result) = rigged(Point::DropValue, nth, Action::Panic, merge);
        assert!(attempts > 2 || result.is_err(), "two nodes are compared in each of two attempts");
        panics += u32::from(tripped);
        stage.sane("a merge");
        let ledger = stage.ledger.clone();
        drop(stage);
        ledger.closed();
    }
    assert!(panics > 2, "some values go in a merge that is begun anew");
}

#[test]
fn row_4_a_destructor_may_use_another_registry() {
    let other = Arc::new(Stage::new());
    for nth in 1..30 {
        let stage = Stage::new();
        let ledger = stage.ledger.clone();
        let keep = Arc::clone(&other);
        let call = Rc::new(move || {
            let _ = keep.registry.insert(keep.id(nth), keep.child(nth));
            keep.registry.collect();
        });
        let (tripped, result) = rigged(Point::DropValue, nth, Action::Call(call), || {
            stage.registry.clear_all();
            stage.registry.collect();
            // What was not due yet goes now.
            drop(stage);
        });
        assert!(tripped && result.is_ok());
        ledger.closed();
        assert!(other.registry.contains(&other.id(nth)));
    }
}

/// The sweeps are worth something only if the operations run to their end unhindered.
#[test]
fn row_4_every_operation_works_unrigged() {
    for Operation { name, run, .. } in OPERATIONS {
        let stage = Stage::new();
        run(&stage);
        stage.sane(name);
        stage.strike(name);
    }
}
