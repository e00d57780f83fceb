//! What one peer may cost.

use std::time::Duration;

/// Bounds on connections. The defaults suit a server on a network; tests make the times short.
///
/// A bound never makes the others wait: what is over it is refused or closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time. One more is closed at once. Each needs a file descriptor.
    pub connections: usize,
    /// Calls of one connection at a time. More wait until one has ended.
    pub calls: u32,
    /// Reads and subscriptions that may be open at a time, of which one principal may have three quarters. One more is refused.
    pub reads: usize,
    /// Bytes of the headers of one request. With more it is refused, over HTTP/1.1 with status 431.
    pub header_bytes: u32,
    /// Bytes that the requests of all connections may hold from their arrival until they are answered. Whoever is over it is
    /// refused with nothing written; one alone may be larger. Decoding takes as much again, for a moment.
    pub request_bytes: usize,
    /// The same for one connection.
    pub connection_bytes: usize,
    /// How long at the least, and half of the longest, a peer may hold a large answer and take nothing of it; then its connection is
    /// closed. Large answers, which are pages and single events of more than 128 KiB, have as much room again as requests.
    pub taking: Duration,
    /// How long the TLS handshake may take.
    pub handshake: Duration,
    /// How long the headers of a request over HTTP/1.1 may take from their first byte. HTTP/2 needs no such time: whoever
    /// stops within a frame answers no ping.
    pub headers: Duration,
    /// How long the body of a request may take, and a second more for every [`Limits::BODY_RATE`] bytes that have come. An
    /// append session is a body too; it may last.
    pub body: Duration,
    /// How long a connection may be open without a call.
    pub idle: Duration,
    /// How long a connection may last whose client has shown a certificate, at most until that expires; then it is told to end, and
    /// whoever comes again is verified anew. A tenth of it or less is taken off by chance, so that not all come at once. Zero is
    /// for ever.
    pub age: Duration,
    /// How long the calls of such a connection may take to end by themselves.
    pub leaving: Duration,
    /// How often the files of certificates are looked at, to take up new ones.
    pub reload: Duration,
}

impl Limits {
    /// Bytes of a body that give it one more second.
    pub const BODY_RATE: u64 = 16 << 10;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            calls: 4_096,
            reads: 20_000,
            header_bytes: 16 << 10,
            request_bytes: 512 << 20,
            connection_bytes: 192 << 20,
            taking: Duration::from_secs(30),
            handshake: Duration::from_secs(5),
            headers: Duration::from_secs(5),
            body: Duration::from_secs(60),
            idle: Duration::from_secs(300),
            age: Duration::from_secs(3_600),
            leaving: Duration::from_secs(30),
            reload: Duration::from_secs(2),
        }
    }
}
