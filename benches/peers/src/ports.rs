//! A free port of this machine below 32768, where the system hands out none by itself.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Result, bail};

/// Ports tried so far: one that was just closed is not given twice.
static NEXT: AtomicU16 = AtomicU16::new(23_100);

/// The next port that nobody listens on.
pub(crate) fn free() -> Result<u16> {
    for _ in 0..1_000 {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free from 23100 on")
}
