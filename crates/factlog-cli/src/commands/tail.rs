//! `factlog tail`: events as they are committed, until interrupted.
//!
//! A data directory has one owner at a time, so that on a directory this follows only what is there: a
//! store that another process writes to is `Unavailable` to it, which it says. Behind a server it follows what
//! others append, and resumes after the server was away.

use std::time::Duration;

use clap::Args;
use factlog_core::{Delivery, Position, Result, StartFrom, StreamId, Subscription};

use crate::context::Context;
use crate::failure::{Failure, Outcome, say};
use crate::opened::{Opened, Remote};
use crate::output::Output;
use crate::render::{self, Format};
use crate::selection::Filter;

/// How often it is looked whether the connection to a server broke: only to say so.
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(crate) const EXAMPLES: &str = "\
Examples:
  factlog tail --data bank.db
  factlog tail --from beginning --type account.opened --format ndjson --data bank.db
  factlog tail --from 1001 --limit 10 --data bank.db
  factlog tail --server factlog://127.0.0.1:4270
  factlog tail --from beginning --until-caught-up --json --data bank.db";

/// Follow events as they are committed
///
/// Each event is written out at once. Ends when interrupted, with exit code 130, or as --limit and
/// --until-caught-up say. A directory must not be open elsewhere; where others write, follow their server. It resumes
/// by itself when that was away, and says so on standard error.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Only this stream
    #[arg(conflicts_with = "category")]
    stream: Option<StreamId>,
    /// Where to begin: `beginning`, `end`, or the first position to deliver
    #[arg(long, default_value = "end", value_name = "beginning|end|POSITION", value_parser = start_from)]
    from: StartFrom,
    #[command(flatten)]
    filter: Filter,
    /// Stop after this many events
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Stop when everything recorded so far has been delivered
    #[arg(long)]
    until_caught_up: bool,
    /// How events are written; `--json` is short for `--format ndjson`
    #[arg(long, value_enum)]
    format: Option<Format>,
}

pub(super) fn run(arguments: &Arguments, context: &Context) -> Outcome {
    let store = context.look()?;
    let query = arguments.filter.query(arguments.stream.as_ref())?;
    let format = arguments.format.unwrap_or(if context.json { Format::Ndjson } else { Format::Table });
    let mut output = Output::stdout();
    let mut deliveries = store.subscribe(query, arguments.from);
    let id = store.id_for(format)?;
    let mut breaks = Breaks::default();
    let mut left = arguments.limit.unwrap_or(u64::MAX);
    while let Some(delivery) = breaks.next(&store, &mut deliveries) {
        match delivery.map_err(|error| Failure::store("follow on", &error))? {
            Delivery::Event(event) => {
                output.line(render::event(&event, format, id))?;
                output.flush()?;
                left -= 1;
            }
            Delivery::CaughtUp(_) if arguments.until_caught_up => break,
            Delivery::CaughtUp(_) => {}
        }
        if left == 0 {
            break;
        }
    }
    drop(deliveries);
    store.close()
}

/// What was said of a connection that broke.
#[derive(Debug, Default)]
struct Breaks {
    /// How often it had been tried to resume.
    resumed: u64,
    /// Said, and nothing delivered since.
    told: bool,
}

impl Breaks {
    /// The next delivery. Where the connection breaks meanwhile, that is said, once until something is delivered.
    fn next(&mut self, store: &Opened, deliveries: &mut Subscription) -> Option<Result<Delivery>> {
        let Some(remote) = &store.remote else { return pollster::block_on(deliveries.next()) };
        remote.runtime.block_on(async {
            let mut look = tokio::time::interval(LOOK_EVERY);
            loop {
                tokio::select! {
                    delivery = deliveries.next() => {
                        // It may have broken and be mended since the last look.
                        self.look(remote);
                        self.told = false;
                        return delivery;
                    }
                    _ = look.tick() => self.look(remote),
                }
            }
        })
    }

    fn look(&mut self, remote: &Remote) {
        let resumed = remote.resumed();
        if self.resumed < resumed && !self.told {
            say(&format!(
                "the connection to {} broke; following resumes by itself, without gap or repeat",
                remote.url
            ));
            self.told = true;
        }
        self.resumed = resumed;
    }
}

fn start_from(text: &str) -> Result<StartFrom, String> {
    match text {
        "beginning" => Ok(StartFrom::Beginning),
        "end" => Ok(StartFrom::End),
        number => {
            let position: Position =
                number.parse().map_err(|_| "give `beginning`, `end` or a position from 1".to_owned())?;
            Ok(StartFrom::from(position.previous()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would fail if the position named were passed over: it is the first to deliver, not the last seen.
    #[test]
    fn following_begins_with_the_position_named() {
        assert_eq!(start_from("1"), Ok(StartFrom::Beginning));
        assert_eq!(start_from("8"), Ok(StartFrom::After(Position::new(7).unwrap())));
        assert_eq!(start_from("end"), Ok(StartFrom::End));
        assert!(start_from("0").is_err());
    }
}
