//! The channel of a client, with the key or the token that goes with every call.
//!
//! * What stands in a file is looked at again, once a second at most, so that a token that was renewed is shown from then on.
//! * What cannot be read or sent does not take the place of what could.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use factlog_core::{Error, Result};
use parking_lot::Mutex;
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status, transport};

use crate::retry::now;

/// A connection that shows the client's key, if it has one.
pub(crate) type Channel = InterceptedService<transport::Channel, Bearer>;

/// How often a file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is shown: `authorization: Bearer KEY`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bearer(Option<Arc<Shown>>);

#[derive(Debug)]
struct Shown {
    file: Option<PathBuf>,
    latest: Mutex<Latest>,
}

/// What was read last.
#[derive(Debug)]
struct Latest {
    value: MetadataValue<Ascii>,
    /// Grows with each other value.
    version: u64,
    stamp: Stamp,
    looked: Instant,
}

/// What changes when a file does.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Bearer {
    /// Shows this key.
    ///
    /// # Errors
    /// `Invalid` for a text that cannot be sent, which is not repeated.
    pub(crate) fn new(key: &str) -> Result<Self> {
        Ok(Self::of(None, value(key)?, None))
    }

    /// Shows what stands in this file.
    ///
    /// # Errors
    /// `Invalid` for a file without a key that can be sent.
    pub(crate) fn from_file(path: &Path) -> Result<Self> {
        // Before it is read: what changes meanwhile is read again.
        let stamp = stamp(path);
        Ok(Self::of(Some(path.to_owned()), value(&key_in(path)?)?, stamp))
    }

    fn of(file: Option<PathBuf>, value: MetadataValue<Ascii>, stamp: Stamp) -> Self {
        let latest = Mutex::new(Latest { value, version: 0, stamp, looked: now() });
        Self(Some(Arc::new(Shown { file, latest })))
    }

    /// Whether anything is shown.
    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Another number once there is something else to show.
    pub(crate) fn version(&self) -> u64 {
        self.version_at(now())
    }

    fn version_at(&self, now: Instant) -> u64 {
        self.0.as_ref().map_or(0, |shown| shown.look(now, |latest| latest.version))
    }
}

impl Shown {
    fn look<T>(&self, now: Instant, of: impl FnOnce(&Latest) -> T) -> T {
        let mut latest = self.latest.lock();
        if let Some(file) = &self.file
            && LOOK_EVERY <= now.saturating_duration_since(latest.looked)
        {
            latest.looked = now;
            let found = stamp(file);
            if found != latest.stamp
                && let Ok(value) = key_in(file).and_then(|key| value(&key))
            {
                latest.stamp = found;
                if value != latest.value {
                    (latest.value, latest.version) = (value, latest.version + 1);
                }
            }
        }
        of(&latest)
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(shown) = &self.0 {
            let value = shown.look(now(), |latest| latest.value.clone());
            request.metadata_mut().insert("authorization", value);
        }
        Ok(request)
    }
}

/// It is marked as a secret, which keeps it out of `Debug` and of compression.
fn value(key: &str) -> Result<MetadataValue<Ascii>> {
    let value = MetadataValue::try_from(format!("Bearer {}", key.trim()));
    let mut value = value.map_err(|_| Error::invalid("the key has characters that no key has"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The key in a file: its first line.
fn key_in(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path).map_err(|error| {
        Error::invalid(format!("cannot read the key in {}", path.display())).because(error)
    })?;
    let key = text.lines().next().unwrap_or_default().trim();
    if key.is_empty() {
        return Err(Error::invalid(format!("there is no key in {}", path.display())));
    }
    Ok(key.to_owned())
}

fn stamp(path: &Path) -> Stamp {
    let of = fs::metadata(path).ok()?;
    Some((of.ino(), of.len(), of.mtime(), of.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if a key stood in whatever is printed of a client.
    #[test]
    fn a_key_is_not_printed() {
        let bearer = Bearer::new("factlog_canary\n").expect("a key");
        assert!(!format!("{bearer:?}").contains("canary"));
        let refused = Bearer::new("can\u{7f}ary").expect_err("a control character").to_string();
        assert!(!refused.contains("ary\u{7f}") && !refused.contains("can\u{7f}"), "{refused}");
    }

    /// Would fail if a token that was renewed were not shown, or half of one, or nothing because the file was away for a moment.
    #[test]
    fn a_file_is_read_again_when_it_has_changed() {
        let name = format!("factlog-bearer-{}-{}", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(name);
        let put = |text: &str| {
            let beside = path.with_extension("new");
            fs::write(&beside, text).expect("write");
            fs::rename(&beside, &path).expect("rename");
        };
        Bearer::from_file(&path).expect_err("there is none");
        put("first\n");
        let bearer = Bearer::from_file(&path).expect("a key");
        let begin = now();
        let at = |seconds| {
            let version = bearer.version_at(begin + Duration::from_secs(seconds));
            let shown =
                bearer.0.as_ref().expect("a key").latest.lock().value.to_str().expect("text").to_owned();
            (version, shown)
        };
        let first = (0, "Bearer first".to_owned());
        put("second");
        assert_eq!(at(0), first, "it was looked at a moment ago");
        let second = (1, "Bearer second".to_owned());
        assert_eq!(at(2), second);
        for (seconds, text) in [(4, ""), (6, "\n"), (8, "a\u{1}b")] {
            put(text);
            assert_eq!(at(seconds), second);
        }
        fs::remove_file(&path).expect("remove");
        assert_eq!(at(10), second);
        put("second");
        assert_eq!(at(12), second, "it is the same");
        put("third");
        assert_eq!(at(14), (2, "Bearer third".to_owned()));
        fs::remove_file(&path).expect("remove");
    }
}
