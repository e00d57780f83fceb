//! `cargo xtask bench`: builds a program of `benches/`, runs it, and shows and records what it found out.
//!
//! It measures nothing itself and knows no store. The programs are no members of the workspace, so that what they
//! compare with is built only by those who compare.

mod arguments;
mod chart;
pub(crate) mod machine;
#[expect(
    unreachable_pub,
    reason = "the programs of benches/ compile this file as a module of their own library"
)]
mod number;
mod results;
mod table;

use std::{env, fs, path::Path, process::Command, process::Stdio};

use anyhow::{Context, Result, bail};

use self::arguments::{Arguments, Bench};
use self::results::Results;
use crate::process;

/// The version that the crates of Tephra's protocol demand.
const PROTOC: &str = "libprotoc 36.2";

/// Runs the benchmark that the words name.
pub(crate) fn run(root: &Path, words: &[&str]) -> Result<()> {
    let arguments = Arguments::parse(words)?;
    let dir = fs::canonicalize(&arguments.dir)
        .with_context(|| format!("there is no directory {}", arguments.dir.display()))?;
    let (day, minute) = machine::now();
    let before = machine::load();
    let mut facts =
        vec![("date".to_owned(), format!("{day} {minute}")), ("command".to_owned(), arguments.spelled())];
    facts.extend(machine::describe(root, &dir));
    let results = measure(root, &arguments)?;
    facts.push(("load before and after".to_owned(), format!("{before} and {}", machine::load())));
    facts.extend(results.facts.iter().cloned());
    let (tables, chart) = match arguments.bench {
        Bench::Engine | Bench::Framework | Bench::Server => {
            (table::engine(&results.rows), chart::engine(&results.rows))
        }
        Bench::Peers => (table::peers(&results.cells), chart::peers(&results.cells)),
        Bench::Scale => (table::scale(&results.series), chart::scale(&results.series)),
    };
    println!("{}\n{tables}{}", table::facts(&facts), missing(&results));
    if arguments.record {
        record(
            root,
            arguments.bench,
            &day,
            &(report(arguments.bench, &day, &facts, &tables, &results), chart),
        )?;
    }
    Ok(())
}

/// Builds and runs the program, and reads what it wrote.
fn measure(root: &Path, arguments: &Arguments) -> Result<Results> {
    let name = arguments.bench.name();
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target/bench"), Into::into);
    let json = arguments.json.clone().unwrap_or_else(|| target.join(format!("{name}.json")));
    fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
    let json = std::path::absolute(&json).context("the file for JSON cannot be named")?;
    let mut command = process::cargo(root);
    command.args(["run", "--release", "--locked", "--quiet", "--manifest-path"]);
    command.arg(root.join("benches").join(name).join("Cargo.toml")).env("CARGO_TARGET_DIR", &target);
    if arguments.bench == Bench::Peers && has_protoc() {
        command.args(["--features", "tephra-served"]);
    }
    command.arg("--").args(&arguments.passed).arg("--dir").arg(&arguments.dir).arg("--out").arg(&json);
    println!("$ {}", process::spelled(&command));
    // Some of the stores greet on standard output; what the program says of itself is on standard error.
    let status = command.stdout(Stdio::null()).status().context("cargo could not be started")?;
    if !status.success() {
        bail!("the benchmark failed: {status}");
    }
    Results::read(&json)
}

fn has_protoc() -> bool {
    let program = env::var_os("PROTOC").unwrap_or_else(|| "protoc".into());
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == PROTOC)
}

/// What was not measured, loudly.
fn missing(results: &Results) -> String {
    let lines = results.absent.iter().map(|(what, why)| format!("\n**Not measured: {what}.** {why}\n"));
    lines.collect()
}

/// The page that is kept.
fn report(bench: Bench, day: &str, facts: &[(String, String)], tables: &str, results: &Results) -> String {
    let name = bench.name();
    let read = match bench {
        Bench::Engine => {
            "A figure is the median of its rounds; the ratio is to the limit beside it, measured in the same run. For \
             conditional appends it is how much longer they take. A target that was missed is called so."
        }
        Bench::Framework => {
            "A figure is the median of its rounds, and so is the ratio to what is beside it, measured in turns in the \
             same run. A target that was missed is called so."
        }
        Bench::Peers => {
            "Events a second are the median of the rounds, with the lowest and the highest. The ratio says how many \
             times the events a second of that store factlog does, as the median of the rounds; below 1 factlog is slower. Latencies are of whole appends, or of \
             a whole scan; processor time is the client's and, for PostgreSQL, the server's. What each store promises \
             and how it is set up: [decision 0004](../decisions/0004-benchmarks.md)."
        }
        Bench::Server => {
            "The server is `factlog serve` in a process of its own, its clients are the Rust client's, over loopback; both share the \
             processors named below with each other and with the engine's own threads. A figure is the median of its rounds, and so is \
             the ratio to what is beside it, measured in turns in the same run. A target that was missed is called so."
        }
        Bench::Scale => {
            "One store grows to each size, and everything is measured there in processes of their own. What is appended \
             by the measurements (some thousand events at each size) is in the store too, and is read back and compared \
             with the rest. A target that was missed is called so; one that names a size is met only by a log of that \
             size. What nobody measured is in a table of its own."
        }
    };
    format!(
        "# Benchmark `{name}`, {day}\n\nWritten by `cargo xtask bench {name} --record`. {read}\n\n\
         ## The run\n\n{}\n## Figures\n\n{tables}{}\n![The same as bars]({day}-{name}.svg)\n",
        table::facts(facts),
        missing(results)
    )
}

fn record(root: &Path, bench: Bench, day: &str, (report, chart): &(String, String)) -> Result<()> {
    let dir = root.join("docs/benchmarks");
    for (extension, text) in [("md", report), ("svg", chart)] {
        let path = dir.join(format!("{day}-{}.{extension}", bench.name()));
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    //! A report that leaves out what was not measured would compare with nothing and look complete.
    use super::*;

    #[test]
    fn a_report_says_what_was_not_measured_and_shows_its_chart() {
        let absent = vec![("PostgreSQL".to_owned(), "it is not installed".to_owned())];
        let results = Results { absent, ..Results::default() };
        let facts = [("kernel".to_owned(), "6.1".to_owned())];
        let text = report(Bench::Peers, "2026-11-21", &facts, "| a |\n", &results);
        assert!(text.contains("**Not measured: PostgreSQL.** it is not installed"), "{text}");
        assert!(text.contains("](2026-11-21-peers.svg)") && text.contains("| kernel"), "{text}");
    }
}
