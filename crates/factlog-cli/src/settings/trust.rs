//! Whether a file is only its owner's to write, and to read where it holds a secret. What is found is warned about.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::files::SettingsFile;
use super::resolve::Resolved;
use super::value::{Kind, Value};

/// Others, neither the owner nor the group.
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_READ: u32 = 0o004;

/// What there is to say of a file of settings.
pub(super) fn of_file(file: &SettingsFile) -> Vec<String> {
    let Ok(found) = std::fs::metadata(&file.path) else { return Vec::new() };
    let secret = file.entries.iter().find(|entry| entry.setting.hides_value());
    said(&file.path, &found, rustix::process::geteuid().as_raw(), secret.map(|entry| entry.setting.name))
}

/// What there is to say of the files of secrets that settings name. One that is not there is for its user to miss.
pub(super) fn of_secrets(settings: &Resolved) -> Vec<String> {
    let files =
        settings.all().iter().filter(|found| found.setting.secret && found.setting.kind == Kind::File);
    files
        .filter_map(|found| match &found.value {
            Some(Value::Path(path)) => Some((found.setting.name, path)),
            Some(Value::Address(_) | Value::Bytes(_) | Value::Time(_) | Value::Word(_)) | None => None,
            Some(Value::Text(_) | Value::Switch(_)) => None,
        })
        .filter_map(|(name, path)| Some((name, path, std::fs::metadata(path).ok()?)))
        .flat_map(|(name, path, found)| said(path, &found, rustix::process::geteuid().as_raw(), Some(name)))
        .collect()
}

/// `secret` is the setting whose secret stands in the file.
pub(super) fn said(path: &Path, found: &Metadata, own: u32, secret: Option<&str>) -> Vec<String> {
    let path = crate::output::printable(&path.display().to_string());
    let mode = found.mode() & 0o777;
    let mut said = Vec::new();
    if mode & OTHERS_WRITE != 0 {
        said.push(format!("anybody can change {path} (mode {mode:o}); chmod o-w it"));
    }
    if let Some(name) = secret
        && mode & OTHERS_READ != 0
    {
        said.push(format!("anybody can read the secret of {name} in {path} (mode {mode:o}); chmod o-r it"));
    }
    // Root owns what is mounted or installed, and could do anything anyway.
    if found.uid() != own && found.uid() != 0 {
        said.push(format!("{path} belongs to another user ({})", found.uid()));
    }
    said
}
