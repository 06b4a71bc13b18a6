//! Runs every input that is kept: what the fuzzer begins with, and what it has found.

use std::fmt::Debug;
use std::fs;
use std::path::Path;

use arbitrary::{Arbitrary, Unstructured};

/// Runs the kept inputs of a target, each made of its bytes as the fuzzer makes it.
fn replay<I: for<'a> Arbitrary<'a> + Debug>(target: &str, run: fn(&I)) {
    let mut count = 0;
    for kind in ["seeds", "regressions"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target);
        let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        for file in files {
            let path = file.expect("a readable folder").path();
            if path.file_name().is_some_and(|name| name == ".gitkeep") {
                continue;
            }
            let bytes = fs::read(&path).expect("a readable file");
            // Too few bytes for a whole input: the fuzzer passes over these, too.
            if let Ok(input) = I::arbitrary_take_rest(Unstructured::new(&bytes)) {
                // Before it is run: if it fails, this says which it was.
                println!("{} (kept)", path.display());
                run(&input);
                count += 1;
            }
        }
    }
    assert!(count >= 10, "only {count} inputs are kept for {target}");
}

#[test]
fn ops() {
    replay("ops", crate::ops::run);
}

#[test]
fn bulk_hooks() {
    replay("bulk_hooks", crate::bulk_hooks::run);
}

#[test]
fn word() {
    replay("word", crate::word::run);
}
