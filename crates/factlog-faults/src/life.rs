//! A worker seen from outside: started, listened to, and ended one way or another.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::told::{Line, Question};
use crate::worker::WorkerArguments;

/// A worker that tells nothing for so long hangs: it has eight writers and a disk that works.
const SILENCE: Duration = Duration::from_secs(60);

/// One process.
#[derive(Debug)]
pub(crate) struct Life {
    child: Child,
    input: Option<ChildStdin>,
    news: Receiver<News>,
    sender: Sender<News>,
}

/// What is next.
#[derive(Debug)]
pub(crate) enum News {
    /// It told this.
    Told(String, Line),
    /// The time is up that was asked for.
    Due,
    /// It has told everything it ever will.
    Ended,
}

/// The command that runs this program as a worker.
pub(crate) fn command(arguments: &WorkerArguments) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program has no path")?);
    command.arg("worker").args(arguments.words());
    Ok(command)
}

impl Life {
    /// Starts a worker that is to repeat some appends of earlier lives.
    pub(crate) fn start(mut command: Command, repeats: &[Question]) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("{command:?} did not start"))?;
        let output = child.stdout.take().context("it has an output")?;
        let mut input = child.stdin.take().context("it has an input")?;
        let mut text = String::new();
        for repeat in repeats {
            text.push_str(&serde_json::to_string(repeat)?);
            text.push('\n');
        }
        text.push('\n');
        // It may have ended already; then its output says why.
        drop(input.write_all(text.as_bytes()));
        let (sender, news) = channel();
        let told = sender.clone();
        std::thread::spawn(move || listen(BufReader::new(output), &told));
        Ok(Self { child, input: Some(input), news, sender })
    }

    /// What it tells next.
    ///
    /// # Errors
    /// It hangs.
    pub(crate) fn next(&mut self) -> Result<News> {
        match self.news.recv_timeout(SILENCE) {
            Ok(news) => Ok(news),
            Err(RecvTimeoutError::Timeout) => {
                bail!("the worker told nothing for {} s: something in it waits for ever", SILENCE.as_secs())
            }
            Err(RecvTimeoutError::Disconnected) => Ok(News::Ended),
        }
    }

    /// What it tells before it ends or the time is up.
    pub(crate) fn next_line(&mut self) -> Result<Option<Line>> {
        Ok(match self.next()? {
            News::Told(_, line) => Some(line),
            News::Due | News::Ended => None,
        })
    }

    /// Listens until it is open.
    ///
    /// # Errors
    /// It does not open, and says why.
    pub(crate) fn until_open(&mut self) -> Result<u64> {
        match self.next_line()? {
            Some(Line::Opened(head)) => Ok(head),
            Some(Line::Failed(refusal)) => bail!("the store does not open: {}", refusal.message),
            other => bail!("the worker told {other:?} before it opened the store"),
        }
    }

    /// Has [`News::Due`] come after a while.
    pub(crate) fn remind_after(&self, time: Duration) {
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            std::thread::sleep(time);
            // The life may be over by then.
            drop(sender.send(News::Due));
        });
    }

    /// `kill -9`. What it told before is still to be heard.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill().context("it cannot be killed")
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let id = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("its id is no id")?;
        kill_process(id, signal).with_context(|| format!("{signal:?} cannot be sent to it"))
    }

    /// Has it stop politely: clients stop, subscriptions arrive, the store is closed.
    pub(crate) fn end_input(&mut self) {
        self.input = None;
    }

    /// Waits for its end, after it has been heard out.
    pub(crate) fn wait(&mut self) -> Result<ExitStatus> {
        self.input = None;
        self.child.wait().context("its end cannot be waited for")
    }
}

impl Drop for Life {
    /// Whoever gives up on a worker leaves none behind.
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Passes on every whole line. What has no end was being written when the process was killed.
fn listen(mut output: impl BufRead, told: &Sender<News>) {
    let mut text = String::new();
    while output.read_line(&mut text).is_ok_and(|length| 0 < length) && text.ends_with('\n') {
        let Ok(line) = serde_json::from_str(text.trim_end()) else { break };
        if told.send(News::Told(std::mem::take(&mut text), line)).is_err() {
            return;
        }
    }
    drop(told.send(News::Ended));
}

#[cfg(test)]
mod tests {
    //! A line that was being written when the process was killed must not pass for one that was told.
    use super::*;

    #[test]
    fn a_line_without_its_end_was_not_told() {
        let (sender, news) = channel();
        let whole = serde_json::to_string(&Line::Opened(7)).expect("plain data");
        // The second one could be read: what is missing of it is only its end.
        listen(format!("{whole}\n{whole}").as_bytes(), &sender);
        assert!(matches!(news.try_recv(), Ok(News::Told(_, Line::Opened(7)))));
        assert!(matches!(news.try_recv(), Ok(News::Ended)));
        assert!(news.try_recv().is_err());
    }
}
