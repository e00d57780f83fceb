//! What every command needs: the data directory, the store in it, and whether to answer in JSON.
//!
//! The only file that opens an engine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use factlog_core::EventStore as _;
use factlog_engine::{Engine, Settings};

use crate::cli::Cli;
use crate::failure::{Failure, Kind, Outcome, say};
use crate::numbers::counted;

/// Names the data directory where the command line does not.
pub(crate) const DATA_VARIABLE: &str = "FACTLOG_DATA";

/// Files by which a directory is known to be a store, or to have been one.
const STORE_FILES: [&str; 3] = ["STORE", "MANIFEST.0", "MANIFEST.1"];

/// The surroundings of one command.
#[derive(Debug)]
pub(crate) struct Context {
    /// Answer, and fail, in JSON.
    pub(crate) json: bool,
    named: Option<PathBuf>,
    variable: Option<PathBuf>,
}

impl Context {
    pub(crate) fn new(cli: &Cli, variable: Option<OsString>) -> Self {
        let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
        Self { json: cli.global.json, named: cli.global.data.clone(), variable }
    }

    /// The data directory that the command line itself names.
    pub(crate) fn named_directory(&self) -> Option<&Path> {
        self.named.as_deref()
    }

    /// The data directory.
    pub(crate) fn directory(&self) -> Outcome<&Path> {
        let directory = self.named.as_deref().or(self.variable.as_deref());
        directory.ok_or_else(|| {
            Failure::new(Kind::Usage, "no data directory is named")
                .advise(format!("give --data DIR, or set {DATA_VARIABLE}"))
        })
    }

    /// The data directory, if there is a store in it: looking must not create one.
    pub(crate) fn existing_directory(&self) -> Outcome<&Path> {
        let directory = self.directory()?;
        if holds_a_store(directory) {
            return Ok(directory);
        }
        Err(Failure::new(Kind::NotFound, format!("there is no store in {}", directory.display()))
            .advise("check --data; `factlog append` and `factlog import` create one"))
    }

    /// The store that is there, to look at.
    pub(crate) fn existing_store(&self) -> Outcome<Engine> {
        open(self.existing_directory()?)
    }

    /// The store to write to, created if there is none.
    pub(crate) fn store(&self) -> Outcome<Engine> {
        open(self.directory()?)
    }
}

/// Opens or creates the store in a directory; says what is damaged, since what is not is served.
pub(crate) fn open(directory: &Path) -> Outcome<Engine> {
    let engine = Engine::open(directory, Settings::default())
        .map_err(|error| Failure::store(format!("open the store in {}", directory.display()), &error))?;
    let (lost, mended): (Vec<_>, Vec<_>) =
        engine.damage().into_iter().partition(|damage| damage.first.is_some());
    for (places, meaning) in
        [(lost, "everything else is served, appends are refused"), (mended, "no event is lost, it is mended")]
    {
        if let Some(first) = places.first() {
            let more = match places.len() - 1 {
                0 => String::new(),
                more => {
                    format!(", and {} besides (`factlog verify` shows them)", counted(more as u64, "place"))
                }
            };
            say(&format!("warning: {first}{more}; {meaning}"));
        }
    }
    Ok(engine)
}

/// Finishes with a store; a failure to do so is the command's failure.
pub(crate) fn close(engine: &Engine) -> Outcome {
    pollster::block_on(engine.close()).map_err(|error| Failure::store("close the store", &error))
}

/// Whether a store was ever created in this directory. Damage does not make it another's: the engine says what is wrong.
fn holds_a_store(directory: &Path) -> bool {
    STORE_FILES.iter().any(|file| directory.join(file).exists())
}
