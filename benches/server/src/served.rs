//! A server in a process of its own, and what the system tells of it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bench_common::child::again;
use factlog_client::RemoteStore;
use factlog_proto::v1::event_store_service_client::EventStoreServiceClient;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::socket::Socket;

/// Ticks of the processor clock in `/proc`; 100 a second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// It runs until it is dropped or stopped.
pub(crate) struct Served {
    child: Child,
    url: String,
    files: PathBuf,
    tls: bool,
}

/// A client without the library's sessions: each append a call of its own.
pub(crate) type Bare = EventStoreServiceClient<InterceptedService<Channel, Key>>;

impl Served {
    /// Serves the store in `dir/store`, with keys and perhaps over TLS, and waits until it says where.
    pub(crate) fn start(dir: &Path, tls: bool) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut command = again(&["serve", "--json", "--listen", "127.0.0.1:0"])?;
        command.arg("--data").arg(dir.join("store")).arg("--admin-key-file").arg(dir.join("admin.key"));
        if tls {
            certificate(dir)?;
            command.arg("--tls-cert").arg(dir.join("server.pem"));
            command.arg("--tls-key").arg(dir.join("server.key"));
        }
        command.stdout(Stdio::piped()).stderr(std::fs::File::create(dir.join("log"))?);
        let (child, url) = begun(command, dir)?;
        Ok(Self { child, url, files: dir.to_owned(), tls })
    }

    /// Serves the engine behind a bare socket.
    pub(crate) fn start_bare(dir: &Path) -> Result<Self> {
        std::fs::create_dir_all(dir)?;
        let mut command = again(&["bare"])?;
        command.arg(dir.join("store")).stdout(Stdio::piped());
        command.stderr(std::fs::File::create(dir.join("log"))?);
        let (child, url) = begun(command, dir)?;
        Ok(Self { child, url, files: dir.to_owned(), tls: false })
    }

    /// A connection to the engine behind a bare socket.
    pub(crate) async fn socket(&self) -> Result<Socket> {
        Socket::connect(&self.url).await
    }

    /// A client with a connection of its own.
    pub(crate) fn client(&self) -> Result<RemoteStore> {
        let mut target = format!("{}?key-file={}", self.url, self.files.join("admin.key").display());
        if self.tls {
            target.push_str(&format!("&ca={}", self.files.join("ca.pem").display()));
        }
        Ok(RemoteStore::open(&target)?)
    }

    /// A connection of its own, for calls without the library. Not over TLS.
    pub(crate) fn bare(&self) -> Result<Bare> {
        let http = self.url.replace("factlog://", "http://");
        let channel = Endpoint::from_shared(http)?.tcp_nodelay(true).connect_lazy();
        let key = std::fs::read_to_string(self.files.join("admin.key"))?;
        let key = Key(format!("Bearer {}", key.trim()).parse().context("a key that can be sent")?);
        Ok(EventStoreServiceClient::with_interceptor(channel, key))
    }

    /// Processor time it has used so far, all threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").context("a line of /proc/PID/stat")?;
        let fields: Vec<&str> = fields.split(' ').collect();
        let ticks: u32 = fields[11].parse::<u32>()? + fields[12].parse::<u32>()?;
        Ok(TICK * ticks)
    }

    /// Bytes it holds in memory that are in no file.
    pub(crate) fn private(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("RssAnon")?;
        Ok(line.split_whitespace().next().context("a number")?.parse::<u64>()? << 10)
    }

    /// Waits until it uses next to no processor time.
    pub(crate) async fn rest(&self) -> Result<()> {
        let mut quiet = 0;
        for _ in 0..200 {
            let before = self.cpu()?;
            tokio::time::sleep(Duration::from_millis(250)).await;
            quiet = if self.cpu()? - before <= TICK { quiet + 1 } else { 0 };
            if quiet == 2 {
                return Ok(());
            }
        }
        bail!("the server did not come to rest within 50 s")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // A process that is gone already needs no killing, and its store is thrown away.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn begun(mut command: Command, dir: &Path) -> Result<(Child, String)> {
    let mut child = command.spawn().context("the server could not be started")?;
    let mut said = String::new();
    let output = child.stdout.take().context("its output is piped")?;
    BufReader::new(output).read_line(&mut said)?;
    let Ok(said) = serde_json::from_str::<serde_json::Value>(&said) else {
        bail!("the server did not start: {}", std::fs::read_to_string(dir.join("log"))?);
    };
    Ok((child, said["url"].as_str().context("its address")?.to_owned()))
}

/// Makes an authority, and the certificate and key of a server on this machine.
fn certificate(dir: &Path) -> Result<()> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key)?;
    let issuer = Issuer::from_params(&params, &key);
    let server = KeyPair::generate()?;
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()])?;
    let certificate = params.signed_by(&server, &issuer)?;
    for (name, text) in [
        ("ca.pem", authority.pem()),
        ("server.pem", certificate.pem()),
        ("server.key", server.serialize_pem()),
    ] {
        std::fs::File::create(dir.join(name))?.write_all(text.as_bytes())?;
    }
    std::fs::set_permissions(dir.join("server.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

/// Shows a key with every call.
#[derive(Clone, Debug)]
pub(crate) struct Key(MetadataValue<Ascii>);

impl Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}
