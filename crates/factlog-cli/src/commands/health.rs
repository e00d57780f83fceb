//! `factlog health`: does the server answer, and is it ready? For health checks in images, which have no shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::context::Context;
use crate::failure::{Failure, Kind, Outcome};
use crate::opened::Remote;
use crate::output::answer;
use crate::settings::{self, Flags, Resolved};

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog health
  factlog health --server factlog://127.0.0.1:4270 || echo \"exit code $?\"";

/// Ask a server whether it is ready: 0 if it is, 6 if not or if nobody answers
///
/// Without --server, FACTLOG_SERVER or a context, the server that the settings here would start on this machine.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(flatten)]
    flags: Flags,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let url = match context.server_named()? {
        Some(url) => url.to_owned(),
        None => of_settings(&settings::load(&arguments.flags, context)?)?,
    };
    let remote = Remote::reached(&url, None)?;
    remote.ready().map_err(|error| Failure::store("find the server ready", &error).behind(&url))?;
    answer(context.json, || json!({ "ready": true, "url": url }), || format!("{url} is ready"))
}

/// Where a server with these settings is reached on its own machine. With TLS it is trusted by its own file of certificates,
/// under the name `localhost` where it listens everywhere: a certificate without that name needs `--server`.
fn of_settings(settings: &Resolved) -> Outcome<String> {
    let listen = settings.address("listen");
    if listen.port() == 0 {
        return Err(Failure::new(Kind::Usage, "the settings leave the port to the system")
            .advise("give --server URL, as `factlog serve` has printed it"));
    }
    if let Some(certificate) = settings.path("tls-cert") {
        let host = match listen.ip() {
            ip if ip.is_unspecified() => format!("localhost:{}", listen.port()),
            _ => listen.to_string(),
        };
        let path = utf8_percent_encode(&certificate.to_string_lossy(), NON_ALPHANUMERIC).to_string();
        return Ok(format!("factlogs://{host}?ca={path}"));
    }
    Ok(format!("factlog://{}", SocketAddr::new(reached_at(listen.ip()), listen.port())))
}

/// An address that stands for all of the machine's is reached over loopback.
fn reached_at(listening: IpAddr) -> IpAddr {
    match listening {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => listening,
    }
}
