//! `factlog-sim`: many runs, or one again.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool speaks on its standard output"
)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::{Parser, ValueEnum};
use factlog_engine::simulation::Bug;
use factlog_sim::harm::{self, Choice};
use factlog_sim::run::sensitivity::{self, Caught};
use factlog_sim::run::{self, Failure, Kind, Plan, Summary, sites};

/// Run the engine on a simulated disk with crashes that a seed decides; exit code 1 if a promise breaks
///
/// Every run is one thread and one seed: the same seed is the same run. A failing run is cut down to the fewest steps
/// that still fail, and printed with the command that repeats it.
#[derive(Debug, Parser)]
#[command(name = "factlog-sim", after_help = EXAMPLES)]
struct Arguments {
    /// What goes wrong
    #[arg(long, value_enum, default_value_t = Crash::Kill)]
    kind: Crash,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many seeds, from that one on
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// Steps of a run at most
    #[arg(long)]
    steps: Option<u64>,
    /// Run each seed twice, and compare every call of the disk and every answer
    #[arg(long)]
    twice: bool,
    /// Print the calls of the disk of the first seed
    #[arg(long)]
    trace: bool,
    /// Plant every deliberate bug in turn, and say which seed catches it
    #[arg(long, exclusive = true)]
    bugs: bool,
    /// Cut the log at every byte of its last MiB instead, or turn every bit of a small store's files
    #[command(flatten)]
    harm: Harm,
    /// Fail every call of every place that calls the disk, one at a time, and print how many were failed
    #[arg(long, exclusive = true)]
    sites: bool,
    /// Print what came of it as one line of JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  factlog-sim --kind kill --runs 20000
  factlog-sim --kind power --runs 2000 --twice
  factlog-sim --kind kill --seed 42 --trace
  factlog-sim --bugs
  factlog-sim --cuts --sample 64
  factlog-sim --flips --only index/0-00000000000000000001-00000000000000000084.idx:4096:3";

/// Harm done to every place, instead of runs.
#[derive(Debug, clap::Args)]
struct Harm {
    /// Cut the log at every byte of its last MiB, in each way that it can be cut
    #[arg(long, conflicts_with = "kind")]
    cuts: bool,
    /// Turn every bit of a small store's files, and replace each of their sectors
    #[arg(long, conflicts_with_all = ["kind", "cuts"])]
    flips: bool,
    /// Only every n-th of these, from one that the seed draws
    #[arg(long, default_value_t = 1)]
    sample: u64,
    /// Only every n-th again of those that say least: cuts that leave no zeros, and bits of write-ahead files
    #[arg(long, default_value_t = 1)]
    rest: u64,
    /// Only this one of these, by the name that a broken promise was told with
    #[arg(long)]
    only: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Crash {
    /// The process is killed; what was written stays
    Kill,
    /// The power fails; what was not synced may be gone
    Power,
    /// Calls of the disk fail or it is full, and processes end both ways
    Errors,
    /// What is stored is harmed, and processes end both ways
    Damage,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let kind = match arguments.kind {
        Crash::Kill => Kind::Kill,
        Crash::Power => Kind::PowerLoss,
        Crash::Errors => Kind::Errors,
        Crash::Damage => Kind::Damage,
    };
    if arguments.trace {
        let plan = Plan { kind, seed: arguments.seed, steps: arguments.steps };
        run::trace(plan).iter().for_each(|line| println!("{line}"));
    }
    if arguments.bugs {
        return bugs();
    }
    if let Some(done) = arguments.harm.run(arguments.seed) {
        return done;
    }
    if arguments.sites {
        return sites();
    }
    match run_all(&arguments, kind) {
        Ok(all) => {
            println!("{}", told(&arguments, kind, &all));
            ExitCode::SUCCESS
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

impl Harm {
    /// Does what is asked for, if it is; exit code 1 if a promise breaks.
    fn run(&self, seed: u64) -> Option<ExitCode> {
        let choice = Choice { seed, sample: self.sample, rest: self.rest, only: self.only.clone() };
        let done = match (self.cuts, self.flips) {
            (true, _) => harm::cuts::run(&choice, harm::cuts::BYTES).map(|done| done.to_string()),
            (false, true) => harm::flips::run(&choice).map(|done| done.to_string()),
            (false, false) => return None,
        };
        Some(match done {
            Ok(told) => {
                println!("{told}");
                ExitCode::SUCCESS
            }
            Err(broken) => {
                eprintln!("{broken}");
                ExitCode::FAILURE
            }
        })
    }
}

/// Fails each call of the disk; exit code 1 if a promise breaks by it.
fn sites() -> ExitCode {
    match sites::fail_all() {
        Ok(failed) => {
            println!("{:<18} {:<28} {:>6}", "call", "place", "failed");
            for ((call, place), count) in &failed {
                println!("{call:<18} {place:<28} {count:>6}");
            }
            let all: u64 = failed.values().sum();
            println!(
                "{} places, {all} failed calls and none lost; the engine never cuts off a file",
                failed.len()
            );
            ExitCode::SUCCESS
        }
        Err(broken) => {
            let sites::Broken { site: (call, place), nth, how, failure } = *broken;
            eprintln!("{call} of {place}, number {nth}, failed with {how}: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Plants each bug; exit code 1 if one is not caught.
fn bugs() -> ExitCode {
    // They are meant to panic, and each is told in one line.
    std::panic::set_hook(Box::new(|_| {}));
    let mut missed = 0;
    for &bug in Bug::ALL {
        match sensitivity::catch(bug, sensitivity::SEEDS_MAX) {
            Some(Caught { plan, seeds, what, .. }) => {
                println!("{bug:?}: {seeds} seeds ({}, seed {}): {what}", plan.kind, plan.seed);
            }
            None => {
                missed += 1;
                println!("{bug:?}: NOT CAUGHT within {} seeds", sensitivity::SEEDS_MAX);
            }
        }
    }
    println!("{} of {} bugs caught", Bug::ALL.len() - missed, Bug::ALL.len());
    if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all seeds on all cores, until one fails.
fn run_all(arguments: &Arguments, kind: Kind) -> Result<Summary, Failure> {
    let (next, end) = (AtomicU64::new(arguments.seed), arguments.seed.saturating_add(arguments.runs));
    let done = Mutex::new((Summary::default(), None));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if end <= seed {
                        return;
                    }
                    let one = one(Plan { kind, seed, steps: arguments.steps }, arguments.twice);
                    let mut done = done.lock().expect("no run panics with the sum");
                    match one {
                        Ok(one) => add(&mut done.0, &one),
                        Err(failure) => {
                            next.store(end, Ordering::Relaxed);
                            done.1.get_or_insert(failure);
                        }
                    }
                    let count = seed - arguments.seed + 1;
                    if count.is_multiple_of(5_000) {
                        eprintln!("{kind}: {count} of {} runs", arguments.runs);
                    }
                }
            });
        }
    });
    let (all, failure) = done.into_inner().expect("no run panics with the sum");
    failure.map_or(Ok(all), Err)
}

fn one(plan: Plan, twice: bool) -> Result<Summary, Failure> {
    let one = run::run(plan)?;
    if twice {
        let other = run::run(plan)?;
        if one != other {
            let what = vec![format!("the same seed gave two runs: {one:?} and {other:?}")];
            return Err(Failure { plan, what });
        }
    }
    Ok(one)
}

fn add(all: &mut Summary, one: &Summary) {
    all.steps += one.steps;
    all.crashes += one.crashes;
    all.acknowledged += one.acknowledged;
    all.unknown += one.unknown;
    all.refused += one.refused;
    all.failures += one.failures;
    all.harms += one.harms;
    all.read_only += one.read_only;
    all.refusals += one.refusals;
    all.excused += one.excused;
    all.conflicts += one.conflicts;
    all.events += one.events;
    all.segments += one.segments;
    // In any order: runs end as they like.
    all.trace = all.trace.wrapping_add(one.trace);
}

fn told(arguments: &Arguments, kind: Kind, all: &Summary) -> String {
    let Summary {
        steps,
        crashes,
        acknowledged,
        unknown,
        refused,
        failures,
        harms,
        read_only,
        refusals,
        excused,
        conflicts,
        events,
        segments,
        trace,
    } = all;
    let runs = arguments.runs;
    if arguments.json {
        return format!(
            r#"{{"kind":"{kind}","seed":{},"runs":{runs},"twice":{},"steps":{steps},"crashes":{crashes},"acknowledged":{acknowledged},"unknown":{unknown},"refused":{refused},"failures":{failures},"harms":{harms},"read_only":{read_only},"refusals":{refusals},"excused":{excused},"conflicts":{conflicts},"events":{events},"segments":{segments},"trace":"{trace:016x}"}}"#,
            arguments.seed, arguments.twice
        );
    }
    let harm = if kind == Kind::Damage {
        format!(
            "{harms} places harmed, {read_only} openings for reading only and {refusals} refused, {excused} runs ended by a \
             loss that nothing could tell, "
        )
    } else {
        String::new()
    };
    format!(
        "{kind}: {runs} runs, {steps} steps, {crashes} crashes, {acknowledged} appends acknowledged and none lost, {unknown} \
         never answered and none half there, {refused} refused over {failures} failed calls and none of them there, {conflicts} conflicts, {harm}{events} events and {segments} segments at the \
         ends; trace {trace:016x}"
    )
}
