//! What `cargo xtask bench` is asked for.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

pub(super) const HELP: &str = "\
usage: cargo xtask bench <engine|framework|peers|scale|server> [options]

  engine          the embedded engine against the limits of this machine, and against the targets of its design
  framework       commands and rebuilds beside what they come to in the engine underneath
  peers           the same work done by factlog, UmaDB, Tephra, SQLite and PostgreSQL, in turns
  scale           one store of small events when it has a hundredth, a tenth and all of them, and an outlook beyond
  server          the server in a process of its own beside the engine inside it, and many subscribers at once

  --events N      events of the large log [engine: 1,000,000; framework: 262,200; peers: 500,000 read back; scale: 100,000,000; server: 1,000,000]
  --large N       engine: fill and open one log more, of so many events; it is the one that is scanned and looked up in
  --limit MIB     scale: every process with the store open may have so much private memory [no limit]
  --quick         a run of a minute, to see that everything works: its figures mean little
  --dir DIR       where stores are made, and removed afterwards [the system's temporary directory]
  --json FILE     write the figures as JSON too
  --record        write a dated report with a chart to docs/benchmarks

The programs are built on first use, in target/bench: four databases, some minutes. `Tephra served` needs protoc 36.2
(on the PATH, or named in PROTOC), PostgreSQL needs Debian's postgresql-15; what is missing is said and left out.
";

/// Which benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bench {
    Engine,
    Framework,
    Peers,
    Scale,
    Server,
}

impl Bench {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Engine => "engine",
            Self::Framework => "framework",
            Self::Peers => "peers",
            Self::Scale => "scale",
            Self::Server => "server",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    pub(super) bench: Bench,
    /// Given to the program as they are: `--events N`, `--large N`, `--limit MIB` and `--quick`.
    pub(super) passed: Vec<String>,
    pub(super) dir: PathBuf,
    pub(super) json: Option<PathBuf>,
    pub(super) record: bool,
}

impl Arguments {
    /// # Errors
    /// For a name or a word that is not in [`HELP`], and a value that is missing or no number.
    pub(super) fn parse(words: &[&str]) -> Result<Self> {
        let [name, words @ ..] = words else { bail!("which benchmark?\n\n{HELP}") };
        let bench = match *name {
            "engine" => Bench::Engine,
            "framework" => Bench::Framework,
            "peers" => Bench::Peers,
            "scale" => Bench::Scale,
            "server" => Bench::Server,
            other => bail!("there is no benchmark `{other}`\n\n{HELP}"),
        };
        let dir = std::env::temp_dir();
        let mut parsed = Self { bench, passed: Vec::new(), dir, json: None, record: false };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("`{word}` wants a value\n\n{HELP}"));
            match *word {
                "--quick" => parsed.passed.push("--quick".to_owned()),
                "--record" => parsed.record = true,
                "--dir" => parsed.dir = value()?.into(),
                "--json" => parsed.json = Some(value()?.into()),
                "--events" | "--large" | "--limit" => {
                    let only = [("--large", Bench::Engine), ("--limit", Bench::Scale)];
                    if only.iter().any(|(name, bench)| name == word && *bench != parsed.bench) {
                        bail!("`bench {}` has no option `{word}`\n\n{HELP}", parsed.bench.name());
                    }
                    let text = value()?.replace(['_', ','], "");
                    text.parse::<u64>().with_context(|| format!("`{word} {text}` is no number"))?;
                    parsed.passed.extend([(*word).to_owned(), text]);
                }
                other => bail!("there is no option `{other}`\n\n{HELP}"),
            }
        }
        Ok(parsed)
    }

    /// The command as one would type it.
    pub(super) fn spelled(&self) -> String {
        let mut spelled = format!("cargo xtask bench {}", self.bench.name());
        self.passed.iter().for_each(|word| spelled.push_str(&format!(" {word}")));
        spelled.push_str(&format!(" --dir {}", self.dir.display()));
        spelled
    }
}

#[cfg(test)]
mod tests {
    //! A word that is not understood must stop the run, not be left out of it.
    use super::*;

    #[test]
    fn options_are_read_in_any_order() {
        let parsed =
            Arguments::parse(&["peers", "--record", "--events", "1_000", "--quick", "--dir", "/x"]).unwrap();
        assert!(parsed.bench == Bench::Peers && parsed.record && parsed.json.is_none());
        assert_eq!(parsed.spelled(), "cargo xtask bench peers --events 1000 --quick --dir /x");
        let parsed = Arguments::parse(&["scale", "--limit", "256", "--dir", "/x"]).unwrap();
        assert_eq!(parsed.spelled(), "cargo xtask bench scale --limit 256 --dir /x");
    }

    #[test]
    fn no_name_a_wrong_one_and_wrong_options_print_the_help() {
        for words in [
            &[][..],
            &["disk"],
            &["engine", "--fast"],
            &["engine", "--dir"],
            &["engine", "--limit", "256"],
            &["scale", "--large", "10"],
        ] {
            let error = Arguments::parse(words).unwrap_err().to_string();
            assert!(error.contains("usage: cargo xtask bench"), "{words:?}: {error}");
        }
        assert!(Arguments::parse(&["engine", "--events", "many"]).is_err());
    }
}
