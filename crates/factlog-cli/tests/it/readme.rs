//! The lines of `README.md` that serve, append, read and follow, run by `sh` as they stand.
//!
//! They are the `sh` blocks of the section "The server" up to its first line that neither is `factlog serve` or `curl` nor
//! sets a variable for the lines after it, in their order, in an empty directory, with `factlog` on the path. One thing is
//! changed: `factlog serve` is told to listen on a free port, which then stands for 4270 in all other lines.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::Home;

/// The section of the page.
const SECTION: &str = "## The server";
/// The address that the page says.
const WRITTEN: &str = "127.0.0.1:4270";

/// Lines of the section's `sh` blocks, those that end in `\` with what follows them.
fn lines() -> Vec<String> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let page = std::fs::read_to_string(page).expect("README.md");
    let (_, section) = page.split_once(SECTION).expect("the section of the server");
    let section = section.split("\n## ").next().expect("its text");
    let mut lines = Vec::new();
    for block in section.split("```sh\n").skip(1) {
        let block = block.split("\n```").next().expect("its end").replace("\\\n", " ");
        lines.extend(block.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
    }
    let is_ours = |line: &String| {
        line.starts_with("factlog serve") || line.starts_with("curl") || sets_a_variable(line)
    };
    lines.into_iter().take_while(is_ours).collect()
}

/// `NAME=value`, alone.
fn sets_a_variable(line: &str) -> bool {
    let (name, _) = line.split_once('=').unwrap_or(("", ""));
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// A server or a follower, killed with whatever the test came to.
struct Running(Child);

impl Running {
    /// Its output up to the first line that has this.
    fn until(&mut self, wanted: &str) -> String {
        let mut output = BufReader::new(self.0.stdout.take().expect("a pipe"));
        let mut seen = String::new();
        while !seen.contains(wanted) {
            let read = output.read_line(&mut seen).expect("text");
            assert!(0 < read, "it ended without {wanted:?}: {seen:?}");
        }
        // The pipe stays open as long as the process writes to it.
        self.0.stdout = Some(output.into_inner());
        seen
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `sh -c`
fn sh(home: &Home, line: &str) -> Command {
    let binary = Path::new(env!("CARGO_BIN_EXE_factlog")).parent().expect("its directory");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("sh");
    command.args(["-c", line]);
    command.env("PATH", format!("{}:{path}", binary.display()));
    command.env_remove("FACTLOG_DATA").env_remove("FACTLOG_SERVER").env_remove("FACTLOG_CONTEXT");
    command.env("XDG_CONFIG_HOME", home.path("config")).current_dir(home.path("."));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts one command; `exec`, so that what is killed later is the program and not its shell.
fn start(home: &Home, before: &str, line: &str) -> Running {
    let mut command = sh(home, &format!("{before}exec {line}"));
    Running(command.stderr(Stdio::null()).spawn().expect("sh is there"))
}

/// Would fail if a newcomer who types what the page says got something else than the page says.
#[test]
fn the_lines_of_the_page_append_read_and_follow() {
    let home = Home::new();
    let lines = lines();
    let mut server = None;
    let (mut address, mut variables) = (WRITTEN.to_owned(), String::new());
    let (mut read, mut followed) = (0, 0);
    for line in &lines {
        if sets_a_variable(line) {
            variables.push_str(&format!("{line}\n"));
            continue;
        }
        if line.starts_with("factlog serve") {
            let line = line.replacen("factlog serve", "factlog serve --listen 127.0.0.1:0", 1);
            let mut started = start(&home, "", &line);
            let said = started.until("http://127.0.0.1:");
            let (_, after) = said.split_once("http://").expect("an address");
            address = after.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
            server = Some(started);
            continue;
        }
        let here = line.replace(WRITTEN, &address);
        assert!(here.contains(&address), "{line}: it is not about the server that was started");
        if line.contains(" -N ") {
            let told = start(&home, &variables, &here).until("event: caught-up");
            assert!(told.contains("account.opened"), "{line}: {told}");
            followed += 1;
            continue;
        }
        let output = sh(&home, &format!("{variables}{here}")).output().expect("sh is there");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{line}: {output:?}");
        assert!(!told.contains("urn:factlog:error:"), "{line}: {told}");
        let expected = if line.contains("--json") { "\"first\":" } else { "account.opened" };
        assert!(told.contains(expected), "{line}: {told}");
        read += usize::from(expected == "account.opened");
    }
    assert!(server.is_some() && 3 <= lines.len(), "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("--json")), "none appends: {lines:#?}");
    assert_eq!((read, followed), (1, 1), "one reads, one follows: {lines:#?}");
}
