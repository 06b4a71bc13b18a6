//! The fuzz targets, built without `cargo fuzz`: what it adds to a build are these flags, and a
//! machine need not have it.

use std::fs;

use crate::Places;
use crate::amount::Amount;
use crate::checks::{Check, Tier, minutes, shuffled};
use crate::process::Step;

/// As `cargo fuzz` builds: coverage of edges, counted inline, and of compared values; address
/// sanitizer; assertions. One unit of code generation, or the coverage tables fall apart.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    -Ccodegen-units=1 -Zsanitizer=address --cfg fuzzing";

/// The targets; the seconds each has, forty in all or half an hour; and how many inputs it takes in each of them on
/// a machine a fifth as fast as one that takes some 190, 200 and 45,000.
const TARGETS: [(&str, [u64; 2], u64); 3] =
    [("ops", [20, 1200], 40), ("bulk_hooks", [14, 450], 40), ("word", [6, 150], 9000)];

pub(crate) fn of(tier: Tier, places: &Places) -> Vec<Check> {
    let folder = places.root.join("fuzz");
    let target = places.work.join("fuzz");
    let kept = Check::new("fuzz, inputs that are kept", Amount::lines("inputs", "(kept)"), 30)
        .step(
            Step::new(&places.cargo, &folder, minutes(15))
                .args("test --lib --no-default-features --target-dir")
                .arg(&target)
                .args("-- --nocapture"),
        );
    let build = shuffled(Step::new(&places.cargo, &folder, minutes(15)), "release", 3)
        .env("RUSTFLAGS", FLAGS)
        .args("build --release --bins --target")
        .arg(&places.host)
        .arg("--target-dir")
        .arg(&target);
    let programs = target.join(&places.host).join("release");
    let fuzzers = TARGETS.map(|(name, seconds, least)| {
        // What is found goes to where `cargo fuzz` puts it; what is merely new, to the side.
        let (artifacts, corpus) = (folder.join("artifacts").join(name), target.join("corpus"));
        for made in [&artifacts, &corpus.join(name)] {
            // If that fails, the fuzzer says so.
            let _ = fs::create_dir_all(made);
        }
        let time = tier.pick(seconds[0], seconds[1]);
        let fuzz = Step::new(programs.join(name), &folder, minutes(5 + time / 60))
            .arg(corpus.join(name))
            .arg(format!("seeds/{name}"))
            .arg(format!("regressions/{name}"))
            .arg(format!("-max_total_time={time}"))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            // Short inputs are not worth more than long ones here.
            .args("-len_control=0 -max_len=400 -timeout=20 -print_final_stats=1");
        let execs = Amount::after("execs", "stat::number_of_executed_units:");
        Check::new(format!("fuzz {name}"), execs, time * least).step(build.clone()).step(fuzz)
    });
    std::iter::once(kept).chain(fuzzers).collect()
}
