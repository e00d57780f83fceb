//! Those who speak without TLS to a port that wants it: told so in what they understand.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;
/// What is said over HTTP/2 with the error `INADEQUATE_SECURITY` (RFC 9113, section 7).
const INADEQUATE_SECURITY: u8 = 0x0c;
const MESSAGE: &[u8] = b"this port speaks TLS; use factlogs:// or https://";
/// How long, and how much, is listened to after the answer: what is not read would make the system take it back.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 64 << 10;

/// Whether a TLS handshake begins; also where nothing can be read, which the handshake will say.
pub(super) async fn is_tls(socket: &TcpStream) -> bool {
    let mut first = [0];
    !matches!(socket.peek(&mut first).await, Ok(1) if first[0] != HANDSHAKE)
}

/// Answers and closes.
pub(super) async fn explain(mut socket: TcpStream) {
    let mut first = [0; 3];
    let count = socket.peek(&mut first).await.unwrap_or(0);
    let answer = match &first[..count] {
        b"PRI" => goaway(),
        [b'A'..=b'Z', ..] => problem(),
        _ => return,
    };
    if socket.write_all(&answer).await.is_ok() {
        linger(socket).await;
    }
}

/// Says that nothing more comes, and waits a little until the peer has read what came.
pub(super) async fn linger(mut socket: TcpStream) {
    if socket.shutdown().await.is_ok() {
        let mut rest = socket.take(LINGER_BYTES);
        let mut none = tokio::io::sink();
        let _ = timeout(LINGER, tokio::io::copy(&mut rest, &mut none)).await;
    }
}

/// Empty settings, and the end of the connection with a reason.
fn goaway() -> Vec<u8> {
    let length = u8::try_from(8 + MESSAGE.len()).expect("a short sentence");
    let mut bytes = vec![0, 0, 0, 4, 0, 0, 0, 0, 0];
    bytes.extend([0, 0, length, 7, 0, 0, 0, 0, 0]);
    bytes.extend([0, 0, 0, 0, 0, 0, 0, INADEQUATE_SECURITY]);
    bytes.extend(MESSAGE);
    bytes
}

/// The same over HTTP/1.1, as a problem of RFC 9457.
fn problem() -> Vec<u8> {
    let detail = String::from_utf8_lossy(MESSAGE);
    let body = format!("{{\"title\":\"TLS is wanted\",\"status\":400,\"detail\":\"{detail}\"}}\n");
    let length = body.len();
    let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\nconnection: close";
    format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}
