//! What happens when one thing is left out or done in the wrong order: each must be found.

use super::checker::explore;
use super::map::{Bug, Map};

const ANSWERS: &str = "no order of the operations explains what they answered";

/// Searches a configuration with a bug for what it does.
fn finds(bug: Bug, start: &'static str, programs: &'static [&'static str], what: &str) {
    let map = Map::new(start, programs).with(bug);
    match explore(&map) {
        Ok(seen) => panic!("{map}: {bug:?} was not found in {} states", seen.states),
        Err(failure) => {
            println!("states: {:>8}  {bug:?}, {map}: {failure}", failure.states);
            assert_eq!(failure.what, what);
        }
    }
}

#[test]
fn a_killed_entry_is_published_again() {
    // A helper that is late still holds the word of the killed entry.
    finds(
        Bug::RepublishKilled,
        "b./..",
        &["insert a", "insert a", "insert a"],
        "I1: a key is committed twice",
    );
}

#[test]
fn an_insert_commits_without_a_look() {
    finds(Bug::NoValidation, "..", &["insert a", "insert a"], ANSWERS);
}

#[test]
fn a_pass_does_not_look_at_lower_slots() {
    finds(Bug::BlindToLower, "..", &["insert a", "insert a"], ANSWERS);
}

#[test]
fn a_pass_does_not_see_what_is_committed() {
    finds(Bug::BlindToCommitted, "..", &["insert a", "insert a"], ANSWERS);
}

#[test]
fn a_pass_leaves_higher_rivals_alone() {
    finds(Bug::SpareHigher, "..", &["insert a", "insert a"], ANSWERS);
}

#[test]
fn a_helper_commits_without_a_pass() {
    finds(
        Bug::CommitRivalUnseen,
        "..",
        &["insert a", "insert a", "insert a"],
        "I1: a key is committed twice",
    );
}

#[test]
fn a_helper_waits() {
    finds(
        Bug::WaitForRival,
        "..",
        &["insert a", "insert a"],
        "a run goes on for ever, and no operation gets done",
    );
}

#[test]
fn the_mark_is_never_set() {
    finds(
        Bug::NeverMarked,
        "..",
        &["insert a", "insert a", "remove a"],
        "an entry is retired that is not published, or for a second time",
    );
}

#[test]
fn the_mark_is_set_after_the_swap() {
    finds(
        Bug::MarkedLate,
        "..",
        &["insert a", "insert a", "remove a"],
        "I10: a value is read that its inserter has taken back",
    );
}

#[test]
fn a_frozen_word_counts_as_dropped() {
    finds(Bug::FrozenIsDropped, "..", &["insert a", "insert a", "grow"], ANSWERS);
}

#[test]
fn a_migration_moves_what_is_pending() {
    finds(Bug::MovePending, "..", &["insert a", "grow"], ANSWERS);
}

#[test]
fn migrated_is_set_before_the_fill() {
    finds(
        Bug::MigratedBeforeFill,
        "a.",
        &["replace a", "grow"],
        "I4: MIGRATED before the successor was filled",
    );
}

#[test]
fn the_end_of_a_chain_is_not_frozen() {
    finds(
        Bug::LinkNotFrozen,
        "bc",
        &["insert a", "grow"],
        "the map does not hold what the operations made of it",
    );
}

#[test]
fn vacant_slots_are_not_frozen() {
    finds(
        Bug::VacantNotFrozen,
        "..",
        &["insert a", "grow"],
        "I4: MIGRATED before the successor was filled",
    );
}

#[test]
fn a_writer_does_not_help() {
    finds(
        Bug::NoHelp,
        "..",
        &["insert a", "grow"],
        "I5: a writer works in the successor of a chain that is not MIGRATED",
    );
}

#[test]
fn a_reader_ignores_migrated() {
    finds(Bug::ReaderIgnoresMigrated, "..", &["insert a", "lookup a", "grow"], ANSWERS);
}

#[test]
fn a_reader_looks_for_migrated_at_the_end() {
    finds(
        Bug::ReaderLooksLate,
        "a.",
        &["replace a", "lookup a", "grow"],
        "I8: an entry is read that was retired before this pin",
    );
}

#[test]
fn committed_words_are_not_frozen() {
    finds(
        Bug::CommittedNotFrozen,
        "a.",
        &["replace a", "lookup a", "grow"],
        "I6: an entry is published after it was retired",
    );
}

#[test]
fn a_glance_takes_what_is_frozen() {
    finds(
        Bug::NoSecondLook,
        "a.",
        &["replace a", "lookup a", "grow"],
        "I8: an entry is read that was retired before this pin",
    );
}

#[test]
fn a_reader_takes_what_is_pending() {
    finds(Bug::ReaderTakesPending, "..", &["insert a", "insert a", "lookup a"], ANSWERS);
}

#[test]
fn an_entry_is_retired_before_it_is_unlinked() {
    finds(Bug::RetireBeforeUnlink, "a.", &["upsert a", "lookup a"], "a current entry is retired");
}

#[test]
fn a_filter_is_told_after_the_commit() {
    finds(Bug::LateFilter, "bc", &["insert a", "insert a, lookup a"], ANSWERS);
}

#[test]
fn a_migration_forgets_the_filter() {
    finds(Bug::EmptyFilter, "a.", &["lookup a", "grow"], ANSWERS);
}

#[test]
fn a_filter_says_of_a_chain_that_has_moved_what_is_not_there() {
    finds(Bug::OpenFilter, "..", &["insert a, lookup a", "grow"], ANSWERS);
}

#[test]
fn an_entry_is_freed_at_once() {
    finds(
        Bug::FreedAtOnce,
        "a.",
        &["replace a", "remove a"],
        "a swap expects an entry whose address may be in use again",
    );
}
