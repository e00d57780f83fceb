//! What the system lets a worker have.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Limits of the process, set before the store is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::Args)]
pub(crate) struct Limits {
    /// Bytes of memory that is its own (RLIMIT_DATA)
    #[arg(long)]
    pub(crate) limit_data: Option<u64>,
    /// Files that are open at once (RLIMIT_NOFILE)
    #[arg(long)]
    pub(crate) limit_files: Option<u64>,
    /// Bytes of a file (RLIMIT_FSIZE)
    #[arg(long)]
    pub(crate) limit_file_bytes: Option<u64>,
}

impl Limits {
    pub(crate) fn set(self) -> io::Result<()> {
        let limits = [
            (Resource::Data, self.limit_data),
            (Resource::Nofile, self.limit_files),
            (Resource::Fsize, self.limit_file_bytes),
        ];
        for (resource, limit) in limits {
            if limit.is_some() {
                setrlimit(resource, Rlimit { current: limit, maximum: limit })?;
            }
        }
        Ok(())
    }

    /// The same as words of a command.
    pub(crate) fn words(self) -> Vec<String> {
        let limits = [
            ("--limit-data", self.limit_data),
            ("--limit-files", self.limit_files),
            ("--limit-file-bytes", self.limit_file_bytes),
        ];
        let set = limits.into_iter().filter_map(|(name, limit)| Some((name, limit?)));
        set.flat_map(|(name, limit)| [name.to_owned(), limit.to_string()]).collect()
    }
}
