//! The corpus: files under `fuzz/corpus/<target>`, real encodings and what once showed a fault.
//!
//! Files whose names begin with `seed-` are written by [`write_seeds`] from the stores' own writers, and written anew
//! when the format changes. All others stay: those that libFuzzer found to lead somewhere, and those that are named for
//! the fault they showed.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::Target;

/// Where the corpus lies in the repository.
pub fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// The inputs of a target with their names, in order.
///
/// # Errors
/// A file that cannot be read. A target without a directory has no inputs.
pub fn read(target: &Target) -> Result<Vec<(String, Vec<u8>)>> {
    let dir = directory().join(target.name);
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry?.path();
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        inputs.push((name, bytes));
    }
    inputs.sort_unstable();
    Ok(inputs)
}

/// Writes the real encodings of a target, in place of those of before; how many there are.
///
/// # Errors
/// A file that cannot be written or removed.
pub fn write_seeds(target: &Target) -> Result<usize> {
    let dir = directory().join(target.name);
    fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for (name, _) in read(target)?.iter().filter(|(name, _)| name.starts_with("seed-")) {
        fs::remove_file(dir.join(name))?;
    }
    let seeds = (target.seeds)();
    for (name, bytes) in &seeds {
        let path = dir.join(format!("seed-{name}"));
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(seeds.len())
}
