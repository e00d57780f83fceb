//! Runs the real binary in a directory of its own; a test is then three lines.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A directory with a store in it, or none yet.
pub(crate) struct Home {
    directory: TempDir,
}

/// What one run of the binary came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    /// A store with three events in two streams: positions 1 to 3.
    pub(crate) fn with_accounts() -> Self {
        let home = Self::new();
        let id = |n: u32| format!("00000000-0000-4000-8000-00000000000{n}");
        for (n, stream, kind, payload) in [
            (1, "account-1", "account.opened", r#"{"owner":"Ada"}"#),
            (2, "account-1", "account.deposited", r#"{"amount":1.10}"#),
            (3, "account-2", "account.opened", r#"{"owner":"Bob"}"#),
        ] {
            let (id, tag) = (id(n), stream.replace('-', ":"));
            home.ok(&["append", stream, "--type", kind, "--payload", payload, "--id", &id, "--tag", &tag]);
        }
        home
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path("store")
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, bytes).expect("a file can be written");
        path.display().to_string()
    }

    /// The command on this home's store, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = bare(arguments);
        command.env("FACTLOG_DATA", self.store()).env("XDG_CONFIG_HOME", self.path("config"));
        command.current_dir(self.directory.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments), b"")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: impl AsRef<[u8]>) -> Ran {
        run(self.command(arguments), input.as_ref())
    }

    /// Runs it; it must succeed. Its standard output.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        ran.out
    }

    /// Runs it with `--json`; it must succeed. The document it answers.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error} in {out}"))
    }
}

impl Ran {
    /// The document on standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The error that `--json` writes to standard error.
    pub(crate) fn error(&self) -> Value {
        let line = self.err.lines().last().unwrap_or_default();
        let document: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {self:?}"));
        document["error"].clone()
    }
}

/// The binary without any store named.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_factlog"));
    command
        .args(arguments)
        .env_remove("FACTLOG_DATA")
        .env_remove("FACTLOG_SERVER")
        .env_remove("FACTLOG_CONTEXT")
        .env("XDG_CONFIG_HOME", "/nonexistent/of-no-developer")
        .env_remove("FACTLOG_READ_MODEL")
        .env_remove("FACTLOG_CONFIG")
        .env_remove("NOTIFY_SOCKET")
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100");
    command
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command, input: &[u8]) -> Ran {
    let mut child = piped(&mut command);
    let mut stdin = child.stdin.take().expect("a pipe");
    let input = input.to_vec();
    let feeding = std::thread::spawn(move || {
        // A command that does not read its input closes the pipe.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("the binary runs");
    feeding.join().expect("the input is fed");
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
        err: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
    }
}

/// Starts a command with all its streams in our hands.
pub(crate) fn piped(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary starts")
}

/// CloudEvents lines of `count` events in a hundred streams.
pub(crate) fn events(count: u32) -> String {
    let line = |n: u32| {
        let (stream, amount) = (n % 100, f64::from(n) / 4.0);
        format!(
            r#"{{"specversion":"1.0","id":"row-{n}","source":"/test","type":"account.moved","subject":"account-{stream}","time":"2026-01-01T00:00:00Z","datacontenttype":"application/json","data":{{"n":{n},"amount":{amount:.2}}}}}"#
        ) + "\n"
    };
    (0..count).map(line).collect()
}

/// Everything an export says about events, without where and when they were recorded.
pub(crate) fn without_place(export: &str) -> Vec<Value> {
    let strip = |line: &str| {
        let mut event: Value = serde_json::from_str(line).expect("a JSON line");
        let members = event.as_object_mut().expect("an object");
        if members["source"].as_str().is_some_and(|source| source.starts_with("urn:factlog:")) {
            members.remove("source");
        }
        for name in ["recordedtime", "sequence", "storeid"] {
            assert!(members.remove(name).is_some(), "{name} is missing");
        }
        event
    };
    export.lines().map(strip).collect()
}

/// The JSON with what differs from run to run replaced by its name.
pub(crate) fn redacted(mut value: Value) -> Value {
    match &mut value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                let varies =
                    ["recorded_at", "store", "seconds", "bytes_on_disk", "bytes", "recordedtime", "storeid"];
                let taken = member.take();
                let shown = varies.contains(&name.as_str()) && !taken.is_null();
                *member = if shown { Value::from(format!("[{name}]")) } else { redacted(taken) };
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| *item = redacted(item.take())),
        _ => {}
    }
    value
}

/// The first file below a directory whose name satisfies this.
pub(crate) fn find(directory: &Path, wanted: impl Fn(&str) -> bool) -> Option<PathBuf> {
    let mut names: Vec<_> = std::fs::read_dir(directory).ok()?.filter_map(Result::ok).collect();
    names.sort_by_key(std::fs::DirEntry::file_name);
    names
        .into_iter()
        .map(|entry| entry.path())
        .find(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(&wanted))
}
