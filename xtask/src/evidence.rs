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

/// What it takes.
const HELP: &str = "usage: cargo xtask evidence [--size ci|full] [--record]\n
  --size ci    20,000 runs with kills, 2,000 with losses of power, 5,000 with failing calls, 500 twice, every planted bug,
               50 real processes killed, 25 losses of power under one, full disks, failing calls, the misuse battery,
               200,000 inputs for each decoder (default)
  --size full  1,000,000 runs with kills, 100,000 with losses of power, 100,000 with failing calls, 5,000 twice, every planted bug,
               500 real processes killed, 500 losses of power under one, full disks, failing calls, the misuse battery,
               4,000,000 inputs for each decoder
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
    let (passed, report) = battery(root, size)?;
    if record {
        let (day, _) = machine::now();
        let directory = root.join("docs/evidence");
        fs::create_dir_all(&directory).context("docs/evidence could not be made")?;
        let path = directory.join(format!("{day}-{}.md", size.name()));
        fs::write(&path, report).with_context(|| format!("{} could not be written", path.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(passed)
}

/// Runs everything of a size; whether all passed, and the report.
pub(crate) fn battery(root: &Path, size: Size) -> Result<(bool, String)> {
    let before = machine::load();
    let mut passed = true;
    let mut sections = String::new();
    for (title, package, arguments) in size.parts() {
        let mut command = process::cargo(root);
        // Fuzzing is to notice what runs over, too.
        let profile = if package == "factlog-fuzz" { "--profile=fuzz" } else { "--release" };
        command.args(["run", profile, "--quiet", "-p", package, "--"]).args(arguments.split(' '));
        println!("$ {}", process::spelled(&command));
        let (status, lines) = process::run_keeping(&mut command, |line| !line.ends_with(" runs"))?;
        passed &= status.success();
        let verdict = if status.success() { "passed" } else { "FAILED" };
        let spelled = process::spelled(&command);
        sections.push_str(&format!(
            "\n## {title}: {verdict}\n\n`{spelled}`\n\n```text\n{}\n```\n",
            lines.join("\n")
        ));
    }
    let (day, minute) = machine::now();
    let mut report = format!(
        "# Evidence, {day}, size `{}`\n\nWritten by `cargo xtask evidence --size {} --record`. A simulated disk, a stepped \
         engine, one seed a run: `crates/factlog-sim`; real processes under real faults: `crates/factlog-faults`. Each run \
         ends with a verification of the store and with its whole history held against the contract.\n\n| | |\n|---|---|\n| date | {day} {minute} |\n",
        size.name(),
        size.name()
    );
    let facts = machine::describe(root, root).into_iter();
    for (name, value) in
        facts.chain([("load before and after".to_owned(), format!("{before} and {}", machine::load()))])
    {
        report.push_str(&format!("| {name} | {value} |\n"));
    }
    report.push_str(&sections);
    Ok((passed, report))
}

impl Size {
    fn name(self) -> &'static str {
        match self {
            Self::Ci => "ci",
            Self::Full => "full",
        }
    }

    /// What is run, and what it is called.
    fn parts(self) -> [(&'static str, &'static str, &'static str); 12] {
        let [kills, losses, errors, kills_twice, errors_twice, real_kills, real_losses, full, failing, fuzz] =
            match self {
                Self::Ci => [
                    "--kind kill --runs 20000",
                    "--kind power --runs 2000",
                    "--kind errors --runs 5000",
                    "--kind kill --seed 2000000 --runs 500 --twice",
                    "--kind errors --seed 2000000 --runs 500 --twice",
                    "kill --cycles 50",
                    "amnesia --cycles 25",
                    "full --fills 2 --openings 3",
                    "failing",
                    "--runs 200000 --seed 1",
                ],
                Self::Full => [
                    "--kind kill --runs 1000000",
                    "--kind power --runs 100000",
                    "--kind errors --runs 100000",
                    "--kind kill --seed 2000000 --runs 5000 --twice",
                    "--kind errors --seed 2000000 --runs 5000 --twice",
                    "kill --cycles 500",
                    "amnesia --cycles 500",
                    "full --fills 10",
                    "failing --times 5",
                    "--runs 4000000 --seed 2",
                ],
            };
        let (sim, faults) = ("factlog-sim", "factlog-faults");
        [
            ("The process is killed", sim, kills),
            ("The power fails", sim, losses),
            ("Calls fail or the disk is full, and processes end both ways", sim, errors),
            ("Killed, each run twice and compared", sim, kills_twice),
            ("Failing calls, each run twice and compared", sim, errors_twice),
            ("Planted bugs, and the seeds that catch them", sim, "--bugs"),
            ("Real processes are killed", faults, real_kills),
            ("The power fails under real processes, on a file system that forgets", faults, real_losses),
            ("Real file systems are full under real processes", faults, full),
            ("Calls of real processes fail, each at every place", faults, failing),
            ("What operators, machines and limits do", faults, "misuse"),
            ("Decoders are given what was tampered with", "factlog-fuzz", fuzz),
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
