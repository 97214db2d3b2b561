//! libFuzzer, driving the target that FASTBOX_FUZZ_TARGET names. See scripts/fuzz.
#![no_main]

use std::sync::OnceLock;

use fastbox_fuzz::{Random, Target};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fn target() -> &'static Target {
    static TARGET: OnceLock<&Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        // A panic on a confined thread comes to this one, which can still write the input to a file:
        // the hook that ends the process at once is in the way.
        drop(std::panic::take_hook());
        let name = std::env::var("FASTBOX_FUZZ_TARGET").unwrap_or_default();
        let found = fastbox_fuzz::target(&name);
        found.unwrap_or_else(|| panic!("FASTBOX_FUZZ_TARGET: there is no target '{name}'"))
    })
}

fuzz_target!(|data: &[u8]| (target().run)(data));

// Most changes keep the input's form; the rest are libFuzzer's own, which follow the comparisons
// that the program makes.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut random = Random::new(u64::from(seed));
    if random.below(3) == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let changed = (target().mutate)(&data[..size], &mut random);
    let len = changed.len().min(max_size);
    data[..len].copy_from_slice(&changed[..len]);
    len
});
