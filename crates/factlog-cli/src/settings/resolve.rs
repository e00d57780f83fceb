//! Which of all that was said holds, setting by setting, and who said it.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value as Json, json};

use super::files::SettingsFile;
use super::flags::Flags;
use super::value::Value;
use super::{Setting, flag, toml_text};
use crate::failure::{Failure, Kind as Failed, Outcome};

/// What stands for a secret.
const REDACTED: &str = "(secret)";

/// Who said what a setting is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// This flag.
    Flag(String),
    /// This variable.
    Variable(String),
    /// This line of a file.
    File(PathBuf, usize),
    /// A context, as people call it.
    Context(String),
    Default,
    /// Nobody, and there is no default.
    Nobody,
}

/// One setting, what it is, and who said so.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) setting: &'static Setting,
    pub(crate) value: Option<Value>,
    pub(crate) origin: Origin,
}

/// Every setting of a table.
#[derive(Clone, Debug)]
pub(crate) struct Resolved(Vec<Found>);

/// The settings by their precedence; `files` begin with the one that wins.
///
/// # Errors
/// `Usage` for a variable that is no such value.
pub(super) fn resolve(
    table: &'static [Setting],
    flags: &Flags,
    variable: impl Fn(&str) -> Option<OsString>,
    files: &[SettingsFile],
) -> Outcome<Resolved> {
    let found = table.iter().map(|setting| {
        let (value, origin) = one(setting, flags, &variable, files)?;
        Ok(Found { setting, value, origin })
    });
    Ok(Resolved(found.collect::<Outcome<_>>()?))
}

fn one(
    setting: &'static Setting,
    flags: &Flags,
    variable: impl Fn(&str) -> Option<OsString>,
    files: &[SettingsFile],
) -> Outcome<(Option<Value>, Origin)> {
    if let Some(value) = flags.get(setting.name) {
        return Ok((Some(value.clone()), Origin::Flag(flag(setting.name))));
    }
    let name = setting.variable();
    // An empty variable says nothing: it is how a shell or a manifest takes one back.
    if let Some(text) = variable(&name).filter(|text| !text.is_empty()) {
        let value = setting.kind.parse(&text).map_err(|wanted| {
            Failure::new(Failed::Usage, format!("{name} cannot be understood"))
                .because(wanted)
                .advise("correct it, or unset it")
        })?;
        return Ok((Some(value), Origin::Variable(name)));
    }
    for file in files {
        if let Some(entry) = file.entries.iter().find(|entry| entry.setting.name == setting.name) {
            return Ok((Some(entry.value.clone()), Origin::File(file.path.clone(), entry.line)));
        }
    }
    Ok(match setting.default {
        Some(text) => {
            let value = setting.kind.parse(text.as_ref()).expect("the default of a setting is of its kind");
            (Some(value), Origin::Default)
        }
        None => (None, Origin::Nobody),
    })
}

impl Resolved {
    pub(crate) fn all(&self) -> &[Found] {
        &self.0
    }

    /// One setting of the table.
    pub(crate) fn get(&self, name: &str) -> &Found {
        self.0.iter().find(|found| found.setting.name == name).expect("a setting of the table")
    }

    /// Somebody else says what this setting is.
    pub(super) fn set(&mut self, name: &str, value: Option<Value>, origin: Origin) {
        if let Some(found) = self.0.iter_mut().find(|found| found.setting.name == name) {
            (found.value, found.origin) = (value, origin);
        }
    }

    /// An address, which has a default.
    pub(crate) fn address(&self, name: &str) -> SocketAddr {
        let Some(Value::Address(address)) = self.get(name).value else { wrong_kind(name) };
        address
    }

    /// A number of bytes, which has a default.
    pub(crate) fn bytes(&self, name: &str) -> u64 {
        let Some(Value::Bytes(count)) = self.get(name).value else { wrong_kind(name) };
        count
    }

    /// A time, which has a default.
    pub(crate) fn time(&self, name: &str) -> Duration {
        let Some(Value::Time(time)) = self.get(name).value else { wrong_kind(name) };
        time
    }

    /// A word, which has a default.
    pub(crate) fn word(&self, name: &str) -> &'static str {
        let Some(Value::Word(word)) = self.get(name).value else { wrong_kind(name) };
        word
    }

    /// A directory or a file, if one is named.
    pub(crate) fn path(&self, name: &str) -> Option<&Path> {
        match &self.get(name).value {
            Some(Value::Path(path)) => Some(path),
            None => None,
            Some(Value::Address(_) | Value::Bytes(_) | Value::Word(_)) => wrong_kind(name),
            Some(Value::Text(_) | Value::Time(_) | Value::Switch(_)) => wrong_kind(name),
        }
    }

    /// Free text, if there is any.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match &self.get(name).value {
            Some(Value::Text(text)) => Some(text),
            None => None,
            Some(Value::Address(_) | Value::Bytes(_) | Value::Word(_)) => wrong_kind(name),
            Some(Value::Path(_) | Value::Time(_) | Value::Switch(_)) => wrong_kind(name),
        }
    }

    /// A switch, which is off unless its default says otherwise.
    pub(crate) fn switch(&self, name: &str) -> bool {
        matches!(self.get(name).value, Some(Value::Switch(true)))
    }
}

/// Asked for as what it is not: a slip in this program, which its first run shows.
fn wrong_kind(name: &str) -> ! {
    panic!("the setting {name} is of another kind")
}

impl Found {
    /// The line of a settings file that says it.
    pub(crate) fn line(&self) -> String {
        let name = self.setting.name;
        match &self.value {
            Some(_) if self.setting.hides_value() => format!("# {name} = {REDACTED}"),
            Some(value) => format!("{name} = {}", toml_text::value(value)),
            None => format!("# {name} is not set"),
        }
    }

    pub(crate) fn json(&self) -> Json {
        let value = self.value.as_ref();
        let shown =
            if self.setting.hides_value() { value.map(|_| REDACTED.into()) } else { value.map(Value::json) };
        json!({
            "name": self.setting.name,
            "value": shown,
            "secret": self.setting.hides_value(),
            "origin": self.origin.json(),
        })
    }
}

impl Origin {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Flag(name) | Self::Variable(name) | Self::Context(name) => name.clone(),
            Self::File(path, line) => format!("{}:{line}", path.display()),
            Self::Default => "default".to_owned(),
            Self::Nobody => "nobody says".to_owned(),
        }
    }

    fn json(&self) -> Json {
        match self {
            Self::Flag(name) => json!({ "from": "flag", "name": name }),
            Self::Variable(name) => json!({ "from": "variable", "name": name }),
            Self::File(path, line) => {
                json!({ "from": "file", "file": path.display().to_string(), "line": line })
            }
            Self::Context(name) => json!({ "from": "context", "name": name }),
            Self::Default => json!({ "from": "default" }),
            Self::Nobody => Json::Null,
        }
    }
}
