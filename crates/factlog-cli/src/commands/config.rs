//! `factlog config`: what the settings of `factlog serve` are here, who said so, and whether their files are right.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Outcome, say};
use crate::numbers::counted;
use crate::output::answer;
use crate::settings::{self, Flags, Problem, Resolved, SettingsFile, problems_failure};

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog config show --origin
  factlog config show --listen 127.0.0.1:0 --json
  factlog config check
  factlog config check /etc/factlog/factlog.toml --json
  factlog config schema > factlog.schema.json";

/// The settings of `factlog serve`: what they are here, who said so, and whether their files are right
///
/// A flag wins over a variable, a variable over factlog.toml in this directory, that over
/// $XDG_CONFIG_HOME/factlog/config.toml, that over /etc/factlog/factlog.toml, that over the default.
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Every setting, as `factlog serve` with these flags would have it; what is printed is a file of settings
    #[command(before_help = EXAMPLES)]
    Show(Show),
    /// Look for mistakes in files and variables; with a file, in that one only
    #[command(before_help = EXAMPLES)]
    Check(Check),
    /// The JSON Schema of a file of settings
    #[command(before_help = EXAMPLES)]
    Schema,
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// Say behind each who said so
    #[arg(long)]
    origin: bool,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Args, Debug)]
pub(crate) struct Check {
    /// The file
    file: Option<PathBuf>,
}

pub(super) fn run(config: &Config, context: &Context) -> Outcome {
    match config {
        Config::Show(show) => shown(show, context),
        Config::Check(check) => checked(check, context),
        Config::Schema => {
            let schema = settings::schema();
            answer(context.json, || schema.clone(), || format!("{schema:#}"))
        }
    }
}

fn shown(show: &Show, context: &Context) -> Outcome {
    let files = settings::files(show.flags.config.as_deref())?;
    let resolved = settings::look(&show.flags, context, &files)?;
    for warning in settings::warnings(&resolved, &files) {
        say(&format!("warning: {warning}"));
    }
    answer(context.json, || document(&resolved, &files), || text(&resolved, show.origin))
}

fn document(resolved: &Resolved, files: &[SettingsFile]) -> Value {
    let settings: Vec<Value> = resolved.all().iter().map(settings::Found::json).collect();
    let files: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
    json!({ "settings": settings, "files": files })
}

fn text(resolved: &Resolved, origin: bool) -> String {
    let lines: Vec<String> = resolved.all().iter().map(settings::Found::line).collect();
    if !origin {
        return lines.join("\n");
    }
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let with = |(line, found): (&String, &settings::Found)| {
        format!("{line:<width$}  # {}", crate::output::printable(&found.origin.text()))
    };
    lines.iter().zip(resolved.all()).map(with).collect::<Vec<_>>().join("\n")
}

fn checked(check: &Check, context: &Context) -> Outcome {
    let files = settings::files(check.file.as_deref())?;
    let problems: Vec<&Problem> = files.iter().flat_map(|file| &file.problems).collect();
    let warnings = match problems.is_empty() {
        // With the files right, what the variables say is looked at as well.
        true if check.file.is_none() => {
            settings::warnings(&settings::look(&Flags::default(), context, &files)?, &files)
        }
        true | false => files.iter().flat_map(|file| file.warnings.clone()).collect(),
    };
    answer(
        context.json,
        || {
            let problems: Vec<Value> = problems.iter().map(|problem| problem.json()).collect();
            let files: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
            json!({ "files": files, "problems": problems, "warnings": warnings })
        },
        || {
            let found = problems.iter().map(|problem| problem.text());
            let warned = warnings.iter().map(|warning| format!("warning: {warning}"));
            let sum = format!(
                "{} looked at, {}, {}",
                counted(files.len() as u64, "file"),
                counted(problems.len() as u64, "problem"),
                counted(warnings.len() as u64, "warning")
            );
            found.chain(warned).chain([sum]).collect::<Vec<_>>().join("\n")
        },
    )?;
    problems_failure(problems.into_iter())
}
