//! Connections that are open, each counted from when it is accepted until whoever serves it drops its [`Open`].

use std::sync::Arc;

use super::Metrics;

/// A connection that is open.
#[derive(Debug)]
pub(crate) struct Open(Arc<Metrics>);

impl Open {
    pub(crate) fn count(metrics: &Arc<Metrics>) -> Self {
        metrics.connections.inc();
        Self(metrics.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}
