//! The engine behind a bare socket: frames of a length and an append, answered by a position. No HTTP, no gRPC, no keys.
//!
//! What this reaches is what processors, sockets and engine of the machine leave to any server that has a connection for each
//! client; what `factlog serve` is below it is its own.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use factlog_core::{Append, EventStore, Position};
use factlog_engine::{Engine, Settings};
use factlog_proto::v1;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;

/// A connection to it.
#[derive(Clone)]
pub(crate) struct Socket(Arc<Mutex<BufReader<TcpStream>>>);

impl Socket {
    pub(crate) async fn connect(address: &str) -> Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self(Arc::new(Mutex::new(BufReader::new(socket)))))
    }

    /// Appends, and waits for the position of the last event.
    pub(crate) async fn append(&self, append: Append) -> Result<u64> {
        let request = v1::AppendRequest::from(append);
        let length = request.encoded_len();
        let mut frame = Vec::with_capacity(4 + length);
        frame.extend_from_slice(&u32::try_from(length)?.to_le_bytes());
        request.encode(&mut frame)?;
        let mut socket = self.0.lock().await;
        socket.write_all(&frame).await?;
        Ok(socket.read_u64_le().await?)
    }
}

/// Serves a new store in this directory until the process is killed.
pub(crate) fn serve(dir: &Path) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let engine = Arc::new(Engine::open(dir, Settings::default())?);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", serde_json::json!({ "url": listener.local_addr()?.to_string() }));
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            tokio::spawn(converse(BufReader::new(socket), engine.clone()));
        }
    })
}

/// Ends with the connection; whoever waits for an answer finds it closed.
async fn converse(mut socket: BufReader<TcpStream>, engine: Arc<Engine>) -> Result<()> {
    loop {
        let mut frame = vec![0; usize::try_from(socket.read_u32_le().await?)?];
        socket.read_exact(&mut frame).await?;
        let request = v1::AppendRequest::decode(frame.as_slice()).context("an append")?;
        let appended = engine.append(Append::try_from(request)?).await;
        let last: Position = appended.map_err(|error| anyhow!("an append failed: {error}"))?.last;
        socket.write_u64_le(last.get()).await?;
    }
}
