//! The next connection, whatever the machine answers in between.

use std::future::Future;
use std::io::{Error as IoError, ErrorKind};
use std::time::Duration;

use factlog_core::Error;
use tokio::time::sleep;

use super::Report;

/// How long to wait after an error of the listener itself, at first and at most.
const FIRST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);

/// Accepts, with pauses that double while the machine has nothing to give.
pub(super) struct Accepting {
    pause: Duration,
    report: Report,
}

impl Accepting {
    pub(super) fn new(report: Report) -> Self {
        Self { pause: FIRST, report }
    }

    /// The next connection. The first error in a row is reported.
    pub(super) async fn next<S, F>(&mut self, accept: impl Fn() -> F) -> S
    where
        F: Future<Output = Result<S, IoError>>,
    {
        loop {
            match accept().await {
                Ok(accepted) => {
                    self.pause = FIRST;
                    return accepted;
                }
                // The peer was gone before it was accepted.
                Err(error) if is_of_the_peer(&error) => {}
                Err(error) => {
                    if self.pause == FIRST {
                        let message =
                            "connections cannot be accepted for now; is the limit of open files too low?";
                        (self.report.0)(&Error::unavailable(format!("{message} ({error})")).because(error));
                    }
                    let pause = self.pause;
                    // Before the pause: whoever waits for the next connection may drop this future within it.
                    self.pause = (pause * 2).min(LONGEST);
                    sleep(pause).await;
                }
            }
        }
    }
}

fn is_of_the_peer(error: &IoError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const EMFILE: i32 = 24;

    /// Would fail if a server ended, or was silent, when the process ran out of file descriptors.
    #[tokio::test(start_paused = true)]
    async fn a_listener_in_trouble_is_asked_again_and_reported_once() {
        let reports = Arc::new(AtomicUsize::new(0));
        let counted = reports.clone();
        let report = Report(Arc::new(move |error: &Error| {
            assert!(error.to_string().contains("open files"), "{error}");
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        let mut accepting = Accepting::new(report);
        let asked = AtomicUsize::new(0);
        let accept = || async {
            match asked.fetch_add(1, Ordering::Relaxed) {
                0 => Err(ErrorKind::ConnectionAborted.into()),
                1..12 => Err(IoError::from_raw_os_error(EMFILE)),
                _ => Ok("a connection"),
            }
        };
        assert_eq!(accepting.next(accept).await, "a connection");
        assert_eq!((asked.load(Ordering::Relaxed), reports.load(Ordering::Relaxed)), (13, 1));
    }
}
