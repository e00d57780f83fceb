//! What an operator says of tokens, checked before anything is served.

use std::path::PathBuf;
use std::time::Duration;

use factlog_core::{Error, Result};
use jsonwebtoken::Algorithm;

/// Clocks that differ by more than this are to be set, not to be allowed for.
const LEEWAY_MAX: Duration = Duration::from_secs(300);

/// Whose tokens a server takes, and what they must say.
///
/// ```
/// use factlog_server::{TokenKeys, TokenSettings};
///
/// let settings = TokenSettings::new("https://login.example", "factlog");
/// assert_eq!(settings.keys, TokenKeys::Discovered);
/// assert_eq!(settings.algorithms, ["RS256", "ES256", "EdDSA"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSettings {
    /// The `iss` of every token, character by character.
    pub issuer: String,
    /// What `aud` must be, or have in its list.
    pub audience: String,
    /// The algorithms that may have signed them, as JOSE names them. Asymmetric ones only.
    pub algorithms: Vec<String>,
    /// Where the issuer's public keys come from.
    pub keys: TokenKeys,
    /// The authorities to trust when keys are fetched, in PEM, in place of the system's.
    pub authorities: Option<PathBuf>,
    /// How far the clocks of the issuer and of this machine may be apart; 5 minutes at most.
    pub leeway: Duration,
    /// The longest time from `iat` to `exp`. Where a token has no `iat`, from now.
    pub max_lifetime: Duration,
    /// The claim that says who it is: its name, or a JSON pointer to it such as `/user/id`.
    pub principal_claim: String,
    /// The claim that says which roles the principal has: a list, or words with spaces between.
    pub roles_claim: Option<String>,
}

/// Where the public keys of an issuer come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenKeys {
    /// From where `ISSUER/.well-known/openid-configuration` says (OpenID Connect Discovery).
    Discovered,
    /// From this URL.
    Url(String),
    /// From this file.
    File(PathBuf),
}

impl TokenSettings {
    /// Tokens of this issuer for this audience, with everything else as it is by default.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            algorithms: ["RS256", "ES256", "EdDSA"].map(str::to_owned).into(),
            keys: TokenKeys::Discovered,
            authorities: None,
            leeway: Duration::from_secs(60),
            max_lifetime: Duration::from_secs(24 * 3600),
            principal_claim: "sub".to_owned(),
            roles_claim: None,
        }
    }

    /// The algorithms, if all that is said is in order.
    pub(super) fn check(&self) -> Result<Vec<Algorithm>> {
        let claims = [&self.issuer, &self.audience, &self.principal_claim];
        if claims.into_iter().chain(&self.roles_claim).any(String::is_empty) {
            return Err(Error::invalid("the issuer, the audience and the claims of tokens cannot be empty"));
        }
        if LEEWAY_MAX < self.leeway {
            return Err(Error::invalid(format!(
                "clocks {} s apart are too far; 300 s are the most, set them right instead",
                self.leeway.as_secs()
            )));
        }
        if self.max_lifetime.is_zero() {
            return Err(Error::invalid("no token is good for no time at all; allow it some, such as 24 h"));
        }
        if self.algorithms.is_empty() {
            return Err(Error::invalid("no algorithm of tokens is allowed; name one, such as RS256"));
        }
        self.algorithms.iter().map(|name| algorithm(name)).collect()
    }
}

/// Only those of which the server knows no more than what everybody may know.
fn algorithm(name: &str) -> Result<Algorithm> {
    Ok(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        other => {
            let why = match other {
                "none" => "tokens that nobody has signed are never taken",
                "HS256" | "HS384" | "HS512" => "whoever can check such a token can make one",
                _ => "it is not known here",
            };
            return Err(Error::invalid(format!(
                "{other:?} is no algorithm for tokens: {why}; \
                 RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384 and EdDSA are"
            )));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if an operator could let in tokens that anybody can make.
    #[test]
    fn only_asymmetric_algorithms_can_be_listed() {
        for (name, why) in [
            ("none", "nobody has signed"),
            ("HS256", "can make one"),
            ("HS512", "can make one"),
            ("None", "not known"),
            ("rs256", "not known"),
            ("", "not known"),
        ] {
            let mut settings = TokenSettings::new("https://a.example", "factlog");
            settings.algorithms.push(name.to_owned());
            let told = settings.check().expect_err(name).to_string();
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn what_is_said_of_tokens_has_bounds() {
        let fine = TokenSettings::new("https://a.example", "factlog");
        assert_eq!(fine.check().expect("in order").len(), 3);
        let wrong: [fn(&mut TokenSettings); 6] = [
            |settings| settings.max_lifetime = Duration::ZERO,
            |settings| settings.algorithms.clear(),
            |settings| settings.leeway = Duration::from_secs(301),
            |settings| settings.audience.clear(),
            |settings| settings.principal_claim.clear(),
            |settings| settings.roles_claim = Some(String::new()),
        ];
        for wrong in wrong {
            let mut settings = fine.clone();
            wrong(&mut settings);
            settings.check().expect_err("it is not");
        }
    }
}
