//! The protocol of the hash index as an executable specification, checked in every interleaving.
//!
//! The modules transcribe what the source does, one shared access a step: publishing and resolving
//! pending entries, replacing, removing, looking up, and moving a chain into a successor, with the
//! epoch that frees what is retired at the earliest moment. A search goes through all the states that
//! two or three threads can reach and checks in each that no key is committed twice, that nothing
//! is touched which the epoch does not keep, and that the answers are those of some order of the
//! operations; and that no run goes on for ever, so that whoever is left alone gets done, too.
//!
//! It is sequentially consistent: whether the source's orderings make it so is what the models on
//! loom are about, which in turn cannot hold all that is held here.
//!
//! And since a search that finds nothing proves nothing, there are bugs to be found, one by one.
//!
//! A second model, of the same kind, is that of member sets: how claims go round, and how chunks and
//! sets close.
//!
//! `EXHAUSTIVE=1` searches larger configurations, too.

#[path = "exhaustive/bugs.rs"]
mod bugs;
#[path = "exhaustive/checker.rs"]
mod checker;
#[path = "exhaustive/entries.rs"]
mod entries;
#[path = "exhaustive/insert.rs"]
mod insert;
#[path = "exhaustive/linear.rs"]
mod linear;
#[path = "exhaustive/locate.rs"]
mod locate;
#[path = "exhaustive/map.rs"]
mod map;
#[path = "exhaustive/members.rs"]
mod members;
#[path = "exhaustive/members_hold.rs"]
mod members_hold;
#[path = "exhaustive/memory.rs"]
mod memory;
#[path = "exhaustive/migrate.rs"]
mod migrate;
#[path = "exhaustive/places.rs"]
mod places;
#[path = "exhaustive/read.rs"]
mod read;
#[path = "exhaustive/resolve.rs"]
mod resolve;
#[path = "exhaustive/word.rs"]
mod word;

use std::env;

use map::Map;

/// What is there, and what each thread does.
type Configuration = (&'static str, &'static [&'static str]);

/// Searches a configuration, and prints how much there was to see.
fn holds(map: &Map) {
    match checker::explore(map) {
        Ok(seen) => println!(
            "states: {:>8}  ends: {:>4}  longest run: {:>3}  {map}",
            seen.states, seen.ends, seen.depth
        ),
        Err(failure) => panic!("{map}\n{failure}"),
    }
}

fn all_hold(configurations: &[Configuration]) {
    for (start, programs) in configurations {
        holds(&Map::new(start, programs));
    }
}

/// The same with successors of one and of two chains.
fn all_hold_growing(configurations: &[Configuration]) {
    for (start, programs) in configurations {
        holds(&Map::new(start, programs));
        holds(&Map::new(start, programs).split());
    }
}

fn is_long() -> bool {
    env::var_os("EXHAUSTIVE").is_some_and(|value| value == "1")
}

/// Wherever each of them publishes, one inserts and the others are refused.
#[test]
fn three_inserters_of_one_key() {
    let three = &["insert a", "insert a", "insert a"];
    all_hold(&[("..", three), ("bc", three)]);
    if is_long() {
        all_hold(&[("b.", three), ("b./..", three), ("bc/..", three)]);
    }
}

#[test]
fn inserters_and_removers() {
    all_hold(&[
        ("..", &["insert a", "insert a", "remove a"]),
        ("bc", &["insert a", "remove a", "insert a"]),
        ("b.", &["insert a", "insert a", "remove b"]),
        ("a.", &["insert a, remove a", "remove a", "insert a"]),
        ("..", &["upsert a", "upsert a", "remove a"]),
    ]);
    if is_long() {
        all_hold(&[("..", &["insert a, remove a", "insert a", "insert a"])]);
    }
}

#[test]
fn all_kinds_of_operations() {
    all_hold(&[
        ("..", &["insert a", "lookup a, lookup a", "upsert a"]),
        ("a.", &["replace a", "remove a", "upsert a, lookup a"]),
        ("a.", &["upsert a, lookup a", "remove a, insert a", "replace a, lookup a"]),
        ("ab", &["upsert a", "remove a", "insert c, lookup b"]),
        ("bc/a.", &["lookup a, lookup c", "upsert a, remove c", "remove a"]),
        ("bc", &["insert a", "insert a, lookup a", "lookup a"]),
        ("ba", &["lookup a, lookup a", "remove a, insert a", "insert c"]),
    ]);
    if is_long() {
        all_hold(&[
            ("..", &["insert a, lookup a", "remove a, insert a", "upsert a, remove a"]),
            ("ab", &["remove b, insert b", "upsert a", "remove a, insert a"]),
        ]);
    }
}

#[test]
fn a_writer_and_a_reader_while_the_table_grows() {
    all_hold_growing(&[
        ("a.", &["lookup a, lookup a", "upsert a", "grow"]),
        ("..", &["lookup a, lookup a", "insert a", "grow"]),
        ("bc", &["lookup a, lookup a", "insert a", "grow"]),
    ]);
    if is_long() {
        all_hold_growing(&[
            ("bc/a.", &["lookup a", "remove a, remove c", "grow"]),
            ("a.", &["lookup a, lookup a", "replace a, remove a", "grow"]),
            ("..", &["lookup a, lookup a", "insert a, remove a", "grow"]),
        ]);
    }
}

#[test]
fn two_writers_while_the_table_grows() {
    all_hold(&[("..", &["insert a", "insert a", "grow"])]);
    all_hold_growing(&[
        ("..", &["insert a", "remove a", "grow"]),
        ("a.", &["remove a", "insert a", "grow"]),
        ("a.", &["replace a", "remove a", "grow, lookup a"]),
    ]);
    if is_long() {
        all_hold_growing(&[
            ("..", &["insert a", "insert b", "grow"]),
            ("..", &["upsert a", "insert a", "grow"]),
            ("ab", &["insert c", "remove a", "grow"]),
            ("bc", &["upsert a", "insert a", "grow"]),
            ("ab/c.", &["replace c", "upsert a", "grow"]),
        ]);
    }
}

#[test]
fn three_inserters_while_the_table_grows() {
    if is_long() {
        all_hold_growing(&[
            ("..", &["insert a, grow", "insert a", "insert a"]),
            ("bc", &["insert a, grow", "insert a", "insert a"]),
            ("b.", &["insert a, grow", "insert a", "remove a"]),
        ]);
    } else {
        all_hold_growing(&[("bc", &["insert a", "grow"])]);
    }
}
