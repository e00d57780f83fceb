//! `factlog-fuzz`: one target under many inputs, or one input again.
#![expect(clippy::print_stdout, reason = "a command-line tool speaks on its standard output")]

use std::alloc::System;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, exit};

use anyhow::{Context, Result, bail};
use cap::Cap;
use clap::Parser;
use factlog_fuzz::drive::{Driver, Failure, PATIENCE, quietly};
use factlog_fuzz::{TARGETS, Target, corpus, target};
use xxhash_rust::xxh3::xxh3_64;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Run decoders on input that was tampered with; exit code 1 if one of them shows a fault
///
/// Every input is one of the corpus, changed as a seed decides: the same seed makes the same inputs. A failing input is
/// cut down, written to `target/fuzz`, and printed with the command that repeats it.
#[derive(Debug, Parser)]
#[command(name = "factlog-fuzz", after_help = EXAMPLES)]
struct Arguments {
    /// Targets by name; all of them if none is given
    targets: Vec<String>,
    /// Inputs for each target, behind those of the corpus; targets that are more work get fewer
    #[arg(long, default_value_t = 100_000)]
    runs: u64,
    /// Which inputs
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Run this file alone
    #[arg(long, value_name = "FILE", conflicts_with_all = ["runs", "seed"])]
    input: Option<PathBuf>,
    /// Write every input to `target/fuzz/current` before it is run, for faults that end the process
    #[arg(long)]
    careful: bool,
    /// Write the real encodings of the corpus anew
    #[arg(long, conflicts_with_all = ["runs", "seed", "input"])]
    seeds: bool,
    /// List the targets
    #[arg(long, exclusive = true)]
    list: bool,
}

const EXAMPLES: &str = "\
Examples:
  factlog-fuzz --runs 10000
  factlog-fuzz manifest run_file --runs 1000000 --seed 7
  factlog-fuzz manifest --input target/fuzz/manifest-0123456789abcdef";

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.list {
        TARGETS.iter().for_each(|target| println!("{}", target.name));
        return Ok(ExitCode::SUCCESS);
    }
    let chosen: Vec<&'static Target> = match arguments.targets.as_slice() {
        [] => TARGETS.iter().collect(),
        names => {
            names.iter().map(|name| target(name).with_context(|| unknown(name))).collect::<Result<_>>()?
        }
    };
    let mut failed = 0;
    for target in chosen {
        if arguments.seeds {
            println!("{}: {} seeds", target.name, corpus::write_seeds(target)?);
        } else if let Err(failure) = quietly(|| one(target, &arguments))? {
            failed += 1;
            report(target, &failure)?;
        }
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn unknown(name: &str) -> String {
    format!("there is no target `{name}`; `factlog-fuzz --list` shows those there are")
}

fn one(target: &'static Target, arguments: &Arguments) -> Result<Result<(), Failure>> {
    let mut driver = Driver::new(target, || MEMORY.total_allocated(), stuck);
    if let Some(path) = &arguments.input {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let result = driver.run(&bytes);
        if result.is_ok() {
            println!("{}: the input shows no fault", target.name);
        }
        return Ok(result);
    }
    let inputs: Vec<Vec<u8>> = corpus::read(target)?.into_iter().map(|(_, bytes)| bytes).collect();
    if inputs.is_empty() {
        bail!("{} has no corpus: write its seeds with `factlog-fuzz --seeds`", target.name);
    }
    if arguments.careful {
        return carefully(target, &mut driver, &inputs, arguments);
    }
    for input in &inputs {
        if let Err(failure) = driver.run(input) {
            return Ok(Err(failure));
        }
    }
    let runs = arguments.runs / target.work;
    let result = driver.mutate(&inputs, arguments.seed, runs);
    if result.is_ok() {
        let (name, memory) = (target.name, driver.memory);
        println!(
            "{name}: {} inputs of the corpus, {runs} made of them; {memory} bytes and {} for each byte at most",
            inputs.len(),
            target.memory.per_byte
        );
    }
    Ok(result)
}

/// The same, slowly: each input is on disk before it is run.
fn carefully(
    target: &Target,
    driver: &mut Driver,
    inputs: &[Vec<u8>],
    arguments: &Arguments,
) -> Result<Result<(), Failure>> {
    let mut mutator = factlog_fuzz::Mutator::new(arguments.seed);
    let made = (0..arguments.runs / target.work).map(|_| mutator.next(inputs));
    for input in inputs.iter().cloned().chain(made) {
        write("current", &input)?;
        if let Err(failure) = driver.run(&input) {
            return Ok(Err(failure));
        }
    }
    println!("{}: no fault", target.name);
    Ok(Ok(()))
}

fn report(target: &Target, failure: &Failure) -> Result<()> {
    let path = write(&format!("{}-{:016x}", target.name, xxh3_64(&failure.input)), &failure.input)?;
    println!("{}: {}", target.name, failure.what);
    println!("  {} bytes: {}", failure.input.len(), shown(&failure.input));
    println!(
        "  again with: cargo run --profile fuzz -p factlog-fuzz -- {} --input {}",
        target.name,
        path.display()
    );
    Ok(())
}

/// An input in hexadecimal, or its beginning.
fn shown(input: &[u8]) -> String {
    const BYTES: usize = 64;
    let text: String = input.iter().take(BYTES).map(|byte| format!("{byte:02x}")).collect();
    if BYTES < input.len() { text + "..." } else { text }
}

fn write(name: &str, bytes: &[u8]) -> Result<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/fuzz");
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let path = dir.canonicalize()?.join(name);
    fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Told of an input that never ends: there is nobody left to tell but the person who waits.
fn stuck(target: &'static Target, input: &[u8]) {
    let what = format!("it did not end within {} seconds", PATIENCE.as_secs());
    let told = report(target, &Failure { input: input.to_vec(), what });
    exit(if told.is_ok() { 1 } else { 2 });
}
