//! The rules of the deadline index, as a model: every order of the steps of a few writers and sweeps.
//!
//! A writer publishes an entry, then files, then takes off, then looks again; a sweep takes off what is due,
//! then looks at the entry and files it. Each of these is one step on a shared state of one incarnation: the
//! deadline of its entry, and the set of its items. When all have come to their end there must be an item no
//! later than the deadline, if there is one. Rules that leave something out must be caught.

use std::collections::HashSet;

/// A deadline of one incarnation; larger than all others if there is none.
type Due = u8;
const NEVER: Due = Due::MAX;

/// What everyone sees.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Shared {
    /// `None` when the incarnation has ended.
    entry: Option<Due>,
    /// A bit for each deadline at which an item lies.
    items: u8,
}

impl Shared {
    fn file(&mut self, due: Due) {
        if due != NEVER {
            self.items |= 1 << due;
        }
    }

    /// Whether it was there.
    fn take_off(&mut self, due: Due) -> bool {
        let there = self.items >> due & 1 != 0;
        self.items &= !(1 << due);
        there
    }

    fn first(&self) -> Due {
        if self.items == 0 { NEVER } else { self.items.trailing_zeros() as Due }
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
    /// File an item.
    File {
        due: Due,
        then: Option<Due>,
    },
    /// Take an item off.
    TakeOff {
        due: Due,
        look: bool,
    },
    /// See what the entry is like by now, and file it.
    LookAgain,
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
    /// Writers do not look again.
    WritersDoNotLook,
    /// Sweeps do not look again: they have filed what they saw before.
    SweepsLookBefore,
    /// The same, and who finds the item taken off by another takes his own off.
    SweepsTakeBack,
    /// Writers leave the item of a deadline that has become earlier.
    NothingTakenOff,
}

impl Task {
    /// The next step, and what is to be done after it.
    fn step(self, shared: &mut Shared, rules: Rules) -> Task {
        match self {
            Task::Set(due) => {
                let Some(before) = shared.entry else { return Task::Done };
                shared.entry = Some(due);
                let earlier = due < before;
                let off = (before != NEVER && (earlier || due == NEVER) && due != before)
                    .then_some(before)
                    .filter(|_| rules != Rules::NothingTakenOff);
                match (earlier, off) {
                    (true, then) => Task::File { due, then },
                    (false, Some(due)) => {
                        Task::TakeOff { due, look: rules != Rules::WritersDoNotLook }
                    }
                    (false, None) => Task::Done,
                }
            }
            Task::End => match shared.entry.take() {
                Some(due) if due != NEVER => Task::TakeOff { due, look: false },
                _ => Task::Done,
            },
            Task::File { due, then } => {
                shared.file(due);
                then.map_or(Task::Done, |due| Task::TakeOff {
                    due,
                    look: rules != Rules::WritersDoNotLook,
                })
            }
            Task::TakeOff { due, look } => {
                if shared.take_off(due) && look {
                    Task::LookAgain
                } else {
                    Task::Done
                }
            }
            Task::LookAgain => {
                // Filing is a step of its own, after the look.
                match shared.entry {
                    Some(due) if due != NEVER => Task::File { due, then: None },
                    _ => Task::Done,
                }
            }
            Task::Sweep(due) if shared.items >> due & 1 != 0 => Task::Settle(due),
            Task::Sweep(_) => Task::Done,
            Task::Settle(due) => match (rules, shared.entry) {
                (Rules::SweepsLookBefore | Rules::SweepsTakeBack, Some(own)) if own != NEVER => {
                    shared.file(own);
                    Task::TakeOffAfter { due, own }
                }
                (Rules::SweepsLookBefore | Rules::SweepsTakeBack, _) => {
                    Task::TakeOff { due, look: false }
                }
                _ => Task::TakeOff { due, look: true },
            },
            Task::TakeOffAfter { due, own } => {
                // What was renewed lies elsewhere.
                if due != own && !shared.take_off(due) && rules == Rules::SweepsTakeBack {
                    return Task::TakeOff { due: own, look: false };
                }
                Task::Done
            }
            Task::Done => Task::Done,
        }
    }
}

/// Whether some order of the steps ends with an entry that no sweep finds.
fn loses(
    shared: Shared,
    tasks: &[Task],
    rules: Rules,
    seen: &mut HashSet<(Shared, Vec<Task>)>,
) -> bool {
    if !seen.insert((shared, tasks.to_vec())) {
        return false;
    }
    let mut done = true;
    for (at, task) in tasks.iter().enumerate().filter(|(_, task)| **task != Task::Done) {
        done = false;
        let (mut shared, mut tasks) = (shared, tasks.to_vec());
        tasks[at] = task.step(&mut shared, rules);
        if loses(shared, &tasks, rules, seen) {
            return true;
        }
    }
    done && shared.first() > shared.entry.unwrap_or(NEVER)
}

/// Whether some choice of `count` tasks does, from some state in which nobody is at work.
fn some_lose(count: usize, rules: Rules) -> bool {
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
    let entries = [Some(0), Some(1), Some(2), Some(NEVER)];
    let states = entries
        .into_iter()
        .flat_map(|entry| (0..8).map(move |items| Shared { entry, items }))
        .filter(|shared| shared.first() <= shared.entry.unwrap_or(NEVER));
    for shared in states {
        // Tasks of one kind are alike: in ascending order each choice comes once.
        let mut chosen = vec![0; count];
        loop {
            let tasks: Vec<_> = chosen.iter().map(|&nth| TASKS[nth]).collect();
            if loses(shared, &tasks, rules, &mut HashSet::new()) {
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
fn no_order_of_steps_loses_an_entry() {
    for count in 1..=3 {
        assert!(!some_lose(count, Rules::All), "{count} at once");
    }
}

#[test]
fn rules_that_leave_something_out_are_caught() {
    for rules in [Rules::WritersDoNotLook, Rules::SweepsLookBefore, Rules::SweepsTakeBack] {
        let caught = (1..=3).find(|&count| some_lose(count, rules));
        println!("{rules:?}: caught with {caught:?} at once");
        assert!(caught.is_some(), "{rules:?}");
    }
}

/// One after the other, from a single item on.
#[test]
fn what_is_over_leaves_no_item_behind() {
    let run = |tasks: &[Task], rules| {
        let mut shared = Shared { entry: Some(NEVER), items: 0 };
        for task in tasks {
            let mut task = *task;
            while task != Task::Done {
                task = task.step(&mut shared, rules);
            }
        }
        shared.items.count_ones()
    };
    let (earlier, permanent) =
        ([Task::Set(2), Task::Set(1), Task::End], [Task::Set(2), Task::Set(NEVER), Task::End]);
    assert_eq!((run(&earlier, Rules::All), run(&permanent, Rules::All)), (0, 0));
    assert_eq!(run(&earlier, Rules::NothingTakenOff), 1);
    assert_eq!(run(&permanent, Rules::NothingTakenOff), 1);
    // A renewal leaves the first, until it is due.
    let renewed = [Task::Set(1), Task::Set(2), Task::End];
    assert_eq!(run(&renewed, Rules::All), 1);
    assert_eq!(run(&[&renewed[..], &[Task::Sweep(1)]].concat(), Rules::All), 0);
}
