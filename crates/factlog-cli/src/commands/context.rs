//! `factlog context`: names for servers and data directories, kept in a file.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::context::Context;
use crate::contexts::{self as kept_file, Contexts as Kept};
use crate::failure::{Failure, Kind, Outcome};
use crate::opened::check_url;
use crate::output::{answer, printable};
use crate::place::Place;

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog context add prod --server factlog://127.0.0.1:4270
  factlog context add mine --data bank.db
  factlog context use prod
  factlog context list --json
  factlog stats --context mine";

/// Name servers and data directories, and choose the one in use
///
/// Names are kept in $XDG_CONFIG_HOME/factlog/contexts.toml, or below ~/.config. A command works on the store that
/// --data or --server names, else on that of --context, else on what FACTLOG_DATA, FACTLOG_SERVER or FACTLOG_CONTEXT
/// says, else on the context in use.
#[derive(Debug, Subcommand)]
pub(crate) enum Contexts {
    /// Keep a name for the store that --server or --data names
    #[command(before_help = EXAMPLES)]
    Add(One),
    /// All names, the one in use marked with *
    #[command(before_help = EXAMPLES)]
    List,
    /// Use this one where a command names no store
    #[command(before_help = EXAMPLES)]
    Use(One),
    /// One name; without it, what --context or FACTLOG_CONTEXT chooses, or the one in use
    #[command(before_help = EXAMPLES)]
    Show(Shown),
    /// Forget a name; the store stays as it is
    #[command(before_help = EXAMPLES)]
    Remove(One),
}

#[derive(Args, Debug)]
pub(crate) struct One {
    /// The name
    #[arg(value_parser = name)]
    name: String,
}

#[derive(Args, Debug)]
pub(crate) struct Shown {
    /// The name
    #[arg(value_parser = name)]
    name: Option<String>,
}

pub(super) fn run(contexts: &Contexts, context: &Context) -> Outcome {
    let file = context.contexts_file()?;
    let changes = match contexts {
        Contexts::Add(_) | Contexts::Use(_) | Contexts::Remove(_) => true,
        Contexts::List | Contexts::Show(_) => false,
    };
    let _lock = if changes { Some(kept_file::lock(file)?) } else { None };
    let kept = Kept::load(file)?;
    match contexts {
        Contexts::Add(One { name }) => add(name, kept, file, context),
        Contexts::List => list(&kept, context.json),
        Contexts::Use(One { name }) => change(name, kept, file, context.json),
        Contexts::Show(Shown { name }) => {
            let name = name.clone().or_else(|| context.context_in_effect()).or_else(|| kept.current.clone());
            let name = name.ok_or_else(|| {
                Failure::new(Kind::NotFound, "no context is in use")
                    .advise("`factlog context use NAME` chooses one")
            })?;
            kept.place(&name)?;
            answer(context.json, || document(&kept, &name), || row(&kept, &name))
        }
        Contexts::Remove(One { name }) => remove(name, kept, file, context.json),
    }
}

fn add(name: &str, mut kept: Kept, file: &Path, context: &Context) -> Outcome {
    let line = context.line();
    let place = match (&line.server, &line.data) {
        (Some(url), _) => {
            check_url(url)?;
            Place::Server(url.clone())
        }
        (None, Some(directory)) => {
            // Used from any directory later.
            let absolute = std::path::absolute(directory);
            let doing = || format!("find {}", directory.display());
            Place::Data(absolute.map_err(|error| Failure::io(doing(), &error))?)
        }
        (None, None) => {
            return Err(Failure::new(Kind::Usage, "a context needs a place")
                .advise("give --server URL or --data DIR"));
        }
    };
    match kept.contexts.get(name) {
        Some(there) if *there == place => {}
        Some(there) => {
            return Err(Failure::new(
                Kind::Invalid,
                format!("there is a context {name} already, for {}", shown(there)),
            )
            .advise(format!("choose another name, or forget it first: `factlog context remove {name}`")));
        }
        None => {
            kept.contexts.insert(name.to_owned(), place);
            kept.save(file)?;
        }
    }
    answer(context.json, || document(&kept, name), || row(&kept, name))
}

fn list(kept: &Kept, json: bool) -> Outcome {
    let names = || kept.contexts.keys();
    let documents = || json!({ "contexts": names().map(|name| document(kept, name)).collect::<Vec<_>>() });
    answer(json, documents, || {
        if kept.contexts.is_empty() {
            return "no contexts; `factlog context add` makes one".to_owned();
        }
        names().map(|name| row(kept, name)).collect::<Vec<_>>().join("\n")
    })
}

fn change(name: &str, mut kept: Kept, file: &Path, json: bool) -> Outcome {
    kept.place(name)?;
    kept.current = Some(name.to_owned());
    kept.save(file)?;
    answer(json, || document(&kept, name), || row(&kept, name))
}

fn remove(name: &str, mut kept: Kept, file: &Path, json: bool) -> Outcome {
    let Some(place) = kept.contexts.remove(name) else { return Err(kept.unknown(name)) };
    let was_current = kept.current.take_if(|current| current == name).is_some();
    kept.save(file)?;
    let none = if was_current { "; no context is in use now" } else { "" };
    answer(
        json,
        || json!({ "removed": name, "was_current": was_current }),
        || format!("{name} is forgotten{none}; {} stays as it is", shown(&place)),
    )
}

fn document(kept: &Kept, name: &str) -> Value {
    let (server, data) = match kept.contexts.get(name) {
        Some(Place::Server(url)) => (Some(url.clone()), None),
        Some(Place::Data(directory)) => (None, Some(directory.display().to_string())),
        None => (None, None),
    };
    json!({ "name": name, "server": server, "data": data, "current": kept.current.as_deref() == Some(name) })
}

fn row(kept: &Kept, name: &str) -> String {
    let mark = if kept.current.as_deref() == Some(name) { '*' } else { ' ' };
    format!("{mark} {name:<16}  {}", kept.contexts.get(name).map(shown).unwrap_or_default())
}

fn shown(place: &Place) -> String {
    match place {
        Place::Server(url) => printable(url),
        Place::Data(directory) => printable(&directory.display().to_string()),
    }
}

/// Names are typed in shells and shown in tables.
fn name(text: &str) -> Result<String, String> {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if (1..=64).contains(&text.len()) && text.chars().all(fits) && !text.starts_with('-') {
        return Ok(text.to_owned());
    }
    Err("a name has 1 to 64 letters, digits, `-`, `_` or `.`".to_owned())
}
