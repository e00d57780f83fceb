//! The settings of this process: its flags, its environment, the files that are there, and the context in use.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::files::{self, SettingsFile, problems_failure};
use super::flags::Flags;
use super::resolve::{Origin, Resolved, resolve};
use super::value::Value;
use super::{CONFIG_VARIABLE, DATA, TABLE, trust};
use crate::context::Context;
use crate::contexts;
use crate::failure::{Failure, Kind as Failed, Outcome};
use crate::nearest::nearest;

/// The settings, with every file right.
///
/// # Errors
/// `Invalid` for a file that is wrong, `NotFound` for one that is named and not there, `Usage` for a wrong variable.
pub(crate) fn load(flags: &Flags, context: &Context) -> Outcome<Resolved> {
    look(flags, context, &files(flags.config.as_deref())?)
}

/// The settings, of files that were read.
///
/// # Errors
/// As [`load`].
pub(crate) fn look(flags: &Flags, context: &Context, files: &[SettingsFile]) -> Outcome<Resolved> {
    problems_failure(files.iter().flat_map(|file| &file.problems))?;
    let mut flags = flags.clone();
    if let Some(data) = context.named_directory() {
        flags = flags.with(DATA, Value::Path(data.to_owned()));
    }
    let mut settings = resolve(&TABLE, &flags, variable, files)?;
    // What the command line and the environment say of the place of a store wins over files, these over the context in use.
    let from_file = matches!(settings.get(DATA).origin, Origin::File(..));
    if context.names_a_store() || !from_file {
        match context.directory_by()? {
            Some((directory, by)) if !["--data", "FACTLOG_DATA"].contains(&by) => {
                settings.set(
                    DATA,
                    Some(Value::Path(directory.to_owned())),
                    Origin::Context(by.trim_end_matches(',').to_owned()),
                );
            }
            Some(_) => {}
            None => settings.set(DATA, None, Origin::Nobody),
        }
    }
    Ok(settings)
}

/// The files that are there, beginning with the one that wins; or the one that is named.
///
/// # Errors
/// `NotFound` where the named one is not there; `Failure` for one that cannot be read.
pub(crate) fn files(named: Option<&Path>) -> Outcome<Vec<SettingsFile>> {
    let named = named
        .map(Path::to_owned)
        .or_else(|| variable(CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from));
    if let Some(path) = named {
        let path = std::path::absolute(&path).unwrap_or(path);
        let file = files::read(&path, &TABLE)?.ok_or_else(|| {
            Failure::new(Failed::NotFound, format!("there is no file {}", path.display()))
                .advise(format!("correct --config, or what {CONFIG_VARIABLE} says"))
        })?;
        return Ok(vec![file]);
    }
    let mut found = Vec::new();
    for path in searched(variable) {
        found.extend(files::read(&path, &TABLE)?);
    }
    Ok(found)
}

/// Where files are looked for, beginning with the one that wins.
pub(super) fn searched(variable: impl Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    let project = std::path::absolute(files::PROJECT).ok();
    let user = contexts::folder(variable).map(|folder| folder.join("config.toml"));
    [project, user, Some(PathBuf::from(files::MACHINE))].into_iter().flatten().collect()
}

/// What to warn about: files that are not only their owner's, and variables that no setting reads but one nearly would.
pub(crate) fn warnings(settings: &Resolved, files: &[SettingsFile]) -> Vec<String> {
    let mut warnings: Vec<String> = files.iter().flat_map(|file| file.warnings.clone()).collect();
    warnings.extend(trust::of_secrets(settings));
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    warnings.extend(names.filter_map(|name| mistyped(&name)));
    warnings
}

/// A variable of no setting whose name is nearly one's.
pub(super) fn mistyped(name: &str) -> Option<String> {
    let others = [CONFIG_VARIABLE, "FACTLOG_SERVER", "FACTLOG_CONTEXT", "FACTLOG_READ_MODEL"];
    let known: Vec<String> = TABLE.iter().map(super::Setting::variable).collect();
    if !name.starts_with("FACTLOG_") || others.contains(&name) || known.iter().any(|known| known == name) {
        return None;
    }
    let near = nearest(name, known.iter().map(String::as_str))?;
    Some(format!("no setting reads {name}; is {near} meant?"))
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
