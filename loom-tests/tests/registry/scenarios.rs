//! The scenarios, and which of them finds which seeded bug.

use crate::harness::{self, Catch, Scenario};
use crate::{bulks, changes, holders, tables};

const fn scenario(name: &'static str, run: fn()) -> Scenario {
    Scenario { name, run }
}

const fn catch(
    mutant: &'static str,
    scenario: &'static str,
    says: &'static [&'static str],
) -> Catch {
    Catch { mutant, scenario, says }
}

const SCENARIOS: &[Scenario] = &[
    scenario("churn", tables::churn),
    scenario("growth", tables::growth),
    scenario("halving", tables::halving),
    scenario("up_and_down", tables::up_and_down),
    scenario("equal_hashes", tables::equal_hashes),
    scenario("names_come_and_go", tables::names_come_and_go),
    scenario("one_winner", changes::one_winner),
    scenario("counters", changes::counters),
    scenario("compute", changes::compute),
    scenario("renewed_lease", changes::renewed_lease),
    scenario("expiry", changes::expiry),
    scenario("remove_node", bulks::remove_node),
    scenario("merge", bulks::merge),
    scenario("revival", bulks::revival),
    scenario("retain", bulks::retain),
    scenario("clear_all", bulks::clear_all),
    scenario("registrations", holders::registrations),
    scenario("overruled", holders::overruled),
    scenario("owned", holders::owned),
    scenario("hooks", holders::hooks),
];

const CATCHES: &[Catch] = &[
    catch("RetireBeforeUnlink", "retain", &["values are lost", "freed memory is read"]),
    catch(
        "MigratedBeforeFill",
        "growth",
        &["a query by", "an iteration over", "misses", "the length"],
    ),
    catch("ReaderIgnoresMigrated", "equal_hashes", &["freed memory is read"]),
    catch(
        "NoValidation",
        "registrations",
        &[
            "two hold one id",
            "nobody else removes it",
            "members of a",
            "members of t",
            "the length",
        ],
    ),
    catch("NeverCommitted", "overruled", &["freed memory is read", "a query by"]),
    catch("FreeSlotEarly", "churn", &["a slot given back twice", "a member given back twice"]),
    catch("ClaimAnew", "churn", &["a query by", "members of t"]),
    catch("LateHash", "compute", &["members of t", "a query by"]),
    catch("ClaimClosed", "remove_node", &["the nodes", "the tags", "freed memory is read"]),
    catch("UnlinkAny", "names_come_and_go", &["the tags", "the nodes", "a query by"]),
    catch("CountAfterZero", "names_come_and_go", &["values are lost", "freed memory is read"]),
    catch("NoSecondLoad", "renewed_lease", &["misses 0", "a query by", "an iteration over"]),
    catch("WidenClass", "up_and_down", &["an iteration over 0"]),
];

pub fn main() {
    harness::main(SCENARIOS, CATCHES);
}
