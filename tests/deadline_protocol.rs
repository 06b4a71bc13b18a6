//! The rules of the deadline index, as a model: every order of the steps of a few writers and sweeps.
//!
//! A writer publishes an entry, then files or takes off, and looks at the entry again after either; a sweep
//! takes off what is due, then looks at the entry and files it. Each of these is one step on a shared state of
//! one incarnation: the deadline of its entry, and the set of its items. When all have come to their end there
//! must be an item no later than the deadline, if there is one; and none that is of no use, if nothing was
//! renewed. Rules that leave something out must be caught.

use std::collections::HashSet;

/// A deadline of one incarnation; larger than all others if there is none.
type Due = u8;
const NEVER: Due = Due::MAX;

/// What everyone sees.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Shared {
    /// `NEVER` also when the incarnation has ended.
    entry: Due,
    ended: bool,
    /// The first of all deadlines there were,
    first: Due,
    /// and whether there was a later one after it: nobody takes off for that.
    renewed: bool,
    /// A bit for each deadline at which an item lies.
    items: u8,
}

impl Shared {
    fn insert(&mut self, due: Due) {
        self.items |= 1 << due;
    }

    /// Whether it was there.
    fn withdraw(&mut self, due: Due) -> bool {
        let there = self.has(due);
        self.items &= !(1 << due);
        there
    }

    fn has(self, due: Due) -> bool {
        self.items >> due & 1 != 0
    }

    /// Whether there is an entry that no sweep finds in time.
    fn loses(self) -> bool {
        self.entry != NEVER && self.items & ((2 << self.entry) - 1) == 0
    }

    /// Whether there is an item that is of no use, and nothing was renewed.
    fn leaves(self) -> bool {
        let used = if self.entry == NEVER { 0 } else { 1 << self.entry };
        !self.renewed && self.items & !used != 0
    }
}

/// What somebody is going to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Task {
    /// Publish an entry that is due then.
    Set(Due),
    /// Remove the entry.
    End,
    /// See the item that is due then, if it is there,
    Sweep(Due),
    /// and settle it.
    Settle(Due),
    /// File an item, and perhaps take another off afterwards.
    File {
        due: Due,
        then: Option<Due>,
    },
    /// See whether an item that was filed is wanted.
    LookAfterFiling {
        due: Due,
        then: Option<Due>,
    },
    /// Take an item off, and perhaps another one afterwards.
    TakeOff {
        due: Due,
        then: Option<Due>,
    },
    /// See what the entry is like by now, and file it.
    LookAgain {
        then: Option<Due>,
    },
    /// Of a sweep that files before it takes off.
    TakeOffAfter {
        due: Due,
        own: Due,
    },
    Done,
}

/// What is left out of the rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rules {
    All,
    /// Who has taken an item off does not look again, but for sweeps.
    WritersDoNotLook,
    /// Sweeps do not look again: they have filed what they saw before.
    SweepsLookBefore,
    /// The same, and who finds the item taken off by another takes his own off.
    SweepsTakeBack,
    /// Who has filed an item does not look again.
    FilersDoNotLook,
    /// Writers leave the item of a deadline that has become earlier.
    NothingTakenOff,
}

/// What is left to be done after a task.
fn next(then: Option<Due>) -> Task {
    then.map_or(Task::Done, |due| Task::TakeOff { due, then: None })
}

impl Task {
    /// The next step, and what is to be done after it.
    fn step(self, shared: &mut Shared, rules: Rules) -> Task {
        match self {
            Task::Set(_) if shared.ended => Task::Done,
            Task::Set(due) => {
                let before = std::mem::replace(&mut shared.entry, due);
                shared.renewed |= shared.first < due && due != NEVER;
                shared.first = shared.first.min(due);
                let off = before != NEVER && (due < before || due == NEVER);
                let then = Some(before).filter(|_| off && rules != Rules::NothingTakenOff);
                if due < before { Task::File { due, then } } else { next(then) }
            }
            Task::End => {
                shared.ended = true;
                let before = std::mem::replace(&mut shared.entry, NEVER);
                next(Some(before).filter(|due| *due != NEVER))
            }
            Task::File { due, then } => {
                shared.insert(due);
                if rules == Rules::FilersDoNotLook {
                    next(then)
                } else {
                    Task::LookAfterFiling { due, then }
                }
            }
            Task::LookAfterFiling { due, then } => {
                if shared.entry != NEVER && shared.entry >= due {
                    next(then)
                } else {
                    Task::TakeOff { due, then }
                }
            }
            Task::TakeOff { due, then } => {
                let look = rules != Rules::WritersDoNotLook;
                if shared.withdraw(due) && look { Task::LookAgain { then } } else { next(then) }
            }
            Task::LookAgain { then } => {
                if shared.entry == NEVER {
                    next(then)
                } else {
                    Task::File { due: shared.entry, then }
                }
            }
            Task::Sweep(due) if shared.has(due) => Task::Settle(due),
            Task::Sweep(_) => Task::Done,
            Task::Settle(due) => match rules {
                Rules::SweepsLookBefore | Rules::SweepsTakeBack if shared.entry != NEVER => {
                    shared.insert(shared.entry);
                    Task::TakeOffAfter { due, own: shared.entry }
                }
                _ if shared.withdraw(due) => Task::LookAgain { then: None },
                _ => Task::Done,
            },
            Task::TakeOffAfter { due, own } => {
                // What was renewed lies elsewhere.
                if due != own && !shared.withdraw(due) && rules == Rules::SweepsTakeBack {
                    shared.withdraw(own);
                }
                Task::Done
            }
            Task::Done => Task::Done,
        }
    }
}

/// So many at once, at most.
const MOST: usize = 3;

/// Whether some order of the steps ends badly.
fn fails(
    shared: Shared,
    tasks: [Task; MOST],
    rules: Rules,
    seen: &mut HashSet<(Shared, [Task; MOST])>,
) -> bool {
    if !seen.insert((shared, tasks)) {
        return false;
    }
    if tasks == [Task::Done; MOST] {
        return shared.loses() || shared.leaves();
    }
    (0..MOST).filter(|&at| tasks[at] != Task::Done).any(|at| {
        let (mut shared, mut tasks) = (shared, tasks);
        tasks[at] = tasks[at].step(&mut shared, rules);
        fails(shared, tasks, rules, seen)
    })
}

/// Whether some choice of `count` tasks ends badly, from some state in which nobody is at work.
fn some_fail(count: usize, rules: Rules) -> bool {
    const TASKS: [Task; 8] = [
        Task::Set(0),
        Task::Set(1),
        Task::Set(2),
        Task::Set(NEVER),
        Task::End,
        Task::Sweep(0),
        Task::Sweep(1),
        Task::Sweep(2),
    ];
    let states = [0, 1, 2, NEVER].into_iter().flat_map(|entry| {
        (0..8).map(move |items| {
            let shared = Shared { entry, ended: false, first: entry, renewed: false, items };
            Shared { renewed: shared.leaves(), ..shared }
        })
    });
    for shared in states.filter(|shared| !shared.loses()) {
        // Tasks of one kind are alike: in ascending order each choice comes once.
        let mut chosen = vec![0; count];
        loop {
            let mut tasks = [Task::Done; MOST];
            tasks.iter_mut().zip(&chosen).for_each(|(task, &nth)| *task = TASKS[nth]);
            if fails(shared, tasks, rules, &mut HashSet::new()) {
                return true;
            }
            let Some(at) = chosen.iter().rposition(|&nth| nth + 1 < TASKS.len()) else { break };
            let next = chosen[at] + 1;
            chosen[at..].fill(next);
        }
    }
    false
}

#[test]
fn no_order_of_steps_ends_badly() {
    for count in 1..=MOST {
        assert!(!some_fail(count, Rules::All), "{count} at once");
    }
}

#[test]
fn rules_that_leave_something_out_are_caught() {
    for rules in [
        Rules::WritersDoNotLook,
        Rules::SweepsLookBefore,
        Rules::SweepsTakeBack,
        Rules::FilersDoNotLook,
        Rules::NothingTakenOff,
    ] {
        let caught = (1..=MOST).find(|&count| some_fail(count, rules));
        println!("{rules:?}: caught with {caught:?} at once");
        assert!(caught.is_some(), "{rules:?}");
    }
}

#[test]
fn a_renewal_leaves_an_item_until_that_is_due() {
    let run = |tasks: &[Task]| {
        let mut shared =
            Shared { entry: NEVER, ended: false, first: NEVER, renewed: false, items: 0 };
        for task in tasks {
            let mut task = *task;
            while task != Task::Done {
                task = task.step(&mut shared, Rules::All);
            }
        }
        shared.items.count_ones()
    };
    let renewed = [Task::Set(1), Task::Set(2), Task::End, Task::Sweep(1)];
    assert_eq!((run(&renewed[..2]), run(&renewed[..3]), run(&renewed)), (1, 1, 0));
}
