//! Whether a server is ready, asked over the connection that everything else uses.
//!
//! It is one `GET /health/ready`, with no repetition: who asks wants to know about now.

use std::future::poll_fn;
use std::time::Duration;

use crate::bearer::Channel;
use factlog_core::{Error, Result};
use tokio::time::{Instant, timeout_at};
use tonic::body::Body;
use tonic::codegen::{Service as _, http};

use crate::remote::RemoteStore;
use crate::retry::from_now;

/// Longer than that, no server is ready.
const PATIENCE: Duration = Duration::from_secs(5);

impl RemoteStore {
    /// Whether the server takes requests and its store answers.
    ///
    /// # Errors
    /// `Unavailable` where it does not, or where nobody answers within five seconds.
    pub async fn ready(&self) -> Result<()> {
        self.call(|channel, deadline| Box::pin(ask(channel, deadline.min(from_now(PATIENCE))))).await
    }
}

async fn ask(mut channel: Channel, deadline: Instant) -> Result<()> {
    let asking = async move {
        poll_fn(|context| channel.poll_ready(context)).await?;
        let mut request = http::Request::new(Body::empty());
        *request.uri_mut() = http::Uri::from_static("/health/ready");
        channel.call(request).await
    };
    let answer = timeout_at(deadline, asking)
        .await
        .map_err(|_| Error::unavailable("the server does not answer in time"))?
        .map_err(|error| Error::unavailable("the server does not answer").because(error))?;
    if answer.status().is_success() {
        return Ok(());
    }
    Err(Error::unavailable(format!("the server answers that it is not ready: {}", answer.status())))
}
