//! Whether a connection is in use, as its bytes and its calls tell.
//!
//! * `heading` stands from the first byte of a request over HTTP/1.1 until its call begins. Over HTTP/2 it never stands:
//!   pings and windows come without calls.
//! * Nothing here reads a clock or wakes anybody: the connection's task looks when it is polled, and pings poll it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How HTTP/2 begins; no method of HTTP/1.1 does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A call is under way.
    Busy,
    /// Headers have begun to come, after so many calls.
    Heading(usize),
    /// Nothing, after so many calls.
    Idle(usize),
}

/// What its parts tell of it.
#[derive(Debug, Default)]
pub(super) struct Activity {
    calls: AtomicUsize,
    begun: AtomicUsize,
    heading: AtomicBool,
}

/// A call under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Call(Arc<Activity>);

impl Activity {
    pub(super) fn begin(self: &Arc<Self>) -> Call {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.heading.store(false, Ordering::Relaxed);
        Call(self.clone())
    }

    pub(super) fn phase(&self) -> Phase {
        let begun = self.begun.load(Ordering::Relaxed);
        if 0 < self.calls.load(Ordering::Relaxed) {
            Phase::Busy
        } else if self.heading.load(Ordering::Relaxed) {
            Phase::Heading(begun)
        } else {
            Phase::Idle(begun)
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    /// So many bytes of the preface have come.
    Undecided(usize),
    Http1,
    Http2,
}

/// A socket that tells what comes over it.
#[derive(Debug)]
pub(super) struct Watched<S> {
    socket: S,
    spoken: Spoken,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, activity: Arc<Activity>) -> Self {
        Self { socket, spoken: Spoken::Undecided(0), activity }
    }

    fn saw(&mut self, bytes: &[u8]) {
        if let Spoken::Undecided(seen) = self.spoken {
            let rest = &PREFACE[seen..];
            let compared = rest.len().min(bytes.len());
            self.spoken = match rest[..compared] == bytes[..compared] {
                true if compared == rest.len() => Spoken::Http2,
                true => Spoken::Undecided(seen + compared),
                false => Spoken::Http1,
            };
        }
        // A preface that stops half way is headers that never end.
        if !bytes.is_empty() && self.spoken != Spoken::Http2 && self.activity.phase() != Phase::Busy {
            self.activity.heading.store(true, Ordering::Relaxed);
        } else if self.spoken == Spoken::Http2 {
            self.activity.heading.store(false, Ordering::Relaxed);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        self.saw(&buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if a client of HTTP/2 that only pings were taken for one that is slow to ask, or the other way round.
    #[test]
    fn headers_have_begun_with_a_byte_unless_it_begins_http2() {
        let activity = Arc::<Activity>::default();
        let mut http1 = Watched::new((), activity.clone());
        assert_eq!(activity.phase(), Phase::Idle(0));
        http1.saw(b"P");
        assert_eq!(activity.phase(), Phase::Heading(0));
        http1.saw(b"OST / HTTP/1.1\r\n");
        assert_eq!(activity.phase(), Phase::Heading(0));
        let call = activity.begin();
        http1.saw(b"a body");
        assert_eq!(activity.phase(), Phase::Busy);
        drop(call);
        assert_eq!(activity.phase(), Phase::Idle(1));
        http1.saw(b"G");
        assert_eq!(activity.phase(), Phase::Heading(1));

        let activity = Arc::<Activity>::default();
        let mut http2 = Watched::new((), activity.clone());
        http2.saw(b"PRI * HT");
        assert_eq!(activity.phase(), Phase::Heading(0));
        http2.saw(b"TP/2.0\r\n\r\nSM\r\n\r\n");
        http2.saw(b"a ping");
        assert_eq!(activity.phase(), Phase::Idle(0));
    }
}
