//! `cargo xtask api`: the real server as programs in other languages meet it.
//!
//! * Schemathesis plays random requests, well and ill, against `docs/openapi.json`: no failure of the server, and no answer that the
//!   document does not tell.
//! * `examples/python` appends, reads and follows with stubs that it generates.
//! * What they need comes from PyPI, each package with its hash, into the target directory. Without it this fails; nothing is skipped.

mod server;

use std::path::Path;

use anyhow::{Result, bail};

use self::server::Server;
use crate::process::finish;
use crate::python::Python;
use crate::workspace::Workspace;

/// Cases for each operation and each way to make them.
const EXAMPLES: &str = "40";
/// The same cases every time: a run that fails can be repeated.
const SEED: &str = "4270";

/// Runs both; what came of it.
pub(crate) fn run(workspace: &Workspace) -> Result<String> {
    let python = Python::prepare(
        &workspace.root.join("xtask/api/requirements.txt"),
        workspace.target().join("api/python"),
    )?;
    let program = server::build(workspace)?;
    let cases = schemathesis(workspace, &python, &program)?;
    let server = Server::start(&program, &workspace.target())?;
    let mut example = python.command("python");
    example.arg(workspace.root.join("examples/python/factlog_example.py")).arg(server.address());
    if let Some(path) = server.key_file()? {
        example.env("FACTLOG_KEY_FILE", path);
    }
    finish("the example in Python", &mut example)?;
    server.stop()?;
    Ok(format!("{cases}; the example in Python"))
}

/// Random requests; the line that says how many.
fn schemathesis(workspace: &Workspace, python: &Python, program: &Path) -> Result<String> {
    let ours = workspace.root.join("xtask/api");
    let server = Server::start(program, &workspace.target())?;
    let mut command = python.command("schemathesis");
    command.arg("--config-file").arg(ours.join("schemathesis.toml"));
    command.arg("run").arg(workspace.root.join("docs/openapi.json"));
    command.args(["--url", &server.http(), "--no-color", "--generation-database", "none"]);
    command.args(["--max-examples", EXAMPLES, "--seed", SEED, "--continue-on-failure"]);
    if let Some(key) = server.key() {
        command.arg("--header").arg(format!("Authorization: Bearer {key}"));
        // The hooks keep it from being revoked: `factlog_<id>_...`.
        command.env("FACTLOG_OWN_KEY_ID", key.split('_').nth(1).unwrap_or_default());
    }
    // It keeps what it found where it runs, and that is not to be kept.
    command.current_dir(server.directory()).env("PYTHONPATH", &ours).env("PYTHONDONTWRITEBYTECODE", "1");
    command.env("SCHEMATHESIS_HOOKS", "hooks");
    if !server.asks_for_keys()? {
        // Nothing to leave out a key for; where keys are asked for, these two are the point.
        command.args(["--exclude-checks", "ignored_auth,missing_required_header"]);
        command.args(["--generation-with-security-parameters", "false"]);
    }
    println!("$ schemathesis run docs/openapi.json --max-examples {EXAMPLES} --seed {SEED}");
    let (status, lines) = crate::process::run_keeping(&mut command, |line| line.contains(" generated"))?;
    if !status.success() {
        bail!("schemathesis found what docs/openapi.json does not tell; its report stands above");
    }
    let events = server.events()?;
    if events == 0 {
        bail!("no request of schemathesis appended anything: what it saw of answers is nothing");
    }
    server.stop()?;
    let cases = lines.last().map_or("", |line| line.trim());
    Ok(format!("schemathesis: {cases}, {events} events appended"))
}
