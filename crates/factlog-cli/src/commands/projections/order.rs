//! An order that is one word, and what is said of it.

use serde_json::json;

use super::Order;
use crate::failure::Outcome;
use crate::output::{answer, printable};
use crate::read_model::{Given, give};

pub(super) fn run(order: &Order, word: &str, json: bool) -> Outcome {
    let file = order.place.open()?;
    let projection = file.projection(&order.projection)?;
    let given = give(&file, &projection, &json!({ "do": word }), order.waiting)?;
    say(&projection.name, word, &given, json)
}

/// The program's words, or that the order lies there.
pub(super) fn say(projection: &str, word: &str, given: &Given, json: bool) -> Outcome {
    let name = printable(projection);
    answer(
        json,
        || match given {
            Given::Done(said) => {
                json!({ "projection": projection, "order": word, "done": true, "said": said })
            }
            Given::Left(id) => json!({ "projection": projection, "order": word, "done": false, "left": id }),
        },
        || match given {
            Given::Done(said) => format!("{name}: {}", printable(said)),
            Given::Left(_) => {
                format!("{name}: the order to {word} lies there; it is done when a program runs it")
            }
        },
    )
}
