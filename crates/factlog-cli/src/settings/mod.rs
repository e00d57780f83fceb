//! The settings of `factlog serve`: one table, and all that is made of it.
//!
//! * A setting is one row of [`TABLE`]. Its flag, its variable, its key in a file, its help, its line in
//!   `factlog config show`, its place in the JSON Schema and in `docs/settings.md` follow from the row.
//! * Flags win over variables, variables over files, the file of a project over that of a user, that over that of the
//!   machine, and a default is used where nobody says anything.
//! * Nothing wrong is passed over: an unknown key, a wrong type, a value out of bounds is refused with file and line.
//! * A value that is secret is never shown, and has no flag. A path in a file is seen from that file.
//!
//! It opens no store and knows no command. Reading order: this table, `value`, `flags`, `files`, `resolve`, `load`.

mod files;
mod flags;
mod load;
#[cfg(test)]
mod page;
mod resolve;
mod schema;
#[cfg(test)]
mod tests;
mod time;
mod toml_text;
mod trust;
mod value;

pub(crate) use files::{Problem, SettingsFile, problems_failure};
pub(crate) use flags::Flags;
pub(crate) use load::{files, load, look, warnings};
pub(crate) use resolve::{Found, Resolved};
pub(crate) use schema::schema;

use crate::telemetry;
use value::Kind;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// The key in a file; with `--` before it the flag, in capitals behind `FACTLOG_` the variable.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What holds where nobody says anything, as it is written on a command line.
    pub(crate) default: Option<&'static str>,
    /// Of a file: what stands in it is secret. Of anything else: the value itself is.
    pub(crate) secret: bool,
    /// One line without a full stop.
    pub(crate) meaning: &'static str,
}

/// Every setting. To add one, add its row, and ask for it where `factlog serve` uses it.
#[rustfmt::skip]
pub(crate) static TABLE: [Setting; 27] = [
    Setting { name: "data", kind: Kind::Directory, default: None, secret: false, meaning: "The data directory; there is none unless one is named" },
    Setting { name: "listen", kind: Kind::Address, default: Some("127.0.0.1:4270"), secret: false, meaning: "Where to listen; port 0 takes a free one" },
    Setting { name: "admin-key-file", kind: Kind::File, default: None, secret: true, meaning: "The key that the first start lets in to everything; a file that is not there is made with a new one" },
    Setting { name: "insecure", kind: Kind::Switch, default: Some("false"), secret: false, meaning: "Ask for no key: whoever can reach the port on this machine may do everything" },
    Setting { name: "tls-cert", kind: Kind::File, default: None, secret: false, meaning: "Speak TLS only, with the certificate in this PEM file, followed by those of its authorities" },
    Setting { name: "tls-key", kind: Kind::File, default: None, secret: true, meaning: "The key of that certificate, in PEM" },
    Setting { name: "tls-client-ca", kind: Kind::File, default: None, secret: false, meaning: "Clients must show a certificate that an authority in this PEM file has signed" },
    Setting { name: "tls-client-auth", kind: Kind::Word(&["required", "optional"]), default: Some("required"), secret: false, meaning: "Whether they must show one, or only may" },
    Setting { name: "tls-client-age", kind: Kind::Time { max: 365 * 86_400 }, default: Some("1h"), secret: false, meaning: "How long a connection with a client certificate lasts before the client must show it anew; 0s is until it expires" },
    Setting { name: "jwt-issuer", kind: Kind::Text, default: None, secret: false, meaning: "Take tokens of this issuer too (JWT, OpenID Connect): its URL, as `iss` has it" },
    Setting { name: "jwt-audience", kind: Kind::Text, default: None, secret: false, meaning: "What `aud` of a token must have in it" },
    Setting { name: "jwt-algorithms", kind: Kind::Text, default: Some("RS256,ES256,EdDSA"), secret: false, meaning: "What may have signed a token, with commas between; asymmetric algorithms only" },
    Setting { name: "jwt-jwks-url", kind: Kind::Text, default: None, secret: false, meaning: "The keys of tokens are there, and not where the issuer says" },
    Setting { name: "jwt-jwks-file", kind: Kind::File, default: None, secret: false, meaning: "The keys of tokens are in this file, and nowhere else" },
    Setting { name: "jwt-ca", kind: Kind::File, default: None, secret: false, meaning: "Trust the authorities in this PEM file, and not the system's, when keys of tokens are fetched" },
    Setting { name: "jwt-leeway", kind: Kind::Time { max: 300 }, default: Some("60s"), secret: false, meaning: "How far the clocks of the issuer and of this machine may be apart" },
    Setting { name: "jwt-max-lifetime", kind: Kind::Time { max: 366 * 86_400 }, default: Some("24h"), secret: false, meaning: "Refuse tokens that are good for longer, from `iat` to `exp`" },
    Setting { name: "jwt-principal-claim", kind: Kind::Text, default: Some("sub"), secret: false, meaning: "The claim that names the principal `jwt:NAME`; also a JSON pointer such as /user/id" },
    Setting { name: "jwt-roles-claim", kind: Kind::Text, default: None, secret: false, meaning: "The claim that names roles, which have the grants of the principals `role:NAME`" },
    Setting { name: "reflection", kind: Kind::Switch, default: Some("false"), secret: false, meaning: "Describe the services to tools such as grpcurl (gRPC reflection)" },
    Setting { name: "log", kind: Kind::Word(&["text", "json", "off"]), default: Some("text"), secret: false, meaning: "Log to standard error: lines for people, a JSON object a line, or nothing" },
    Setting { name: "log-level", kind: Kind::Text, default: Some(telemetry::FILTER), secret: false, meaning: "What is logged: off, error, warn, info (with every request), debug, trace; also by target, with commas between" },
    Setting { name: "cache-bytes", kind: Kind::CACHE, default: Some("24MiB"), secret: false, meaning: "Memory for decoded blocks of events" },
    Setting { name: "index-cache-bytes", kind: Kind::CACHE, default: Some("16MiB"), secret: false, meaning: "Memory for pages of the index" },
    Setting { name: "filter-bytes", kind: Kind::CACHE, default: Some("24MiB"), secret: false, meaning: "Memory for filters of the index; what does not fit is read a page at a time" },
    Setting { name: "request-bytes", kind: Kind::Bytes { min: 1 << 20, max: 64 << 30 }, default: Some("512MiB"), secret: false, meaning: "Memory that requests may hold from their arrival until they are answered, all together; one more is refused, with nothing written. Large answers may hold as much again" },
    Setting { name: "compression", kind: Kind::Word(&["zstd", "none"]), default: Some("zstd"), secret: false, meaning: "How sealed events are written; either is read" },
];

impl Setting {
    /// The variable of the environment.
    pub(crate) fn variable(&self) -> String {
        variable(self.name)
    }

    /// What stands for the value where the value is secret.
    pub(crate) fn hides_value(&self) -> bool {
        self.secret && self.kind != Kind::File
    }

    /// Whether it has a flag of its own: secrets have none, and `--data` belongs to every command.
    pub(crate) fn has_own_flag(&self) -> bool {
        !self.hides_value() && self.name != DATA
    }
}

/// The setting that other commands have, too.
pub(crate) const DATA: &str = "data";

/// The variable that names a file instead of the search.
pub(crate) const CONFIG_VARIABLE: &str = "FACTLOG_CONFIG";

/// The variable of a setting.
pub(crate) fn variable(name: &str) -> String {
    format!("FACTLOG_{}", name.replace('-', "_").to_ascii_uppercase())
}

/// The flag of a setting.
pub(crate) fn flag(name: &str) -> String {
    format!("--{name}")
}

/// The default of a setting of the table.
pub(crate) fn default_of(name: &str) -> Option<&'static str> {
    TABLE.iter().find(|setting| setting.name == name).and_then(|setting| setting.default)
}
