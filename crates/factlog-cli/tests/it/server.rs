//! A process of `factlog serve`, which ends with the test.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command};

use serde_json::Value;

use crate::harness::{Home, piped};

/// A server that has begun, and what it said then.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) said: Value,
}

impl Server {
    /// One that asks for no key, on a free port.
    pub(crate) fn start(home: &Home, more: &[&str]) -> Self {
        Self::with_keys(home, &[&["--insecure"], more].concat())
    }

    /// One that asks for keys.
    pub(crate) fn with_keys(home: &Home, more: &[&str]) -> Self {
        let line = [&["serve", "--listen", "127.0.0.1:0", "--json"], more].concat();
        Self::of(&mut home.command(&line))
    }

    /// The one that this command line starts, which says `--json`.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut process = piped(command);
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().expect("a pipe")).read_line(&mut line).expect("a line");
        let said = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut why = String::new();
            // What it wrote before it ended is all there is to say.
            let _ = process.stderr.take().expect("a pipe").read_to_string(&mut why);
            panic!("{error}: {why}");
        });
        Self { process, said }
    }

    /// A text of what it said: `url`, `http`, `admin_key`.
    pub(crate) fn told(&self, name: &str) -> &str {
        self.said[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.said))
    }

    pub(crate) fn url(&self) -> &str {
        self.told("url")
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.process.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }

    /// Its exit code, once it has ended.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        self.process.wait().expect("it ends").code()
    }

    /// Stops it as an operator does.
    pub(crate) fn stop(mut self) {
        self.signal("-TERM");
        assert_eq!(self.ended(), Some(0));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
