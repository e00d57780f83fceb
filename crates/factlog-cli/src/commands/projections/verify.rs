//! `factlog projections verify`: the program folds again, in memory, what readers see; here one waits and is told.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Order, order};
use crate::failure::{Failure, Kind, Outcome};
use crate::numbers::{counted, grouped, span};
use crate::output::{answer, printable};
use crate::progress::Progress;
use crate::read_model::{File, Given, Left, leave, wait_until};

/// Between two looks at the program.
const ROUND: Duration = Duration::from_secs(1);
/// Keys that an error names.
const NAMED: usize = 3;

pub(super) fn run(arguments: &Order, json: bool) -> Outcome {
    let file = arguments.place.open()?;
    let projection = file.projection(&arguments.projection)?;
    let name = &projection.name;
    let left = match leave(&file, &projection, &json!({ "do": "verify" }), arguments.waiting)? {
        Left::ToBeAnswered(left) => left,
        Left::ToLie(id) => return order::say(name, "verify", &Given::Left(id), json),
    };
    let head = projection.last_sign().and_then(|status| status.head);
    let mut progress = Progress::start("verifying", head);
    let said = loop {
        if let Some(said) = wait_until(ROUND, || left.answer(&file))? {
            break said;
        }
        if !file.projection(name)?.is_running() {
            left.take_back(&file)?;
            return Err(Failure::new(
                Kind::Unavailable,
                format!("the program that verifies {} is gone", printable(name)),
            )
            .because("there has been no sign of life for ten seconds, or it was stopped")
            .advise("start it, and ask again"));
        }
        look(&file, name, &mut progress)?;
    };
    let time = progress.finish();
    let found: Value = serde_json::from_str(&said).unwrap_or_default();
    let different = found["different"].as_u64().unwrap_or(0);
    answer(
        json,
        || {
            let mut document =
                json!({ "projection": name, "same": different == 0, "seconds": time.as_secs_f64() });
            if let (Value::Object(document), Value::Object(found)) = (&mut document, found.clone()) {
                document.extend(found);
            }
            document
        },
        || {
            let number = |name: &str| found[name].as_u64().unwrap_or(0);
            let (events, documents) =
                (counted(number("events"), "event"), counted(number("documents"), "document"));
            let same = if different == 0 { "the same ".to_owned() } else { String::new() };
            let mut text = format!("{}: {events} folded again come to {same}{documents}", printable(name));
            if 0 < different {
                text.push_str(&format!(", {} of them not as readers see it", grouped(different)));
            }
            if 0 < number("parked") {
                text.push_str(&format!("; {} parked", counted(number("parked"), "key")));
            }
            format!("{text} (position {}, {})", grouped(number("position")), span(time.as_secs()))
        },
    )?;
    match different {
        0 => Ok(()),
        _ => Err(differs(name, different, &found)),
    }
}

fn look(file: &File, name: &str, progress: &mut Progress) -> Outcome {
    let Some(at) = file.verifying(name)? else { return Ok(()) };
    let (position, until) = (at["position"].as_u64().unwrap_or(0), at["until"].as_u64().unwrap_or(0));
    progress.at(position, || format!("{} of {}", grouped(position), grouped(until)));
    Ok(())
}

fn differs(name: &str, different: u64, found: &Value) -> Failure {
    let named = found["named"].as_array().into_iter().flatten().take(NAMED);
    let named = named.map(|one| {
        let text = |member: &str| printable(one[member].as_str().unwrap_or_default());
        format!("{}: {}", text("key"), text("why"))
    });
    let name = printable(name);
    let what = format!("{} of {name} are not what the log comes to", counted(different, "key"));
    Failure::new(Kind::Damage, what).because(named.collect::<Vec<_>>().join("; ")).advise(format!(
        "the events are well; if the projection changed, raise its version, otherwise `factlog projections rebuild {name}`"
    ))
}
