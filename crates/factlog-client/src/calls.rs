//! Calls with one answer that change nothing: asked again, with back-off, until their deadline.

use std::future::Future;

use crate::bearer::Channel;
use factlog_core::{AppendError, Error, ErrorKind, Head, Position, Result, Timestamp};
use factlog_proto::v1;
use factlog_proto::v1::event_store_service_client::EventStoreServiceClient;
use tokio::time::{Instant, sleep_until, timeout_at};
use tonic::{Response, Status};

use crate::refused::failure_of;
use crate::retry::{Backoff, from_now};
use crate::session::client;

type Client = EventStoreServiceClient<Channel>;

/// Repeats a call that changes nothing until it is answered, refused for good, or its time is over.
///
/// # Errors
/// The server's; `Unavailable` where there was no answer in time.
pub(crate) async fn repeated<C: Clone, R: Clone, T, F>(
    deadline: Instant,
    client: C,
    request: R,
    call: impl Fn(C, R) -> F,
) -> Result<T>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let mut backoff = Backoff::default();
    let mut last = Error::unavailable("the server does not answer");
    loop {
        let Ok(answer) = timeout_at(deadline, call(client.clone(), request.clone())).await else {
            return Err(last);
        };
        match answer {
            Ok(answer) => return Ok(answer.into_inner()),
            Err(status) => last = error_of(&status),
        }
        let again = from_now(backoff.pause());
        if last.kind() != ErrorKind::Unavailable || deadline <= again {
            return Err(last);
        }
        sleep_until(again).await;
    }
}

/// What a status means for a call that changes nothing: what may have been done does not matter.
pub(crate) fn error_of(status: &Status) -> Error {
    match failure_of(status) {
        AppendError::Conflict(conflict) => Error::invalid(conflict.to_string()),
        AppendError::Failed(error) if error.kind() == ErrorKind::Indeterminate => {
            Error::unavailable(error.to_string())
        }
        AppendError::Failed(error) => error,
    }
}

/// A part of an answer that a server of this version always gives.
fn answered<T>(part: Option<T>) -> Result<T> {
    part.ok_or_else(|| Error::invalid("the server's answer is not complete; it may be of another version"))
}

/// The head of the store.
pub(crate) async fn head(channel: Channel, deadline: Instant) -> Result<Head> {
    let ask = |mut client: Client, request| async move { client.get_head(request).await };
    let answer = repeated(deadline, client(channel), v1::GetHeadRequest {}, ask).await?;
    answered(answer.head)?.try_into()
}

/// How far a consumer has come.
pub(crate) async fn tracking(
    channel: Channel,
    deadline: Instant,
    source: String,
) -> Result<Option<Position>> {
    let ask = |mut client: Client, request| async move { client.get_tracking(request).await };
    let answer = repeated(deadline, client(channel), v1::GetTrackingRequest { source }, ask).await?;
    Ok(answer.position.and_then(Position::new))
}

/// The last position recorded at or before a time.
pub(crate) async fn position_at(
    channel: Channel,
    deadline: Instant,
    time: Timestamp,
) -> Result<Option<Position>> {
    let ask = |mut client: Client, request| async move { client.get_position_at(request).await };
    let request = v1::GetPositionAtRequest { time_micros: time.as_micros() };
    let answer = repeated(deadline, client(channel), request, ask).await?;
    Ok(answer.position.and_then(Position::new))
}
