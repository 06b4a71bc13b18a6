//! A thread that stands still between two steps of the protocol keeps nobody from anything.
//!
//! For every named step of the core one thread is parked there, in the middle of an operation, by
//! a failpoint; three others then finish all their operations, on the same ids, tags and chains,
//! while the tables grow, are rebuilt and are halved. A hidden wait would stop them for good.
//!
//! The failpoints are in no ordinary build, and without them nothing of this is compiled:
//!
//! ```text
//! RUSTFLAGS="--cfg process_registry_failpoints" cargo test --profile checked --test parked_steps
//! ```
#![cfg(process_registry_failpoints)]

#[path = "parked_steps/lawless.rs"]
mod lawless;
#[path = "parked_steps/others.rs"]
mod others;
#[path = "parked_steps/scripts.rs"]
mod scripts;
#[path = "parked_steps/stage.rs"]
mod stage;
mod support;

use std::collections::HashSet;
use std::io::Write;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use process_registry::failpoint::{Step, arm, disarm};
use process_registry::{Child, Registry};
use test_support::CountingAlloc;

use others::{OPERATIONS, Other};
use scripts::Script;
use stage::{ONLOOKER, Stage, value};
use support::Hashing;

#[global_allocator]
static ALLOC: CountingAlloc = CountingAlloc::new();

/// After so long without an end the others are taken to wait for the parked thread.
const PATIENCE: Duration = Duration::from_secs(120);
/// Threads besides the parked one.
const OTHERS: u64 = 3;
/// Attempts to reach a step that depends on the parked thread's number.
const ATTEMPTS: usize = 8;
/// Bytes that a scene may leave behind: flags of batches, which are never freed, and what the test
/// harness does meanwhile. A leak in any of the others' operations would leave a multiple of it.
const LEFT: usize = 16_384;

/// Ends the process: the threads that hang could not be joined.
fn hangs(context: &str) -> ! {
    // Not by a macro, whose words would be kept back until the test ends.
    let _ = writeln!(std::io::stderr(), "{context}: the others do not get on");
    std::process::abort();
}

/// What the onlooker sees while the thread is parked: tables still grow and shrink.
fn tables_still_change(stage: &Stage, context: &str) {
    const MANY: u64 = 4_000;
    let registry = &stage.registry;
    for id in ONLOOKER..ONLOOKER + MANY {
        assert!(registry.insert(id, stage.child(value(id, 0))).is_none());
    }
    assert!(registry.capacity() >= MANY as usize / 2, "{context}: the table does not grow");
    for id in ONLOOKER..ONLOOKER + MANY {
        assert!(registry.delete(&id).is_some(), "{context}: {id} was lost");
    }
    // Whoever came to a chain that is half migrated goes on for ever in its successor.
    registry.shrink_to_fit();
    let (capacity, len) = (registry.capacity(), registry.len_all());
    assert!(capacity <= 8 * len.max(64), "{context}: {capacity} for {len}, not halved");
}

/// Parks a thread in `script` when it comes to `step` after so many passes; says whether it did.
fn parked(step: Step, script: &Script, passes: usize, hashing: Hashing) -> bool {
    let context = format!("{} parked at {step:?} after {passes}, {hashing:?}", script.name);
    let begun = Instant::now();
    let stage = &Stage::new(hashing);
    let before = (script.before)(stage);
    let (tell, told) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let ids = if hashing == Hashing::Normal { 150 } else { 24 };
    let left = thread::scope(|scope| {
        let parked = scope.spawn(|| {
            let arrive = tell.clone();
            arm(step, passes, move || {
                let _ = arrive.send(true);
                // An error means that the others have failed: go on, so that they can.
                let _ = released.recv();
            });
            let left = (script.run)(stage);
            let _ = tell.send(!disarm());
            left
        });
        if !told.recv_timeout(PATIENCE).unwrap_or_else(|_| hangs(&context)) {
            parked.join().expect("ends well");
            return None;
        }
        let (done, ends) = mpsc::channel();
        let others: Vec<_> = (0..OTHERS)
            .map(|thread| {
                let done = done.clone();
                scope.spawn(move || {
                    let left = Other::new(stage, thread, ids).run();
                    let _ = done.send(());
                    left
                })
            })
            .collect();
        drop(done);
        for _ in 0..OTHERS {
            match ends.recv_timeout(PATIENCE) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout) => hangs(&context),
                // One has failed.
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let mut left: HashSet<u64> = before;
        for other in others {
            left.extend(other.join().expect("the others end well"));
        }
        if hashing == Hashing::Normal {
            tables_still_change(stage, &context);
        }
        let held = stage.counters.live();
        assert!(held > OPERATIONS / 10, "{context}: {held} values, yet the thread is pinned");
        drop(release);
        for id in parked.join().expect("the parked thread ends well") {
            if !left.insert(id) {
                left.remove(&id);
            }
        }
        Some((left, held))
    });
    let Some((left, held)) = left else { return false };
    stage.check(left);
    stage.check_freed();
    stage.registry.clear_all();
    stage.check_freed();
    println!("{context}: {} ms, {held} values held", begun.elapsed().as_millis());
    true
}

/// The bytes in use when nothing waits for the epoch.
fn settled() -> usize {
    let other: Registry<(), u32> = Registry::new("here");
    for _ in 0..4 {
        other.insert("id", Child::new(()).on("here", 1));
        other.collect();
    }
    drop(other);
    ALLOC.live_bytes()
}

/// Tests take turns: pins are the process's.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Parks at a step in one script at several depths.
fn park_all(step: Step, script: &Script, depths: &[usize]) {
    let _turn = turn();
    for (at, passes) in depths.iter().enumerate() {
        // Chains as long as those of what drains would take too much time.
        let colliding = at % 2 == 1 && script.name != scripts::DRAIN.name;
        let hashing = if colliding { Hashing::Colliding } else { Hashing::Normal };
        let before = settled();
        let reached = (0..ATTEMPTS).any(|_| parked(step, script, *passes, hashing));
        assert!(reached, "{} never came to {step:?} after {passes}", script.name);
        let left = settled().saturating_sub(before);
        println!("left: {left}");
        assert!(left < LEFT, "{left} bytes were left behind");
    }
}

/// What is stored while a table is being halved keeps it from being halved further.
#[test]
fn a_table_is_halved_no_further_than_what_comes_meanwhile_allows() {
    const MANY: u64 = 10_000;
    let _turn = turn();
    let registry: Arc<Registry<(), u64, (), u64>> =
        Arc::new(Registry::builder("here").capacity(16 * MANY as usize).build());
    let other = Arc::clone(&registry);
    arm(Step::SuccessorLinked, 0, move || {
        (0..MANY).for_each(|id| drop(other.insert(id, Child::new(()).on("here", id))));
    });
    registry.shrink_to_fit();
    assert!(!disarm());
    let capacity = registry.capacity() as u64;
    assert!((MANY..=4 * MANY).contains(&capacity), "{capacity} for {MANY}");
}

/// A test for every step, and a compile error for a step without one.
macro_rules! steps {
    ($($test:ident: $step:ident, $($script:ident $depths:expr),+;)*) => {
        $(#[test]
        fn $test() {
            $(park_all(Step::$step, &scripts::$script, &$depths);)+
        })*

        #[allow(dead_code)]
        const fn covered(step: Step) {
            match step {
                $(Step::$step => {})*
            }
        }
    };
}

steps! {
    insert_published: Published, INSERT [0, 0], INTRODUCE [0, 1];
    insert_before_its_pass: PassBegun, INSERT [0, 0], INTRODUCE [0, 1];
    insert_before_its_commit: PassDone, INSERT [0, 0], INTRODUCE [0, 1];
    insert_committed: Committed, INSERT [0, 0], INTRODUCE [0, 1];
    replace_before_its_cas: ReplaceMarked, REPLACE [0, 0], UPDATE [0];
    replace_after_its_cas: Replaced, REPLACE [0, 0], UPDATE [0];
    remove_before_it_marks: RemovalBegun, REMOVE [0, 0];
    remove_marked: RemovalMarked, REMOVE [0, 0, 1];
    remove_unlinked: Unlinked, REMOVE [0, 0];
    slots_given_back: SlotsGivenBack, REMOVE [0], REPLACE [0];
    migrate_chain_frozen: ChainFrozen, GROW [0, 40, 40], HALVE [0, 0];
    migrate_before_fill: FillBegun, GROW [0, 40, 40], HALVE [0];
    migrate_slots_filled: SlotsFilled, GROW [0, 41, 41], HALVE [0];
    migrate_between_fills: TargetFilled, GROW [0, 40, 40];
    migrate_filled: FillDone, GROW [0, 40, 40], HALVE [0];
    migrate_between_migrated: SourceMigrated, HALVE [0, 2, 20], GROW [40];
    migrate_chunk_not_counted: ChunkDone, GROW [0, 8, 8], HALVE [0];
    migrate_before_promotion: PromotionBegun, GROW [0, 3, 6], HALVE [0];
    migrate_promoted: Promoted, GROW [0, 3, 6], HALVE [0];
    successor_allocated: SuccessorAllocated, GROW [0, 3], HALVE [0];
    successor_linked: SuccessorLinked, GROW [0, 3], HALVE [0];
    claim_stripe_unit_taken: StripeUnitTaken, INTRODUCE [0];
    claim_unit_taken: UnitTaken, INTRODUCE [0];
    claim_bit_claimed: BitClaimed, INSERT [0, 0], GROW [100];
    claim_top_raised: TopRaised, GROW [0, 5];
    claim_chunk_linked: ChunkLinked, GROW [0, 5];
    release_bit_cleared: BitCleared, REMOVE [0, 1], DRAIN [60];
    release_chunk_closed: ChunkClosed, DRAIN [0, 2];
    release_chunk_unlinked: ChunkUnlinked, DRAIN [0, 2];
    release_count_given_back: CountGivenBack, REMOVE [0];
    release_unit_given_back: UnitGivenBack, REMOVE [0];
    set_closed: SetClosed, REMOVE [0, 1];
    set_unlinked: SetUnlinked, REMOVE [0, 1];
    set_built: SetBuilt, INTRODUCE [0, 1];
    retire_shelf_taken: ShelfTaken, REMOVE [0, 1], DRAIN [70];
    retire_batch_sealed: BatchSealed, DRAIN [0];
}
