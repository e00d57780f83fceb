//! `factlog gen`: files that run the server under systemd, in a container, in Kubernetes.

use clap::Subcommand;
use serde_json::json;

use crate::context::Context;
use crate::deploy::{self, Recipe};
use crate::failure::Outcome;
use crate::output::{Output, answer};

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog gen systemd > factlog.service
  factlog gen kubernetes > factlog.yaml
  factlog gen dockerfile --json";

/// Print files that run `factlog serve`: a unit, an image, a deployment
///
/// They are made from the same table of settings as the server's flags, with the defaults. With --json, the name of the
/// file and its text.
#[derive(Debug, Subcommand)]
pub(crate) enum Wanted {
    /// A unit for systemd: ready when it says so, watched, in a sandbox
    #[command(before_help = EXAMPLES)]
    Systemd,
    /// A Dockerfile: two stages, no root, no shell
    #[command(before_help = EXAMPLES)]
    Dockerfile,
    /// Manifests for Kubernetes: one replica with its volume, probes, limits on who reaches it
    #[command(before_help = EXAMPLES)]
    Kubernetes,
    /// A file for docker compose
    #[command(before_help = EXAMPLES)]
    Compose,
}

pub(super) fn run(wanted: &Wanted, context: &Context) -> Outcome {
    let recipe: Recipe = match wanted {
        Wanted::Systemd => deploy::SYSTEMD,
        Wanted::Dockerfile => deploy::DOCKERFILE,
        Wanted::Kubernetes => deploy::KUBERNETES,
        Wanted::Compose => deploy::COMPOSE,
    };
    let text = recipe.text();
    if context.json {
        return answer(true, || json!({ "file": recipe.file, "text": text }), String::new);
    }
    let mut output = Output::stdout();
    output.bytes(text.as_bytes())?;
    output.flush()
}
