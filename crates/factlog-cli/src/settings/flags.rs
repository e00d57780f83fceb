//! The flags of `factlog serve`, made from the table for clap, and what a command line said with them.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, FromArgMatches, value_parser};

use super::value::{Kind, Value};
use super::{Setting, TABLE};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// A file instead of the search.
    pub(crate) config: Option<PathBuf>,
    given: Vec<(&'static str, Value)>,
}

impl Flags {
    /// What a flag says.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// The same, and this flag besides.
    pub(crate) fn with(mut self, name: &'static str, value: Value) -> Self {
        self.given.push((name, value));
        self
    }
}

impl Args for Flags {
    fn augment_args(command: clap::Command) -> clap::Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(value_parser!(PathBuf))
            .help("Settings from this file, and from no other; otherwise from the one that FACTLOG_CONFIG names")
            .display_order(800);
        command.args(arguments(&TABLE)).arg(config)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let config = matches.get_one("config").cloned();
        Ok(Self { config, given: given(&TABLE, matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The arguments of a table.
fn arguments(table: &'static [Setting]) -> impl Iterator<Item = Arg> {
    table.iter().filter(|setting| setting.has_own_flag()).map(argument)
}

/// What was typed, without defaults.
fn given(table: &'static [Setting], matches: &ArgMatches) -> Vec<(&'static str, Value)> {
    let flags = table.iter().filter(|setting| setting.has_own_flag());
    flags
        .filter(|setting| matches.value_source(setting.name) == Some(ValueSource::CommandLine))
        .filter_map(|setting| {
            let words = matches.get_one::<OsString>(setting.name)?;
            // The parser of the argument has refused what is no value.
            Some((setting.name, setting.kind.parse(words).ok()?))
        })
        .collect()
}

fn argument(setting: &'static Setting) -> Arg {
    let argument = Arg::new(setting.name)
        .long(setting.name)
        .value_name(setting.kind.placeholder())
        .value_parser(Parser(setting.kind))
        .help(setting.meaning);
    let argument = match setting.default {
        Some(default) => argument.default_value(default),
        None => argument,
    };
    match setting.kind {
        Kind::Switch => argument.num_args(0..=1).require_equals(true).default_missing_value("true"),
        Kind::Word(_) | Kind::Text | Kind::Address | Kind::Directory | Kind::File => argument,
        Kind::Bytes { .. } | Kind::Time { .. } => argument,
    }
}

/// Refuses what the kind refuses, and keeps the words: a path need not be UTF-8.
#[derive(Clone)]
struct Parser(Kind);

impl clap::builder::TypedValueParser for Parser {
    type Value = OsString;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<OsString, clap::Error> {
        self.0.parse(value).map(|_| value.to_owned()).map_err(|wanted| {
            let name = argument.map(ToString::to_string).unwrap_or_default();
            let message =
                format!("invalid value for '{name}': {wanted}\n\nFor more information, try '--help'.\n");
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, message).with_cmd(command)
        })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = clap::builder::PossibleValue> + '_>> {
        let Kind::Word(words) = self.0 else { return None };
        Some(Box::new(words.iter().map(clap::builder::PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::EVERY;

    fn typed(line: &str) -> Result<Vec<(&'static str, Value)>, clap::Error> {
        let command = clap::Command::new("serve").args(arguments(&EVERY));
        Ok(given(&EVERY, &command.try_get_matches_from(line.split(' '))?))
    }

    /// Would fail if a switch took the next word for its own, or a default counted as typed and so won over a file.
    #[test]
    fn only_what_was_typed_is_said() {
        assert_eq!(typed("serve").unwrap(), []);
        assert_eq!(typed("serve --switch").unwrap(), [("switch", Value::Switch(true))]);
        assert_eq!(typed("serve --switch=false").unwrap(), [("switch", Value::Switch(false))]);
        assert!(typed("serve --switch false").is_err());
        assert_eq!(
            typed("serve --switch --size 3KiB --key-file k --free a=b,c").unwrap(),
            [
                ("size", Value::Bytes(3072)),
                ("free", Value::Text("a=b,c".to_owned())),
                ("switch", Value::Switch(true)),
                ("key-file", Value::Path("k".into()))
            ]
        );
        for wrong in ["--size 9", "--word xml", "--address here", "--token hunter2", "--size"] {
            assert!(typed(&format!("serve {wrong}")).is_err(), "{wrong}");
        }
    }
}
