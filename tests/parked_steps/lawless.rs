//! A halving stands still between its two sources while a writer comes with an id whose `Eq` lies.
//!
//! Where words have fingerprints, those tell the sources apart. What is seen to where they have none shows
//! in a build with the cfg `process_registry_no_fingerprints` besides that of the failpoints.

use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::mpsc;
use std::thread;

use process_registry::failpoint::{Step, arm, disarm};
use process_registry::{Child, Registry};
use test_support::{Counters, Tracked};

use super::{PATIENCE, turn};

/// An id that is its own hash; a liar says that it is every other.
#[derive(Clone, Debug)]
struct Id {
    hash: u64,
    lies: bool,
}

impl Hash for Id {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Id {
    fn eq(&self, other: &Self) -> bool {
        self.lies || other.lies || self.hash == other.hash
    }
}
impl Eq for Id {}

#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("ids write one number");
    }
    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

type Lawless = Registry<Tracked<u64>, u64, (), Id, BuildHasherDefault<AsItIs>>;

/// Of the two chains that a halving merges the first is MIGRATED and the second is not, so that readers
/// still follow it. A writer that comes by the first must get nothing of the second, whatever `Eq` says:
/// it would be freed under those readers.
#[test]
fn a_lying_eq_gets_nothing_of_the_other_half() {
    let _turn = turn();
    let registry: &Lawless = &Registry::<Tracked<u64>, u64, (), Id>::builder("here")
        .hasher(BuildHasherDefault::default())
        .capacity(64)
        .build();
    let counters = Counters::new();
    let id = |hash, lies| Id { hash, lies };
    let ids = [1, 2, 4, 8].map(|hash| id(hash, false));
    for id in &ids {
        registry
            .insert(id.clone(), Child::new(Tracked::new(&counters, id.hash)).on("here", id.hash));
    }
    assert_eq!(
        registry.capacity(),
        64,
        "sixteen chains, so that 8 is in the second of the first two"
    );
    let (tell, told) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let halving = scope.spawn(move || {
            arm(Step::SourceMigrated, 0, move || {
                let _ = tell.send(());
                let _ = released.recv();
            });
            registry.shrink_to_fit();
            assert!(!disarm(), "never came there");
        });
        told.recv_timeout(PATIENCE).expect("a halving");
        // It comes by chain 0, where the thread stands.
        let taken = registry.delete(&id(0, true));
        assert!(
            taken.is_none(),
            "an id of another hash was taken: {:?}",
            taken.map(|e| e.id().clone())
        );
        assert!(
            registry.update(&id(0, true), |_| ()).is_err(),
            "an id of another hash was changed"
        );
        for id in &ids {
            let found = registry.lookup(id).unwrap_or_else(|| panic!("{} is lost", id.hash));
            assert_eq!(**found.spec(), id.hash);
        }
        drop(release);
        halving.join().expect("ends well");
    });
    assert_eq!(registry.len(), ids.len());
    registry.clear_all();
    (0..6).for_each(|_| registry.collect());
    assert_eq!(counters.live(), 0, "values");
}
