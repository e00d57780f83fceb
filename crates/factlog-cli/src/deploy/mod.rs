//! Files that run `factlog serve` somewhere, made from the settings and a text for each.
//!
//! * Names and numbers that another place decides (a flag, a variable, the port, how long stopping may take) are marked
//!   in the text and filled in here; so a setting that is renamed changes them, or a test fails.
//! * What is committed in `deploy/` is what is made here; a test compares the two.
//! * The store listens for other machines there, so all but the systemd unit's own defaults name TLS and a key.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::Duration;

use crate::settings;

/// A file that can be made.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// Its name in `deploy/`.
    pub(crate) file: &'static str,
    template: &'static str,
}

pub(crate) const SYSTEMD: Recipe =
    Recipe { file: "factlog.service", template: include_str!("templates/factlog.service") };
pub(crate) const DOCKERFILE: Recipe =
    Recipe { file: "Dockerfile", template: include_str!("templates/Dockerfile") };
pub(crate) const KUBERNETES: Recipe =
    Recipe { file: "kubernetes.yaml", template: include_str!("templates/kubernetes.yaml") };
pub(crate) const COMPOSE: Recipe =
    Recipe { file: "compose.yaml", template: include_str!("templates/compose.yaml") };

/// Where the store lies in an image.
const DATA: &str = "/var/lib/factlog";
/// The user in an image: `nonroot` of the distroless ones.
const USER: &str = "65532";
/// How long nobody new is sent there before stopping begins.
const LEAVE: Duration = Duration::from_secs(5);
/// What closing the store may take after the calls under way have ended, with room to spare.
const CLOSE: Duration = Duration::from_secs(15);

/// Between a process being told to stop and being killed.
const STOP: Duration = factlog_server::DRAIN.saturating_add(CLOSE);

impl Recipe {
    /// The file.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(self.template.len());
        let mut rest = self.template;
        while let Some((before, marked)) = rest.split_once("@{") {
            let (mark, after) = marked.split_once('}').expect("a mark has an end");
            text.push_str(before);
            text.push_str(&filled(mark));
            rest = after;
        }
        text + rest
    }
}

/// What stands for a mark.
fn filled(mark: &str) -> String {
    if let Some(name) = mark.strip_prefix("flag ") {
        return settings::flag(name);
    }
    if let Some(name) = mark.strip_prefix("variable ") {
        return settings::variable(name);
    }
    match mark {
        "port" => port().to_string(),
        "data" => DATA.to_owned(),
        "user" => USER.to_owned(),
        "version" => env!("CARGO_PKG_VERSION").to_owned(),
        "rust" => format!("{}.0", env!("CARGO_PKG_RUST_VERSION")),
        "leave" => LEAVE.as_secs().to_string(),
        "stop" => STOP.as_secs().to_string(),
        "grace" => STOP.saturating_add(LEAVE).as_secs().to_string(),
        other => panic!("the mark {other:?} means nothing"),
    }
}

fn port() -> u16 {
    let default = settings::default_of("listen").and_then(|address| address.parse::<SocketAddr>().ok());
    default.expect("the default of listen is an address").port()
}
