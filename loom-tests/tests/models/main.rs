//! Models of the lock-free core: see the README next to this package.

mod deadlines;
mod growth;
mod harness;
mod keys;
mod reclaim;
mod sets;
mod slots;

#[cfg(process_registry_loom)]
pub(crate) use loom as checker;
#[cfg(not(process_registry_loom))]
pub(crate) use shuttle as checker;

use harness::{Catch, Loads, Model};

const fn model(
    name: &'static str,
    run: fn(),
    bound: usize,
    bound_rmw: usize,
    bound_bare: usize,
) -> Model {
    Model {
        name,
        run,
        bound,
        bound_rmw,
        bound_bare,
        bare: false,
        reclaims: false,
        one_stripe: false,
    }
}

/// A model of the slot words alone.
const fn slots(name: &'static str, run: fn(), bound: usize, bound_rmw: usize) -> Model {
    Model { bare: true, ..model(name, run, bound, bound_rmw, 0) }
}

/// A model of what is reclaimed.
const fn reclaims(name: &'static str, run: fn(), bound: usize, bound_rmw: usize) -> Model {
    Model { reclaims: true, ..model(name, run, bound, bound_rmw, 0) }
}

/// A model whose threads all share one stripe of everything: shelves and set stripes.
const fn shared(name: &'static str, run: fn(), bound: usize, bound_rmw: usize) -> Model {
    Model { one_stripe: true, ..model(name, run, bound, bound_rmw, 0) }
}

const fn catch(
    mutant: &'static str,
    model: &'static str,
    loads: Loads,
    bound: usize,
    says: &'static str,
) -> Catch {
    Catch { mutant, model, loads, bound, says }
}

use Loads::{Rmw, Written};

/// Every model with its preemption bounds: loads as written, loads as read-modify-writes, and
/// without reclamation. Bounds are as large as a few seconds allow; 9 is none.
#[rustfmt::skip]
const MODELS: &[Model] = &[
    model("insert_insert", keys::insert_insert, 3, 3, 0),
    model("insert_remove_b_insert", keys::insert_remove_b_insert, 3, 3, 0),
    model("insert_insert_remove_b", keys::insert_insert_remove_b, 2, 2, 0),
    model("three_inserts", keys::three_inserts, 1, 2, 0),
    model("three_inserts_of_two_keys", keys::three_inserts_of_two_keys, 2, 2, 0),
    model("three_inserts_overflow", keys::three_inserts_overflow, 2, 2, 0),
    model("insert_insert_overflow", keys::insert_insert_overflow, 3, 3, 0),
    model("lookup_overflow", keys::lookup_overflow, 2, 3, 0),
    model("lookup_into_overflow", keys::lookup_into_overflow, 3, 3, 0),
    model("equal_hashes", keys::equal_hashes, 3, 3, 0),
    model("insert_remove", keys::insert_remove, 3, 3, 0),
    model("insert_insert_then_remove", keys::insert_insert_then_remove, 3, 3, 0),
    model("insert_insert_then_remove_slots", keys::insert_insert_then_remove_slots, 2, 3, 3),
    model("insert_against_remove_insert", keys::insert_against_remove_insert, 3, 3, 0),
    model("replace_remove", keys::replace_remove, 3, 3, 0),
    model("put_put", keys::put_put, 3, 3, 0),
    model("put_put_absent", keys::put_put_absent, 3, 3, 0),
    model("put_remove", keys::put_remove, 3, 3, 0),
    model("remove_remove", keys::remove_remove, 3, 3, 0),
    model("lookup_insert_remove", keys::lookup_insert_remove, 3, 3, 0),
    model("lookup_insert_insert", keys::lookup_insert_insert, 2, 2, 0),
    model("lookup_replace", keys::lookup_replace, 3, 3, 0),
    model("lookup_beside_others", keys::lookup_beside_others, 3, 3, 0),
    model("lookup_batch", keys::lookup_batch, 3, 3, 0),
    model("lookup_batch_overflow", keys::lookup_batch_overflow, 3, 3, 0),
    model("deadline_put_off", keys::deadline_put_off, 3, 3, 0),
    model("deadline_taken_away", keys::deadline_taken_away, 3, 3, 0),
    model("insert_insert_insert_slots", keys::insert_insert_insert_slots, 1, 2, 0),
    model("grow_insert_insert", growth::grow_insert_insert, 1, 2, 0),
    model("rebuild_insert_insert", growth::rebuild_insert_insert, 2, 3, 0),
    model("halve_insert_insert", growth::halve_insert_insert, 1, 2, 0),
    model("start_insert_insert", growth::start_insert_insert, 2, 2, 0),
    model("grow_insert_remove", growth::grow_insert_remove, 2, 2, 0),
    model("halve_insert_remove", growth::halve_insert_remove, 1, 2, 0),
    model("grow_replace_remove", growth::grow_replace_remove, 2, 2, 0),
    model("rebuild_replace_remove", growth::rebuild_replace_remove, 2, 2, 0),
    model("halve_replace_remove", growth::halve_replace_remove, 1, 2, 0),
    model("start_replace", growth::start_replace, 1, 2, 0),
    model("grow_lookup", growth::grow_lookup, 3, 3, 0),
    model("rebuild_lookup", growth::rebuild_lookup, 3, 3, 0),
    model("halve_lookup", growth::halve_lookup, 3, 3, 0),
    model("halve_lookup_overflow", growth::halve_lookup_overflow, 3, 3, 0),
    model("window_lookup", growth::window_lookup, 3, 3, 0),
    model("halve_window_lookup", growth::halve_window_lookup, 1, 2, 0),
    model("window_insert", growth::window_insert, 2, 3, 0),
    model("window_remove_insert", growth::window_remove_insert, 1, 2, 0),
    model("late_helper", growth::late_helper, 1, 1, 0),
    model("halve_helpers", growth::halve_helpers, 1, 2, 0),
    model("overflow_freeze", growth::overflow_freeze, 2, 2, 0),
    model("overflow_start", growth::overflow_start, 2, 2, 0),
    model("grow_walk", growth::grow_walk, 3, 3, 0),
    model("grow_walk_split", growth::grow_walk_split, 3, 3, 0),
    model("rebuild_walk", growth::rebuild_walk, 3, 3, 0),
    model("halve_walk", growth::halve_walk, 3, 3, 0),
    model("walk_two_generations", growth::walk_two_generations, 2, 3, 3),
    model("walk_writes", growth::walk_writes, 2, 3, 3),
    model("table_retired", growth::table_retired, 3, 3, 0),
    model("walk_moves", growth::walk_moves, 3, 3, 0),
    model("halve_both_ways", growth::halve_both_ways, 1, 2, 0),
    model("grow_query", growth::grow_query, 2, 2, 2),
    model("rebuild_query", growth::rebuild_query, 2, 2, 2),
    model("halve_query", growth::halve_query, 2, 2, 2),
    model("rebuild_remove_node", growth::rebuild_remove_node, 1, 2, 0),
    model("rebuild_deadline_put_off", growth::rebuild_deadline_put_off, 3, 3, 0),
    model("two_bring_a_set", sets::two_bring_a_set, 2, 2, 0),
    model("moved_set", sets::moved_set, 2, 2, 0),
    model("last_leaves_one_joins", sets::last_leaves_one_joins, 2, 2, 0),
    model("last_leaves_one_joins_striped", sets::last_leaves_one_joins_striped, 2, 3, 3),
    model("set_comes_and_goes", sets::set_comes_and_goes, 1, 2, 0),
    model("set_comes_and_goes_striped", sets::set_comes_and_goes_striped, 2, 2, 0),
    model("slow_closer", sets::slow_closer, 1, 2, 0),
    model("rejected_claims", sets::rejected_claims, 2, 2, 3),
    model("query_replace", sets::query_replace, 3, 3, 0),
    model("query_put_put", sets::query_put_put, 2, 2, 0),
    model("put_put_absent_tagged", sets::put_put_absent_tagged, 3, 3, 0),
    model("query_slot_reuse", sets::query_slot_reuse, 3, 3, 0),
    model("query_retag", sets::query_retag, 3, 3, 0),
    model("query_equal_hashes", sets::query_equal_hashes, 3, 3, 0),
    model("change_of_name", sets::change_of_name, 3, 2, 0),
    model("replace_remove_tagged", sets::replace_remove_tagged, 3, 3, 0),
    model("two_changes_of_name", sets::two_changes_of_name, 1, 2, 0),
    model("dropped_keeps_claims", sets::dropped_keeps_claims, 2, 2, 0),
    model("chunk_closes", sets::chunk_closes, 2, 2, 0),
    model("room_behind_a_claim", sets::room_behind_a_claim, 3, 3, 0),
    model("second_of_a_new_chunk", sets::second_of_a_new_chunk, 3, 3, 0),
    model("two_claims_go_round", sets::two_claims_go_round, 2, 2, 0),
    model("query_moves", sets::query_moves, 2, 2, 3),
    model("query_after_lookup", sets::query_after_lookup, 3, 3, 0),
    model("lookup_remove_free", reclaim::lookup_remove_free, 3, 3, 0),
    model("own_remove", reclaim::own_remove, 3, 3, 0),
    model("own_own", reclaim::own_own, 3, 3, 0),
    model("drop_drop", reclaim::drop_drop, 3, 3, 0),
    model("one_shelf", reclaim::one_shelf, 3, 3, 0),
    reclaims("collect_remove", reclaim::collect_remove, 2, 3),
    model("repin", reclaim::repin, 3, 3, 0),
    model("flag_reuse", reclaim::flag_reuse, 3, 3, 0),
    model("nested_pins", reclaim::nested_pins, 3, 3, 0),
    shared("one_shelf_shared", reclaim::one_shelf, 2, 2),
    shared("shelf_handed_on", reclaim::shelf_handed_on, 3, 3),
    shared("set_stripe_shared", sets::last_leaves_one_joins_striped, 2, 2),
    slots("two_slots", slots::two_slots, 9, 4),
    slots("two_buckets", slots::two_buckets, 9, 4),
    slots("slots_and_removal", slots::slots_and_removal, 3, 3),
    slots("three_slots", slots::three_slots, 2, 2),
    slots("three_slots_lowest_first", slots::three_slots_lowest_first, 2, 2),
    slots("slots_stale_helper", slots::stale_helper, 1, 2),
    slots("deadline_comes_again", deadlines::deadline_comes_again, 9, 9),
    slots("deadline_goes_early", deadlines::deadline_goes_early, 9, 9),
    // For the long tier and for shuttle.
    model("three_inserts_three_slots", keys::three_inserts_three_slots, 0, 1, 0),
    model("stale_helper", keys::stale_helper, 1, 1, 0),
];

/// Every seeded bug with a model that must find it, and what that says.
#[rustfmt::skip]
const CATCHES: &[Catch] = &[
    catch("RelaxedPublish", "insert_insert", Written, 3, "Causality violation"),
    catch("RelaxedPublish", "lookup_insert_remove", Written, 3, "Causality violation"),
    catch("RetireBeforeUnlink", "lookup_remove_free", Written, 3, "freed memory is read"),
    catch("MigratedBeforeFill", "grow_lookup", Written, 3, "a miss of a key"),
    catch("ReaderIgnoresMigrated", "window_lookup", Written, 3, "freed memory is read"),
    catch("NoValidation", "insert_insert", Written, 3, "one winner"),
    catch("NoPassFence", "insert_remove_b_insert", Written, 3, "one winner"),
    catch("NoPassFence", "two_slots", Written, 9, "one winner"),
    catch("NeverCommitted", "insert_insert_then_remove", Rmw, 3, "walk"),
    catch("NeverCommitted", "walk_moves", Rmw, 3, "[(1, 1), (1, 2)]"),
    catch("FreeSlotEarly", "replace_remove_tagged", Rmw, 3, "given back twice"),
    catch("ClaimAnew", "query_replace", Rmw, 3, "[]"),
    catch("LateHash", "query_after_lookup", Rmw, 3, "[(3, 3)]"),
    catch("ClaimClosed", "last_leaves_one_joins", Rmw, 2, "members of x"),
    catch("ClaimClosed", "last_leaves_one_joins_striped", Rmw, 2, "members of @x"),
    catch("UnlinkAny", "last_leaves_one_joins", Rmw, 2, "members of x"),
    catch("CountAfterZero", "own_own", Written, 3, "freed memory is read"),
    catch("NoSecondLoad", "deadline_put_off", Rmw, 3, "a miss of a key"),
    catch("NoSecondLoad", "rebuild_deadline_put_off", Rmw, 3, "a miss of a key"),
    catch("FrozenIsCurrent", "rebuild_deadline_put_off", Rmw, 3, "a miss of a key"),
    catch("AnySlot", "query_equal_hashes", Rmw, 3, "[(1, 2), (1, 2)]"),
    catch("NoFreezeOverflow", "overflow_start", Rmw, 3, "walk"),
    catch("LateTop", "second_of_a_new_chunk", Rmw, 2, "misses what was inserted before it"),
    catch("WidenClass", "halve_walk", Rmw, 3, "each exactly once"),
    catch("OwnFirst", "halve_both_ways", Rmw, 2, "[Some(1), None]"),
    catch("RepublishKilled", "slots_stale_helper", Rmw, 3, "one element of the key"),
    catch("NoHelperFence", "three_slots", Written, 3, "one winner"),
    catch("MovePending", "start_insert_insert", Rmw, 2, "one winner"),
    catch("TakePending", "lookup_insert_insert", Written, 2, "of a key that is"),
    catch("RemoveToUninit", "late_helper", Rmw, 2, "failed: walk"),
    catch("SkipHelping", "late_helper", Rmw, 2, "what was removed"),
    catch("FreezeBySight", "start_insert_insert", Rmw, 2, "one winner"),
    catch("RelaxedShelf", "shelf_handed_on", Written, 3, "Causality violation"),
    catch("StaleSetPointer", "moved_set", Rmw, 2, "freed memory is read"),
    catch("LateFilter", "lookup_overflow", Rmw, 2, "a miss of a key that is there by then"),
    catch("EmptyFilter", "halve_lookup_overflow", Rmw, 2, "a miss of a key that is there throughout"),
    catch("OpenFilter", "window_insert", Rmw, 2, "a miss of a key that is there by then"),
    catch("NoSecondLook", "window_lookup", Written, 2, "freed memory is read"),
    catch("NoSecondLook", "halve_window_lookup", Rmw, 2, "freed memory is read"),
    catch("NoRepinFence", "repin", Written, 3, "freed memory is read"),
    catch("NoDeadlineFence", "deadline_comes_again", Written, 9, "an entry that no sweep finds"),
    catch("NoDeadlineFence", "deadline_goes_early", Written, 9, "an item of no entry"),
];

fn main() {
    harness::main(MODELS, CATCHES)
}
