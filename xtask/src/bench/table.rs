//! Results as tables of Markdown, which also read well on a terminal: columns are padded to one width.

use super::number::{median, shown};
use super::results::{Cell, Row};

/// The engine against the machine and against the targets.
pub(super) fn engine(rows: &[Row]) -> String {
    let head = ["what", "figure", "limit of the machine", "ratio", "target", "", "more"];
    let lines = rows.iter().map(|row| {
        let figure = format!("{} {}", shown(row.value), row.unit);
        let verdict = match row.met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        let ratio = row.ratio.map_or_else(String::new, shown);
        [
            row.what.clone(),
            figure,
            row.limit.clone(),
            ratio,
            row.target.clone(),
            verdict.to_owned(),
            row.note.clone(),
        ]
    });
    table(&head, lines)
}

/// One table for each work, in the order of the results, each store beside the first one.
pub(super) fn peers(cells: &[Cell]) -> String {
    let mut text = String::new();
    for (work, cells) in works(cells) {
        text.push_str(&format!("### {work}\n\n{}\n", one_work(cells)));
    }
    text
}

/// The cells of each work, which stand together.
pub(super) fn works(cells: &[Cell]) -> impl Iterator<Item = (&str, &[Cell])> {
    cells.chunk_by(|one, other| one.work == other.work).map(|cells| (cells[0].work.as_str(), cells))
}

fn one_work(cells: &[Cell]) -> String {
    let head = [
        "store",
        "events/s",
        "lowest",
        "highest",
        "ratio to it",
        "p50 µs",
        "p99 µs",
        "CPU µs/event",
        "disk bytes/event",
    ];
    let first = cells.first().map_or(&[][..], |first| &first.rounds);
    let lines = cells.iter().map(|cell| {
        let rate = median(&cell.rounds);
        // Round by round, since both had the same moment of the machine.
        let ratios: Vec<f64> = first.iter().zip(&cell.rounds).map(|(first, own)| first / own).collect();
        let lowest = cell.rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = cell.rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        [
            cell.store.clone(),
            shown(rate),
            shown(lowest),
            shown(highest),
            format!("{} ×", shown(median(&ratios))),
            shown(cell.p50_micros),
            shown(cell.p99_micros),
            shown(cell.cpu_micros_per_event),
            cell.disk_bytes_per_event.map_or_else(|| "-".to_owned(), shown),
        ]
    });
    table(&head, lines)
}

/// Names and values.
pub(super) fn facts(facts: &[(String, String)]) -> String {
    table(&["", ""], facts.iter().map(|(name, value)| [name.clone(), value.clone()]))
}

fn table<const COLUMNS: usize>(
    head: &[&str; COLUMNS],
    lines: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let lines: Vec<[String; COLUMNS]> = std::iter::once(head.map(str::to_owned)).chain(lines).collect();
    let lines: Vec<_> = lines.into_iter().map(|line| line.map(|cell| cell.replace('|', "\\|"))).collect();
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|at| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0).max(3));
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(widths) {
            text.push_str(&format!("| {cell:<width$} "));
        }
        text.push_str("|\n");
        if number == 0 {
            widths.iter().for_each(|width| text.push_str(&format!("|-{}-", "-".repeat(*width))));
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    //! A missed target must be seen to be missed, and a ratio must not be upside down.
    use super::*;

    #[test]
    fn missed_targets_are_printed_as_missed_beside_the_target() {
        let row = |what: &str, met| Row {
            what: what.to_owned(),
            value: 5_000.0,
            unit: "events/s".to_owned(),
            ratio: Some(0.7),
            target: "≥ 0.8".to_owned(),
            met,
            ..Row::default()
        };
        let text = engine(&[row("one", Some(false)), row("two", Some(true)), row("three", None)]);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[2].contains("5,000 events/s") && lines[2].contains("| ≥ 0.8  | MISSED |"), "{text}");
        assert!(lines[3].contains("| met    |") && !lines[4].contains("met"), "{text}");
        assert!(lines.iter().all(|line| line.chars().count() == lines[0].chars().count()), "{text}");
    }

    #[test]
    fn the_ratio_says_how_many_times_faster_the_first_store_is() {
        let cell = |store: &str, rounds: &[f64]| Cell {
            work: "w".to_owned(),
            store: store.to_owned(),
            rounds: rounds.to_vec(),
            ..Cell::default()
        };
        let text = peers(&[
            cell("factlog", &[90.0, 100.0, 500.0]),
            cell("uneven", &[45.0, 45.0, 250.0]),
            cell("slow", &[10.0, 10.0, 10.0]),
        ]);
        assert!(text.starts_with("### w\n"), "{text}");
        let of = |store: &str| {
            text.lines().find(|line| line.contains(store)).unwrap().split('|').collect::<Vec<_>>()
        };
        assert_eq!([of("factlog")[2].trim(), of("factlog")[5].trim()], ["100", "1.00 ×"]);
        assert_eq!(
            [of("slow")[3].trim(), of("slow")[5].trim(), of("slow")[9].trim()],
            ["10.0", "10.0 ×", "-"]
        );
    }
}
