//! What the claims of a token must say, at a moment. Pure: no key, no clock.

use std::time::Duration;

use factlog_core::Timestamp;
use factlog_core::access::PrincipalName;
use serde_json::Value;

use super::settings::TokenSettings;

/// What the names of principals begin with that only tokens show.
pub(in crate::access) const PRINCIPAL: &str = "jwt:";
pub(in crate::access) const ROLE: &str = "role:";
/// The last second that a claim can name: after the year 5000.
const SECONDS_MAX: f64 = 1e11;

/// Why a token is not good: for the audit log, and not for whoever showed it.
pub(super) type Wrong = &'static str;

/// Whom a good token speaks of, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::access) struct Shown {
    pub(in crate::access) principal: PrincipalName,
    pub(in crate::access) roles: Vec<PrincipalName>,
    pub(in crate::access) good_until: Timestamp,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) issuer: String,
    audience: String,
    leeway: i64,
    max_lifetime: i64,
    principal_claim: String,
    roles_claim: Option<String>,
}

impl Rules {
    pub(super) fn new(settings: &TokenSettings) -> Self {
        Self {
            issuer: settings.issuer.clone(),
            audience: settings.audience.clone(),
            leeway: micros(settings.leeway),
            max_lifetime: micros(settings.max_lifetime),
            principal_claim: settings.principal_claim.clone(),
            roles_claim: settings.roles_claim.clone(),
        }
    }

    /// Whom these claims speak of.
    pub(super) fn read(&self, claims: &Value, now: Timestamp) -> Result<Shown, Wrong> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err("the token is of another issuer");
        }
        if !self.is_for_us(claims.get("aud")) {
            return Err("the token is for another audience");
        }
        let good_until = self.good_until(claims, now.as_micros())?;
        let name = at(claims, &self.principal_claim).and_then(Value::as_str);
        let name = name.ok_or("the claim that says who it is is missing, or no text")?;
        let principal = PrincipalName::new(&format!("{PRINCIPAL}{name}"));
        let principal = principal.map_err(|_| "the claim that says who it is is no name of a principal")?;
        if name.is_empty() {
            return Err("the claim that says who it is is empty");
        }
        let roles = self.roles_claim.as_ref().and_then(|name| at(claims, name)).map_or_else(Vec::new, roles);
        Ok(Shown { principal, roles, good_until })
    }

    fn is_for_us(&self, audience: Option<&Value>) -> bool {
        let ours = |value: &Value| value.as_str() == Some(&self.audience);
        match audience {
            Some(Value::Array(audiences)) => audiences.iter().any(ours),
            Some(audience) => ours(audience),
            None => false,
        }
    }

    /// Times in microseconds: claims have a bound, so that no sum of them can run over.
    fn good_until(&self, claims: &Value, now: i64) -> Result<Timestamp, Wrong> {
        let expires = time(claims, "exp")?.ok_or("the token has no end (exp)")?;
        let good_until = expires + self.leeway;
        if good_until <= now {
            return Err("the token has expired (exp)");
        }
        if time(claims, "nbf")?.is_some_and(|from| now + self.leeway < from) {
            return Err("the token is not good yet (nbf)");
        }
        let issued = time(claims, "iat")?;
        if issued.is_some_and(|issued| now + self.leeway < issued) {
            return Err("the token was issued in the future (iat)");
        }
        if self.max_lifetime < expires - issued.unwrap_or(now) {
            return Err("the token is good for longer than is allowed");
        }
        Ok(Timestamp::from_micros(good_until))
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

/// A claim by its name, or by a JSON pointer (RFC 6901).
fn at<'a>(claims: &'a Value, name: &str) -> Option<&'a Value> {
    match name.starts_with('/') {
        true => claims.pointer(name),
        false => claims.get(name),
    }
}

/// A claim that is a `NumericDate` (RFC 7519, 2), in microseconds.
fn time(claims: &Value, name: &str) -> Result<Option<i64>, Wrong> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds));
    seconds.map(|seconds| Some((seconds * 1e6) as i64)).ok_or("a time of the token is no time")
}

/// Names in a list, or words in a text. What is no name has no grants either.
fn roles(claim: &Value) -> Vec<PrincipalName> {
    let named = |name: &str| PrincipalName::new(&format!("{ROLE}{name}")).ok().filter(|_| !name.is_empty());
    let mut roles: Vec<_> = match claim {
        Value::Array(names) => names.iter().filter_map(Value::as_str).filter_map(named).collect(),
        Value::String(words) => words.split_ascii_whitespace().filter_map(named).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    roles.sort_unstable();
    roles.dedup();
    roles
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_000_000;

    fn read(change: impl FnOnce(&mut Value)) -> Result<Shown, Wrong> {
        let settings = TokenSettings {
            leeway: Duration::from_secs(10),
            max_lifetime: Duration::from_secs(3600),
            roles_claim: Some("/realm/roles".to_owned()),
            ..TokenSettings::new("https://a.example", "factlog")
        };
        let mut claims =
            json!({ "iss": "https://a.example", "aud": "factlog", "sub": "ada", "exp": NOW + 60 });
        change(&mut claims);
        Rules::new(&settings).read(&claims, Timestamp::from_micros(NOW * 1_000_000))
    }

    fn with(name: &'static str, value: Value) -> Result<Shown, Wrong> {
        read(|claims| claims[name] = value)
    }

    /// Would fail if a bound were off, a claim of another type were passed over, or a text were compared in part.
    #[test]
    fn every_claim_has_to_hold() {
        let fine = [
            ("exp", json!(NOW - 9)),
            ("exp", json!(NOW as f64 + 0.5)),
            ("exp", json!(NOW + 3600)),
            ("nbf", json!(NOW + 10)),
            ("iat", json!(NOW + 10)),
            ("iat", json!(NOW + 60 - 3600)),
            ("aud", json!(["other", "factlog"])),
        ];
        for (name, value) in fine {
            assert_eq!(
                with(name, value.clone()).expect("good").principal.as_str(),
                "jwt:ada",
                "{name} {value}"
            );
        }
        let wrong = [
            ("exp", json!(NOW - 10), "expired"),
            ("exp", json!(NOW + 3601), "longer"),
            ("exp", json!("9999999999"), "no time"),
            ("exp", json!(-1), "no time"),
            ("exp", json!(1e300), "no time"),
            ("exp", json!(null), "no time"),
            ("nbf", json!(NOW + 11), "not good yet"),
            ("nbf", json!("0"), "no time"),
            ("iat", json!(NOW + 11), "future"),
            ("iat", json!(NOW + 60 - 3601), "longer"),
            ("iss", json!("https://a.example/"), "another issuer"),
            ("iss", json!(["https://a.example"]), "another issuer"),
            ("aud", json!("factlog2"), "another audience"),
            ("aud", json!([]), "another audience"),
            ("aud", json!({ "factlog": 1 }), "another audience"),
            ("sub", json!(7), "no text"),
            ("sub", json!(""), "empty"),
            ("sub", json!("a b"), "no name"),
            ("sub", json!("a".repeat(300)), "no name"),
        ];
        for (name, value, why) in wrong {
            let told = with(name, value.clone()).expect_err("it is wrong");
            assert!(told.contains(why), "{name} {value}: {told}");
        }
        for name in ["iss", "aud", "exp", "sub"] {
            let missing = read(|claims| drop(claims.as_object_mut().and_then(|claims| claims.remove(name))));
            missing.expect_err(name);
        }
    }

    #[test]
    fn roles_are_names_of_principals() {
        let roles = |value: Value| -> Vec<String> {
            let shown = with("realm", json!({ "roles": value })).expect("good");
            shown.roles.iter().map(ToString::to_string).collect()
        };
        assert_eq!(roles(json!(["b", "a", "b", 7, "two words", ""])), ["role:a", "role:b"]);
        assert_eq!(roles(json!("openid  read")), ["role:openid", "role:read"]);
        assert!(roles(json!({ "a": 1 })).is_empty());
        assert_eq!(read(|_| {}).expect("good").roles, []);
        let until = read(|_| {}).expect("good").good_until;
        assert_eq!(until, Timestamp::from_micros((NOW + 70) * 1_000_000));
    }
}
