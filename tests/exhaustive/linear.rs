//! Linearizability, checked while a run goes on.
//!
//! At every moment there is a set of explanations: which of the open operations have taken effect,
//! what they will answer, and what the map holds then. An answer strikes out the explanations that
//! say something else; when none is left, the run is not linearizable.

use std::cell::RefCell;
use std::collections::HashMap;

/// Keys that programs name.
pub(crate) const KEYS: usize = 3;
/// Threads at most.
pub(crate) const THREADS: usize = 3;

/// A value of the map, or what an operation tells. No two writes have the same value.
pub(crate) type Value = u8;
/// No value: a key that is absent.
pub(crate) const ABSENT: Value = 0;
/// The answer of an insert that found the key present.
pub(crate) const REFUSED: Value = 255;

/// What an operation is to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Do {
    Lookup,
    /// Refused where the key is present; the raw insert, without a look beforehand.
    Insert,
    Upsert,
    /// Only where the key is present.
    Replace,
    Remove,
    /// Starts the migration to a successor. Changes nothing that a map has.
    Grow,
}

/// An operation of a thread's program, and the value it would write.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Op {
    pub(crate) what: Do,
    pub(crate) key: u8,
    pub(crate) value: Value,
}

impl Op {
    /// What it does to a map, all at once, and what it answers.
    fn apply(self, map: &mut [Value; KEYS]) -> Value {
        let place = &mut map[usize::from(self.key)];
        let before = *place;
        match self.what {
            Do::Lookup => {}
            Do::Insert if before != ABSENT => return REFUSED,
            Do::Insert | Do::Upsert => *place = self.value,
            Do::Replace if before != ABSENT => *place = self.value,
            Do::Replace => {}
            Do::Remove => *place = ABSENT,
            Do::Grow => return ABSENT,
        }
        before
    }
}

/// Where a thread's operation stands in an explanation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Call {
    None,
    Open,
    /// It has taken effect, and will answer this.
    Done(Value),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Explanation {
    map: [Value; KEYS],
    calls: [Call; THREADS],
}

/// The number of a set of explanations; states hold this instead of the set.
pub(crate) type History = u32;

/// What `answer` is asked.
type Question = (History, usize, Value, [Option<Op>; THREADS]);

/// All sets of explanations that have come up.
#[derive(Default)]
pub(crate) struct Histories {
    sets: RefCell<Sets>,
}

#[derive(Default)]
struct Sets {
    by_number: Vec<Vec<Explanation>>,
    numbers: HashMap<Vec<Explanation>, History>,
    answers: HashMap<Question, Option<History>>,
}

impl Sets {
    fn number(&mut self, mut set: Vec<Explanation>) -> History {
        set.sort_unstable();
        set.dedup();
        *self.numbers.entry(set).or_insert_with_key(|set| {
            self.by_number.push(set.clone());
            self.by_number.len() as History - 1
        })
    }
}

impl Histories {
    pub(crate) fn start(&self, map: [Value; KEYS]) -> History {
        self.sets.borrow_mut().number(vec![Explanation { map, calls: [Call::None; THREADS] }])
    }

    /// A thread calls an operation.
    pub(crate) fn call(&self, history: History, thread: usize) -> History {
        let mut sets = self.sets.borrow_mut();
        let mut set = sets.by_number[history as usize].clone();
        set.iter_mut().for_each(|one| one.calls[thread] = Call::Open);
        sets.number(set)
    }

    /// A thread's operation answers; `open` are the operations that the threads are at. None: no
    /// order of the operations explains that answer.
    pub(crate) fn answer(
        &self,
        history: History,
        thread: usize,
        value: Value,
        open: [Option<Op>; THREADS],
    ) -> Option<History> {
        let mut sets = self.sets.borrow_mut();
        let question = (history, thread, value, open);
        if let Some(&known) = sets.answers.get(&question) {
            return known;
        }
        let mut set = sets.by_number[history as usize].clone();
        let mut next = 0;
        // Every order in which open operations may have taken effect by now.
        while let Some(&one) = set.get(next) {
            next += 1;
            for (other, op) in open.iter().enumerate() {
                if let (Call::Open, Some(op)) = (one.calls[other], op) {
                    let mut then = one;
                    then.calls[other] = Call::Done(op.apply(&mut then.map));
                    if !set.contains(&then) {
                        set.push(then);
                    }
                }
            }
        }
        set.retain(|one| one.calls[thread] == Call::Done(value));
        set.iter_mut().for_each(|one| one.calls[thread] = Call::None);
        let answer = (!set.is_empty()).then(|| sets.number(set));
        sets.answers.insert(question, answer);
        answer
    }

    /// Whether every explanation ends with that map.
    pub(crate) fn ends_with(&self, history: History, map: [Value; KEYS]) -> bool {
        self.sets.borrow().by_number[history as usize].iter().all(|one| one.map == map)
    }
}
