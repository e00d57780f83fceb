//! Connection strings: `factlog://host:port?deadline=10s&resume=5m`, and with TLS
//! `factlogs://host:port?ca=FILE&cert=FILE&cert-key=FILE`.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use factlog_core::{Error, Result};
use percent_encoding::percent_decode_str;

/// How long one call may take, unless the connection string says otherwise.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a subscription tries to resume, unless the connection string says otherwise.
const RESUME: Duration = Duration::from_secs(300);

/// Where a server is and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `host:port`.
    pub(crate) authority: String,
    /// How long one call may take with all its retries; for a read, how long it may go without progress.
    pub(crate) deadline: Duration,
    /// How long a subscription tries to resume before it ends.
    pub(crate) resume: Duration,
    /// Where the key to show stands.
    pub(crate) key_file: Option<PathBuf>,
    /// With what a connection is secured; `None` says that it is not.
    pub(crate) tls: Option<TlsFiles>,
}

/// The files that TLS needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsFiles {
    /// The authorities that are trusted, in place of those of the system.
    pub(crate) authorities: Option<PathBuf>,
    /// The certificate that is shown, and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

impl Target {
    /// Reads a connection string.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: String| {
            Error::invalid(format!(
                "{text:?} is no connection string: {why}; give factlog://host:port, or factlogs://host:port for TLS"
            ))
        };
        let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
        let secure = match scheme {
            "factlog" => false,
            "factlogs" => true,
            _ => return Err(wrong("it does not begin with factlog:// or factlogs://".to_owned())),
        };
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let authority = place.strip_suffix('/').unwrap_or(place);
        let (host, port) = authority.rsplit_once(':').ok_or_else(|| wrong("it names no port".to_owned()))?;
        if host.is_empty() || host.contains(['/', '@', '#']) || (host.contains(':') && !host.ends_with(']')) {
            return Err(wrong(format!("{host:?} is no host (IPv6 addresses stand in brackets)")));
        }
        if port.parse::<u16>().map_or(true, |port| port == 0) {
            return Err(wrong(format!("{port:?} is no port")));
        }
        let authority = authority.to_owned();
        let mut target = Self { authority, deadline: DEADLINE, resume: RESUME, key_file: None, tls: None };
        let (mut files, mut certificate, mut key) = (TlsFiles::default(), None, None);
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let time = || {
                duration(value)
                    .ok_or_else(|| wrong(format!("{name}={value:?} is no time such as 500ms, 10s, 5m")))
            };
            let file = || match file(value) {
                _ if !secure => Err(wrong(format!("{name} is for TLS, which factlogs:// asks for"))),
                Some(file) => Ok(file),
                None => Err(wrong(format!("{name}={value:?} is no file"))),
            };
            match name {
                "deadline" => target.deadline = time()?,
                "resume" => target.resume = time()?,
                "key-file" => {
                    let no_file = || wrong(format!("{name}={value:?} is no file"));
                    target.key_file = Some(self::file(value).ok_or_else(no_file)?);
                }
                "ca" => files.authorities = Some(file()?),
                "cert" => certificate = Some(file()?),
                "cert-key" => key = Some(file()?),
                other => {
                    return Err(wrong(format!(
                        "there is no parameter {other:?}, only `deadline`, `resume` and `key-file`, and for TLS `ca`, `cert` \
                         and `cert-key`"
                    )));
                }
            }
        }
        files.identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err(wrong("`cert` and `cert-key` go together".to_owned())),
        };
        target.tls = secure.then_some(files);
        Ok(target)
    }

    /// The host, without the brackets of an IPv6 address.
    pub(crate) fn host(&self) -> &str {
        let host = self.authority.rsplit_once(':').map_or(self.authority.as_str(), |(host, _)| host);
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether nobody on the way reads what is sent: it is encrypted, or stays on this machine.
    pub(crate) fn keeps_secrets(&self) -> bool {
        let host = self.host();
        self.tls.is_some()
            || host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }
}

/// A path, in which `%26` is an ampersand.
fn file(text: &str) -> Option<PathBuf> {
    let path = percent_decode_str(text).decode_utf8().ok()?;
    (!path.is_empty() && !path.contains('\0')).then(|| PathBuf::from(path.as_ref()))
}

/// A time of 1 ms to 24 h.
fn duration(text: &str) -> Option<Duration> {
    let unit = text.trim_start_matches(|digit: char| digit.is_ascii_digit());
    let number: u64 = text[..text.len() - unit.len()].parse().ok()?;
    let millis = number.checked_mul(match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    })?;
    (1..=24 * 3_600_000).contains(&millis).then(|| Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_string_says_where_and_how_long() {
        let target = Target::parse("factlog://db.example:4270/?deadline=250ms&resume=2m").expect("valid");
        assert_eq!(target.authority, "db.example:4270");
        assert_eq!((target.deadline, target.resume), (Duration::from_millis(250), Duration::from_secs(120)));
        let short = Target::parse("factlog://[::1]:1").expect("valid");
        assert_eq!((short.authority.as_str(), short.deadline), ("[::1]:1", DEADLINE));
    }

    /// Would fail if a key could be sent to another machine in the open.
    #[test]
    fn a_key_goes_to_this_machine_only() {
        let target = Target::parse("factlog://127.0.0.1:1?key-file=/a%26b/c").expect("valid");
        assert_eq!(target.key_file, Some("/a&b/c".into()));
        for (text, keeps) in [
            ("factlog://127.0.0.1:1", true),
            ("factlog://localhost:1", true),
            ("factlog://[::1]:1", true),
            ("factlog://10.0.0.1:1", false),
            ("factlog://localhost.example:1", false),
        ] {
            assert_eq!(Target::parse(text).expect(text).keeps_secrets(), keeps, "{text}");
        }
    }

    #[test]
    fn the_scheme_asks_for_tls_and_paths_may_be_encoded() {
        assert_eq!(Target::parse("factlog://a:1").expect("valid").tls, None);
        let bare = Target::parse("factlogs://[::1]:1").expect("valid");
        assert_eq!((bare.host(), bare.tls.clone().expect("TLS")), ("::1", TlsFiles::default()));
        let text = "factlogs://db:1?ca=/etc/a%26b%20c.pem&cert=c.pem&cert-key=k.pem&deadline=1s";
        let full = Target::parse(text).expect("valid");
        let files = full.tls.clone().expect("TLS");
        assert_eq!((full.host(), files.authorities), ("db", Some("/etc/a&b c.pem".into())));
        assert_eq!(files.identity, Some(("c.pem".into(), "k.pem".into())));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, why) in [
            ("http://a:1", "does not begin with factlog:// or factlogs://"),
            ("a:1", "does not begin with"),
            ("factlog://a:1?ca=x.pem", "ca is for TLS, which factlogs:// asks for"),
            ("factlogs://a:1?ca=", "is no file"),
            ("factlogs://a:1?cert=%FF&cert-key=k", "is no file"),
            ("factlogs://a:1?cert=c.pem", "go together"),
            ("factlogs://a:1?cert-key=k.pem", "go together"),
            ("factlog://a", "names no port"),
            ("factlog://a:0", "\"0\" is no port"),
            ("factlog://a:99999", "is no port"),
            ("factlog://::1:1", "IPv6"),
            ("factlog://user@a:1", "is no host"),
            ("factlog://a:1?deadline=soon", "is no time"),
            ("factlog://a:1?deadline=0s", "is no time"),
            ("factlog://a:1?deadline=99999999999999999999s", "is no time"),
            ("factlog://a:1?retries=3", "only `deadline`, `resume` and `key-file`"),
        ] {
            let error = Target::parse(text).expect_err(text).to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
