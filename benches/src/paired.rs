//! Paired measurement: what a ratio is worth on a machine that does other things as well.
//!
//! A time taken on a busy machine says as much about the machine as about the code. A ratio of two
//! times taken one right after the other says a good deal less about it, and the median of many
//! such ratios hardly anything. So nothing here is compared but within a pair: one round of ours
//! and one round of the peer, in alternating order, on the same random input.

use fastrand::Rng;

/// The fewest rounds of which a median and its interval are worth telling.
pub const MIN_ROUNDS: usize = 15;

/// How many resamples the interval is taken from.
const RESAMPLES: usize = 4000;

/// What came of comparing two things over many rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// The median of the rounds' ratios, peer to ours: above 1, ours is the better one.
    pub median: f64,
    /// Where the 95 % interval of that median begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// The median of ours alone, in the unit of the row. Compare it with nothing but `peer`.
    pub ours: f64,
    /// The median of the peer alone.
    pub peer: f64,
    /// How many pairs of rounds were measured.
    pub rounds: usize,
}

impl Ratio {
    /// The ratio of pairs that have been measured already: `(ours, peer)`, one for each round.
    ///
    /// The interval is a percentile bootstrap of the median: the rounds are drawn anew with
    /// repetition a few thousand times, and it holds the middle 95 % of the medians of that. The
    /// same pairs and the same seed give the same interval.
    ///
    /// # Panics
    ///
    /// If there are no pairs, or a value is not a positive number.
    #[must_use]
    pub fn of(pairs: &[(f64, f64)], seed: u64) -> Self {
        assert!(!pairs.is_empty(), "a ratio needs at least one round");
        for &(ours, peer) in pairs {
            let positive = |value: f64| value.is_finite() && value > 0.0;
            assert!(positive(ours) && positive(peer), "not a measurement: {ours} and {peer}");
        }
        let ratios: Vec<f64> = pairs.iter().map(|(ours, peer)| peer / ours).collect();

        let mut rng = Rng::with_seed(seed);
        let mut sample = vec![0.0; ratios.len()];
        let mut medians: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                sample.fill_with(|| ratios[rng.usize(..ratios.len())]);
                median(&mut sample)
            })
            .collect();
        medians.sort_by(f64::total_cmp);

        Self {
            median: median(&mut ratios.clone()),
            low: medians[RESAMPLES / 40],
            high: medians[RESAMPLES - 1 - RESAMPLES / 40],
            ours: median(&mut pairs.iter().map(|pair| pair.0).collect::<Vec<_>>()),
            peer: median(&mut pairs.iter().map(|pair| pair.1).collect::<Vec<_>>()),
            rounds: pairs.len(),
        }
    }
}

/// Compares two things: each closure runs one round and returns what an operation cost.
///
/// Ours goes first in even rounds and the peer in odd ones, so that neither profits from what the
/// other leaves in the caches. Each round has an input of its own, drawn from the generator that
/// is handed in; it is in the same state for both of a pair. One pair more, the first, warms up
/// and does not count.
///
/// # Examples
///
/// ```
/// use process_registry_benches::paired::paired;
///
/// let ratio = paired(15, 1, |_| 2.0, |_| 3.0);
/// assert_eq!((ratio.median, ratio.low, ratio.high), (1.5, 1.5, 1.5));
/// ```
///
/// # Panics
///
/// If there are fewer than [`MIN_ROUNDS`], or a closure returns anything but a positive number.
pub fn paired(
    rounds: usize,
    seed: u64,
    mut ours: impl FnMut(&mut Rng) -> f64,
    mut peer: impl FnMut(&mut Rng) -> f64,
) -> Ratio {
    assert!(rounds >= MIN_ROUNDS, "{rounds} rounds are too few, {MIN_ROUNDS} is the least");
    let mut seeds = Rng::with_seed(seed);
    let mut pairs = Vec::with_capacity(rounds + 1);
    // The warm-up is round -1, as it were: the first round that counts is even.
    for ours_first in [false, true].into_iter().cycle().take(rounds + 1) {
        let rng = Rng::with_seed(seeds.u64(..));
        let (mut for_ours, mut for_peer) = (rng.clone(), rng);
        pairs.push(if ours_first {
            let ours = ours(&mut for_ours);
            (ours, peer(&mut for_peer))
        } else {
            let peer = peer(&mut for_peer);
            (ours(&mut for_ours), peer)
        });
    }
    Ratio::of(&pairs[1..], seed)
}

/// The median; of an even number of values the mean of the middle two. Reorders them.
fn median(values: &mut [f64]) -> f64 {
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    let (below, &mut upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    if odd {
        return upper;
    }
    let lower = below.iter().copied().max_by(f64::total_cmp);
    lower.map_or(upper, |lower| f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_odd_and_even_numbers_of_values() {
        assert_eq!(median(&mut [7.0]), 7.0);
        assert_eq!(median(&mut [4.0, 1.0]), 2.5);
        assert_eq!(median(&mut [9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(&mut [9.0, 1.0, 5.0, 7.0]), 6.0);
    }

    #[test]
    fn the_ratio_is_that_of_the_pairs_not_of_the_medians() {
        // The machine gets slower from round to round; within a pair the ratio is always 2.
        let pairs: Vec<(f64, f64)> =
            (1..=21).map(|round| (f64::from(round), 2.0 * f64::from(round))).collect();
        let ratio = Ratio::of(&pairs, 1);
        assert_eq!((ratio.median, ratio.low, ratio.high), (2.0, 2.0, 2.0));
        assert_eq!((ratio.ours, ratio.peer, ratio.rounds), (11.0, 22.0, 21));
    }

    #[test]
    fn one_outlier_moves_neither_median_nor_interval() {
        let mut pairs = vec![(10.0, 12.0); 15];
        pairs[3] = (1000.0, 12.0);
        let ratio = Ratio::of(&pairs, 1);
        assert_eq!((ratio.median, ratio.low, ratio.high), (1.2, 1.2, 1.2));
    }

    #[test]
    fn the_interval_spans_what_the_rounds_disagree_about() {
        // Ratios 1.00, 1.01, ... 1.30. By order statistics, the 95 % interval of a median of 31
        // values reaches from about the 10th to the 22nd.
        let pairs: Vec<(f64, f64)> =
            (0..31).map(|round| (100.0, 100.0 + f64::from(round))).collect();
        let ratio = Ratio::of(&pairs, 1);
        assert_eq!(ratio.median, 1.15);
        assert!((1.07..=1.11).contains(&ratio.low), "{ratio:?}");
        assert!((1.19..=1.23).contains(&ratio.high), "{ratio:?}");
    }

    #[test]
    fn the_interval_covers_the_true_median_as_often_as_it_says() {
        // Ratios are drawn around a true median of 1; 95 % of the intervals should hold it.
        let mut rng = Rng::with_seed(5);
        let trials = 400;
        let covered = (0..trials)
            .filter(|&trial| {
                let pairs: Vec<(f64, f64)> =
                    (0..25).map(|_| (1.0, (2.0_f64).powf(rng.f64() - 0.5))).collect();
                let ratio = Ratio::of(&pairs, trial);
                ratio.low <= 1.0 && 1.0 <= ratio.high
            })
            .count();
        assert!((360..=396).contains(&covered), "{covered} of {trials}");
    }

    #[test]
    fn rounds_alternate_and_share_their_input() {
        let log = std::cell::RefCell::new(Vec::new());
        let record = |who| {
            let log = &log;
            move |rng: &mut Rng| {
                log.borrow_mut().push((who, rng.u64(..)));
                1.0
            }
        };
        let ratio = paired(16, 3, record("ours"), record("peer"));
        assert_eq!(ratio.rounds, 16);
        let log = log.into_inner();
        assert_eq!(log.len(), 2 * 17);
        let rounds: Vec<_> = log.chunks(2).collect();
        assert!(rounds.iter().all(|pair| pair[0].1 == pair[1].1), "the same input within a pair");
        assert!(
            rounds.windows(2).all(|next| next[0][0].1 != next[1][0].1),
            "another one each time"
        );
        // After the warm-up pair: ours first in even rounds.
        for (round, pair) in rounds[1..].iter().enumerate() {
            assert_eq!(pair[0].0, if round % 2 == 0 { "ours" } else { "peer" });
            assert_ne!(pair[0].0, pair[1].0);
        }
    }

    #[test]
    fn the_warm_up_does_not_count() {
        let mut first = true;
        let ratio = paired(15, 1, |_| if std::mem::take(&mut first) { 1e9 } else { 1.0 }, |_| 1.0);
        assert_eq!((ratio.low, ratio.high, ratio.ours), (1.0, 1.0, 1.0));
    }

    #[test]
    #[should_panic(expected = "too few")]
    fn too_few_rounds_are_refused() {
        paired(14, 1, |_| 1.0, |_| 1.0);
    }

    #[test]
    #[should_panic(expected = "not a measurement")]
    fn a_closure_that_measures_nothing_is_found_out() {
        paired(15, 1, |_| 1.0, |_| 0.0);
    }
}
