//! What a call brings along, as the type that the program says.
//!
//! What is wrong is told with the path of the field; a field that the type has not is wrong, too, whatever the type says of that.

use std::fmt::Display;

use factlog_server::Problem;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};

/// A body of JSON.
pub(crate) fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_str(text);
    let decoded = decode(&mut json, |error: &serde_json::Error| {
        let told = error.to_string();
        let reason = told.rsplit_once(" at line ").map_or(told.as_str(), |(reason, _)| reason);
        Problem::invalid(reason).with("line", error.line()).with("column", error.column())
    })?;
    json.end().map_err(|error| Problem::invalid(format!("after the command: {error}")))?;
    Ok(decoded)
}

/// The parameters of a query string.
pub(crate) fn from_query<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    decode(pairs, |error: &serde::de::value::Error| Problem::invalid(error.to_string()))
}

fn decode<'de, T, D>(from: D, told: impl Fn(&D::Error) -> Problem) -> Result<T, Problem>
where
    T: Deserialize<'de>,
    D: Deserializer<'de, Error: Display>,
{
    let mut unknown = None;
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(from, &mut track);
    let mut note = |path: serde_ignored::Path<'_>| {
        unknown.get_or_insert_with(|| path.to_string());
    };
    let decoded = T::deserialize(serde_ignored::Deserializer::new(tracked, &mut note));
    match (decoded, unknown) {
        (Ok(decoded), None) => Ok(decoded),
        (Ok(_), Some(field)) => {
            Err(Problem::invalid(format!("there is no field `{field}` here")).with("field", field))
        }
        (Err(error), _) => {
            let (problem, path) = (told(&error), track.path().to_string());
            // These stand for the whole, and for what has no name yet.
            let within = !matches!(path.as_str(), "" | "." | "?");
            Err(if within { problem.about(&format!("field `{path}`")).with("field", path) } else { problem })
        }
    }
}
