//! Messages of streams that are larger than usual: each waits for room, and for no longer than its caller may have it.

use std::sync::Arc;

use axum::http::Extensions;
use factlog_core::access::Grants;
use factlog_core::{BoxFuture, Result};

use crate::access::{Caller, Gate};
use crate::listen::{Held, LARGE};

/// What is needed to wait, of one call.
pub(crate) struct Large {
    held: Arc<Held>,
    caller: Caller,
    /// When the call began: what was read by others is not sent.
    grants: Arc<Grants>,
}

impl Large {
    /// Of a call over a connection; `None` for one that came past the listener, or whose caller may do nothing any more.
    pub(crate) fn of(request: &Extensions) -> Option<Self> {
        let caller = Gate::caller(request).ok()?;
        Some(Self { held: Held::of_answer(request)?, grants: caller.grants().ok()?, caller })
    }

    /// What it holds, for the extensions of its answer: it is given back as that is sent.
    pub(crate) fn held(&self) -> Arc<Held> {
        self.held.clone()
    }

    /// Takes room for a message of so many bytes if it needs some. Where there is none: what is ready when there is, with the
    /// error that ends the stream if the caller may not have it by then.
    pub(crate) fn room(&self, bytes: usize) -> Option<BoxFuture<'static, Result<()>>> {
        if bytes <= LARGE || self.held.take(bytes).is_ok() {
            return None;
        }
        let (room, changed) = (self.held().wait(bytes), self.caller.clone().changed(self.grants.clone()));
        Some(Box::pin(async move {
            tokio::select! {
                biased;
                error = changed => Err(error),
                () = room => Ok(()),
            }
        }))
    }
}
