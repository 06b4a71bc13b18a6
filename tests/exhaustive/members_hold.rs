//! What is searched of member sets, and the bugs that must be found there.

use super::checker::explore;
use super::is_long;
use super::members::{Bug, Members};

/// With the range that the source has, and with one that is always too small.
fn holds(slots: u8, programs: &'static [&'static str]) {
    for members in [Members::new(slots, programs), Members::new(slots, programs).narrow()] {
        match explore(&members) {
            Ok(seen) => println!(
                "states: {:>8}  ends: {:>4}  longest run: {:>3}  {members}",
                seen.states, seen.ends, seen.depth
            ),
            Err(failure) => panic!("{members}\n{failure}"),
        }
    }
}

fn finds(bug: Bug, slots: u8, programs: &'static [&'static str], what: &str) {
    finds_in(Members::new(slots, programs), bug, what);
}

fn finds_in(members: Members, bug: Bug, what: &str) {
    let members = members.with(bug);
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
        holds(slots, &["+:-", "+:-", "+:", "+?"]);
    }
    holds(2, &["+:-", "+:-", "+", "+?"]);
    holds(1, &["+-", "+-", "+-"]);
    if is_long() {
        holds(2, &["+-", "+-", "+-"]);
        holds(1, &["+:-+-", "+-+", "?"]);
        holds(2, &["+:-+", "+:-+", "+-"]);
        holds(1, &["+:-+-", "+-+-", "+-"]);
        holds(1, &["+:-", "+:-", "+", "+?"]);
        holds(1, &["+:-", "+:-+", "+-", "?"]);
        holds(2, &["+:-+", "+:-", "+:-", "+?"]);
    }
}

#[test]
fn a_chunk_is_linked_before_scans_are_told() {
    finds(Bug::LateTop, 2, &["+:-", "+", "+?"], "a scan has missed a member");
}

#[test]
fn a_chunk_is_linked_over_another() {
    finds(Bug::LinkByStore, 1, &["+:", "+", "+"], "a member's slot is not there");
}

#[test]
fn a_bit_is_set_that_another_has_set() {
    finds(Bug::ClaimBySight, 2, &["+:", "+", "+"], "a slot has two owners");
}

#[test]
fn a_slot_says_too_late_whose_it_is() {
    finds(Bug::LateHash, 2, &["+:", "+", "?"], "a scan has missed a member");
}

#[test]
fn a_claim_goes_round_until_there_is_room() {
    let narrow = Members::new(1, &["+:", "+"]).narrow();
    finds_in(narrow, Bug::StayInRange, "a run goes on for ever, and no operation gets done");
}

#[test]
fn a_closed_chunk_is_taken_for_one_with_room() {
    finds(Bug::CloseUnmarked, 1, &["+:-", "+"], "a member's slot is not there");
}

#[test]
fn whoever_unlinks_the_last_chunk_lowers_the_end() {
    finds(Bug::LowerTop, 1, &["+:", "+:-", "+?"], "a scan has missed a member");
}

#[test]
fn a_full_chunk_is_taken_for_a_closed_one() {
    finds(Bug::UnlinkAny, 1, &["+:", "+"], "a member's slot is not there");
    finds(Bug::UnlinkAny, 1, &["+:-", "+"], "a chunk is unlinked by another than its closer");
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
fn a_scan_looks_no_further_than_claims() {
    finds(Bug::ScanToRange, 1, &["+:-", "+:-", "+:?"], "a scan has missed a member");
}

#[test]
fn a_scan_ends_where_a_chunk_was() {
    finds(Bug::ScanToGap, 1, &["+:-", "+:", "?"], "a scan has missed a member");
}
