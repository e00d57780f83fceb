//! `cargo xtask evidence`: runs the simulator and the faults of real processes at a chosen size and tells what came of it,
//! as a dated report if asked.
//!
//! It judges nothing itself: a program that ends badly ends it badly, with a report that says so.

mod beside;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

pub(crate) use self::beside::Beside;
use self::report::Report;
use crate::bench::machine;
use crate::process;

/// How much is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// What the gate runs: a few minutes.
    Ci,
    /// What is recorded before a release: an hour or so.
    Full,
}

/// So many of the last lines of a part that failed are told once more at the end.
const TOLD: usize = 8;

/// What it takes.
const HELP: &str = "usage: cargo xtask evidence [--size ci|full] [--record|--resume] [--only sim|faults|fuzz|soak]\n
  --size ci    20,000 runs with kills, 2,000 with losses of power, 5,000 with failing calls, 5,000 with damage, 500 twice,
               every failing call one at a time, every planted bug, a sample of the cuts and flips,
               50 real processes killed, 25 losses of power under one, full disks, failing calls, the misuse battery,
               200,000 inputs for each decoder, a server with little memory loaded for ten minutes beside all that (default)
  --size full  1,000,000 runs with kills, 100,000 with losses of power, 100,000 with failing calls, 100,000 with damage, 5,000 twice,
               every failing call one at a time, every planted bug, the log cut at every byte of its last MiB, every bit of what
               is sealed in a small store turned, a part of the other ways to cut and to harm,
               500 real processes killed, 500 losses of power under one, full disks, failing calls, the misuse battery,
               1,000,000 inputs for each decoder, a server with little memory loaded for an hour beside all that
  --record     write docs/evidence/<day>-<size>.md as well, after each part
  --resume     the same, but parts that it says passed on the same commit are not run again
  --only NAME  run the parts of one program: sim, faults or fuzz; soak: only the server under load\n";

/// One program with arguments, and what it shows.
#[derive(Clone, Copy, Debug)]
struct Part {
    title: &'static str,
    package: &'static str,
    arguments: &'static str,
}

/// What the words ask for.
#[derive(Clone, Copy, Debug)]
struct Options<'a> {
    size: Size,
    record: bool,
    resume: bool,
    /// The end of the only package to run, or `soak`.
    only: Option<&'a str>,
    /// Whether the part that lasts runs beside the others.
    soak: bool,
}

/// Runs what the words say.
pub(crate) fn run(root: &Path, words: &[&str]) -> Result<bool> {
    let options = Options::parse(words)?;
    if !options.record {
        return Ok(battery(root, options, None)?.is_empty());
    }
    let (day, _) = machine::now();
    let directory = root.join("docs/evidence");
    fs::create_dir_all(&directory).context("docs/evidence could not be made")?;
    let path = directory.join(format!("{day}-{}.md", options.size.name()));
    let failed = battery(root, options, Some(path.clone()))?;
    println!("wrote {}", path.display());
    Ok(failed.is_empty())
}

impl<'a> Options<'a> {
    const CI: Self = Self { size: Size::Ci, record: false, resume: false, only: None, soak: true };

    fn parse(words: &[&'a str]) -> Result<Self> {
        let mut options = Self::CI;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match (*word, words.as_slice().first()) {
                ("--record", _) => options.record = true,
                ("--resume", _) => (options.record, options.resume) = (true, true),
                ("--size", Some(&name)) => {
                    words.next();
                    options.size = match name {
                        "ci" => Size::Ci,
                        "full" => Size::Full,
                        other => bail!("there is no size `{other}`\n\n{HELP}"),
                    };
                }
                ("--only", Some(&name)) => {
                    words.next();
                    if !["sim", "faults", "fuzz", "soak"].contains(&name) {
                        bail!("there is no program `{name}`\n\n{HELP}");
                    }
                    options.only = Some(name);
                }
                (other, _) => bail!("there is no option `{other}`, or it wants a value\n\n{HELP}"),
            }
        }
        Ok(options)
    }
}

/// Runs everything of the size that the gate runs but [`soak`]; the parts that failed.
pub(crate) fn ci(root: &Path) -> Result<Vec<&'static str>> {
    battery(root, Options { soak: false, ..Options::CI }, None)
}

/// Starts the part that lasts, for the gate: all its other steps run meanwhile.
pub(crate) fn soak(root: &Path) -> Result<Beside> {
    Beside::start(root, &Size::Ci.soak())
}

/// Runs the parts; those that failed. The report is kept after each of them, with what is yet to be run.
fn battery(root: &Path, options: Options<'_>, path: Option<PathBuf>) -> Result<Vec<&'static str>> {
    let report = Report::new(root, options.size, path);
    let (parts, soak) = (options.size.parts(), options.size.soak());
    let listed: Vec<Part> = parts.iter().copied().chain([soak]).collect();
    let (mut failed, mut told) = (Vec::new(), String::new());
    let mut note = |part: &Part, spelled: &str, passed: bool, lines: &[String]| {
        if !passed {
            // What it printed may be far above by now, or cut off.
            let last = &lines[lines.len().saturating_sub(TOLD)..];
            told.push_str(&format!("FAILED: {}: `{spelled}`\n  {}\n", part.title, last.join("\n  ")));
            failed.push(part.title);
        }
        let (day, minute) = machine::now();
        let (load, lines) = (machine::load(), lines.join("\n"));
        let text = format!("\n`{spelled}`, done {day} {minute}, load {load}\n\n```text\n{lines}\n```\n");
        report.add(&listed, part.title, passed, &text)
    };
    let wanted = |part: &Part| {
        let passed = options.resume && report.has_passed(part);
        if passed {
            println!("passed already: {}", part.title);
        }
        !passed
    };
    let lasts = options.soak && options.only.is_none_or(|only| only == "soak") && wanted(&soak);
    let beside = lasts.then(|| Beside::start(root, &soak)).transpose()?;
    for part in parts.iter().filter(|part| options.only.is_none_or(|only| part.package.ends_with(only))) {
        if !wanted(part) {
            continue;
        }
        let mut command = part.command(root);
        let spelled = process::spelled(&command);
        println!("$ {spelled}");
        let (status, lines) = process::run_keeping(&mut command, |line| !line.ends_with(" runs"))?;
        note(part, &spelled, status.success(), &lines)?;
    }
    if let Some(beside) = beside {
        let spelled = beside.spelled.clone();
        let (passed, lines) = beside.ended()?;
        note(&soak, &spelled, passed, &lines)?;
    }
    print!("{told}");
    Ok(failed)
}

impl Part {
    fn command(&self, root: &Path) -> Command {
        let mut command = process::cargo(root);
        // Fuzzing is to notice what runs over, too.
        let profile = if self.package == "factlog-fuzz" { "--profile=fuzz" } else { "--release" };
        command.args(["run", profile, "--quiet", "-p", self.package, "--"]).args(self.arguments.split(' '));
        command
    }
}

impl Size {
    fn name(self) -> &'static str {
        match self {
            Self::Ci => "ci",
            Self::Full => "full",
        }
    }

    /// What is run, in this order.
    fn parts(self) -> Vec<Part> {
        let part = |package| move |(title, arguments)| Part { title, package, arguments };
        let simulated = self.simulated().map(part("factlog-sim"));
        let real = self.real().map(part("factlog-faults"));
        let inputs = match self {
            Self::Ci => "--runs 200000 --seed 1",
            Self::Full => "--runs 1000000 --seed 2",
        };
        let decoders = [("Decoders are given what was tampered with", inputs)].map(part("factlog-fuzz"));
        simulated.into_iter().chain(real).chain(decoders).collect()
    }

    /// What lasts, and runs beside the others.
    fn soak(self) -> Part {
        let arguments = match self {
            Self::Ci => "soak --minutes 10",
            Self::Full => "soak --minutes 60",
        };
        let title = "A server with little memory, a log of several GiB and a thousand subscribers";
        Part { title, package: "factlog-faults", arguments }
    }

    /// On a simulated disk.
    fn simulated(self) -> [(&'static str, &'static str); 11] {
        let [kills, losses, errors, damage, kills_twice, errors_twice, damage_twice, cuts, flips] = match self
        {
            Self::Ci => [
                "--kind kill --runs 20000",
                "--kind power --runs 2000",
                "--kind errors --runs 5000",
                "--kind damage --runs 5000",
                "--kind kill --seed 2000000 --runs 500 --twice",
                "--kind errors --seed 2000000 --runs 500 --twice",
                "--kind damage --seed 2000000 --runs 500 --twice",
                "--cuts --sample 41",
                "--flips --sample 41",
            ],
            Self::Full => [
                "--kind kill --runs 1000000",
                "--kind power --runs 100000",
                "--kind errors --runs 100000",
                "--kind damage --runs 100000",
                "--kind kill --seed 2000000 --runs 5000 --twice",
                "--kind errors --seed 2000000 --runs 5000 --twice",
                "--kind damage --seed 2000000 --runs 5000 --twice",
                "--cuts --rest 16",
                "--flips --rest 16",
            ],
        };
        [
            ("The process is killed", kills),
            ("The power fails", losses),
            ("Calls fail or the disk is full, and processes end both ways", errors),
            ("What is stored is harmed, and processes end both ways", damage),
            ("Every place that calls the disk fails, one call at a time", "--sites"),
            ("Killed, each run twice and compared", kills_twice),
            ("Failing calls, each run twice and compared", errors_twice),
            ("Damage, each run twice and compared", damage_twice),
            ("The log cut at every byte of its end", cuts),
            ("Every bit turned, every sector replaced", flips),
            ("Planted bugs, and the seeds that catch them", "--bugs"),
        ]
    }

    /// Under real processes.
    fn real(self) -> [(&'static str, &'static str); 5] {
        let [kills, losses, full, failing] = match self {
            Self::Ci => ["kill --cycles 50", "amnesia --cycles 25", "full --fills 2 --openings 3", "failing"],
            Self::Full => {
                ["kill --cycles 500", "amnesia --cycles 500", "full --fills 10", "failing --times 5"]
            }
        };
        [
            ("Real processes are killed", kills),
            ("The power fails under real processes, on a file system that forgets", losses),
            ("Real file systems are full under real processes", full),
            ("Calls of real processes fail, each at every place", failing),
            ("What operators, machines and limits do", "misuse"),
        ]
    }
}

#[cfg(test)]
mod tests {
    //! A word that is not understood must not pass for a battery that ran.
    use super::*;

    #[test]
    fn unknown_words_are_refused_before_anything_runs() {
        for words in [&["--size"][..], &["--size", "huge"], &["--fast"], &["ci"], &["--only", "all"]] {
            let error = run(Path::new("/nowhere"), words).expect_err("refused").to_string();
            assert!(error.contains("usage: cargo xtask evidence"), "{error}");
        }
    }
}
