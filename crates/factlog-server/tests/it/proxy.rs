//! A TCP proxy that mistreats connections: it delays, cuts at any byte, keeps answers back, delivers what it has held
//! after the client has given up, and sends a whole connection a second time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// How often what was done.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) cut: AtomicU64,
    pub(crate) answers_lost: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) again: AtomicU64,
}

impl Done {
    /// Connections that did not live.
    pub(crate) fn all(&self) -> u64 {
        let counts = [&self.cut, &self.answers_lost, &self.late, &self.again];
        counts.map(|count| count.load(Ordering::Relaxed)).iter().sum()
    }
}

/// What becomes of a connection after some bytes.
#[derive(Clone, Copy)]
enum End {
    /// Both sides are cut.
    Cut,
    /// Requests pass and answers do not; then both sides are cut.
    AnswersLost,
    /// Requests are held; they are delivered after the client's side is cut.
    Late,
    /// Both sides are cut, and then every request is sent again over a new connection.
    Again,
}

/// A proxy that runs until its runtime ends.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    pub(crate) done: Arc<Done>,
}

/// One connection's fate.
#[derive(Clone)]
struct Fate {
    end: End,
    requests: usize,
    answers: usize,
    seed: u64,
    done: Arc<Done>,
}

impl Proxy {
    /// A proxy before `server` whose connections live for up to `bytes` in each direction.
    pub(crate) async fn start(server: SocketAddr, bytes: usize, seed: u64) -> Self {
        Self::run(server, bytes, |bytes| bytes, seed).await
    }

    /// The same, where each connection may live longer than the one before: half as long again while they are small, so that what
    /// is small meets a few cuts, and then four times, so that what is large comes through in the end.
    pub(crate) async fn start_growing(server: SocketAddr, bytes: usize, seed: u64) -> Self {
        let next = |bytes: usize| if bytes < 1 << 16 { bytes + bytes / 2 } else { bytes.saturating_mul(4) };
        Self::run(server, bytes, next, seed).await
    }

    async fn run(server: SocketAddr, mut bytes: usize, next: fn(usize) -> usize, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("an address");
        let done = Arc::<Done>::default();
        let proxy = Self { address, done: done.clone() };
        tokio::spawn(async move {
            let mut random = Rng::with_seed(seed);
            loop {
                let (client, _) = listener.accept().await.expect("accept");
                let end = random.choice([End::Cut, End::AnswersLost, End::Late, End::Again]).expect("four");
                let fate = Fate {
                    end,
                    requests: random.usize(1..bytes),
                    answers: random.usize(1..bytes),
                    seed: random.u64(..),
                    done: done.clone(),
                };
                bytes = next(bytes);
                tokio::spawn(fate.run(client, server));
            }
        });
        proxy
    }
}

impl Fate {
    async fn run(self, client: TcpStream, server: SocketAddr) {
        let Ok(upstream) = TcpStream::connect(server).await else { return };
        // Nagle would hide cuts in the middle of a frame.
        upstream.set_nodelay(true).expect("no delay");
        client.set_nodelay(true).expect("no delay");
        let (mut client_in, mut client_out) = client.into_split();
        let (mut server_in, mut server_out) = upstream.into_split();
        let mut sent = Vec::new();
        let mut random = Rng::with_seed(self.seed);
        let mut other = random.fork();
        let answers = self.answers;
        let requests = pass(&mut client_in, &mut server_out, self.requests, &mut random, Some(&mut sent));
        let answering = pass(&mut server_in, &mut client_out, answers, &mut other, None);
        tokio::select! {
            () = requests => {}
            () = answering => {}
        }
        let pause = Duration::from_millis(random.u64(1..15));
        match self.end {
            End::Cut => {
                self.done.cut.fetch_add(1, Ordering::Relaxed);
            }
            End::AnswersLost => {
                self.done.answers_lost.fetch_add(1, Ordering::Relaxed);
                let lost = pass(&mut client_in, &mut server_out, usize::MAX, &mut random, None);
                let _ = tokio::time::timeout(pause, lost).await;
            }
            End::Late => {
                self.done.late.fetch_add(1, Ordering::Relaxed);
                let held = hold(&mut client_in, pause).await;
                drop((client_in, client_out));
                sleep(pause * 3).await;
                let _ = server_out.write_all(&held).await;
                sleep(pause).await;
            }
            End::Again => {
                self.done.again.fetch_add(1, Ordering::Relaxed);
                drop((client_in, client_out, server_in, server_out));
                sleep(pause).await;
                repeat(server, &sent, pause).await;
            }
        }
    }
}

/// Passes up to so many bytes on, in pieces and with pauses.
async fn pass(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    mut bytes: usize,
    random: &mut Rng,
    mut copy: Option<&mut Vec<u8>>,
) {
    let mut buffer = vec![0; 4096];
    while 0 < bytes {
        let most = buffer.len().min(bytes);
        let Ok(count @ 1..) = from.read(&mut buffer[..most]).await else { return };
        if random.u8(..) < 8 {
            sleep(Duration::from_millis(random.u64(1..10))).await;
        }
        if let Some(copy) = &mut copy {
            copy.extend_from_slice(&buffer[..count]);
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
        bytes -= count;
    }
}

/// What comes within a time, and is not passed on.
async fn hold(from: &mut OwnedReadHalf, time: Duration) -> Vec<u8> {
    let mut held = Vec::new();
    let take = async {
        let mut buffer = vec![0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            held.extend_from_slice(&buffer[..count]);
        }
    };
    let _ = tokio::time::timeout(time, take).await;
    held
}

/// Sends the same bytes once more, and reads what comes so that the server is not held up.
async fn repeat(server: SocketAddr, sent: &[u8], time: Duration) {
    let Ok(upstream) = TcpStream::connect(server).await else { return };
    let (mut answers, mut requests) = upstream.into_split();
    let _ = requests.write_all(sent).await;
    hold(&mut answers, time).await;
}
