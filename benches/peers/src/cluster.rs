//! A PostgreSQL server of its own: made in a temporary directory, on loopback, stopped and removed afterwards.
//!
//! Its settings are the defaults: `fsync` and `synchronous_commit` are on.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use postgres::{Client, NoTls};

use crate::ports;

/// Where Debian puts the programs of version 15.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
/// Settings that are not the defaults; none of them touches speed or safety.
const SETTINGS: [&str; 3] = ["listen_addresses=127.0.0.1", "logging_collector=off", "log_min_messages=fatal"];

/// A running server.
pub(crate) struct Cluster {
    dir: PathBuf,
    port: u16,
    postmaster: Child,
}

impl Cluster {
    /// Makes and starts one below `base`.
    ///
    /// # Errors
    /// When PostgreSQL 15 is not installed, with what to install.
    pub(crate) fn start(base: &Path) -> Result<Self> {
        if !Path::new(PROGRAMS).join("initdb").exists() {
            bail!("PostgreSQL 15 is not in {PROGRAMS}: `apt-get install postgresql-15`");
        }
        let dir = base.join("postgres");
        std::fs::create_dir_all(&dir)?;
        for open in [base, &dir] {
            std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o755))?;
        }
        if rustix::process::geteuid().is_root() {
            run(Command::new("chown").arg("postgres").arg(&dir))?;
        }
        let data = dir.join("data");
        run(as_server("initdb")
            .args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--pgdata"])
            .arg(&data))?;
        let port = ports::free()?;
        let mut server = as_server("postgres");
        server.arg("-D").arg(&data).arg("-p").arg(port.to_string());
        for setting in SETTINGS {
            server.args(["-c", setting]);
        }
        server.arg("-c").arg(format!("unix_socket_directories={}", dir.display()));
        let postmaster = server.stdout(Stdio::null()).spawn().context("PostgreSQL could not be started")?;
        let cluster = Self { dir, port, postmaster };
        cluster.wait()?;
        Ok(cluster)
    }

    /// A client of this database, or the reason why there is none.
    pub(crate) fn connect(&self, database: &str) -> Result<Client> {
        let address = format!("host=127.0.0.1 port={} user=postgres dbname={database}", self.port);
        Client::connect(&address, NoTls).with_context(|| format!("no connection to PostgreSQL ({address})"))
    }

    /// The process all its others are children of.
    pub(crate) fn process(&self) -> u32 {
        self.postmaster.id()
    }

    fn wait(&self) -> Result<()> {
        let mut last = None;
        for _ in 0..100 {
            match self.connect("postgres") {
                Ok(_) => return Ok(()),
                Err(error) => last = Some(error),
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err(last
            .context("it was asked at least once")?
            .context("PostgreSQL did not answer within 10 seconds"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped =
            run(as_server("pg_ctl").args(["stop", "--mode=fast", "--pgdata"]).arg(self.dir.join("data")));
        if stopped.is_err() {
            // It is asked no more politely; its directory goes next.
            drop(self.postmaster.kill());
        }
        drop(self.postmaster.wait());
    }
}

/// One of its programs, by the user it insists on: it refuses to run as root.
fn as_server(program: &str) -> Command {
    let program = Path::new(PROGRAMS).join(program);
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.env("LC_ALL", "C").current_dir("/");
    command
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?} could not be started"))?;
    if !output.status.success() {
        bail!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
