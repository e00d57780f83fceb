//! A client of HTTP/1.1 in a few lines: one request a connection.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How long an answer may take, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (other, value) = line.split_once(": ")?;
            other.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The position it tells.
    pub(crate) fn position(&self) -> u64 {
        self.header("factlog-position").expect("a position").parse().expect("a number")
    }

    /// The status and the code of a refusal.
    pub(crate) fn refused(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        (self.status, self.json()["code"].as_str().expect("a code").to_owned())
    }
}

/// `None` where the connection ended without an answer.
pub(crate) async fn try_send(at: SocketAddr, line: &str, headers: &[String], body: &str) -> Option<Answer> {
    let exchange = async {
        let mut socket = TcpStream::connect(at).await.ok()?;
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let announced = headers.contains("content-length");
        let length = if announced { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let request =
            format!("{line} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n{length}{headers}\r\n{body}");
        socket.write_all(request.as_bytes()).await.ok()?;
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.ok()?;
        let text = String::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Some(Answer { status, head: head.to_owned(), body: body.to_owned() })
    };
    tokio::time::timeout(PATIENCE, exchange).await.expect("it answers or ends")
}

pub(crate) async fn send(at: SocketAddr, line: &str, headers: &[String], body: &str) -> Answer {
    try_send(at, line, headers, body).await.expect("an answer")
}
