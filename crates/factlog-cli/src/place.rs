//! Where the store is, a data directory or a server, and who said so.
//!
//! * The command line wins: `--data` or `--server`, and before them nothing; then `--context`.
//! * Then one variable. Two at once are refused: a guess could write to the wrong store.
//! * Then the context that `factlog context use` has chosen, which only the file of contexts knows.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Kind, Outcome};

/// What names the place where the command line does not.
pub(crate) const DATA_VARIABLE: &str = "FACTLOG_DATA";
pub(crate) const SERVER_VARIABLE: &str = "FACTLOG_SERVER";
/// What names the key where the command line does not.
pub(crate) const KEY_FILE_VARIABLE: &str = "FACTLOG_KEY_FILE";
pub(crate) const CONTEXT_VARIABLE: &str = "FACTLOG_CONTEXT";

/// Where a store is. The names of the variants are keys in the file of contexts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    /// In this directory.
    Data(PathBuf),
    /// Behind the server with this connection string.
    Server(String),
}

/// What a command line, or an environment, says of the place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    pub(crate) data: Option<PathBuf>,
    pub(crate) server: Option<String>,
    pub(crate) context: Option<String>,
}

/// What was chosen, and what people call whatever chose it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Place(Place, &'static str),
    /// A context of this name.
    Context(String, &'static str),
    /// Nothing is named: the context in use, if there is one.
    Open,
}

impl Named {
    /// What the variables of an environment say; an empty one says nothing.
    pub(crate) fn in_environment(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let filled = |name| variable(name).filter(|value| !value.is_empty());
        let text = |name| filled(name).map(|value| value.to_string_lossy().into_owned());
        Self {
            data: filled(DATA_VARIABLE).map(PathBuf::from),
            server: text(SERVER_VARIABLE),
            context: text(CONTEXT_VARIABLE),
        }
    }
}

/// Refuses a command line that names two places.
pub(crate) fn check(line: &Named) -> Outcome {
    if line.data.is_some() && line.server.is_some() {
        return Err(Failure::new(Kind::Usage, "--data and --server name two stores").advise(
            "give one: --data DIR for files on this machine, --server URL for a store that is served",
        ));
    }
    Ok(())
}

/// What the command line chooses, or else the environment.
pub(crate) fn choose(line: &Named, environment: &Named) -> Outcome<Choice> {
    check(line)?;
    if let Some(choice) = direct(line, ["--data", "--server"]) {
        return Ok(choice);
    }
    if let Some(name) = &line.context {
        return Ok(Choice::Context(name.clone(), "--context"));
    }
    let set: Vec<&str> = [
        (DATA_VARIABLE, environment.data.is_some()),
        (SERVER_VARIABLE, environment.server.is_some()),
        (CONTEXT_VARIABLE, environment.context.is_some()),
    ]
    .into_iter()
    .filter_map(|(name, is_set)| is_set.then_some(name))
    .collect();
    if 1 < set.len() {
        return Err(Failure::new(
            Kind::Usage,
            format!("{} are set, and name different stores", set.join(" and ")),
        )
        .because("which of them is meant cannot be known, and an append cannot be taken back")
        .advise("unset all but one, or say it on the command line with --data, --server or --context"));
    }
    let context = || Some(Choice::Context(environment.context.clone()?, CONTEXT_VARIABLE));
    Ok(direct(environment, [DATA_VARIABLE, SERVER_VARIABLE]).or_else(context).unwrap_or(Choice::Open))
}

fn direct(named: &Named, [data, server]: [&'static str; 2]) -> Option<Choice> {
    let directory = || Some(Choice::Place(Place::Data(named.data.clone()?), data));
    let url = || Some(Choice::Place(Place::Server(named.server.clone()?), server));
    directory().or_else(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(words: &str) -> Named {
        let has = |word| words.split(' ').any(|other| other == word);
        Named {
            data: has("data").then(|| "dir".into()),
            server: has("server").then(|| "factlog://a:1".to_owned()),
            context: has("context").then(|| "prod".to_owned()),
        }
    }

    fn chosen(line: &str, environment: &str) -> String {
        match choose(&named(line), &named(environment)) {
            Ok(Choice::Place(_, by) | Choice::Context(_, by)) => by.to_owned(),
            Ok(Choice::Open) => "open".to_owned(),
            Err(failure) => failure.to_string(),
        }
    }

    /// Would fail if a variable, or a context in use, won over what somebody has just typed.
    #[test]
    fn the_command_line_wins_over_every_variable() {
        for environment in ["", "data", "server", "context", "data server context"] {
            assert_eq!(chosen("data", environment), "--data");
            assert_eq!(chosen("server context", environment), "--server");
            assert_eq!(chosen("context", environment), "--context");
        }
        for (environment, by) in [
            ("data", DATA_VARIABLE),
            ("server", SERVER_VARIABLE),
            ("context", CONTEXT_VARIABLE),
            ("", "open"),
        ] {
            assert_eq!(chosen("", environment), by);
        }
    }

    /// Would fail if one of two stores were taken silently.
    #[test]
    fn two_places_at_once_are_refused() {
        assert_eq!(chosen("data server", ""), "--data and --server name two stores");
        assert!(chosen("", "data server").starts_with("FACTLOG_DATA and FACTLOG_SERVER are set"));
        assert!(chosen("", "server context").starts_with("FACTLOG_SERVER and FACTLOG_CONTEXT are set"));
    }

    #[test]
    fn an_empty_variable_says_nothing() {
        let environment = Named::in_environment(|_| Some(OsString::new()));
        assert_eq!(choose(&Named::default(), &environment).unwrap(), Choice::Open);
    }
}
