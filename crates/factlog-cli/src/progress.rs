//! Progress on standard error: a bar on a terminal, else a line every ten seconds.
//!
//! It never touches standard output and never decides anything.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::{may_move, say};
use crate::stopwatch::Stopwatch;

const LINE_EVERY: Duration = Duration::from_secs(10);

/// One piece of work, measured in the units it is given.
pub(crate) struct Progress {
    doing: &'static str,
    watch: Stopwatch,
    said: Duration,
    bar: Option<ProgressBar>,
    total: Option<u64>,
}

impl Progress {
    /// Begins; `total` units are expected, where that is known.
    pub(crate) fn start(doing: &'static str, total: Option<u64>) -> Self {
        let bar = may_move().then(|| bar(doing, total));
        Self { doing, watch: Stopwatch::start(), said: Duration::ZERO, bar, total }
    }

    /// So many units are done; `note` says what that means.
    pub(crate) fn at(&mut self, done: u64, note: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.set_message(note());
            return;
        }
        let elapsed = self.watch.elapsed();
        if elapsed < self.said + LINE_EVERY {
            return;
        }
        self.said = elapsed;
        let share = match self.total {
            Some(total) if 0 < total => format!("{} %, ", done.min(total) * 100 / total),
            _ => String::new(),
        };
        say(&format!("{}: {share}{} after {} s", self.doing, note(), elapsed.as_secs()));
    }

    /// Ends, leaving nothing on the terminal; gives the time it took.
    pub(crate) fn finish(self) -> Duration {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.watch.elapsed()
    }
}

fn bar(doing: &'static str, total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), "{prefix} {wide_bar} {percent}% {msg} eta {eta}"),
        None => (ProgressBar::new_spinner(), "{prefix} {spinner} {msg}"),
    };
    let style = ProgressStyle::with_template(template).expect("the templates above are well formed");
    bar.with_style(style).with_prefix(doing)
}
