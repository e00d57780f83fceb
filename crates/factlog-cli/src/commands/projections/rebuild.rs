//! `factlog projections rebuild`: gives the order, and follows what is built to its end.

use std::time::Duration;

use serde_json::json;

use super::{Order, order};
use crate::failure::{Failure, Kind, Outcome};
use crate::numbers::{counted, grouped, span};
use crate::output::{answer, printable};
use crate::progress::Progress;
use crate::read_model::{File, Generation, Given, Phase, Projection, give, wait_until};

/// Between two looks at the program, so that one who died is noticed and the bar moves.
const ROUND: Duration = Duration::from_secs(1);

pub(super) fn run(order: &Order, json: bool) -> Outcome {
    let file = order.place.open()?;
    let projection = file.projection(&order.projection)?;
    let newest = |projection: &Projection| projection.generations.keys().next_back().copied().unwrap_or(0);
    let (before, under_way) = (newest(&projection), projection.building().is_some());
    let given = give(&file, &projection, &json!({ "do": "rebuild" }), order.waiting)?;
    let Given::Done(_) = given else { return order::say(&projection.name, "rebuild", &given, json) };
    let name = &projection.name;
    let projection = file.projection(name)?;
    // One that could not be built is gone before anybody looks.
    let number = newest(&projection).max(if under_way { before } else { before + 1 });
    let head = projection.last_sign().and_then(|status| status.head);
    let mut progress = Progress::start("rebuilding", head);
    let switched = loop {
        if let Some(switched) = wait_until(ROUND, || look(&file, name, number, &mut progress))? {
            break switched;
        }
    };
    let time = progress.finish();
    let events = file.projection(name)?.generations.get(&number).and_then(|built| built.applied).unwrap_or(0);
    answer(
        json,
        || {
            json!({
                "projection": name, "order": "rebuild", "done": true, "generation": number,
                "switched": switched, "applied": events, "seconds": time.as_secs_f64(),
            })
        },
        || {
            let built = format!(
                "{}: generation {number} is built from {}",
                printable(name),
                counted(events, "event")
            );
            let seen = match switched {
                true => "readers see it".to_owned(),
                false => format!("`factlog projections switch {}` lets readers see it", printable(name)),
            };
            format!("{built} in {}; {seen}", span(time.as_secs()))
        },
    )
}

/// Whether it is built, and is what readers see; nothing while it is on its way.
fn look(file: &File, name: &str, number: u64, progress: &mut Progress) -> Outcome<Option<bool>> {
    let projection = file.projection(name)?;
    let shown = printable(name);
    let Some(generation) = projection.generations.get(&number) else {
        let why = projection.given_up.as_ref().and_then(|given_up| given_up["error"].as_str());
        let what = format!("generation {number} of {shown} could not be built and was given up");
        return Err(Failure::new(Kind::Failure, what)
            .because(why.map_or("another one took its place".to_owned(), printable))
            .advise("correct that and rebuild again; readers see what there was"));
    };
    if generation.phase != Phase::Building {
        return Ok(Some(projection.serving == Some(number)));
    }
    if projection.paused {
        return Err(Failure::new(Kind::Unavailable, format!("{shown} is paused; generation {number} waits"))
            .advise(format!("`factlog projections resume {shown}` lets it be built")));
    }
    if !projection.is_running() {
        return Err(Failure::new(Kind::Unavailable, format!("the program that builds {shown} is gone"))
            .because("there has been no sign of life for ten seconds")
            .advise(format!("start it; it goes on with generation {number} where it was")));
    }
    step(&projection, number, generation, progress)
}

fn step(
    projection: &Projection,
    number: u64,
    generation: &Generation,
    progress: &mut Progress,
) -> Outcome<Option<bool>> {
    let Some(status) = &generation.status else { return Ok(None) };
    if status.state == "failed" {
        let what = format!("generation {number} of {} cannot be built", printable(&projection.name));
        return Err(Failure::new(Kind::Failure, what)
            .because(printable(status.problem.as_deref().unwrap_or("the program does not say why")))
            .advise("correct that in the program and start it again"));
    }
    let applied = status.applied.unwrap_or(0);
    progress.at(applied, || {
        let left =
            status.remaining_seconds.map_or(String::new(), |seconds| format!(", {} left", span(seconds)));
        let (at, rate) = (grouped(applied), grouped(status.rate.round() as u64));
        format!("{at} of {} at {rate}/s{left}", grouped(status.head.unwrap_or(0)))
    });
    Ok((status.built && status.by_hand).then_some(false))
}
