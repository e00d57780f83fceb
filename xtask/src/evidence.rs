//! `cargo xtask evidence`: runs the simulator and the faults of real processes at a chosen size and tells what came of it,
//! as a dated report if asked.
//!
//! It judges nothing itself: a program that ends badly ends it badly, with a report that says so.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

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
const HELP: &str = "usage: cargo xtask evidence [--size ci|full] [--record]\n
  --size ci    20,000 runs with kills, 2,000 with losses of power, 5,000 with failing calls, 5,000 with damage, 500 twice,
               every failing call one at a time, every planted bug, a sample of the cuts and flips,
               50 real processes killed, 25 losses of power under one, full disks, failing calls, the misuse battery,
               200,000 inputs for each decoder (default)
  --size full  1,000,000 runs with kills, 100,000 with losses of power, 100,000 with failing calls, 100,000 with damage, 5,000 twice,
               every failing call one at a time, every planted bug, the log cut at every byte of its last MiB, every bit of what
               is sealed in a small store turned, a part of the other ways to cut and to harm,
               500 real processes killed, 500 losses of power under one, full disks, failing calls, the misuse battery,
               1,000,000 inputs for each decoder
  --record     write docs/evidence/<day>-<size>.md as well\n";

/// Runs what the words say.
pub(crate) fn run(root: &Path, words: &[&str]) -> Result<bool> {
    let (mut size, mut record) = (Size::Ci, false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match (*word, words.as_slice().first()) {
            ("--record", _) => record = true,
            ("--size", Some(&name)) => {
                words.next();
                size = match name {
                    "ci" => Size::Ci,
                    "full" => Size::Full,
                    other => bail!("there is no size `{other}`\n\n{HELP}"),
                };
            }
            (other, _) => bail!("there is no option `{other}`, or it wants a value\n\n{HELP}"),
        }
    }
    if !record {
        return battery(root, size, |_| Ok(()));
    }
    let (day, _) = machine::now();
    let directory = root.join("docs/evidence");
    fs::create_dir_all(&directory).context("docs/evidence could not be made")?;
    let path = directory.join(format!("{day}-{}.md", size.name()));
    let passed = battery(root, size, |report| {
        fs::write(&path, report).with_context(|| format!("{} could not be written", path.display()))
    })?;
    println!("wrote {}", path.display());
    Ok(passed)
}

/// Runs everything of a size; whether all passed. The report is kept after each part, with what is yet to be run.
pub(crate) fn battery(root: &Path, size: Size, keep: impl Fn(&str) -> Result<()>) -> Result<bool> {
    let head = head(root, size);
    let mut failed = Vec::new();
    let mut sections = String::new();
    let parts = size.parts();
    for (at, (title, package, arguments)) in parts.iter().enumerate() {
        let mut command = process::cargo(root);
        // Fuzzing is to notice what runs over, too.
        let profile = if *package == "factlog-fuzz" { "--profile=fuzz" } else { "--release" };
        command.args(["run", profile, "--quiet", "-p", package, "--"]).args(arguments.split(' '));
        println!("$ {}", process::spelled(&command));
        let (status, lines) = process::run_keeping(&mut command, |line| !line.ends_with(" runs"))?;
        let verdict = if status.success() { "passed" } else { "FAILED" };
        let (spelled, (day, minute)) = (process::spelled(&command), machine::now());
        if !status.success() {
            // What it printed may be far above by now, or cut off.
            let last = &lines[lines.len().saturating_sub(TOLD)..];
            failed.push(format!("FAILED: {title}: `{spelled}`\n  {}", last.join("\n  ")));
        }
        sections.push_str(&format!(
            "\n## {title}: {verdict}\n\n`{spelled}`, done {day} {minute}, load {}\n\n```text\n{}\n```\n",
            machine::load(),
            lines.join("\n")
        ));
        let left = parts[at + 1..].iter().map(|(title, ..)| format!("\n## {title}: not run\n"));
        keep(&format!("{head}{sections}{}", left.collect::<String>()))?;
    }
    failed.iter().for_each(|part| println!("{part}"));
    Ok(failed.is_empty())
}

/// What the report begins with.
fn head(root: &Path, size: Size) -> String {
    let (day, minute) = machine::now();
    let mut report = format!(
        "# Evidence, {day}, size `{0}`\n\nWritten by `cargo xtask evidence --size {0} --record`. A simulated disk, a stepped \
         engine, one seed a run: `crates/factlog-sim`; real processes under real faults: `crates/factlog-faults`; what decodes: \
         `crates/factlog-fuzz`. Each run ends with a verification of the store and with its whole history held against the \
         contract.\n\n| | |\n|---|---|\n| begun | {day} {minute} |\n| load before | {1} |\n",
        size.name(),
        machine::load()
    );
    for (name, value) in machine::describe(root, root) {
        report.push_str(&format!("| {name} | {value} |\n"));
    }
    report
}

impl Size {
    fn name(self) -> &'static str {
        match self {
            Self::Ci => "ci",
            Self::Full => "full",
        }
    }

    /// What is run, of which package, and what it is called.
    fn parts(self) -> Vec<(&'static str, &'static str, &'static str)> {
        let simulated = self.simulated().map(|(title, arguments)| (title, "factlog-sim", arguments));
        let real = self.real().map(|(title, arguments)| (title, "factlog-faults", arguments));
        let inputs = match self {
            Self::Ci => "--runs 200000 --seed 1",
            Self::Full => "--runs 1000000 --seed 2",
        };
        let decoders = [("Decoders are given what was tampered with", "factlog-fuzz", inputs)];
        simulated.into_iter().chain(real).chain(decoders).collect()
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
        for words in [&["--size"][..], &["--size", "huge"], &["--fast"], &["ci"]] {
            let error = run(Path::new("/nowhere"), words).expect_err("refused").to_string();
            assert!(error.contains("usage: cargo xtask evidence"), "{error}");
        }
    }
}
