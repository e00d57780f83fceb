//! `bank demo`: a short story with the sample statements, told by the program's own commands.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::failure::sentence;
use super::{run_line, say};
use crate::domain::Refusal;

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

/// Tells the story in a directory of its own, or in the one given; as one document at its end where JSON is asked for.
pub(super) async fn run(data: Option<PathBuf>, json: bool) -> anyhow::Result<()> {
    let (kept, temporary) = match data {
        Some(data) => (data, None),
        None => {
            let directory = tempfile::Builder::new().prefix("factlog-bank-").tempdir();
            let directory = directory.context("a temporary directory cannot be created")?;
            (directory.path().to_owned(), Some(directory))
        }
    };
    std::fs::create_dir_all(&kept).with_context(|| format!("{} cannot be created", kept.display()))?;
    let (ledger, sample) = (kept.join("ledger"), kept.join("sample.csv"));
    std::fs::write(&sample, SAMPLE).with_context(|| format!("{} cannot be written", sample.display()))?;
    let told = tell(&ledger, &sample, json).await;
    let is_temporary = temporary.is_some();
    if let Some(directory) = temporary {
        directory.close().with_context(|| format!("{} cannot be removed", kept.display()))?;
    }
    let steps = told?;
    if json {
        let ledger = (!is_temporary).then(|| ledger.display().to_string());
        return say(&format!("{}\n", json!({ "steps": steps, "ledger": ledger })));
    }
    say(&if is_temporary {
        "The ledger of this story is gone; `bank demo --data DIR` keeps it.\n".to_owned()
    } else {
        format!("The ledger stays in {}: go on with `bank --data` and that name.\n", ledger.display())
    })
}

/// Runs every command line of the story, and says what it answers at once unless JSON is asked for.
async fn tell(ledger: &Path, sample: &Path, json: bool) -> anyhow::Result<Vec<Value>> {
    let mut steps = Vec::new();
    for (words, lines) in STORY {
        if !json {
            say(&format!("# {}\n\n", words.replace('\n', "\n# ")))?;
        }
        for line in *lines {
            let shown = format!("bank {}", line.replace("SAMPLE", "sample.csv"));
            if !json {
                say(&format!("$ {shown}\n"))?; // Before it runs: where it fails, this is what failed.
            }
            // Word by word: the sample's directory may have blanks in its name.
            let arguments = line.split_whitespace();
            let arguments = arguments.map(|word| if word == "SAMPLE" { sample.into() } else { word.into() });
            let (text, mut step) = match run_line(arguments, ledger).await {
                Ok(answer) => (answer.text, json!({ "answer": answer.json })),
                Err(error) if error.is::<Refusal>() => {
                    (format!("error: {}\n", sentence(&error)), json!({ "refused": sentence(&error) }))
                }
                Err(error) => return Err(error),
            };
            if json {
                step["command"] = shown.into();
                steps.push(step);
            } else {
                say(&format!("{text}\n"))?;
            }
        }
    }
    Ok(steps)
}
