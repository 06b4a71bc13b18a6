//! A history as a picture: a lane for each thread, a line for each step, time from left to right.

use std::collections::BTreeSet;
use std::fmt::Write;

use crate::check::Event;

/// Draws it.
pub(crate) fn diagram(events: &[Event]) -> String {
    let ticks: BTreeSet<u64> =
        events.iter().flat_map(|event| [event.span.0, event.span.1]).collect();
    let threads: BTreeSet<usize> = events.iter().map(|event| event.thread).collect();
    // Only the order matters, so each instant gets one column, or two if there is room.
    let wide = if ticks.len() <= 50 { 2 } else { 1 };
    let column = |tick: u64| ticks.range(..tick).count() * wide;
    let width = ticks.len() * wide;
    let mut picture = String::new();
    for thread in threads {
        for event in events.iter().filter(|event| event.thread == thread) {
            let (from, to) = (column(event.span.0), column(event.span.1));
            let bar = format!("|{}|", "-".repeat((to - from).saturating_sub(1)));
            let (step, clock) = (&event.step, event.step.clock);
            let time = match clock {
                (from, to) if from == to => format!(" @{from}"),
                (0, u64::MAX) => String::new(),
                (from, to) => format!(" @{from}..{to}"),
            };
            let line = format!("{}{bar}", " ".repeat(from));
            let _ = writeln!(picture, "T{thread} {line:width$}  {}{time}: {step:?}", event.name);
        }
        picture.push('\n');
    }
    picture
}
