//! The server: `factlog serve` as it is linked into this program, in a process of its own, under the limit.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use factlog_client::RemoteStore;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use super::confined::Limit;
use super::samples::Sample;

/// How long it may take to end.
const ENDING: Duration = Duration::from_secs(60);

/// A server under a limit.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    limit: Limit,
    target: String,
    log: PathBuf,
}

impl Server {
    /// Starts it and waits until it says where it listens.
    pub(super) fn start(dir: &Path, bytes: u64) -> Result<Self> {
        let (limit, log, key) = (Limit::make(bytes), dir.join("log"), dir.join("admin.key"));
        let mut command = Command::new(std::env::current_exe().context("this program has no path")?);
        command.args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(dir.join("store"));
        command.arg("--admin-key-file").arg(&key).stdout(Stdio::piped()).stderr(File::create(&log)?);
        limit.bind(&mut command);
        let mut child = command.spawn().context("the server did not start")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it has an output")?).read_line(&mut line)?;
        let mut server = Self { child, limit, target: String::new(), log };
        let said = serde_json::from_str::<serde_json::Value>(&line);
        let Some(url) = said.ok().and_then(|said| Some(said["url"].as_str()?.to_owned())) else {
            bail!("the server did not start: {}", server.logged());
        };
        server.target = format!("{url}?key-file={}&deadline=30s", key.display());
        Ok(server)
    }

    /// A client with a connection of its own.
    pub(super) fn client(&self) -> Result<RemoteStore> {
        Ok(RemoteStore::open(&self.target)?)
    }

    /// Where it is, for those who connect by themselves.
    pub(super) fn target(&self) -> String {
        self.target.clone()
    }

    /// Which limit it has.
    pub(super) fn limit(&self) -> String {
        self.limit.to_string()
    }

    /// What it takes now.
    ///
    /// # Errors
    /// It has ended.
    pub(super) fn look(&mut self) -> Result<Sample> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server has ended, {status}: {}", self.logged());
        }
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("RssAnon")?;
        let kib: u64 = kib.split_whitespace().next().context("a number")?.parse()?;
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").context("a line of /proc/PID/stat")?;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Sample { private: kib << 10, counted: self.limit.used()?, ticks })
    }

    /// Has it end as an operator would.
    pub(super) async fn stop(mut self) -> Result<String> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("its id is no id")?;
        kill_process(id, Signal::TERM).context("it cannot be told to end")?;
        for _ in 0..ENDING.as_millis() / 100 {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "it ended with {status}: {}", self.logged());
                self.limit.was_kept()?;
                return Ok(self.limit());
            }
            sleep(Duration::from_millis(100)).await;
        }
        bail!("it did not end within {} s: {}", ENDING.as_secs(), self.logged())
    }

    /// The end of what it logged.
    fn logged(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Server {
    /// Whoever gives up on it leaves none behind.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
