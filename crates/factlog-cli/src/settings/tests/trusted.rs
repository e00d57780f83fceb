//! Files that are not only their owner's.

use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use super::EVERY;
use crate::settings::files::read;
use crate::settings::trust::{of_secrets, said};
use crate::settings::value::Value;
use crate::settings::{Flags, resolve};

fn of_mode(mode: u32) -> (tempfile::NamedTempFile, Metadata) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
    let found = file.path().metadata().unwrap();
    (file, found)
}

/// Would fail if a file that any user of the machine can change decided in silence where a server listens.
#[test]
fn a_file_that_others_can_change_is_told_and_one_with_a_secret_that_they_can_read() {
    for (mode, secret, told) in [
        (0o644, None, 0),
        (0o600, Some("token"), 0),
        (0o660, Some("token"), 0),
        (0o646, None, 1),
        (0o644, Some("token"), 1),
        (0o666, Some("token"), 2),
    ] {
        let (file, found) = of_mode(mode);
        let said = said(file.path(), &found, found.uid(), secret);
        assert_eq!(said.len(), told, "{mode:o} {secret:?}: {said:?}");
    }
}

/// Would fail if a file that another user planted in a shared directory were followed in silence.
#[test]
fn a_file_of_another_user_is_told_unless_it_is_roots() {
    let (file, found) = of_mode(0o644);
    let told = said(file.path(), &found, found.uid() + 1, None);
    assert_eq!(told.len(), usize::from(found.uid() != 0), "{told:?}");
    assert_eq!(said(file.path(), &found, found.uid(), None), Vec::<String>::new());
}

#[test]
fn a_settings_file_with_a_secret_and_the_file_of_a_secret_are_looked_at() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str, mode| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    };
    let loose = read(&write("a.toml", "token = \"hunter2\"", 0o644), &EVERY).unwrap().unwrap();
    assert_eq!(loose.warnings.len(), 1);
    assert!(loose.warnings[0].contains("the secret of token") && !loose.warnings[0].contains("hunter2"));
    let strict = read(&write("b.toml", "token = \"hunter2\"", 0o600), &EVERY).unwrap().unwrap();
    assert_eq!(strict.warnings, Vec::<String>::new());
    for (mode, told) in [(0o600, 0), (0o644, 1)] {
        let flags = Flags::default().with("key-file", Value::Path(write("key", "k", mode)));
        let settings = resolve::resolve(&EVERY, &flags, |_| None, &[]).unwrap();
        assert_eq!(of_secrets(&settings).len(), told, "{mode:o}");
    }
    let away = Flags::default().with("key-file", Value::Path("/nonexistent/key".into()));
    assert!(of_secrets(&resolve::resolve(&EVERY, &away, |_| None, &[]).unwrap()).is_empty());
    assert!(read(Path::new("/nonexistent/factlog.toml"), &EVERY).unwrap().is_none());
}
