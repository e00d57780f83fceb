//! The few arguments the programs take. They are run by `cargo xtask bench`, which explains them to people.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What to measure, where, and where to write what was found.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// Events of the large log; the program has a default for a full and a quick run.
    pub events: Option<u64>,
    /// Events of one log more, for those who measure how something grows.
    pub large: Option<u64>,
    /// MiB of private memory that a process with the store open may have; without it as much as it takes.
    pub limit: Option<u64>,
    /// A run of a minute, to see that everything works: its figures mean little.
    pub quick: bool,
    /// The directory under which stores are made, and removed afterwards.
    pub dir: PathBuf,
    /// The file that gets the results.
    pub out: PathBuf,
}

impl Arguments {
    /// Reads `--events N`, `--large N`, `--limit MIB`, `--quick`, `--dir DIR` and `--out FILE`.
    ///
    /// # Errors
    /// For any other word, a value that is missing or wrong, and without `--out`.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut words = words.into_iter();
        let dir = std::env::temp_dir();
        let mut parsed =
            Self { events: None, large: None, limit: None, quick: false, dir, out: PathBuf::new() };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} wants a value"));
            match word.as_str() {
                "--events" => parsed.events = Some(number(&word, &value()?)?),
                "--large" => parsed.large = Some(number(&word, &value()?)?),
                "--limit" => parsed.limit = Some(number(&word, &value()?)?),
                "--quick" => parsed.quick = true,
                "--dir" => parsed.dir = value()?.into(),
                "--out" => parsed.out = value()?.into(),
                other => bail!("there is no argument {other}; see `cargo xtask bench`"),
            }
        }
        if parsed.out.as_os_str().is_empty() {
            bail!("--out is missing; run `cargo xtask bench`, which gives it");
        }
        Ok(parsed)
    }
}

fn number(word: &str, text: &str) -> Result<u64> {
    text.replace(['_', ','], "").parse().with_context(|| format!("{word} wants a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read_and_others_refused() {
        let parsed = parse("--events 1_000 --quick --dir /x --out y").unwrap();
        assert!(parsed.quick && parsed.events == Some(1_000) && parsed.dir.as_os_str() == "/x");
        let parsed = parse("--large 10,000 --limit 256 --out y").unwrap();
        assert!((parsed.events, parsed.large, parsed.limit) == (None, Some(10_000), Some(256)));
        for line in ["--out", "--quick", "--out x --fast", "--out x --events many", "--out x --limit 1G"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
