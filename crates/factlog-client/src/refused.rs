//! What a status means that no server of this kind has made: the connection could not be, or not be secured.

use std::error::Error as StdError;
use std::fmt;

use factlog_core::{AppendError, Error};
use h2::Reason;
use tonic::Status;

/// A connection that will not come about as things are: trying again would not help.
#[derive(Clone, Debug)]
pub(crate) struct Refused(pub(crate) Error);

impl fmt::Display for Refused {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl StdError for Refused {}

/// The failure a status tells of: why there was no connection, or else what the server said.
pub(crate) fn failure_of(status: &Status) -> AppendError {
    let mut source = StdError::source(status);
    while let Some(cause) = source {
        if let Some(Refused(error)) = cause.downcast_ref() {
            return AppendError::Failed(error.clone());
        }
        if let Some(error) = cause.downcast_ref().and_then(not_secured) {
            return AppendError::Failed(error);
        }
        source = cause.source();
    }
    factlog_proto::failure_of(status)
}

/// What a server that wants TLS does to a client without.
fn not_secured(error: &h2::Error) -> Option<Error> {
    if error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::INADEQUATE_SECURITY) {
        return Some(Error::invalid("the server speaks TLS only; give factlogs:// in place of factlog://"));
    }
    // An alert of TLS, or an answer of HTTP/1.1, read as a frame is longer than any frame may be.
    if error.is_go_away() && error.is_library() && error.reason() == Some(Reason::FRAME_SIZE_ERROR) {
        return Some(Error::unavailable(
            "what answers does not speak HTTP/2 without TLS; is it a server of factlog? if it wants TLS, give \
             factlogs:// in place of factlog://",
        ));
    }
    None
}
