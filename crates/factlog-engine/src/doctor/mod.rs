//! The doctor: looks at the disk, the directory and the settings of a store, and says what to do.
//!
//! * It changes nothing of a store: what it measures with is a file without a name.
//! * Every check gives findings and no check can fail: what could not be looked at is a finding too.
//! * While another process has the store open, what only an owner can tell is left out, and said to be.

mod disk;
mod limits;
mod store;
mod words;

use std::path::Path;

use factlog_core::{Clock, SystemClock};

use crate::settings::Settings;
use crate::storage::survey;

/// How good or bad a finding is, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Fine,
    /// It could not be looked at.
    Unknown,
    /// It works, and somebody should know what it costs or risks.
    Warning,
    /// It does not work, or loses what was promised.
    Problem,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at: a name that programs can rely on, such as `sync` or `space`.
    pub check: &'static str,
    /// How good or bad it is.
    pub level: Level,
    /// What was found, with its units.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// The numbers in it, each with a name that ends in its unit, such as `durable_p50_ns`.
    pub figures: Vec<(&'static str, u64)>,
}

impl Finding {
    fn new(check: &'static str, level: Level, found: impl Into<String>) -> Self {
        Self { check, level, found: found.into(), advice: None, figures: Vec::new() }
    }

    fn fine(check: &'static str, found: impl Into<String>) -> Self {
        Self::new(check, Level::Fine, found)
    }

    fn advise(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    fn with(mut self, figures: impl IntoIterator<Item = (&'static str, u64)>) -> Self {
        self.figures.extend(figures);
        self
    }

    /// What could not be looked at, and why.
    fn unknown(check: &'static str, tried: &str, cause: &impl std::fmt::Display) -> Self {
        Self::new(check, Level::Unknown, format!("cannot {tried}: {cause}"))
    }
}

/// Everything that was found, in the order of the checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkup {
    /// One entry for each check, or for each thing that is wrong.
    pub findings: Vec<Finding>,
}

impl Checkup {
    /// The level of the worst finding.
    pub fn worst(&self) -> Level {
        self.findings.iter().map(|finding| finding.level).max().unwrap_or(Level::Fine)
    }
}

/// Looks at a directory, whether there is a store in it, will be one, or neither; it takes a few seconds.
///
/// It measures durable writes and compares them with plain ones, so that a disk which only pretends is noticed; it
/// looks at the file system, the space, the limits of the process, the clock, and at what opening the store would
/// find. Each finding is told as soon as it is made.
///
/// No file of the store is changed. Where nobody has the store open, its lock is shared for as long as its files are
/// looked at, so that nobody can open it meanwhile.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// use factlog_engine::{Level, Settings, doctor};
/// let checkup = doctor(dir.path(), &Settings::default(), &mut |finding| println!("{}", finding.found));
/// for finding in checkup.findings.iter().filter(|finding| Level::Warning <= finding.level) {
///     println!("{}: {} ({:?})", finding.check, finding.found, finding.advice);
/// }
/// assert!(checkup.worst() < Level::Problem);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn doctor(dir: &Path, settings: &Settings, progress: &mut dyn FnMut(&Finding)) -> Checkup {
    let mut notes = Notes { checkup: Checkup::default(), progress };
    examine(dir, settings, &SystemClock, &mut notes);
    notes.checkup
}

fn examine(dir: &Path, settings: &Settings, clock: &dyn Clock, notes: &mut Notes<'_>) {
    if let Err(error) = settings.validate() {
        notes.add(Finding::new("settings", Level::Problem, error.to_string()).advise("correct the setting"));
    }
    let place = survey::nearest(dir);
    if !disk::directory(dir, &place, notes) {
        return;
    }
    disk::file_system(&place, notes);
    let known = store::look(dir, settings, notes);
    disk::space(&place, settings, &known, notes);
    disk::sync(&place, notes);
    disk::direct(&place, notes);
    limits::open_files(&known, notes);
    limits::memory(settings, notes);
    limits::clock(clock.now(), &known, notes);
}

/// The findings so far.
struct Notes<'a> {
    checkup: Checkup,
    progress: &'a mut dyn FnMut(&Finding),
}

impl Notes<'_> {
    fn add(&mut self, finding: Finding) {
        (self.progress)(&finding);
        self.checkup.findings.push(finding);
    }
}
