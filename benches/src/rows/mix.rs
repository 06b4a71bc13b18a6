//! Mixes of reads and writes, after conc-map-bench and the universal benchmark of libcuckoo, which
//! it goes back to.
//!
//! As there: a map has room for `C` entries and is filled to three quarters (rapid grow: not at
//! all). Each thread has a range of keys of its own, `2C` in total (rapid grow: `C`). It inserts
//! them in order, removes them in order from the other end, and looks up and updates any of them,
//! so that about three of eight are found. Every operation pins for itself.
//!
//! Unlike there: the order of operations is shuffled anew all the time instead of every hundred
//! operations repeating the first hundred, which a branch predictor learns. And a map is not made
//! anew for each round, except for rapid grow: the range is a ring, and a round goes on where the
//! last one ended. So the maps are measured as they are after a while, with what removals leave
//! behind. What each operation must find is known beforehand, since nobody else touches a thread's
//! keys, and is checked.
//!
//! The registry is measured twice: [`Bound`] is the registry as it is used, which keeps an index by
//! node as well; [`Unbound`] does the work its peers do.

use std::hint::black_box;
use std::io;

use fastrand::Rng;
use process_registry::ChildId;

use crate::keys::{Key, numbered};
use crate::maps::{Bound, Lookup, Map, PAPAYA, SCC_INDEX, SCC_MAP, Unbound, Visit, visit};
use crate::payload::Payload;
use crate::report::Role;
use crate::run::{Case, Run};
use crate::threads::together;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Lookup,
    Insert,
    Remove,
    Update,
}

/// Against whom a quick run measures.
const CONTENDERS: [&str; 3] = [PAPAYA, SCC_INDEX, SCC_MAP];

/// How often each operation comes, of so many in a deck.
const DECK: usize = 200;

#[derive(Clone, Copy, Debug)]
struct Mix {
    name: &'static str,
    /// Of [`DECK`].
    lookups: usize,
    inserts: usize,
    removals: usize,
    updates: usize,
    /// Whether a round begins with a new map that is empty.
    anew: bool,
    /// Whether there is room for all from the beginning.
    room: bool,
    /// Whether lookups and updates are of keys that are there, not of any of the range.
    known: bool,
    /// How many decks a thread plays in a round (of a steady mix).
    decks: usize,
}

const READ_HEAVY: Mix = Mix {
    name: "read heavy",
    lookups: 196,
    inserts: 2,
    removals: 2,
    updates: 0,
    anew: false,
    room: true,
    known: false,
    decks: 1000,
};

const EXCHANGE: Mix = Mix {
    name: "exchange",
    lookups: 20,
    inserts: 80,
    removals: 80,
    updates: 20,
    decks: 400,
    ..READ_HEAVY
};

const RAPID_GROW: Mix = Mix {
    name: "rapid grow",
    lookups: 10,
    inserts: 160,
    removals: 10,
    updates: 20,
    anew: true,
    ..READ_HEAVY
};

/// [`RAPID_GROW`] with a map that does not know what comes.
const GROW_FROM_NOTHING: Mix = Mix { name: "rapid grow from nothing", room: false, ..RAPID_GROW };

/// What a registry of processes sees: lookups of children that are there, some of which are
/// restarted, come, or go.
const CHURN: Mix = Mix {
    name: "registry churn",
    lookups: 180,
    inserts: 5,
    removals: 5,
    updates: 10,
    known: true,
    decks: 600,
    ..READ_HEAVY
};

/// Measures them all.
///
/// # Errors
///
/// If the results cannot be written.
pub fn run(run: &mut Run) -> io::Result<()> {
    let capacity = if run.quick() { 1 << 18 } else { 1 << 20 };
    for mix in [READ_HEAVY, CHURN, EXCHANGE, RAPID_GROW, GROW_FROM_NOTHING] {
        for threads in [1, 2, 8] {
            let setting = Setting::<ChildId>::new(mix, capacity, threads);
            against_all::<ChildId, Bound<ChildId>>(run, &setting, "")?;
            against_all::<ChildId, Unbound<ChildId>>(run, &setting, " without bindings")?;
        }
    }
    Ok(())
}

fn against_all<K: Key, O: Map<K>>(
    run: &mut Run,
    setting: &Setting<K>,
    variant: &str,
) -> io::Result<()> {
    let Mix { name, .. } = setting.mix;
    let threads = setting.threads;
    let mut case = Case::new("mix", format!("{name}{variant}"), K::NAME);
    case.threads = threads;
    case.contenders = &CONTENDERS;
    (case.quick, case.bar) = match (name, threads) {
        ("read heavy" | "registry churn", 2 | 8) => (variant.is_empty(), Some(1.1)),
        ("exchange", 2) => (true, Some(1.0)),
        ("rapid grow", 2) => (variant.is_empty(), Some(1.0)),
        _ => (false, None),
    };
    let ours = std::marker::PhantomData::<O>;
    visit(&mut Mixes { run, setting, case, ours })
}

/// A mix in all its dimensions but the map.
struct Setting<K: Key> {
    mix: Mix,
    capacity: usize,
    threads: usize,
    /// The range of each thread; made when first needed.
    rings: std::cell::OnceCell<Vec<Vec<K>>>,
}

impl<K: Key> Setting<K> {
    fn new(mix: Mix, capacity: usize, threads: usize) -> Self {
        Self { mix, capacity, threads, rings: std::cell::OnceCell::new() }
    }

    fn rings(&self) -> &[Vec<K>] {
        self.rings.get_or_init(|| {
            let keys = if self.mix.anew { self.capacity } else { 2 * self.capacity };
            let each = (keys / self.threads) as u64;
            (0..self.threads as u64).map(|at| numbered(at * each..(at + 1) * each)).collect()
        })
    }

    /// How many decks a thread plays in a round.
    fn decks(&self) -> usize {
        if self.mix.anew {
            self.capacity * 3 / 4 / self.threads / DECK
        } else {
            // Threads beyond two are to take turns, not more time.
            self.mix.decks * self.threads.min(2) / self.threads
        }
    }
}

struct Mixes<'r, K: Key, O> {
    run: &'r mut Run,
    setting: &'r Setting<K>,
    case: Case,
    ours: std::marker::PhantomData<O>,
}

impl<K: Key, O: Map<K>> Visit<K> for Mixes<'_, K, O> {
    type Error = io::Error;

    fn peer<M: Map<K>>(&mut self) -> io::Result<()> {
        let Self { run, setting, case, .. } = self;
        if !run.wants(case, M::NAME) {
            return Ok(());
        }
        let mut ours: Table<'_, K, O> = Table::new(setting);
        let mut peer: Table<'_, K, M> = Table::new(setting);
        run.compare(
            case,
            [O::NAME, M::NAME],
            Role::Peer,
            |rng| ours.round(rng),
            |rng| peer.round(rng),
        )
    }

    // It cannot be written by several threads.
    fn limit<M: Lookup<K>>(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A map, and how far each thread has come.
struct Table<'s, K: Key, M> {
    setting: &'s Setting<K>,
    map: M,
    windows: Vec<Window>,
}

/// Which keys of a ring are there: those numbered from `first` to before `next`.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    first: usize,
    next: usize,
}

impl<'s, K: Key, M: Map<K>> Table<'s, K, M> {
    fn new(setting: &'s Setting<K>) -> Self {
        let Setting { mix, capacity, threads, .. } = *setting;
        let each = if mix.anew { 0 } else { capacity * 3 / 4 / threads };
        let filling: Vec<K> =
            setting.rings().iter().flat_map(|ring| &ring[..each]).cloned().collect();
        let map = M::filled(if mix.room { capacity } else { 0 }, &filling);
        Self { setting, map, windows: vec![Window { first: 0, next: each }; threads] }
    }

    /// One round: nanoseconds per operation, as each thread sees it.
    fn round(&mut self, rng: &mut Rng) -> f64 {
        if self.setting.mix.anew {
            *self = Self::new(self.setting);
        }
        let scripts: Vec<Script<K>> = self
            .setting
            .rings()
            .iter()
            .zip(&mut self.windows)
            .map(|(ring, window)| script(self.setting.mix, self.setting.decks(), ring, window, rng))
            .collect();
        let (done, took) = together(&scripts, |script| play(&self.map, &script.steps));
        let expected: Vec<usize> = scripts.iter().map(|script| script.done).collect();
        assert_eq!(done, expected, "{} has done something else than it was told", M::NAME);
        took / scripts[0].steps.len() as f64
    }
}

/// What a thread is to do.
struct Script<K> {
    steps: Vec<(Operation, K)>,
    /// How many of the steps find their key, or insert it.
    done: usize,
}

fn script<K: Key>(
    mix: Mix,
    decks: usize,
    ring: &[K],
    window: &mut Window,
    rng: &mut Rng,
) -> Script<K> {
    use Operation::{Insert, Lookup, Remove, Update};
    let Mix { lookups, inserts, removals, updates, known, .. } = mix;
    let parts = [(Lookup, lookups), (Insert, inserts), (Remove, removals), (Update, updates)];
    let mut deck: Vec<Operation> =
        parts.into_iter().flat_map(|(operation, times)| vec![operation; times]).collect();
    assert_eq!(deck.len(), DECK, "{}", mix.name);

    let mut steps = Vec::with_capacity(decks * DECK);
    let mut done = 0;
    for _ in 0..decks {
        rng.shuffle(&mut deck);
        for &operation in &deck {
            let Window { first, next } = *window;
            let (at, finds) = match operation {
                Lookup | Update if known && first < next => (rng.usize(first..next), true),
                Lookup | Update => {
                    let at = first + rng.usize(..ring.len());
                    (at, at < next)
                }
                Insert => {
                    assert!(next - first < ring.len(), "{} outgrows its keys", mix.name);
                    window.next += 1;
                    (next, true)
                }
                Remove => {
                    let finds = first < next;
                    window.first += usize::from(finds);
                    (first, finds)
                }
            };
            steps.push((operation, ring[at % ring.len()].clone()));
            done += usize::from(finds);
        }
    }
    Script { steps, done }
}

/// Does it; how many steps found their key, or inserted it.
#[inline(never)]
fn play<K: Key, M: Map<K>>(map: &M, steps: &[(Operation, K)]) -> usize {
    let mut sum = 0_u64;
    let mut done = 0;
    for ((operation, key), word) in steps.iter().zip(0..) {
        done += usize::from(match operation {
            Operation::Lookup => match map.get(key) {
                Some(word) => {
                    sum = sum.wrapping_add(word);
                    true
                }
                None => false,
            },
            Operation::Insert => map.insert(key, Payload::new(word)),
            Operation::Remove => map.remove(key),
            Operation::Update => map.update(key, Payload::new(word)),
        });
    }
    black_box(sum);
    done
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::maps::Papaya;

    #[test]
    fn scripts_keep_their_promises() {
        let ring: Vec<u64> = numbered(0..4000);
        for mix in [READ_HEAVY, EXCHANGE, CHURN] {
            let mut window = Window { first: 0, next: 1500 };
            let mut there: HashSet<u64> = ring[..1500].iter().copied().collect();
            // The window goes round the ring.
            for round in 0..40 {
                let mut rng = Rng::with_seed(round);
                let script = script(mix, 10, &ring, &mut window, &mut rng);
                let done = script.steps.iter().filter(|(operation, key)| match operation {
                    Operation::Lookup | Operation::Update => there.contains(key),
                    Operation::Insert => there.insert(*key),
                    Operation::Remove => there.remove(key),
                });
                assert_eq!(done.count(), script.done, "{}", mix.name);
                assert_eq!(there.len(), window.next - window.first, "{}", mix.name);
                assert_eq!(there.len(), 1500, "as many come as go");
            }
        }
    }

    #[test]
    fn rapid_grow_ends_with_what_it_has_inserted() {
        let setting = Setting::<u64>::new(GROW_FROM_NOTHING, 1 << 12, 2);
        let mut table: Table<'_, u64, Papaya<u64>> = Table::new(&setting);
        for seed in 0..2 {
            assert!(table.round(&mut Rng::with_seed(seed)) > 0.0);
            let there: usize = table.windows.iter().map(|window| window.next - window.first).sum();
            assert_eq!(table.map.len(), there);
            // Only the first removals may find nothing.
            let least = 2 * setting.decks() * (RAPID_GROW.inserts - RAPID_GROW.removals);
            assert!((least..least + DECK).contains(&there), "{there} of {least}");
        }
    }

    #[test]
    fn a_steady_mix_goes_on_where_it_was() {
        let setting = Setting::<u64>::new(EXCHANGE, 1 << 12, 2);
        let mut ours: Table<'_, u64, Bound<u64>> = Table::new(&setting);
        for seed in 0..3 {
            assert!(ours.round(&mut Rng::with_seed(seed)) > 0.0);
            assert_eq!(ours.map.len(), 3 << 10);
        }
        assert!(ours.windows.iter().all(|window| window.first > 3 * EXCHANGE.decks * 79));
    }
}
