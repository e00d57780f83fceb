//! The machine under a served store: its disk, how long opening took, how durable writes go.

use std::path::PathBuf;
use std::time::Duration;

use factlog_engine::{DurableWrites, Engine};
use factlog_server::{Host, HostReport};

/// A directory with an open store in it.
#[derive(Debug)]
pub(crate) struct Machine {
    pub(crate) engine: Engine,
    pub(crate) directory: PathBuf,
    /// How long opening took.
    pub(crate) recovery: Duration,
}

impl Host for Machine {
    fn report(&self) -> HostReport {
        let writes = self.engine.durable_writes();
        let mut report = HostReport::default();
        report.disk_free_bytes = self.free();
        report.recovery = Some(self.recovery);
        report.damaged_places = Some(self.engine.damage().len() as u64);
        report.durable_writes = Some(factlog_server::DurableWrites {
            took: writes.took,
            bounds: DurableWrites::BOUNDS.to_vec(),
            counts: writes.counts.to_vec(),
            failed: writes.failed,
        });
        report
    }
}

impl Machine {
    /// Bytes that are free for us; a file system that does not say is as if it had none to tell.
    fn free(&self) -> Option<u64> {
        let found = rustix::fs::statvfs(&self.directory).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }
}
