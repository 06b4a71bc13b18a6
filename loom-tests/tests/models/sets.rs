//! Member sets: names that come, go and are asked for.

use process_registry::__model::{Key, Toys};

use crate::growth::{D, E};
use crate::harness::{at_once, check, end};
use crate::keys::{A, A_TOO, B, C};

fn tagged(preloaded: &[(Key, u64, &[&str])]) -> Toys {
    let toys = Toys::new(0);
    for (key, number, names) in preloaded {
        assert!(toys.insert(*key, *number, names));
    }
    toys
}

/// Two elements bring the set of one name at once.
pub fn two_bring_a_set() {
    let (toys, _) = at_once(tagged(&[]), [|t| t.insert(A, 1, &["x"]), |t| t.insert(C, 2, &["x"])]);
    check(&toys, &[(1, 1), (3, 2)], &[("x", &[1, 3])]);
    end(toys);
}

/// The set that one brings is killed by another's, which goes before it comes again from another
/// block: its first member leaves by way of where it is then.
pub fn moved_set() {
    let (toys, _) = at_once(
        tagged(&[]),
        [|t| t.insert(A, 1, &["x"]), |t| t.insert(C, 2, &["x"]) && t.remove(C) == Some(2)],
    );
    check(&toys, &[(1, 1)], &[("x", &[1])]);
    // The block that it has moved out of, too.
    toys.collect();
    assert_eq!(toys.remove(A), Some(1));
    check(&toys, &[], &[("x", &[])]);
    end(toys);
}

/// The last member leaves while another joins: the closing of a set that is being claimed.
pub fn last_leaves_one_joins() {
    let (toys, _) = at_once(
        tagged(&[(A, 1, &["x"])]),
        [|t| t.remove(A) == Some(1), |t| t.insert(C, 2, &["x"])],
    );
    check(&toys, &[(3, 2)], &[("x", &[3])]);
    end(toys);
}

/// The same in a set of two stripes.
pub fn last_leaves_one_joins_striped() {
    let (toys, _) = at_once(
        tagged(&[(A, 1, &["@x"])]),
        [|t| t.remove(A) == Some(1), |t| t.insert(C, 2, &["@x"])],
    );
    check(&toys, &[(3, 2)], &[("@x", &[3])]);
    end(toys);
}

/// The last leaves, another joins and leaves: the set of the name comes and goes.
pub fn set_comes_and_goes() {
    let (toys, _) = at_once(
        tagged(&[(A, 1, &["x"])]),
        [
            |t| t.remove(A),
            |t| {
                t.insert(C, 2, &["x"]);
                t.remove(C)
            },
        ],
    );
    check(&toys, &[], &[("x", &[])]);
    end(toys);
}

/// The same with two stripes: their units come and go.
pub fn set_comes_and_goes_striped() {
    let (toys, _) = at_once(
        tagged(&[(A, 1, &["@x"])]),
        [
            |t| t.remove(A),
            |t| {
                t.insert(C, 2, &["@x"]);
                t.remove(C)
            },
        ],
    );
    check(&toys, &[], &[("@x", &[])]);
    end(toys);
}

/// One closes a set and is slow to unlink it; another takes it out, brings a new one; the slow one
/// must not take that out.
pub fn slow_closer() {
    let (toys, _) = at_once(
        tagged(&[(A, 1, &["x"])]),
        [
            |t| t.remove(A).is_some(),
            |t| t.insert(C, 2, &["x"]),
            |t| {
                let names = t.names();
                names.is_empty()
                    || names == [("x".to_string(), 1)]
                    || names == [("x".to_string(), 2)]
            },
        ],
    );
    check(&toys, &[(3, 2)], &[("x", &[3])]);
    end(toys);
}

/// A rejected insert gives its claims back.
pub fn rejected_claims() {
    let (toys, won) =
        at_once(tagged(&[]), [|t| t.insert(A, 1, &["x"]), |t| t.insert(A, 2, &["y"])]);
    assert!(won[0] != won[1]);
    let (number, x, y): (_, &[u8], &[u8]) = if won[0] { (1, &[1], &[]) } else { (2, &[], &[1]) };
    check(&toys, &[(1, number)], &[("x", x), ("y", y)]);
    end(toys);
}

/// A query finds a member that is replaced throughout, exactly once: its slot is handed on.
pub fn query_replace() {
    let (toys, [_, found]) = at_once(
        tagged(&[(A, 1, &["x"])]),
        [
            |t| {
                t.replace(A, 2, &["x"]);
                Vec::new()
            },
            |t| t.named("x"),
        ],
    );
    assert!(found == [(1, 1)] || found == [(1, 2)], "{found:?}");
    check(&toys, &[(1, 2)], &[("x", &[1])]);
    end(toys);
}

/// The same by an upsert that knows nothing of the element it replaces.
pub fn query_put_put() {
    let (toys, [_, found, _]) = at_once(
        tagged(&[(A, 1, &["x"])]),
        [
            |t| {
                t.put(A, 2, &["x"]);
                Vec::new()
            },
            |t| t.named("x"),
            |t| {
                t.put(A, 3, &["x"]);
                Vec::new()
            },
        ],
    );
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(toys.named("x").len(), 1);
    assert_eq!(toys.member_count("x"), 1);
    end(toys);
}

/// Two upserts of a key that is not there, which both claim before they look for it: what the one that was
/// first has is handed on, and what the other claimed of that is given back.
pub fn put_put_absent_tagged() {
    let (toys, results) =
        at_once(tagged(&[]), [|t| t.put(A, 2, &["x"]), |t| t.put(A, 3, &["x", "y"])]);
    match results {
        [None, Some(2)] => check(&toys, &[(1, 3)], &[("x", &[1]), ("y", &[1])]),
        [Some(3), None] => check(&toys, &[(1, 2)], &[("x", &[1])]),
        other => panic!("not linearizable: {other:?}"),
    }
    end(toys);
}

/// Slots are freed and used again while a query reads: it finds who was there throughout.
pub fn query_slot_reuse() {
    let (toys, [_, found]) = at_once(
        tagged(&[(A, 1, &["x"]), (C, 3, &["x"])]),
        [
            |t| {
                t.remove(A);
                t.insert(B, 2, &["x"]);
                Vec::new()
            },
            |t| t.named("x"),
        ],
    );
    assert_eq!(found.iter().filter(|one| one.0 == 3).count(), 1, "{found:?}");
    assert!(found.len() <= 3, "{found:?}");
    check(&toys, &[(2, 2), (3, 3)], &[("x", &[2, 3])]);
    end(toys);
}

/// A member leaves a name and takes it again while a query reads: at most once.
pub fn query_retag() {
    let (toys, [_, found]) = at_once(
        tagged(&[(A, 1, &["x"]), (C, 3, &["x"])]),
        [
            |t| {
                t.replace(A, 2, &[]);
                t.replace(A, 4, &["x"]);
                Vec::new()
            },
            |t| t.named("x"),
        ],
    );
    assert_eq!(found.iter().filter(|one| one.0 == 3).count(), 1, "{found:?}");
    assert!(found.iter().filter(|one| one.0 == 1).count() <= 1, "{found:?}");
    check(&toys, &[(1, 4), (3, 3)], &[("x", &[1, 3])]);
    end(toys);
}

/// Two members of one hash: each exactly once, although the probe meets both.
pub fn query_equal_hashes() {
    let (toys, [_, found]) = at_once(
        tagged(&[(A, 1, &["x"]), (A_TOO, 4, &["x"])]),
        [
            |t| {
                t.replace(A, 2, &["x"]);
                Vec::new()
            },
            |t| t.named("x"),
        ],
    );
    assert!(found == [(1, 1), (4, 4)] || found == [(1, 2), (4, 4)], "{found:?}");
    check(&toys, &[(1, 2), (4, 4)], &[("x", &[1, 4])]);
    end(toys);
}

/// A change of name: the query of neither sees the element twice, and the counts are right.
pub fn change_of_name() {
    let (toys, [_, (x, y)]) = at_once(
        tagged(&[(A, 1, &["x"])]),
        [
            |t| {
                t.replace(A, 2, &["y"]);
                (Vec::new(), Vec::new())
            },
            |t| (t.named("x"), t.named("y")),
        ],
    );
    assert!(x.is_empty() || x == [(1, 1)], "{x:?}");
    assert!(y.is_empty() || y == [(1, 2)], "{y:?}");
    assert!(!(x.is_empty() && y.is_empty()), "it carries one of the two throughout");
    check(&toys, &[(1, 2)], &[("x", &[]), ("y", &[1])]);
    end(toys);
}

/// A replace against a removal: each slot is freed once.
pub fn replace_remove_tagged() {
    let (toys, results) = at_once(
        tagged(&[(A, 1, &["x"]), (C, 3, &["x"])]),
        [|t| t.replace(A, 2, &["x"]), |t| t.remove(A)],
    );
    assert!(matches!(results, [Some(1), Some(2)] | [None, Some(1)]), "{results:?}");
    check(&toys, &[(3, 3)], &[("x", &[3])]);
    end(toys);
}

/// Two replaces that change the name differently: the loser takes its claim along.
pub fn two_changes_of_name() {
    let (toys, results) = at_once(
        tagged(&[(A, 1, &["x"])]),
        [|t| t.replace(A, 2, &["y"]), |t| t.replace(A, 3, &["x", "y"])],
    );
    match results {
        [Some(1), Some(2)] => check(&toys, &[(1, 3)], &[("x", &[1]), ("y", &[1])]),
        [Some(3), Some(1)] => check(&toys, &[(1, 2)], &[("x", &[]), ("y", &[1])]),
        other => panic!("not linearizable: {other:?}"),
    }
    end(toys);
}

/// A pending element that a migration drops keeps its claims.
pub fn dropped_keeps_claims() {
    let (toys, _) = at_once(
        tagged(&[]),
        [
            |t| {
                t.start_resize(1);
                t.finish_resize();
                true
            },
            |t| t.insert(A, 1, &["x"]),
        ],
    );
    check(&toys, &[(1, 1)], &[("x", &[1])]);
    end(toys);
}

/// A chunk loses its last member while another is claimed in it, or where it was.
pub fn chunk_closes() {
    let (toys, _) = at_once(
        tagged(&[(A, 1, &["x"]), (B, 2, &["x"]), (C, 3, &["x"])]),
        [|t| t.remove(C) == Some(3), |t| t.insert(A_TOO, 4, &["x"])],
    );
    check(&toys, &[(1, 1), (2, 2), (4, 4)], &[("x", &[1, 2, 4])]);
    end(toys);
}

/// Room is made in a full chunk while a claim goes past it.
pub fn room_behind_a_claim() {
    let (toys, _) = at_once(
        tagged(&[(A, 1, &["x"]), (C, 3, &["x"])]),
        [|t| t.remove(A) == Some(1), |t| t.insert(B, 2, &["x"])],
    );
    check(&toys, &[(2, 2), (3, 3)], &[("x", &[2, 3])]);
    end(toys);
}

/// One claim brings a chunk, another takes a slot of it: whoever has put a member there finds it.
pub fn second_of_a_new_chunk() {
    let toys = Toys::new(4);
    assert!(toys.insert(A, 1, &["x"]) && toys.insert(D, 5, &["x"]));
    let (toys, [_, found]) = at_once(
        toys,
        [
            |t| {
                t.insert(E, 6, &["x"]);
                Vec::new()
            },
            |t| {
                t.insert(C, 3, &["x"]);
                t.named("x")
            },
        ],
    );
    let throughout: Vec<_> = found.iter().filter(|one| one.0 != 6).copied().collect();
    let own = [(1, 1), (3, 3), (5, 5)];
    assert_eq!(throughout, own, "a query misses what was inserted before it");
    check(&toys, &[(1, 1), (3, 3), (5, 5), (6, 6)], &[("x", &[1, 3, 5, 6])]);
    end(toys);
}

/// Two claims go round the range, past a full chunk and over its end, while room is made there.
pub fn two_claims_go_round() {
    let toys = Toys::new(4);
    for key in [A, C, D, E] {
        assert!(toys.insert(key, key.id.into(), &["x"]));
    }
    // The next claim begins in the second chunk, which is full; the first one is gone.
    assert!(toys.remove(A).is_some() && toys.remove(C).is_some());
    let (toys, _) = at_once(
        toys,
        [
            |t| t.remove(D) == Some(5),
            |t| t.insert(A, 1, &["x"]),
            |t| {
                t.insert(C, 3, &["x"]);
                let found = t.named("x");
                assert!(found.contains(&(3, 3)) && found.contains(&(6, 6)), "{found:?}");
                true
            },
        ],
    );
    check(&toys, &[(1, 1), (3, 3), (6, 6)], &[("x", &[1, 3, 6])]);
    end(toys);
}

/// A member leaves a name and takes a later slot of it while a query reads: it may be met twice,
/// and the end of the query tells.
pub fn query_moves() {
    let toys = Toys::new(4);
    assert!(toys.insert(A, 1, &["x"]) && toys.insert(D, 9, &["x"]) && toys.insert(E, 6, &["x"]));
    let (toys, [_, found]) = at_once(
        toys,
        [
            |t| {
                t.replace(A, 2, &[]);
                t.insert(B, 5, &["x"]);
                t.replace(A, 4, &["x"]);
                Vec::new()
            },
            |t| t.named("x"),
        ],
    );
    assert!(found.iter().filter(|one| one.0 == 1).count() <= 1, "{found:?}");
    let others: Vec<_> = found.into_iter().filter(|one| one.0 > 2).collect();
    assert_eq!(others, [(5, 9), (6, 6)]);
    check(&toys, &[(1, 4), (2, 5), (5, 9), (6, 6)], &[("x", &[1, 2, 5, 6])]);
    end(toys);
}

/// Who sees a member by its key finds it by its name from then on.
pub fn query_after_lookup() {
    let (toys, [_, found]) = at_once(
        tagged(&[(C, 3, &["x"])]),
        [
            |t| {
                t.insert(A, 1, &["x"]);
                Vec::new()
            },
            |t| if t.get(A).is_some() { t.named("x") } else { Vec::new() },
        ],
    );
    assert!(found.is_empty() || found == [(1, 1), (3, 3)], "{found:?}");
    check(&toys, &[(1, 1), (3, 3)], &[("x", &[1, 3])]);
    end(toys);
}
