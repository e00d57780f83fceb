//! The few arguments both programs take. They are run by `cargo xtask bench`, which explains them to people.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What to measure, where, and where to write what was found.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// Events of the large log; the program has a default for a full and a quick run.
    pub events: Option<u64>,
    /// A run of a minute, to see that everything works: its figures mean little.
    pub quick: bool,
    /// The directory under which stores are made, and removed afterwards.
    pub dir: PathBuf,
    /// The file that gets the results.
    pub out: PathBuf,
}

impl Arguments {
    /// Reads `--events N`, `--quick`, `--dir DIR` and `--out FILE`.
    ///
    /// # Errors
    /// For any other word, a value that is missing or wrong, and without `--out`.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut words = words.into_iter();
        let mut parsed = Self { events: None, quick: false, dir: std::env::temp_dir(), out: PathBuf::new() };
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} wants a value"));
            match word.as_str() {
                "--events" => {
                    parsed.events =
                        Some(value()?.replace(['_', ','], "").parse().context("--events wants a number")?)
                }
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
        for line in ["--out", "--quick", "--out x --fast", "--out x --events many"] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
