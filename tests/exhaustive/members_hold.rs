//! What is searched of member sets, and the bugs that must be found there.

use super::checker::explore;
use super::is_long;
use super::members::{Bug, Members};

fn holds(slots: u8, programs: &'static [&'static str]) {
    let members = Members::new(slots, programs);
    match explore(&members) {
        Ok(seen) => println!(
            "states: {:>8}  ends: {:>4}  longest run: {:>3}  {members}",
            seen.states, seen.ends, seen.depth
        ),
        Err(failure) => panic!("{members}\n{failure}"),
    }
}

fn finds(bug: Bug, slots: u8, programs: &'static [&'static str], what: &str) {
    let members = Members::new(slots, programs).with(bug);
    match explore(&members) {
        Ok(seen) => panic!("{members}: {bug:?} was not found in {} states", seen.states),
        Err(failure) => {
            println!("states: {:>8}  {bug:?}, {members}: {failure}", failure.states);
            assert_eq!(failure.what, what);
        }
    }
}

#[test]
fn sets_and_chunks_open_and_close() {
    for slots in 1..=2 {
        holds(slots, &["+-", "+-"]);
        holds(slots, &["+:-+", "+-", "?"]);
        holds(slots, &["+:-", "+-+", "?"]);
        holds(slots, &["+:-+", "+:-", "+"]);
    }
    holds(1, &["+-", "+-", "+-"]);
    if is_long() {
        holds(2, &["+-", "+-", "+-"]);
        holds(1, &["+:-+-", "+-+", "?"]);
        holds(2, &["+:-+", "+:-+", "+-"]);
        holds(1, &["+:-+-", "+-+-", "+-"]);
    }
}

#[test]
fn whoever_raises_the_hint_does_not_look_again() {
    finds(Bug::BlindHint, 1, &["+:", "+-", "+"], "there is room below the hint");
}

#[test]
fn the_hint_is_not_lowered() {
    finds(Bug::HintNotLowered, 1, &["+:-", "+:", "+"], "there is room below the hint");
}

#[test]
fn a_full_chunk_is_taken_for_a_closed_one() {
    finds(Bug::UnlinkAny, 1, &["+:-", "+:", "+"], "a member's slot is not there");
}

#[test]
fn a_chunk_closes_although_it_has_been_claimed_again() {
    finds(Bug::CloseByStore, 1, &["+-", "+-"], "a member's slot is not there");
}

#[test]
fn a_closed_set_accepts_a_claim() {
    finds(Bug::ClaimClosed, 1, &["+-", "+-"], "a member's slot is not there");
}

#[test]
fn a_set_takes_its_successor_out_of_the_directory() {
    finds(Bug::LeaveByStore, 1, &["+-", "+-"], "a member's set has left the directory");
}

#[test]
fn a_claim_waits_for_a_closer() {
    finds(
        Bug::WaitForCloser,
        1,
        &["+-", "+-"],
        "a run goes on for ever, and no operation gets done",
    );
}

#[test]
fn a_scan_trusts_the_hint() {
    finds(Bug::ScanToHint, 1, &["+:-", "+-+", "?"], "a scan has missed a member");
}
