//! Interruption by the user: what is temporary is removed and the process ends with exit code 130.
//!
//! Nothing else needs to be undone: appends are atomic, an import and an export can be repeated. `ctrlc`
//! runs the handler on a thread of its own, so that it may take a lock and remove files, which a bare
//! signal handler may not; it needs no `unsafe` here and works on every platform.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::failure::{Failure, INTERRUPTED, Kind, Outcome};

/// What an interrupt does instead of ending the process, once.
type Instead = Box<dyn FnOnce() + Send>;

static INSTEAD: Mutex<Option<Instead>> = Mutex::new(None);
static TEMPORARY: Mutex<Option<PathBuf>> = Mutex::new(None);

/// From now on SIGINT ends the process in order.
pub(crate) fn install() -> Outcome {
    let handler = || {
        if let Some(instead) = INSTEAD.lock().ok().and_then(|mut instead| instead.take()) {
            return instead();
        }
        if let Ok(Some(path)) = TEMPORARY.lock().as_deref() {
            // The process ends either way, and nothing is wrong with what may be left but its space.
            let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        }
        std::process::exit(INTERRUPTED);
    };
    ctrlc::set_handler(handler).map_err(|error| {
        Failure::new(Kind::Failure, "cannot listen for interrupts").because(error.to_string())
    })
}

/// Also removes this file or directory when interrupted. There is one at most: the last one named.
pub(crate) fn remove_when_interrupted(path: &Path) {
    if let Ok(mut temporary) = TEMPORARY.lock() {
        *temporary = Some(path.to_owned());
    }
}

/// The first interrupt from now on does this instead of ending the process; the second one ends it.
pub(crate) fn instead_of_ending(action: impl FnOnce() + Send + 'static) {
    if let Ok(mut instead) = INSTEAD.lock() {
        *instead = Some(Box::new(action));
    }
}
