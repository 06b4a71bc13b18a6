//! A search through every interleaving of a few small step machines.
//!
//! The search goes depth first and keeps the path it is on. So a failure comes with the run that
//! leads to it, and a step that leads back into the path is seen: a run that goes on for ever with
//! no operation getting done, since a finished operation is never undone. That there is no such run
//! is lock freedom, and more than that each thread finishes when it is left alone.
//!
//! Of a state only 128 bits of hash are kept once the search has left it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// What a step or a state may be found guilty of.
pub(crate) type Checked<T> = Result<T, &'static str>;

/// Threads that take turns at a shared state.
pub(crate) trait Model {
    type State: Clone + Eq + Hash;

    fn threads(&self) -> usize;

    fn initial(&self) -> Self::State;

    /// In how many ways the thread may take its next step; none: there is no step for it to take.
    fn ways(&self, state: &Self::State, thread: usize) -> usize;

    /// Takes a step: one access to what is shared, and whatever the thread does by itself.
    fn step(&self, state: &mut Self::State, thread: usize, way: usize) -> Checked<()>;

    /// What holds in every state.
    fn check(&self, state: &Self::State) -> Checked<()>;

    /// What holds when no thread has a step left.
    fn at_rest(&self, state: &Self::State) -> Checked<()>;

    /// The next step of a thread, for a reader.
    fn describe(&self, state: &Self::State, thread: usize) -> String;
}

/// What a search without a failure has seen.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) states: usize,
    /// Different states in which all threads had finished.
    pub(crate) ends: usize,
    /// Steps of the longest run.
    pub(crate) depth: usize,
}

/// What went wrong, and the run that leads there.
pub(crate) struct Failure {
    pub(crate) what: &'static str,
    pub(crate) states: usize,
    run: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, after {} steps:", self.what, self.run.len())?;
        self.run.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

/// A state on the path, and the next step to try from it.
struct Frame<S> {
    state: S,
    hash: u128,
    thread: usize,
    way: usize,
    stuck: bool,
}

/// Goes through all states.
pub(crate) fn explore<M: Model>(model: &M) -> Result<Seen, Failure> {
    // Whether a state is on the path.
    let mut known: HashMap<u128, bool, BuildHasherDefault<AsIs>> = HashMap::default();
    let mut path: Vec<Frame<M::State>> = Vec::new();
    let mut seen = Seen::default();
    let frame = |state: M::State, hash| Frame { state, hash, thread: 0, way: 0, stuck: true };
    let failure = |what, states, path: &[Frame<M::State>]| {
        let line = |at: &Frame<M::State>| {
            // The step was counted when it was taken.
            let thread = if at.way == 0 { at.thread - 1 } else { at.thread };
            format!("{thread}: {}", model.describe(&at.state, thread))
        };
        Failure { what, states, run: path.iter().map(line).collect() }
    };

    let initial = model.initial();
    let hash = hash_of(&initial);
    known.insert(hash, true);
    path.push(frame(initial, hash));
    while let Some(here) = path.last_mut() {
        if here.thread == model.threads() {
            if here.stuck {
                seen.ends += 1;
                if let Err(what) = model.at_rest(&here.state) {
                    path.pop();
                    return Err(failure(what, known.len(), &path));
                }
            }
            known.insert(here.hash, false);
            path.pop();
            continue;
        }
        let (thread, way) = (here.thread, here.way);
        let ways = model.ways(&here.state, thread);
        if way + 1 >= ways {
            (here.thread, here.way) = (thread + 1, 0);
        } else {
            here.way += 1;
        }
        if ways == 0 {
            continue;
        }
        here.stuck = false;
        let mut state = here.state.clone();
        let taken = model.step(&mut state, thread, way).and_then(|()| model.check(&state));
        if let Err(what) = taken {
            return Err(failure(what, known.len(), &path));
        }
        let hash = hash_of(&state);
        match known.entry(hash) {
            Entry::Vacant(entry) => {
                entry.insert(true);
                path.push(frame(state, hash));
                seen.depth = seen.depth.max(path.len() - 1);
            }
            Entry::Occupied(entry) if *entry.get() => {
                let what = "a run goes on for ever, and no operation gets done";
                return Err(failure(what, known.len(), &path));
            }
            Entry::Occupied(_) => {}
        }
    }
    seen.states = known.len();
    Ok(seen)
}

fn hash_of(state: &impl Hash) -> u128 {
    let mut hasher = Wide { low: 1, high: 2 };
    state.hash(&mut hasher);
    u128::from(hasher.high) << 64 | u128::from(hasher.low)
}

/// Two different 64-bit hashes at once; quick, even where nothing is optimized.
struct Wide {
    low: u64,
    high: u64,
}

impl Hasher for Wide {
    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.low = (self.low ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(29);
        self.low ^= self.low >> 33;
        self.high = (self.high ^ word).wrapping_mul(0xc4ce_b9fe_1a85_ec53).rotate_left(31);
        self.high ^= self.high >> 29;
    }
    fn write_u8(&mut self, word: u8) {
        self.write_u64(word.into());
    }
    fn write_u16(&mut self, word: u16) {
        self.write_u64(word.into());
    }
    fn write_u32(&mut self, word: u32) {
        self.write_u64(word.into());
    }
    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }
    fn finish(&self) -> u64 {
        self.low
    }
}

/// For keys that are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write(&mut self, _: &[u8]) {
        unreachable!("the keys are of one word");
    }
    fn write_u128(&mut self, word: u128) {
        self.0 = word as u64;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}
