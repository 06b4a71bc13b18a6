//! All cases that only read: the maps are filled once for each size and peer, and serve for all of
//! them. No more than two of them exist at a time, ours and one peer.

use std::io;

use process_registry::ChildId;

use super::batch;
use super::lookup::{self, Lookups, Volume};
use crate::keys::{Key, numbered};
use crate::maps::{Bound, HASHBROWN, Lookup, Map, PAPAYA, RWLOCK, SCC_INDEX, Visit, visit};
use crate::report::Role;
use crate::run::{Case, Run};

/// What is done in a case.
#[derive(Clone, Copy, Debug)]
enum Work {
    Single(Lookups),
    /// Batches of so many.
    Batch(usize),
}

/// Measures them all.
///
/// # Errors
///
/// If the results cannot be written.
pub fn run(run: &mut Run) -> io::Result<()> {
    for size in [1_000, 100_000, MILLION, TEN_MILLION] {
        on::<ChildId>(run, size)?;
        on::<u64>(run, size)?;
    }
    Ok(())
}

fn on<K: Key>(run: &mut Run, size: usize) -> io::Result<()> {
    let cases = cases(size, K::NAME, run.huge_pages());
    visit(&mut Reads::<K> { run, size, cases, ours: None })
}

/// The maps of one size and kind of keys.
struct Reads<'r, K: Key> {
    run: &'r mut Run,
    size: usize,
    cases: Vec<(Case, Work)>,
    ours: Option<Filled<K>>,
}

/// Ours, and the keys.
struct Filled<K: Key> {
    present: Vec<K>,
    absent: Vec<K>,
    map: Bound<K>,
}

impl<K: Key> Filled<K> {
    fn new(size: usize) -> Self {
        let entries = size as u64;
        let present: Vec<K> = numbered(0..entries);
        // Misses need not come from as many keys.
        let absent = numbered(entries..entries + entries.min(1_000_000));
        let map = Bound::filled(size, &present);
        Self { present, absent, map }
    }
}

impl<K: Key> Visit<K> for Reads<'_, K> {
    type Error = io::Error;

    fn peer<M: Map<K>>(&mut self) -> io::Result<()> {
        self.against::<M>(Role::Peer)
    }

    fn limit<M: Lookup<K>>(&mut self) -> io::Result<()> {
        self.against::<M>(Role::Limit)
    }
}

impl<K: Key> Reads<'_, K> {
    fn against<M: Lookup<K>>(&mut self, role: Role) -> io::Result<()> {
        let Self { run, size, cases, ours } = self;
        let mut peer = None;
        for (case, work) in cases {
            if !run.wants(case, M::NAME) {
                continue;
            }
            let ours = ours.get_or_insert_with(|| Filled::new(*size));
            let peer = peer.get_or_insert_with(|| M::filled(*size, &ours.present));
            compare(run, (case, *work), Volume::of(*size, run.quick()), ours, (peer, role))?;
        }
        Ok(())
    }
}

fn compare<K: Key, M: Lookup<K>>(
    run: &mut Run,
    (case, work): (&Case, Work),
    volume: Volume,
    ours: &Filled<K>,
    (peer, role): (&M, Role),
) -> io::Result<()> {
    let names = [Bound::<K>::NAME, M::NAME];
    let Filled { present, absent, map } = ours;
    match work {
        Work::Single(lookups) => {
            let keys = if lookups.hit { present } else { absent };
            run.compare(
                case,
                names,
                role,
                |rng| lookup::round(map, keys, lookups, volume, rng),
                |rng| lookup::round(peer, keys, lookups, volume, rng),
            )
        }
        Work::Batch(size) => {
            let batches = match size {
                8 => batch::round::<K, 8>,
                16 => batch::round::<K, 16>,
                _ => batch::round::<K, 32>,
            };
            run.compare(
                case,
                names,
                role,
                |rng| batches(map, present, volume, rng),
                |rng| lookup::round(peer, present, batch::ONE_BY_ONE, volume, rng),
            )
        }
    }
}

/// The cases of one size and kind of keys.
fn cases(size: usize, keys: &'static str, huge_pages: bool) -> Vec<(Case, Work)> {
    let mut cases = Vec::new();
    for hit in [true, false] {
        for reused in [true, false] {
            for threads in [1, 2] {
                let lookups = Lookups { hit, reused, threads };
                cases.push((single(size, keys, lookups, huge_pages), Work::Single(lookups)));
            }
        }
    }
    if size >= MILLION {
        for batch in [8, 16, 32] {
            cases.push((batched(size, keys, batch), Work::Batch(batch)));
        }
    }
    cases
}

/// Against whom a quick run looks up single keys.
const CONTENDERS: [&str; 3] = [PAPAYA, SCC_INDEX, RWLOCK];
/// Against whom batches, the limit among them, since there is a bar for it.
const BATCH_CONTENDERS: [&str; 3] = [PAPAYA, RWLOCK, HASHBROWN];

const MILLION: usize = 1_000_000;
const TEN_MILLION: usize = 10 * MILLION;

fn named(size: usize) -> String {
    if size < MILLION { format!("{}K", size / 1000) } else { format!("{}M", size / MILLION) }
}

fn single(size: usize, keys: &'static str, lookups: Lookups, huge_pages: bool) -> Case {
    let Lookups { hit, reused, threads } = lookups;
    let found = if hit { "hit" } else { "miss" };
    let pin = if reused { "pin reused" } else { "pin per operation" };
    let mut case = Case::new("lookup", format!("{found} {} ({pin})", named(size)), keys);
    case.threads = threads;
    let strings = keys == ChildId::NAME;
    case.contenders = &CONTENDERS;
    case.quick = match (size, hit, reused) {
        (MILLION, true, true) => strings || threads == 1,
        (MILLION, ..) => strings && threads == 2,
        (1_000, true, true) => strings && threads == 1,
        (100_000, true, true) => strings && threads == 2,
        _ => false,
    };
    case.bar = match (size, hit, reused, threads) {
        (MILLION, true, true, _) => Some(1.2),
        // Without huge pages, most of so large a map's misses are those of the page tables.
        (TEN_MILLION, true, true, _) if huge_pages => Some(1.2),
        (MILLION, true, false, 2) => Some(1.1),
        (MILLION, false, _, 2) | (_, true, true, _) => Some(1.0),
        _ => None,
    };
    case
}

fn batched(size: usize, keys: &'static str, batch: usize) -> Case {
    let mut case = Case::new("get_many", format!("{batch} at {}", named(size)), keys);
    if (size, batch) == (MILLION, 16) {
        case.quick = keys == ChildId::NAME;
        case.contenders = &BATCH_CONTENDERS;
        case.bar = Some(3.0);
        case.limit_bar = Some(2.5);
    }
    case
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_have_their_bars() {
        let bar = |size, id: &str| {
            let cases = cases(size, ChildId::NAME, false);
            let case = cases.iter().find(|(case, _)| case.id() == id);
            case.map(|(case, _)| (case.bar, case.limit_bar)).unwrap_or_else(|| panic!("{id}"))
        };
        let asked = |ratio| (Some(ratio), None);
        assert_eq!(bar(1000, "lookup hit 1K (pin reused) str x1"), asked(1.0));
        assert_eq!(bar(100_000, "lookup hit 100K (pin reused) str x2"), asked(1.0));
        for threads in 1..=2 {
            assert_eq!(
                bar(MILLION, &format!("lookup hit 1M (pin reused) str x{threads}")),
                asked(1.2)
            );
        }
        assert_eq!(bar(MILLION, "lookup hit 1M (pin per operation) str x2"), asked(1.1));
        assert_eq!(bar(MILLION, "lookup hit 1M (pin per operation) str x1"), (None, None));
        assert_eq!(bar(MILLION, "lookup miss 1M (pin reused) str x2"), asked(1.0));
        assert_eq!(bar(TEN_MILLION, "lookup hit 10M (pin reused) str x1"), asked(1.0));
        assert_eq!(bar(MILLION, "get_many 16 at 1M str x1"), (Some(3.0), Some(2.5)));
        assert_eq!(bar(TEN_MILLION, "get_many 16 at 10M str x1"), (None, None));
    }

    #[test]
    fn huge_pages_raise_the_bar_of_ten_million() {
        for (huge_pages, bar) in [(false, 1.0), (true, 1.2)] {
            let cases = cases(TEN_MILLION, u64::NAME, huge_pages);
            let case = cases.iter().find(|(case, _)| case.id().contains("hit 10M (pin reused)"));
            assert_eq!(case.unwrap().0.bar, Some(bar));
        }
    }

    #[test]
    fn a_quick_run_stays_below_ten_million() {
        assert!(cases(TEN_MILLION, ChildId::NAME, true).iter().all(|(case, _)| !case.quick));
    }
}
