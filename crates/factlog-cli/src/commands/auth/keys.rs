//! `factlog auth keys`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use factlog_core::access::{AccessControl, Grants, KeyInfo, MintedKey, NewKey, PrincipalName};
use factlog_core::{Clock as _, SystemClock, Timestamp};
use factlog_server::Access;
use serde_json::{Value, json};

use super::{Written, done};
use crate::failure::{Failure, Kind, Outcome};
use crate::output::answer;
use crate::table::{Align, table};

const DAY: u64 = 24 * 3_600;

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key for a principal; its secret is shown once, or written to a file
    #[command(before_help = super::EXAMPLES)]
    Create(Create),
    /// Print a key that no store knows yet, for `factlog serve --admin-key-file` on a store without keys
    #[command(before_help = super::EXAMPLES)]
    Generate,
    /// Every key there ever was, without its secret
    #[command(before_help = super::EXAMPLES)]
    List,
    /// Take a key back; its open streams end within a second
    #[command(before_help = super::EXAMPLES)]
    Revoke(One),
    /// Make the next key of the same principal, and let this one end after a while
    #[command(before_help = super::EXAMPLES)]
    Rotate(Rotate),
}

#[derive(Args, Debug)]
pub(crate) struct Create {
    /// Whose key it will be
    principal: PrincipalName,
    /// What a principal that does not exist yet may do, such as 'read,append stream:orders-'; may be repeated
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant)]
    grants: Vec<String>,
    #[command(flatten)]
    made: Made,
}

#[derive(Args, Debug)]
pub(crate) struct Rotate {
    /// The key, by its id
    id: String,
    /// How long the old one stays good: a number with s, m, h or d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = time)]
    overlap: Duration,
    #[command(flatten)]
    made: Made,
}

#[derive(Args, Debug)]
struct Made {
    /// When the key ends: a number with s, m, h or d, or never
    #[arg(long, value_name = "TIME", default_value = "90d", value_parser = ends)]
    expires: Ends,
    /// A new file for the secret, readable by you only
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct One {
    /// The key, by its id
    id: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Never,
    After(Duration),
}

pub(super) fn run(keys: &Keys, access: &dyn AccessControl, json: bool) -> Outcome {
    match keys {
        Keys::Create(arguments) => create(arguments, access, json),
        Keys::Generate => generate(json),
        Keys::List => list(access, json),
        Keys::Revoke(One { id }) => {
            done("revoke the key", access.revoke_key(id))?;
            answer(json, || json!({ "revoked": id }), || format!("key {id} is revoked"))
        }
        Keys::Rotate(arguments) => rotate(arguments, access, json),
    }
}

/// A key of which nobody knows but whoever reads this output.
pub(super) fn generate(json: bool) -> Outcome {
    let secret = Access::generate_key().map_err(|error| Failure::store("make a key", &error))?;
    answer(json, || json!({ "secret": secret }), || secret.clone())
}

fn create(arguments: &Create, access: &dyn AccessControl, json: bool) -> Outcome {
    let grants = match arguments.grants.as_slice() {
        [] => None,
        texts => Some(
            Grants::parse(texts.iter().map(String::as_str))
                .map_err(|error| Failure::store("grant", &error))?,
        ),
    };
    let expires_at = arguments.made.expires.at()?;
    let new = NewKey { principal: arguments.principal.clone(), grants, expires_at };
    arguments.made.keep(|| done("make a key", access.create_key(new)), json)
}

fn rotate(arguments: &Rotate, access: &dyn AccessControl, json: bool) -> Outcome {
    let old_expires_at = Ends::After(arguments.overlap).at()?.unwrap_or(Timestamp::from_micros(i64::MAX));
    let new_expires_at = arguments.made.expires.at()?;
    let rotating = access.rotate_key(&arguments.id, old_expires_at, new_expires_at);
    arguments.made.keep(|| done("rotate the key", rotating), json)
}

impl Made {
    /// Makes the key and hands it to whoever asked for it.
    fn keep(&self, make: impl FnOnce() -> Outcome<MintedKey>, json: bool) -> Outcome {
        let file = self.output.as_deref().map(Written::begin).transpose()?;
        let minted = make()?;
        let info = minted.info;
        let Some(file) = file else {
            let documented = || {
                let mut shown = document(&info, now());
                shown["secret"] = json!(minted.secret);
                shown
            };
            return answer(json, documented, || {
                format!("{}\nThis is the only time the key is shown.\n{}", made(&info), minted.secret)
            });
        };
        file.keep(&minted.secret)?;
        answer(json, || document(&info, now()), || made(&info))
    }
}

fn made(info: &KeyInfo) -> String {
    let until = info.expires_at.map_or("for ever".to_owned(), |expires_at| format!("until {expires_at}"));
    format!("key {} of {}, good {until}", info.id, info.principal)
}

fn list(access: &dyn AccessControl, json: bool) -> Outcome {
    let keys = done("list the keys", access.keys())?;
    let now = now();
    let documents = || json!({ "keys": keys.iter().map(|info| document(info, now)).collect::<Vec<_>>() });
    answer(json, documents, || {
        let time = |time: Option<Timestamp>| time.map_or("-".to_owned(), |time| time.to_string());
        let row = |info: &KeyInfo| {
            let principal = info.principal.to_string();
            [
                info.id.clone(),
                principal,
                state(info, now).to_owned(),
                time(Some(info.created_at)),
                time(info.expires_at),
            ]
        };
        let columns = [
            ("ID", Align::Left),
            ("PRINCIPAL", Align::Left),
            ("STATE", Align::Left),
            ("CREATED", Align::Left),
            ("EXPIRES", Align::Left),
        ];
        table(columns, &keys.iter().map(row).collect::<Vec<_>>())
    })
}

fn document(info: &KeyInfo, now: Timestamp) -> Value {
    let time = |time: Option<Timestamp>| time.map(|time| time.to_string());
    json!({
        "id": info.id, "principal": info.principal.as_str(), "state": state(info, now),
        "created_at": info.created_at.to_string(), "expires_at": time(info.expires_at), "revoked_at": time(info.revoked_at),
    })
}

fn state(info: &KeyInfo, now: Timestamp) -> &'static str {
    match (info.revoked_at, info.is_good(now)) {
        (Some(_), _) => "revoked",
        (None, true) => "good",
        (None, false) => "expired",
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

impl Ends {
    /// The instant, from now on.
    fn at(self) -> Outcome<Option<Timestamp>> {
        let Self::After(after) = self else { return Ok(None) };
        let micros =
            i64::try_from(after.as_micros()).ok().and_then(|after| now().as_micros().checked_add(after));
        let micros = micros.ok_or_else(|| Failure::new(Kind::Usage, "that is too far away; give `never`"))?;
        Ok(Some(Timestamp::from_micros(micros)))
    }
}

fn ends(text: &str) -> Result<Ends, String> {
    if text == "never" { Ok(Ends::Never) } else { time(text).map(Ends::After) }
}

/// A time such as 90d, 24h, 15m, 30s.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; give a number with s, m, h or d, such as 90d");
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => DAY,
        _ => return Err(wrong()),
    };
    let seconds = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    seconds.map(Duration::from_secs).ok_or_else(wrong)
}

/// A grant that can be understood, as it was typed.
pub(super) fn grant(text: &str) -> Result<String, String> {
    Grants::parse([text]).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit() {
        assert_eq!(ends("never"), Ok(Ends::Never));
        for (text, seconds) in [("90d", 90 * DAY), ("24h", DAY), ("15m", 900), ("0s", 0)] {
            assert_eq!(ends(text), Ok(Ends::After(Duration::from_secs(seconds))));
        }
        for text in ["", "d", "90", "1w", "-1d", "1.5h", "99999999999999999999d", "9999999999999999999d"] {
            assert!(ends(text).is_err(), "{text}");
        }
    }
}
