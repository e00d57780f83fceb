//! `factlog auth grants`.

use clap::{Args, Subcommand};
use factlog_core::access::{AccessControl, Grants as Granted, Principal, PrincipalName};
use serde_json::json;

use super::{document, done, shown};
use crate::failure::{Failure, Outcome};
use crate::output::answer;

#[derive(Debug, Subcommand)]
pub(crate) enum Grants {
    /// Every principal and what it may do
    #[command(before_help = super::EXAMPLES)]
    List,
    /// Give a principal these grants in place of those it has
    #[command(before_help = super::EXAMPLES)]
    Set(Set),
}

#[derive(Args, Debug)]
pub(crate) struct Set {
    /// The principal; it comes into being if it does not exist
    principal: PrincipalName,
    /// What it may do from now on, such as 'read stream:orders-'
    #[arg(value_name = "GRANT", required_unless_present = "nothing", value_parser = super::keys::grant)]
    grants: Vec<String>,
    /// Take everything away
    #[arg(long, conflicts_with = "grants")]
    nothing: bool,
}

pub(super) fn run(grants: &Grants, access: &dyn AccessControl, json: bool) -> Outcome {
    match grants {
        Grants::List => {
            let principals = done("list the grants", access.principals())?;
            let documents = || json!({ "principals": principals.iter().map(document).collect::<Vec<_>>() });
            answer(json, documents, || principals.iter().map(shown).collect::<Vec<_>>().join("\n"))
        }
        Grants::Set(Set { principal, grants, nothing: _ }) => {
            let grants = Granted::parse(grants.iter().map(String::as_str));
            let grants = grants.map_err(|error| Failure::store("grant", &error))?;
            done("change the grants", access.set_grants(principal, grants.clone()))?;
            let principal = Principal { name: principal.clone(), grants };
            answer(json, || document(&principal), || shown(&principal))
        }
    }
}
