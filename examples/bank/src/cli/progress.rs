//! How far a file has been read, on standard error: a bar on a terminal, else a line every ten seconds.
//!
//! It never touches standard output and decides nothing.

use std::io::{self, IsTerminal as _, Read, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const LINE_EVERY: Duration = Duration::from_secs(10);

/// One file on its way.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    doing: &'static str,
    bar: ProgressBar,
    shown: bool,
}

/// A file that says how far it has been read.
#[derive(Debug)]
pub(super) struct Watched<R> {
    file: R,
    progress: Progress,
    said: Duration,
}

impl Progress {
    /// Begins with a file of so many bytes.
    pub(super) fn start(doing: &'static str, bytes: u64) -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
        let quiet = dumb || std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        let shown = io::stderr().is_terminal() && !quiet;
        let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {percent}% {elapsed} (left {eta})");
        let bar = ProgressBar::with_draw_target(Some(bytes), target)
            .with_style(style.expect("the template is well formed"))
            .with_prefix(doing);
        Self { doing, bar, shown }
    }

    /// Follows the reading of the file.
    pub(super) fn watch<R: Read>(&self, file: R) -> Watched<R> {
        Watched { file, progress: self.clone(), said: Duration::ZERO }
    }

    /// Ends, leaving nothing on the terminal.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// The line for those who see no bar, once in ten seconds.
    fn line(&self, said: Duration, now: Duration) -> Option<String> {
        if self.shown || now < said + LINE_EVERY {
            return None;
        }
        let (done, bytes) = (self.bar.position(), self.bar.length().unwrap_or(0));
        let percent = done.min(bytes) * 100 / bytes.max(1);
        Some(format!("{}: {percent} % of the file after {} s", self.doing, now.as_secs()))
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.progress.bar.inc(read as u64);
        let now = self.progress.bar.elapsed();
        if let Some(line) = self.progress.line(self.said, now) {
            self.said = now;
            // Where standard error is gone there is nobody left to tell.
            let _ = writeln!(io::stderr(), "{line}");
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if a log of a long import stood still, or were flooded.
    #[test]
    fn off_a_terminal_a_line_is_said_every_ten_seconds() {
        let progress = Progress { shown: false, ..Progress::start("importing", 400) };
        let mut watched = progress.watch(&[7; 100][..]);
        assert_eq!(io::copy(&mut watched, &mut io::sink()).unwrap(), 100);
        let seconds = Duration::from_secs;
        assert_eq!(progress.line(seconds(0), seconds(9)), None);
        let line = progress.line(seconds(0), seconds(10));
        assert_eq!(line.as_deref(), Some("importing: 25 % of the file after 10 s"));
        assert_eq!(progress.line(seconds(10), seconds(19)), None);
        assert_eq!(Progress { shown: true, ..progress }.line(seconds(0), seconds(99)), None);
    }
}
