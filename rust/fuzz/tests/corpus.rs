//! Every input that the fuzzer found worth keeping, once more.

use std::fs;

use fastbox_fuzz::{Random, TARGETS, Target};

/// So many rounds over all inputs are made at most.
const MOST_ROUNDS: usize = 30;

/// A round that takes less more memory than this, in KiB, leaves none behind.
const SETTLED: u64 = 64;

/// The most that the process may take at any time, in KiB.
const MOST: u64 = 512 << 10;

/// Every target with each of its inputs.
fn all() -> impl Iterator<Item = (&'static Target, Vec<u8>)> {
    TARGETS.iter().flat_map(|target| {
        let inputs = target.inputs();
        assert!(!inputs.is_empty(), "{} has no inputs", target.name);
        inputs.into_iter().map(move |(name, input)| {
            // Seen where the test fails.
            println!("{} {name}", target.name);
            (target, input)
        })
    })
}

/// A field of /proc/self/status in KiB.
fn memory(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let digits = line.unwrap().trim_matches(|c: char| !c.is_ascii_digit());
    digits.parse().unwrap()
}

#[test]
fn kept_inputs_and_their_relatives_neither_fail_nor_leave_memory_behind() {
    // Fills caches, too.
    for (target, input) in all() {
        let mut random = Random::of(&input);
        (target.run)(&(target.mutate)(&input, &mut random));
    }
    let mut held = vec![memory("VmRSS:")];
    // What leaks does so in every round; an allocator with an arena a thread settles after some.
    while held.len() <= MOST_ROUNDS {
        all().for_each(|(target, input)| (target.run)(&input));
        held.push(memory("VmRSS:"));
        if held[held.len() - 1] < held[held.len() - 2] + SETTLED {
            break;
        }
    }
    println!("REPORT: memory after each round over the corpus: {held:?} KiB");
    assert!(
        held.len() <= MOST_ROUNDS,
        "each round leaves memory behind: {held:?} KiB"
    );
    let peak = memory("VmHWM:");
    assert!(peak < MOST, "{peak} KiB at once");
}
