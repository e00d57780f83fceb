//! A client of HTTP/1.1 in a few lines: what it sends is what stands there, byte for byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
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

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.head))
    }

    /// What a problem is, for a snapshot.
    pub(crate) fn shown(&self) -> String {
        let content_type = self.header("content-type").unwrap_or("-");
        let body = serde_json::to_string_pretty(&self.json()).expect("JSON");
        format!("{} {content_type}\n{body}\n", self.status)
    }
}

/// Sends these bytes and reads the answer to its end.
pub(crate) async fn raw(address: SocketAddr, request: &[u8]) -> Answer {
    let exchange = async {
        let mut socket = TcpStream::connect(address).await.expect("connect");
        socket.write_all(request).await.expect("send");
        let mut bytes = Vec::new();
        socket.read_to_end(&mut bytes).await.expect("an answer");
        bytes
    };
    answer_of(tokio::time::timeout(PATIENCE, exchange).await.expect("it answers"))
}

/// The answer that these bytes are.
pub(crate) fn answer_of(bytes: Vec<u8>) -> Answer {
    let text = String::from_utf8(bytes).expect("text");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A request with these headers (`name: value` each) and this body.
pub(crate) async fn send(address: SocketAddr, line: &str, headers: &[&str], body: &str) -> Answer {
    let mut request = format!("{line} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|header| header.starts_with("host:")) {
        request.push_str(&format!("host: {address}\r\n"));
    }
    headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
    if !body.is_empty() {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    raw(address, format!("{request}\r\n{body}").as_bytes()).await
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, &format!("GET {path}"), &[], "").await
}

/// Appends JSON.
pub(crate) async fn post(address: SocketAddr, path: &str, headers: &[&str], body: &str) -> Answer {
    let headers: Vec<_> = [&["content-type: application/json"], headers].concat();
    send(address, &format!("POST {path}"), &headers, body).await
}

/// A stream of Server-Sent Events.
pub(crate) struct Follower(BufReader<TcpStream>, String);

/// One message of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: Option<u64>,
    pub(crate) event: String,
    pub(crate) data: String,
}

impl Follower {
    pub(crate) async fn start(address: SocketAddr, path: &str, headers: &[&str]) -> Self {
        let mut socket = TcpStream::connect(address).await.expect("connect");
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n");
        socket.write_all(request.as_bytes()).await.expect("send");
        let mut follower = Self(BufReader::new(socket), String::new());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(0 < follower.0.read_line(&mut head).await.expect("an answer"), "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        follower
    }

    /// The next chunk; `None` at the end of the answer.
    async fn chunk(&mut self) -> Option<String> {
        let mut size = String::new();
        self.0.read_line(&mut size).await.expect("a chunk");
        let size = usize::from_str_radix(size.trim_end(), 16).expect("its size");
        let mut bytes = vec![0; size + 2];
        self.0.read_exact(&mut bytes).await.expect("all of it");
        bytes.truncate(size);
        (0 < size).then(|| String::from_utf8(bytes).expect("text"))
    }

    /// The next message, passing over comments and `retry`; `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Message> {
        loop {
            while !self.1.contains("\n\n") {
                let chunk = tokio::time::timeout(PATIENCE, self.chunk()).await.expect("it goes on")?;
                self.1.push_str(&chunk);
            }
            let (frame, rest) = self.1.split_once("\n\n").expect("a whole frame");
            let mut message = Message::default();
            for (name, value) in frame.lines().filter_map(|line| line.split_once(": ")) {
                match name {
                    "id" => message.id = value.parse().ok(),
                    "event" => message.event = value.to_owned(),
                    "data" => message.data = value.to_owned(),
                    _ => {}
                }
            }
            self.1 = rest.to_owned();
            if !message.data.is_empty() {
                return Some(message);
            }
        }
    }
}

/// A connection that has had an answer and stays open.
pub(crate) struct Idle(#[expect(dead_code, reason = "it is only held open")] TcpStream);

impl Idle {
    pub(crate) async fn start(address: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(address).await.expect("connect");
        let request = format!("GET /health/live HTTP/1.1\r\nhost: {address}\r\n\r\n");
        socket.write_all(request.as_bytes()).await.expect("send");
        let mut seen = Vec::new();
        while !seen.ends_with(b"}") {
            assert!(0 < socket.read_buf(&mut seen).await.expect("an answer"), "it was closed");
        }
        Self(socket)
    }
}
