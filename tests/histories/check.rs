//! Checking: a recording is taken apart into one history for each id, and each is put to the checker.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

use crate::diagram::diagram;
use crate::model::{Edit, Kind, OneId, Step};
use crate::perform::Call;
use crate::value::{Life, NEVER, Seen};

/// A step with when it was done, by whom, and how the call is called.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) thread: usize,
    pub(crate) span: (u64, u64),
    pub(crate) name: &'static str,
    pub(crate) step: Rc<Step>,
}

/// Whether there is an order of the steps that explains them.
pub(crate) fn explains<S: Specification<Operation = Rc<Step>>>(events: &[Event]) -> bool {
    if events.is_empty() {
        return true;
    }
    let mut actions = Vec::with_capacity(2 * events.len());
    // The checker knows processes that do one thing after the other; the steps of a call overlap.
    for (process, event) in events.iter().enumerate() {
        let step = &event.step;
        actions.push((event.span.0, (process, Action::Call(Rc::clone(step)))));
        actions.push((event.span.1, (process, Action::Response(Rc::clone(step)))));
    }
    actions.sort_by_key(|(tick, _)| *tick);
    let actions = actions.into_iter().map(|(_, action)| action).collect();
    WGLChecker::<S>::is_linearizable(History::from_actions(actions))
}

/// Whether a step has to do with deadlines.
fn is_timed(kind: &Kind) -> bool {
    let due = |seen: &Seen| seen.due.is_some_and(|due| due != NEVER);
    match kind {
        Kind::See(_, seen) | Kind::Take(seen) | Kind::Sweep(seen) => due(seen),
        Kind::Replace { before, wish, .. } => {
            wish.life != Life::Unsaid || before.as_ref().is_some_and(due)
        }
        Kind::Claim { wish, .. } | Kind::Carry { wish, .. } => wish.life != Life::Unsaid,
        Kind::Merge(wish, _) => wish.life != Life::Unsaid,
        Kind::Change { edits, .. } => edits.iter().any(|edit| matches!(edit, Edit::Ttl(_))),
        Kind::Unbind(..) => true,
        Kind::Advance(_)
        | Kind::Miss(_)
        | Kind::Void
        | Kind::Evict(_)
        | Kind::RemoveThat(_)
        | Kind::Clear
        | Kind::NoSweep => false,
    }
}

/// The history of one id.
pub(crate) fn project(calls: &[Call], key: u8) -> Vec<Event> {
    let of_key = |call: &Call| call.steps.iter().any(|(of, kind)| *of == key && is_timed(kind));
    let timed = calls.iter().any(of_key);
    let (mut events, mut marks) = (Vec::new(), 0);
    for call in calls {
        let mine: Vec<&Kind> =
            call.steps.iter().filter(|(of, _)| *of == key).map(|(_, kind)| kind).collect();
        let mut needs = 0;
        for (at, kind) in mine.iter().enumerate() {
            if !timed && matches!(kind, Kind::Advance(_)) {
                continue;
            }
            // Only what another step waits for needs a mark.
            let mut gives = 0;
            if at + 1 < mine.len() {
                assert!(marks < 64, "too many calls of several steps");
                gives = 1 << marks;
                marks += 1;
            }
            let clock = if timed { call.clock } else { (0, NEVER) };
            let step = Rc::new(Step { kind: (*kind).clone(), clock, needs, gives });
            needs |= gives;
            events.push(Event { thread: call.thread, span: call.span, name: call.name, step });
        }
    }
    events
}

/// Checks the stamps of all entries together. Entries do not change: of one stamp everybody has seen
/// the same. No incarnation has two ids. And a write that began after another had ended has made the
/// greater incarnation.
pub(crate) fn stamps(calls: &[Call]) -> Result<(), String> {
    let (mut owners, mut entries) = (BTreeMap::new(), HashMap::new());
    let (mut makers, mut made) = (HashMap::new(), HashMap::new());
    for call in calls {
        for (key, kind) in &call.steps {
            if let Kind::Replace { wish, .. } | Kind::Claim { wish, .. } | Kind::Merge(wish, _) =
                kind
            {
                makers.insert(wish.serial, call.span);
            }
            let seen = match kind {
                Kind::See(_, seen) | Kind::Take(seen) | Kind::Sweep(seen) => Some(seen),
                Kind::Replace { before, .. } => before.as_ref(),
                Kind::Claim { after, .. } | Kind::Carry { after, .. } => Some(after),
                _ => None,
            };
            let Some((seen, stamp)) = seen.and_then(|seen| Some((seen, seen.stamp?))) else {
                continue;
            };
            let owner = *owners.entry(stamp.0).or_insert(*key);
            if owner != *key {
                return Err(format!("incarnation {} belongs to {owner} and {key}", stamp.0));
            }
            let first = *entries.entry(stamp).or_insert(*seen);
            if seen.due.is_some() && first.due.is_some() && first != *seen {
                return Err(format!("of {key} {first:?} and {seen:?} were seen"));
            }
            if let (1, Some(serial)) = (stamp.1, seen.spec) {
                made.insert(serial, stamp.0);
            }
        }
    }
    let span = |(serial, incarnation): (&u32, &u64)| Some((*makers.get(serial)?, *incarnation));
    let mut made: Vec<((u64, u64), u64)> = made.iter().filter_map(span).collect();
    made.sort_unstable();
    for (at, (later, greater)) in made.iter().enumerate() {
        let wrong = |(span, number): &&((u64, u64), u64)| span.1 < later.0 && number >= greater;
        if let Some((earlier, number)) = made[..at].iter().find(wrong) {
            return Err(format!("{number} was made in {earlier:?}, {greater} in {later:?}"));
        }
    }
    Ok(())
}

/// What it took to explain a recording.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Explained {
    pub(crate) steps: usize,
    /// How many ids needed the relaxation about deadlines.
    pub(crate) relaxed: usize,
}

/// Checks a recording; what is wrong is told with a diagram.
pub(crate) fn check(calls: &[Call], keys: u8) -> Result<Explained, String> {
    stamps(calls)?;
    let mut explained = Explained::default();
    for key in 0..keys {
        let events = project(calls, key);
        explained.steps += events.len();
        // Without the relaxation first: nearly always that is enough.
        if explains::<OneId<true>>(&events) {
            continue;
        }
        explained.relaxed += 1;
        if !explains::<OneId>(&events) {
            let size = events.len();
            let least = reduced(events);
            return Err(format!(
                "id {key}: no order of these steps explains them ({} of {size}):\n{}",
                least.len(),
                diagram(&least)
            ));
        }
    }
    Ok(explained)
}

/// Leaves out of a history that cannot be explained what does not matter, as far as this is certain
/// to leave one that cannot be explained for the same reason.
fn reduced(mut events: Vec<Event>) -> Vec<Event> {
    let is_read = |event: &Event| {
        matches!(event.step.kind, Kind::See(..) | Kind::Miss(_)) && event.step.gives == 0
    };
    // The beginning up to an instant explains itself, reads that went on set aside, provided that no
    // write went on.
    let ends: Vec<u64> = events.iter().map(|event| event.span.1).collect();
    let mut cuts: Vec<Vec<Event>> = Vec::new();
    for end in ends {
        let goes_on = |event: &&Event| event.span.0 < end && event.span.1 > end;
        if events.iter().filter(goes_on).all(is_read) {
            let until = events.iter().filter(|event| event.span.1 <= end);
            cuts.push(until.cloned().collect());
        }
    }
    cuts.sort_by_key(Vec::len);
    if let Some(cut) = cuts.into_iter().find(|cut| !explains::<OneId>(cut)) {
        events = cut;
    }
    // A read changes nothing: what is not explained without it is not explained because of it.
    for at in (0..events.len()).rev() {
        if is_read(&events[at]) {
            let event = events.remove(at);
            if explains::<OneId>(&events) {
                events.insert(at, event);
            }
        }
    }
    events
}
