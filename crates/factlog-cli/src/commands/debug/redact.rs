//! What of settings may be shown: what is known to be no secret, and nothing else.
//!
//! A list of what is secret would miss the next secret; this is a list of what is not.

use std::ffi::OsString;

use serde_json::{Map, Value, json};

use crate::place::Place;
use crate::settings::TABLE;

/// Variables whose values are shown.
const SHOWN: [&str; 4] = ["FACTLOG_CONTEXT", "FACTLOG_READ_MODEL", "NO_COLOR", "TERM"];
/// Variables that are told of, by how they begin.
const TOLD: [&str; 4] = ["FACTLOG_", "OTEL_", "NO_COLOR", "TERM"];
const HIDDEN: &str = "[set, not shown]";

/// The variables that matter, those that may be secret without their value.
pub(super) fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> Value {
    let all = all.filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
    let told = all.filter(|(name, _)| TOLD.iter().any(|start| name.starts_with(start)));
    let shown = |(name, value): (String, OsString)| {
        let text = match name.as_str() {
            "FACTLOG_SERVER" => value.to_str().map(server),
            known if SHOWN.contains(&known) || is_open_setting(known) => {
                Some(value.to_string_lossy().into_owned())
            }
            _ => None,
        };
        (name, json!(text.unwrap_or_else(|| HIDDEN.to_owned())))
    };
    let mut variables: Vec<(String, Value)> = told.map(shown).collect();
    variables.sort_by(|one, other| one.0.cmp(&other.0));
    Value::Object(variables.into_iter().collect::<Map<_, _>>())
}

/// Whether it is the variable of a setting that is no secret.
fn is_open_setting(name: &str) -> bool {
    TABLE.iter().any(|setting| !setting.secret && setting.variable() == name)
}

/// Where a store is.
pub(super) fn place(place: &Place) -> Value {
    match place {
        Place::Data(directory) => json!({ "data": directory.display().to_string() }),
        Place::Server(url) => json!({ "server": server(url) }),
    }
}

/// A connection string without user, password, path, and what its parameters say.
fn server(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return HIDDEN.to_owned() };
    let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = place.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let plain =
        |text: &str| text.chars().all(|letter| letter.is_ascii_alphanumeric() || "+.-:[]_".contains(letter));
    if !plain(scheme) || !plain(host) {
        return HIDDEN.to_owned();
    }
    let more = if parameters.is_empty() { "" } else { "?[parameters not shown]" };
    format!("{scheme}://{host}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if a key, a password or a token of the environment were sent to somebody who helps.
    #[test]
    fn only_what_is_known_to_be_no_secret_is_shown() {
        let canary = "s3cr3t";
        let set = [
            ("FACTLOG_KEY", canary.to_owned()),
            ("FACTLOG_NEW_THING", canary.to_owned()),
            ("OTEL_EXPORTER_OTLP_HEADERS", format!("authorization={canary}")),
            ("FACTLOG_SERVER", format!("factlog://ada:{canary}@host:4270/{canary}?key={canary}")),
            ("FACTLOG_DATA", "/var/lib/factlog".to_owned()),
            ("HOME", canary.to_owned()),
        ];
        let all = set.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let shown = variables(all.into_iter());
        assert!(!shown.to_string().contains(canary), "{shown}");
        assert_eq!(shown["FACTLOG_DATA"], "/var/lib/factlog");
        assert_eq!(shown["FACTLOG_SERVER"], "factlog://host:4270?[parameters not shown]");
        assert_eq!(shown["FACTLOG_KEY"], HIDDEN);
        assert_eq!(shown.as_object().map(Map::len), Some(5), "{shown}");
        for odd in [canary, "factlog://a b", &format!("{canary} x://h")] {
            assert_eq!(server(odd), HIDDEN);
        }
    }
}
