//! `bank demo`: a short story with the sample statements, told by the program's own commands.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::failure::sentence;
use super::run_line;

/// Real statements of nine accounts; data/README.md says where they are from.
const SAMPLE: &str = include_str!("../../data/sample.csv");

/// The story: what is said, and the command lines that show it. `SAMPLE` stands for the sample's file.
const STORY: &[(&str, &[&str])] = &[
    (
        "A bank's real statements become facts. Every row is one decision, checked against the rules.",
        &["import SAMPLE --overdraft-limit 6000"],
    ),
    ("What follows from the facts is kept ready to read.", &["accounts", "statement 1539 --month 1993-09"]),
    (
        "Facts are never overwritten, so the past can be asked: the balance at the end of a day ...",
        &["balance 1539", "balance 1539 --at 1993-09-27"],
    ),
    (
        "A command is decided by rules. This one breaks one, so nothing is recorded.",
        &["withdraw 2958 50000 --on 1994-04-05 --key demo-1"],
    ),
    (
        "A transfer is one decision over two accounts: two facts, recorded together or not at all.\n\
         Sending it again with the same key books nothing.",
        &[
            "transfer 576 2958 1500.00 --on 1994-04-05 --key demo-2",
            "transfer 576 2958 1500.00 --on 1994-04-05 --key demo-2",
        ],
    ),
    ("These are the facts of one of the two accounts.", &["history 2958"]),
    (
        "The ledger knows two times: when a fact counts, and when it learned of it.\n\
         The transfer counts on 5 April; at position 485 the ledger had not heard of it.",
        &["balance 2958 --at 1994-04-05", "balance 2958 --at 1994-04-05 --known-at 485"],
    ),
    (
        "The bank wrote its own balance on every row. Four rows differ by more than its rounding, on three accounts:\n\
         the source cuts the last day short, and it has gaps.",
        &["reconcile SAMPLE"],
    ),
    ("Read models can be thrown away: they follow from the facts.", &["rebuild"]),
    ("And the facts are what was written, byte by byte.", &["verify"]),
];

/// Tells the story in a directory of its own, or in the one given.
pub(super) async fn run(data: Option<PathBuf>) -> anyhow::Result<()> {
    let keep = data.is_some();
    let data =
        data.unwrap_or_else(|| std::env::temp_dir().join(format!("factlog-bank-{}", std::process::id())));
    std::fs::create_dir_all(&data).with_context(|| format!("{} cannot be created", data.display()))?;
    let sample = data.join("sample.csv");
    let told = tell(&data.join("ledger"), &sample).await;
    if !keep {
        std::fs::remove_dir_all(&data).with_context(|| format!("{} cannot be removed", data.display()))?;
    }
    told?;
    let more = if keep {
        format!(
            "The ledger stays in {}: go on with `bank --data` and that name.",
            data.join("ledger").display()
        )
    } else {
        "The ledger of this story is gone; `bank demo --data DIR` keeps it.".to_owned()
    };
    say(&format!("{more}\n"))
}

async fn tell(ledger: &Path, sample: &Path) -> anyhow::Result<()> {
    std::fs::write(sample, SAMPLE).with_context(|| format!("{} cannot be written", sample.display()))?;
    for (words, lines) in STORY {
        say(&format!("# {}\n\n", words.replace('\n', "\n# ")))?;
        for line in *lines {
            say(&format!("$ bank {}\n", line.replace("SAMPLE", "sample.csv")))?;
            let line = line.replace("SAMPLE", &sample.to_string_lossy());
            match run_line(&line, ledger).await {
                Ok(answer) => say(&format!("{}\n", answer.text))?,
                Err(error) if error.is::<crate::domain::Refusal>() => {
                    say(&format!("error: {}\n\n", sentence(&error)))?;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
