#![no_main]

use process_registry_fuzz::ops::{Input, run};

libfuzzer_sys::fuzz_target!(|input: Input| run(&input));
