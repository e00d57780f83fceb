//! The settings of tokens, which are of no use one without the other.

use factlog_server::{TokenKeys, TokenSettings};

use crate::failure::{Failure, Kind, Outcome};
use crate::settings::Resolved;

/// Whose tokens are taken, if anybody's.
pub(super) fn settings(settings: &Resolved) -> Outcome<Option<TokenSettings>> {
    let keys = match (settings.text("jwt-jwks-url"), settings.path("jwt-jwks-file")) {
        (None, None) => TokenKeys::Discovered,
        (Some(url), None) => TokenKeys::Url(url.to_owned()),
        (None, Some(file)) => TokenKeys::File(file.to_owned()),
        (Some(_), Some(_)) => {
            return Err(wrong("--jwt-jwks-url and --jwt-jwks-file are both given", "leave one out"));
        }
    };
    let (issuer, audience) = match (settings.text("jwt-issuer"), settings.text("jwt-audience")) {
        (Some(issuer), Some(audience)) => (issuer, audience),
        (None, None) if keys == TokenKeys::Discovered => return Ok(None),
        (None, _) => return Err(wrong("tokens are spoken of, and nobody says whose", "give --jwt-issuer")),
        (Some(_), None) => {
            let advice =
                "give --jwt-audience; otherwise tokens for other programs of the issuer would count here";
            return Err(wrong("--jwt-issuer is given without --jwt-audience", advice));
        }
    };
    if settings.switch("insecure") {
        let advice = "leave --insecure out, or --jwt-issuer";
        return Err(wrong(
            "--insecure asks nobody who they are, and --jwt-issuer says who may be asked",
            advice,
        ));
    }
    let algorithms = settings.text("jwt-algorithms").unwrap_or_default();
    Ok(Some(TokenSettings {
        algorithms: algorithms.split(',').map(|name| name.trim().to_owned()).collect(),
        keys,
        authorities: settings.path("jwt-ca").map(Into::into),
        leeway: settings.time("jwt-leeway"),
        max_lifetime: settings.time("jwt-max-lifetime"),
        principal_claim: settings.text("jwt-principal-claim").unwrap_or("sub").to_owned(),
        roles_claim: settings.text("jwt-roles-claim").map(str::to_owned),
        ..TokenSettings::new(issuer, audience)
    }))
}

fn wrong(what: &str, advice: &str) -> Failure {
    Failure::new(Kind::Usage, what)
        .advise(format!("{advice}; `factlog config show --origin` tells who said so"))
}
