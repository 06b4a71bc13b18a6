//! Work on several threads at once, timed.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

/// Runs `work` on every input, each on a thread of its own, all at once.
///
/// The threads exist before the clock starts; a barrier lets them go. Returns what they returned,
/// in the order of the inputs, and the nanoseconds from the moment when the first of them began
/// until the last had finished.
///
/// # Panics
///
/// If `work` does.
pub fn together<I: Send, O: Send>(
    inputs: impl IntoIterator<Item = I>,
    work: impl Fn(I) -> O + Sync,
) -> (Vec<O>, f64) {
    let inputs: Vec<I> = inputs.into_iter().collect();
    let barrier = Barrier::new(inputs.len());
    let (barrier, work) = (&barrier, &work);
    let done: Vec<(O, Instant, Instant)> = thread::scope(|scope| {
        let threads: Vec<_> = inputs
            .into_iter()
            .map(|input| {
                scope.spawn(move || {
                    barrier.wait();
                    let start = Instant::now();
                    let output = work(input);
                    (output, start, Instant::now())
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|done| done.expect("a timed thread panicked")).collect()
    });
    let start = done.iter().map(|&(_, start, _)| start).min();
    let end = done.iter().map(|&(_, _, end)| end).max();
    let took = start.zip(end).map_or(0.0, |(start, end)| (end - start).as_secs_f64() * 1e9);
    (done.into_iter().map(|(output, ..)| output).collect(), took)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn outputs_keep_the_order_and_the_time_is_that_of_all() {
        let (outputs, took) = together([10, 40], |millis| {
            thread::sleep(Duration::from_millis(millis));
            millis
        });
        assert_eq!(outputs, [10, 40]);
        assert!(took >= 40e6, "{took}");
    }

    #[test]
    fn all_run_at_once() {
        // Nobody gets past this unless all four are there.
        let barrier = Barrier::new(4);
        let (leaders, _) = together(0..4, |_| barrier.wait().is_leader());
        assert_eq!(leaders.iter().filter(|&&leader| leader).count(), 1);
    }
}
