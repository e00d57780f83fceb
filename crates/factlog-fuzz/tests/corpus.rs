//! The corpus, and a few thousand inputs made of it, on every target: what the gate runs.
//!
//! It would fail if a decoder went back to panicking, looping, taking memory that it was only told to take, or taking
//! in what does not come back; and if the corpus no longer had what today's writers write.

use std::alloc::System;
use std::process::abort;

use cap::Cap;
use factlog_fuzz::drive::{Driver, quietly};
use factlog_fuzz::{TARGETS, Target, corpus};

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Inputs that each target is given behind its corpus; those that are more work get fewer.
const RUNS: u64 = 3_000;
/// The seed of the gate: the same inputs each time, so that who changed something knows that it was he.
const SEED: u64 = 1;

/// One test, so that nobody else allocates while memory is counted.
#[test]
fn every_target_holds_over_its_corpus_and_over_inputs_made_of_it() {
    let mut faults = Vec::new();
    quietly(|| {
        for target in TARGETS.iter() {
            let inputs = corpus::read(target).expect("the corpus can be read");
            for (name, bytes) in (target.seeds)() {
                let known = inputs.iter().find(|(known, _)| *known == format!("seed-{name}"));
                if known.is_none_or(|(_, known)| *known != bytes) {
                    faults.push(format!(
                        "{}: seed-{name} is not what is written today: run --seeds",
                        target.name
                    ));
                }
            }
            faults.extend(run(target, inputs));
        }
    });
    let binaries = include_str!("../../../fuzz/Cargo.toml");
    let missing =
        TARGETS.iter().filter(|target| !binaries.contains(&format!("name = \"{}\"\n", target.name)));
    faults.extend(
        missing
            .map(|target| format!("{}: libFuzzer does not know it: add it to fuzz/Cargo.toml", target.name)),
    );
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn run(target: &'static Target, inputs: Vec<(String, Vec<u8>)>) -> Vec<String> {
    let mut driver = Driver::new(target, || MEMORY.total_allocated(), |_, _| abort());
    let told = |what: &str, input: &[u8]| format!("{}: {what}; input {input:02x?}", target.name);
    let mut faults = Vec::new();
    for (name, bytes) in &inputs {
        if let Err(failure) = driver.run(bytes) {
            faults.push(format!("{}/{name}: {}", target.name, failure.what));
        }
    }
    let inputs: Vec<Vec<u8>> = inputs.into_iter().map(|(_, bytes)| bytes).collect();
    if faults.is_empty()
        && let Err(failure) = driver.mutate(&inputs, SEED, RUNS / target.work)
    {
        faults.push(told(&failure.what, &failure.input));
    }
    faults
}
