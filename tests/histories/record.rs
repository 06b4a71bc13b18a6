//! Recording: threads that run their scripts on one registry, while others make its table grow and
//! shrink.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;

use fastrand::Rng;
use process_registry::Child;

use crate::disturb::disturbed;
use crate::flaws::Flaw;
use crate::ops::{Op, Profile};
use crate::perform::{Call, World};
use crate::shaky::{FILLERS, Id, Shaky, unsteady};
use crate::value::{NODES, TAGS, Table};

/// What happened in one run.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) calls: Vec<Call>,
    pub(crate) keys: u8,
    /// How often the table was replaced meanwhile, at least.
    pub(crate) resized: usize,
}

/// Counts a thread out, also if it panics.
struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

/// One history at a time: with more threads than there is room for they would only wait for each
/// other, and not meet in the middle of anything.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs a history.
pub(crate) fn record(profile: &Profile, flaw: Option<Flaw>, rng: &mut Rng) -> Recording {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let scripts = profile.scripts(rng);
    let world = World::new(profile.hashing, profile.keys, rng.u32(..FILLERS / 16) * 16, flaw);
    let (calls, resized) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let storms = usize::from(profile.fillers > 0);
    let start = Barrier::new(scripts.len() + storms);
    let running = AtomicUsize::new(scripts.len());
    thread::scope(|scope| {
        for (at, script) in scripts.iter().enumerate() {
            let (world, calls, start, running, seed) =
                (&world, &calls, &start, &running, rng.u64(..));
            scope.spawn(move || {
                let _done = Done(running);
                unsteady(seed);
                start.wait();
                let mut choices = Rng::with_seed(seed);
                let call = |op: &Op| disturbed(choices.u64(..), || world.call(at, op));
                let mine: Vec<Call> = script.iter().map(call).collect();
                calls.lock().expect("nobody panics here").extend(mine);
            });
        }
        if storms > 0 {
            start.wait();
            let mut rounds = 0;
            while running.load(Ordering::Acquire) > 0 || rounds == 0 {
                resized.fetch_add(storm(&world.registry, profile.fillers), Ordering::Relaxed);
                rounds += 1;
            }
        }
    });
    let mut calls = calls.into_inner().expect("nobody panicked");
    calls.sort_by_key(|call| call.span);
    Recording { calls, keys: profile.keys, resized: resized.into_inner() }
}

/// Inserts fillers and removes them again; tells how often the capacity has changed.
fn storm(registry: &Table, fillers: u32) -> usize {
    let (mut capacity, mut changes) = (registry.capacity(), 0);
    let mut look = || {
        let before = std::mem::replace(&mut capacity, registry.capacity());
        changes += usize::from(before != capacity);
    };
    for number in 0..fillers {
        let mut child = Child::new(Shaky(1)).metadata(0).on(NODES[2], Shaky(2));
        if number % 8 == 0 {
            child.add_tag(TAGS[0]);
        }
        registry.insert(Id(FILLERS + number), child);
        look();
    }
    for number in 0..fillers {
        registry.delete(&Id(FILLERS + number));
    }
    registry.shrink_to_fit();
    look();
    changes
}
