#![no_main]

use process_registry_fuzz::word::{Input, run};

libfuzzer_sys::fuzz_target!(|input: Input| run(&input));
