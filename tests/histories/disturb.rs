//! Interruptions between the steps of the protocol, in builds that have failpoints:
//!
//! ```text
//! RUSTFLAGS="--cfg process_registry_failpoints" cargo test --profile checked --test histories
//! ```

#[cfg(not(process_registry_failpoints))]
pub(crate) fn disturbed<R>(_: u64, call: impl FnOnce() -> R) -> R {
    call()
}

/// Makes a call in which this thread, should it come to some step, lets others go on first.
#[cfg(process_registry_failpoints)]
pub(crate) fn disturbed<R>(choice: u64, call: impl FnOnce() -> R) -> R {
    use process_registry::failpoint::{Step, arm, disarm};

    // Writes come to the first ones always, to the others while tables and sets change.
    const STEPS: [Step; 24] = [
        Step::Published,
        Step::PassBegun,
        Step::PassDone,
        Step::Committed,
        Step::ReplaceMarked,
        Step::ReplaceMarked,
        Step::Replaced,
        Step::RemovalBegun,
        Step::RemovalMarked,
        Step::Unlinked,
        Step::SlotsGivenBack,
        Step::UnitTaken,
        Step::BitClaimed,
        Step::BitCleared,
        Step::UnitGivenBack,
        Step::SetClosed,
        Step::SetUnlinked,
        Step::SetBuilt,
        Step::ChainFrozen,
        Step::FillBegun,
        Step::SlotsFilled,
        Step::FillDone,
        Step::SourceMigrated,
        Step::PromotionBegun,
    ];
    let step = STEPS[choice as usize % STEPS.len()];
    arm(step, (choice >> 32) as usize % 2, || (0..4).for_each(|_| std::thread::yield_now()));
    let result = call();
    disarm();
    result
}

/// The relaxation about deadlines, brought about: a writer stands still after its look at the clock.
#[cfg(process_registry_failpoints)]
#[test]
fn a_write_that_looked_in_time_succeeds_after_the_deadline() {
    use std::sync::Arc;
    use std::thread;

    use process_registry::failpoint::{Step, arm};

    use crate::check::check;
    use crate::model::Edit;
    use crate::ops::{Op, Way};
    use crate::perform::World;
    use crate::support::Hashing;
    use crate::value::{Life, Tags, Wish};

    let world = Arc::new(World::new(Hashing::Normal, 1, 0, None));
    let bindings = [(0, 4)].into_iter().collect();
    let wish = Wish { serial: 1, bindings, tags: Tags(1), life: Life::For(2) };
    let mut calls = vec![world.call(0, &Op::Insert(0, wish, Way::default()))];
    let renewal = Op::Update(0, [Edit::Ttl(9)].into_iter().collect());
    let lookup = Op::Lookup(0, Way { variant: 3, ..Way::default() });
    let between = {
        let (world, lookup) = (Arc::clone(&world), lookup.clone());
        move || vec![world.call(1, &Op::Advance(2)), world.call(1, &lookup)]
    };
    let during = Arc::new(std::sync::Mutex::new(Vec::new()));
    let put_down = Arc::clone(&during);
    arm(Step::ReplaceMarked, 0, move || {
        let others = thread::spawn(between).join().expect("it does not panic");
        put_down.lock().expect("nobody panics").extend(others);
    });
    calls.push(world.call(0, &renewal));
    calls.extend(during.lock().expect("nobody panics").drain(..));
    calls.push(world.call(0, &lookup));
    calls.sort_by_key(|call| call.span);
    match check(&calls, 1) {
        Ok(explained) => assert_eq!(explained.relaxed, 1, "{calls:?}"),
        Err(wrong) => panic!("{wrong}"),
    }
}
