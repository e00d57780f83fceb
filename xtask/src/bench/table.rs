//! Results as tables of Markdown, which also read well on a terminal: columns are padded to one width.

use super::number::{median, shown};
use super::results::{Cell, Row, Series};

/// The engine against the machine and against the targets.
pub(super) fn engine(rows: &[Row]) -> String {
    let head = ["what", "figure", "limit of the machine", "ratio", "target", "", "more"];
    let lines = rows.iter().map(|row| {
        let figure = format!("{} {}", shown(row.value), row.unit);
        let ratio = row.ratio.map_or_else(String::new, shown);
        [
            row.what.clone(),
            figure,
            row.limit.clone(),
            ratio,
            row.target.clone(),
            verdict(row.met).to_owned(),
            row.note.clone(),
        ]
    });
    table(&head, lines)
}

/// What a reader looks for first.
fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "MISSED",
        None => "",
    }
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

/// Each figure at each size that was measured and, apart from it, what that would come to at a size that was not.
pub(super) fn scale(series: &[Series]) -> String {
    let longest = series.iter().max_by_key(|one| one.points.len());
    let sizes: Vec<u64> = longest.iter().flat_map(|one| &one.points).map(|(events, _)| *events).collect();
    let mut head: Vec<String> = vec!["what".to_owned(), "unit".to_owned()];
    head.extend(sizes.iter().map(|events| format!("{} events", shown(*events as f64))));
    head.extend(["target", "", "more, of the largest"].map(str::to_owned));
    let lines = series.iter().map(|one| {
        let mut line = vec![one.what.clone(), one.unit.clone()];
        line.extend(sizes.iter().map(|size| {
            let point = one.points.iter().find(|(events, _)| events == size);
            point.map_or_else(|| "-".to_owned(), |(_, value)| shown(*value))
        }));
        line.extend([one.target.clone(), verdict(one.met).to_owned(), one.note.clone()]);
        line
    });
    let measured = padded(std::iter::once(head).chain(lines));
    format!("### Measured\n\n{measured}{}", outlook(series))
}

/// What nobody measured, with what it was taken from.
fn outlook(series: &[Series]) -> String {
    let known: Vec<_> = series.iter().filter_map(|one| Some((one, one.outlook.as_ref()?))).collect();
    let Some((_, first)) = known.first() else { return String::new() };
    let far = shown(first.events as f64);
    let head = ["what", "unit", "× for ten times the events", "model", "off by", "by the model", "at worst"];
    let lines = known.iter().map(|(one, outlook)| {
        let steps: Vec<String> = outlook.steps.iter().map(|step| shown(*step)).collect();
        [
            one.what.clone(),
            one.unit.clone(),
            steps.join(", then "),
            outlook.model.clone(),
            format!("{} %", shown(outlook.off * 100.0)),
            shown(outlook.expected),
            shown(outlook.worst),
        ]
    });
    format!(
        "\n### Not measured: an outlook to {far} events\n\nNobody has run this. *By the model* is the model that lies \
         nearest to the points above (off from the one it misses most by the part that is said; n is the number of \
         events); *at worst* is what comes out if every further tenfold is as bad as the worst one above, or the model where \
         that is worse. Neither is ever better than the last figure above. Two or three points carry neither far.\n\n{}",
        table(&head, lines)
    )
}

/// Names and values.
pub(super) fn facts(facts: &[(String, String)]) -> String {
    table(&["", ""], facts.iter().map(|(name, value)| [name.clone(), value.clone()]))
}

fn table<const COLUMNS: usize>(
    head: &[&str; COLUMNS],
    lines: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    padded(std::iter::once(head.map(str::to_owned)).chain(lines).map(Vec::from))
}

/// The first line is the head; all have as many cells.
fn padded(lines: impl Iterator<Item = Vec<String>>) -> String {
    let escaped = |cell: String| cell.replace('|', "\\|");
    let lines: Vec<Vec<String>> = lines.map(|line| line.into_iter().map(escaped).collect()).collect();
    let columns = lines.first().map_or(0, Vec::len);
    let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max().unwrap_or(0).max(3);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
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
    use super::super::results::Outlook;
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

    /// Would fail if a figure stood in the column of another size, or if what nobody ran looked as if it had been run.
    #[test]
    fn what_was_not_measured_is_in_a_table_of_its_own_that_says_so() {
        let outlook = Outlook {
            events: 10_000_000_000,
            steps: vec![1.5, 2.0],
            model: "a + b·n".to_owned(),
            off: 0.071,
            expected: 77_777.0,
            worst: 88_888.0,
        };
        let series = |what: &str, points: &[(u64, f64)], outlook| Series {
            what: what.to_owned(),
            points: points.to_vec(),
            met: Some(false),
            outlook,
            ..Series::default()
        };
        let text = scale(&[
            series("late", &[(100, 3.0)], None),
            series("all", &[(10, 1.0), (100, 2.0)], Some(outlook)),
        ]);
        let (measured, rest) = text.split_once("### Not measured").unwrap();
        assert!(measured.contains("| 10.0 events | 100 events |"), "{measured}");
        assert!(
            measured.contains("| -           | 3.00       |") && measured.contains("MISSED"),
            "{measured}"
        );
        assert!(!measured.contains("77,777") && !measured.contains("88,888"), "{measured}");
        assert!(rest.contains("| 1.50, then 2.00 ") && rest.contains("| 7.10 %"), "{rest}");
        assert!(rest.contains("77,777") && rest.contains("88,888") && !rest.contains("late"), "{rest}");
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
