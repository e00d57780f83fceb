//! `grpc-timeout`: how long a caller of gRPC waits, and what it is told when that is over.
//!
//! * It counts until the answer begins, so that it bounds calls with one answer; a stream that has begun goes on until its
//!   caller leaves.
//! * Whoever asked for an append is told that it may have been written, and that is so: it is no more waited for here, and the
//!   store may finish it. Of everything else it is certain that nothing was written.

use std::time::Duration;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use factlog_core::{AppendError, Error};
use factlog_proto::status_of;
use tokio::time::timeout;
use tonic::{Code, Status};

use crate::answers::refuse;
use crate::http::is_grpc;

const HEADER: &str = "grpc-timeout";
/// The most digits that the protocol allows.
const DIGITS_MAX: usize = 8;
/// Calls that write to the log.
const WRITING: [&str; 2] =
    ["/factlog.v1.EventStoreService/Append", "/factlog.v1.EventStoreService/AppendSession"];
/// Calls that change keys and grants.
const KEEPING: &str = "/factlog.v1.AccessService/";

/// Answers in time, or says that the time is over.
pub(crate) async fn hold(request: Request, next: Next) -> Response {
    if !is_grpc(request.headers()) || !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    let Some(time) = of(request.headers()) else {
        let what = format!("{HEADER} is 1 to {DIGITS_MAX} digits and one of H, M, S, m, u, n");
        return refuse(Error::invalid(what)).into_http();
    };
    let path = request.uri().path();
    let writes = WRITING.contains(&path) || path.starts_with(KEEPING);
    match timeout(time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => over(writes).into_http(),
    }
}

/// The time, if it is said once and well.
fn of(headers: &HeaderMap) -> Option<Duration> {
    let mut said = headers.get_all(HEADER).iter();
    let (Some(one), None) = (said.next(), said.next()) else { return None };
    parse(one.to_str().ok()?)
}

fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let well = (1..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| well)?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

/// The protocol's own code, with what our table says of it.
fn over(writes: bool) -> Status {
    let error = match writes {
        true => Error::indeterminate(
            "the caller's deadline has passed; it may have been written: send it again with the same event ids",
        ),
        false => Error::unavailable("the caller's deadline has passed; nothing was written"),
    };
    let status = status_of(&AppendError::Failed(error));
    let details = status.details().to_vec().into();
    Status::with_details(Code::DeadlineExceeded, status.message(), details)
}

/// Reads the header with what must hold of it: for `factlog-fuzz`.
#[cfg(feature = "fuzzing")]
pub(crate) fn read(headers: &HeaderMap) {
    if let Some(time) = of(headers) {
        assert!(time <= Duration::from_secs(99_999_999 * 3_600), "it has a bound");
    }
}

#[cfg(test)]
mod tests {
    use factlog_core::ErrorKind;
    use factlog_proto::failure_of;

    use super::*;

    #[test]
    fn a_time_is_read_as_the_protocol_writes_it() {
        for (text, time) in [
            ("1H", Duration::from_secs(3_600)),
            ("2M", Duration::from_secs(120)),
            ("99999999S", Duration::from_secs(99_999_999)),
            ("5m", Duration::from_millis(5)),
            ("5u", Duration::from_micros(5)),
            ("0n", Duration::ZERO),
        ] {
            assert_eq!(parse(text), Some(time), "{text}");
        }
        for wrong in ["", "S", "1", "1s", "100000000S", "+1S", "-1S", "1.5S", " 1S", "1S ", "1\u{b5}"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    /// Would fail if somebody whose append may have been written were told that it was not.
    #[test]
    fn what_may_have_been_written_is_indefinite() {
        for (writes, kind) in [(true, ErrorKind::Indeterminate), (false, ErrorKind::Unavailable)] {
            let status = over(writes);
            assert_eq!(status.code(), Code::DeadlineExceeded);
            assert_eq!(failure_of(&status).failed().map(Error::kind), Some(kind));
        }
    }
}
