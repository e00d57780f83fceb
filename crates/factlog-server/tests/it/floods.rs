//! Bytes that mean harm: garbage, giants, and frames of HTTP/2 in numbers. The server stays, and so does who was there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use factlog_client::RemoteStore;
use factlog_core::{Append, Event, EventStore as _, EventType, MemoryStore};
use factlog_server::ClientCertificates;
use fastrand::Rng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::certificates::Authority;
use crate::served::{Served, runtime};
use crate::web::{raw, send};

const PATIENCE: Duration = Duration::from_secs(60);
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

async fn append(store: &RemoteStore) {
    let event = Event::new(EventType::new("counted").expect("a type"), "{}");
    store.append(Append::new([event])).await.expect("an existing client goes on");
}

/// Sends all of it, and that it is all, reading what comes until the server has had enough.
async fn pour(address: SocketAddr, bytes: Vec<u8>) -> Vec<u8> {
    let socket = TcpStream::connect(address).await.expect("connect");
    let (mut answers, mut requests) = socket.into_split();
    let sending = tokio::spawn(async move {
        // It may be closed in the middle; that is what is wanted.
        let _ = requests.write_all(&bytes).await;
        let _ = requests.shutdown().await;
    });
    let mut said = Vec::new();
    let _ = timeout(PATIENCE, answers.read_to_end(&mut said)).await.expect("it comes to an end");
    sending.await.expect("no panic");
    said
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short one").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// `GET /health/live` for 127.0.0.1 without the use of any table but the static one (RFC 7541).
fn headers() -> Vec<u8> {
    let path = b"/health/live";
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).expect("short")];
    block.extend(path);
    block.extend([0x01, 9]);
    block.extend(b"127.0.0.1");
    block
}

/// Whether the server ended the connection with this error.
fn gone_away(said: &[u8], error: u8) -> bool {
    let mut rest = said;
    while let [a, b, c, kind, _, _, _, _, _, ..] = rest {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some(payload) = rest.get(9..9 + length) else { return false };
        if *kind == 7 && payload.get(4..8) == Some(&[0, 0, 0, error]) {
            return true;
        }
        rest = &rest[9 + length..];
    }
    false
}

/// Its name, what it begins with, what is sent again and again, and the error it ends with, where it is to end.
type Flood = (&'static str, Vec<u8>, fn(u32) -> Vec<u8>, Option<u8>);

/// CVE-2023-44487 and its relatives. Would fail if frames that cost their sender nothing cost the others anything.
#[test]
fn floods_of_frames_end_their_own_connection_only() {
    const ENHANCE_YOUR_CALM: u8 = 11;
    const COUNT: u32 = 20_000;
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let existing = served.client("?deadline=30s");
        append(&existing).await;
        let resets = |n| [frame(1, 5, 2 * n + 1, &headers()), frame(3, 0, 2 * n + 1, &[0, 0, 0, 8])].concat();
        let open = [frame(1, 4, 1, &headers())].concat();
        let floods: [Flood; 6] = [
            ("rapid reset", vec![], resets, Some(ENHANCE_YOUR_CALM)),
            // A header of no bytes again and again, in frames that never say they are the last (CVE-2024-27316).
            ("continuation", frame(1, 0, 1, &headers()), |_| frame(9, 0, 1, &[]), Some(ENHANCE_YOUR_CALM)),
            ("settings", vec![], |_| frame(4, 0, 0, &[]), None),
            ("pings", vec![], |n| frame(6, 0, 0, &u64::from(n).to_be_bytes()), None),
            ("empty data", open, |_| frame(0, 0, 1, &[]), None),
            ("windows", vec![], |_| frame(8, 0, 0, &[0, 0, 0, 1]), None),
        ];
        for (name, first, next, error) in floods {
            let mut bytes = [PREFACE, &first].concat();
            (0..COUNT).for_each(|n| bytes.extend(next(n)));
            let flood = tokio::spawn(pour(served.address, bytes));
            while !flood.is_finished() {
                append(&existing).await;
            }
            let said = flood.await.expect("no panic");
            if let Some(error) = error {
                assert!(gone_away(&said, error), "{name}: {:?}", said.rchunks(64).next());
            }
            append(&existing).await;
        }
        assert_eq!(crate::web::get(served.address, "/health/live").await.status, 200);
        served.stop().await;
    });
}

/// Would fail if headers without a bound were taken in.
#[test]
fn giant_headers_are_refused() {
    runtime().block_on(async {
        let served = Served::start(Arc::new(MemoryStore::new())).await;
        let existing = served.client("?deadline=30s");
        let small = format!("x-much: {}", "a".repeat(12 << 10));
        assert_eq!(send(served.address, "GET /health/live", &[&small], "").await.status, 200);
        let giant = format!("x-much: {}", "a".repeat(20 << 10));
        assert_eq!(send(served.address, "GET /health/live", &[&giant], "").await.status, 431);
        let many: Vec<_> = (0..2_000).map(|n| format!("x-{n}: a")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(send(served.address, "GET /health/live", &many, "").await.status, 431);
        let line = format!("GET /{} HTTP/1.1\r\nconnection: close\r\n\r\n", "a".repeat(70_000));
        assert!(matches!(raw(served.address, line.as_bytes()).await.status, 414 | 431));

        // Over HTTP/2: one header of 12 KiB, which is answered, and one of 20 KiB in two frames, which is not.
        for (size, passes) in [(12 << 10, true), (20 << 10, false)] {
            let mut block = headers();
            block.extend([0x00, 1, b'x', 0x7f]);
            // A length beyond seven bits, seven bits at a time.
            let mut rest = size - 127;
            while 128 <= rest {
                block.push(u8::try_from(rest % 128 + 128).expect("a byte"));
                rest /= 128;
            }
            block.push(u8::try_from(rest).expect("a byte"));
            block.resize(block.len() + size, b'a');
            let (head, tail) = block.split_at(10_000);
            // And that there are no more calls: the server closes when this one is answered.
            let bye = frame(7, 0, 0, &[0; 8]);
            let bytes = [PREFACE, &frame(1, 1, 1, head), &frame(9, 4, 1, tail), &bye].concat();
            let said = crate::limits::cut(served.address, &bytes).await;
            // 0x88 is `:status 200` of the static table.
            let ok = said
                .windows(10)
                .any(|window| window[3] == 1 && window[5..9] == [0, 0, 0, 1] && window[9] == 0x88);
            assert_eq!(ok, passes, "{size}: {said:?}");
        }
        append(&existing).await;
        served.stop().await;
    });
}

/// Would fail if any bytes could take the server down.
#[test]
fn garbage_harms_nobody() {
    runtime().block_on(async {
        let authority = Authority::new();
        let certificate = authority.server();
        let identity = (&certificate, ClientCertificates::Unasked);
        let store = Arc::new(MemoryStore::new());
        let secure = Served::secured(store.clone(), &authority, identity, |server| server).await;
        let plain = Served::start(store).await;
        let existing = [secure.client("?deadline=30s"), plain.client("?deadline=30s")];
        let mut random = Rng::with_seed(11);
        for n in 0..150 {
            let mut bytes = match n % 4 {
                0 => vec![],
                1 => PREFACE.to_vec(),
                2 => b"POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\ntransfer-encoding: chunked\r\n\r\n"
                    .to_vec(),
                _ => vec![0x16, 3, 1],
            };
            if n % 8 == 1 {
                // Frames that are whole, and mean nothing.
                for _ in 0..random.usize(1..20) {
                    let payload: Vec<_> = (0..random.usize(0..100)).map(|_| random.u8(..)).collect();
                    bytes.extend(frame(random.u8(0..12), random.u8(..), random.u32(0..9), &payload));
                }
            } else {
                bytes.extend((0..random.usize(1..2_000)).map(|_| random.u8(..)));
            }
            for address in [secure.address, plain.address] {
                pour(address, bytes.clone()).await;
            }
            for store in &existing {
                append(store).await;
            }
        }
        secure.stop().await;
        plain.stop().await;
    });
}
