//! `factlog serve` on a free port with an empty store, for one part of a run.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::finish;
use crate::{process, workspace::Workspace};

/// A server that runs; it is killed if it is not stopped.
pub(super) struct Server {
    process: Child,
    directory: PathBuf,
    /// Without its scheme.
    address: String,
    key: Option<String>,
}

/// Builds `factlog` with the features and profile of the gate's tests, so that hardly anything is built twice.
pub(super) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let mut command = process::cargo(&workspace.root);
    command.args(["build", "--quiet", "--workspace", "--all-features", "--bin", "factlog"]);
    finish("cargo build --bin factlog", &mut command)?;
    Ok(workspace.target().join("debug/factlog"))
}

impl Server {
    pub(super) fn start(program: &Path, target: &Path) -> Result<Self> {
        let directory = target.join(format!("api/store-{}", std::process::id()));
        if directory.exists() {
            fs::remove_dir_all(&directory).context("an earlier store could not be removed")?;
        }
        fs::create_dir_all(&directory).context("a directory for the store could not be made")?;
        let mut command = Command::new(program);
        command.args(["serve", "--listen", "127.0.0.1:0", "--json", "--data", "store"]);
        command.current_dir(&directory).stdout(Stdio::piped());
        for (name, _) in env::vars_os() {
            // Settings of whoever runs the gate are not to be those of this server.
            if name.to_str().is_some_and(|name| name.starts_with("FACTLOG_")) {
                command.env_remove(name);
            }
        }
        let process = command.spawn().context("factlog serve could not be started")?;
        let mut server = Self { process, directory, address: String::new(), key: None };
        let mut line = String::new();
        let output = server.process.stdout.as_mut().context("stdout is piped")?;
        BufReader::new(output).read_line(&mut line).context("factlog serve said nothing")?;
        let said: Value =
            serde_json::from_str(&line).with_context(|| format!("factlog serve said {line:?}"))?;
        let http = said["http"].as_str().and_then(|url| url.strip_prefix("http://"));
        server.address = http.with_context(|| format!("no address in {line:?}"))?.to_owned();
        server.key = said["admin_key"].as_str().map(str::to_owned);
        Ok(server)
    }

    /// Where it runs: its store, and what else does not outlive it.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// `127.0.0.1:4270`
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The key that it made when it first started, unless it asks for none.
    pub(super) fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// A file with this key.
    pub(super) fn key_file(&self) -> Result<Option<PathBuf>> {
        let Some(key) = self.key() else { return Ok(None) };
        let path = self.directory.join("admin.key");
        fs::write(&path, key).context("the key cannot be written")?;
        Ok(Some(path))
    }

    /// Whether it refuses those who show no key. Any other refusal of the head is a failure.
    pub(super) fn asks_for_keys(&self) -> Result<bool> {
        let (status, body) = self.head(None)?;
        match status {
            200 => Ok(false),
            401 => Ok(true),
            other => bail!("the head is answered with {other}: {body}"),
        }
    }

    /// How many events it has.
    pub(super) fn events(&self) -> Result<u64> {
        let (status, body) = self.head(self.key())?;
        let head: Value = serde_json::from_str(&body).with_context(|| format!("{status}: {body}"))?;
        if status != 200 {
            bail!("the head is answered with {status}: {body}");
        }
        Ok(head["position"].as_u64().unwrap_or(0))
    }

    /// `GET /v1/head`: the status and the body.
    fn head(&self, key: Option<&str>) -> Result<(u16, String)> {
        let mut socket = TcpStream::connect(&self.address).context("the server does not listen")?;
        let key = key.map_or(String::new(), |key| format!("authorization: Bearer {key}\r\n"));
        let request =
            format!("GET /v1/head HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{key}\r\n", self.address);
        socket.write_all(request.as_bytes()).context("the server takes no request")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).context("the server does not answer")?;
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        status.zip(body).with_context(|| format!("no answer: {answer:?}"))
    }

    /// Tells it to stop, and waits until it has, in order.
    pub(super) fn stop(mut self) -> Result<()> {
        let pid = self.process.id().to_string();
        finish("kill -TERM", Command::new("kill").args(["-TERM", &pid]))?;
        let status = self.process.wait().context("factlog serve could not be waited for")?;
        if !status.success() {
            bail!("factlog serve did not stop in order: {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only where there is nothing left to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
