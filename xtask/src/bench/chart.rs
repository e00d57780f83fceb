//! Horizontal bars as SVG, one group below the other; each group has its own scale, from zero.
//!
//! A plotting library would be a dependency of the workspace for these few lines of text.

use super::number::{median, shown};
use super::results::{Cell, Row, Series};
use super::table::works;

/// Bars that are compared with each other.
#[derive(Debug)]
struct Group {
    title: String,
    bars: Vec<(String, f64)>,
}

const WIDTH: usize = 1040;
const LABELS: usize = 470;
const BARS: usize = 440;
const LINE: usize = 22;

/// The engine's figures, those of one unit and of a size that can be seen side by side together.
pub(super) fn engine(rows: &[Row]) -> String {
    let mut groups = Vec::new();
    for unit in ["events/s", "µs", "s"] {
        let rows: Vec<&Row> = rows.iter().filter(|row| row.unit == unit).collect();
        for rows in rows.chunk_by(|one, other| comparable(one.value, other.value)) {
            let bars = rows.iter().map(|row| (row.what.clone(), row.value)).collect();
            groups.push(Group { title: unit.to_owned(), bars });
        }
    }
    svg(&groups)
}

fn comparable(one: f64, other: f64) -> bool {
    one <= other * 5.0 && other <= one * 5.0
}

/// Events a second, one group for each work.
pub(super) fn peers(cells: &[Cell]) -> String {
    let groups = works(cells).map(|(work, cells)| Group {
        title: format!("{work}: events/s"),
        bars: cells.iter().map(|cell| (cell.store.clone(), median(&cell.rounds))).collect(),
    });
    svg(&groups.collect::<Vec<_>>())
}

/// Each figure at the sizes that were measured, one group for each; what was not measured is in no chart.
pub(super) fn scale(series: &[Series]) -> String {
    let several = series.iter().filter(|one| 1 < one.points.len());
    let groups = several.map(|one| Group {
        title: format!("{}: {}", one.what, one.unit),
        bars: one
            .points
            .iter()
            .map(|(at, value)| (format!("{} events", shown(*at as f64)), *value))
            .collect(),
    });
    svg(&groups.collect::<Vec<_>>())
}

fn svg(groups: &[Group]) -> String {
    let lines: usize = groups.iter().map(|group| group.bars.len() + 2).sum();
    let height = lines * LINE + LINE / 2;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    let mut y = LINE;
    for Group { title, bars } in groups {
        text.push_str(&format!("<text x=\"10\" y=\"{y}\" font-weight=\"bold\">{}</text>\n", escaped(title)));
        let most = bars.iter().map(|(_, value)| *value).fold(f64::MIN_POSITIVE, f64::max);
        for (at, (label, value)) in bars.iter().enumerate() {
            y += LINE;
            let length = (value / most * BARS as f64).max(1.0);
            let colour = if at == 0 { "#1f5a92" } else { "#8fb3d1" };
            text.push_str(&format!(
                "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\">{}</text>\n\
                 <rect x=\"{LABELS}\" y=\"{}\" width=\"{length:.1}\" height=\"15\" fill=\"{colour}\"/>\n\
                 <text x=\"{:.1}\" y=\"{y}\">{}</text>\n",
                LABELS - 8,
                escaped(label),
                y - 12,
                LABELS as f64 + length + 6.0,
                shown(*value)
            ));
        }
        y += 2 * LINE;
    }
    text.push_str("</svg>\n");
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    //! A chart that lies is worse than none: lengths are in proportion, and begin at zero.
    use super::*;

    #[test]
    fn figures_that_would_be_invisible_beside_each_other_are_not_beside_each_other() {
        let row = |unit: &str, value| Row { unit: unit.to_owned(), value, ..Row::default() };
        let text = engine(&[row("events/s", 4e3), row("events/s", 5e3), row("s", 1.0), row("events/s", 3e6)]);
        assert_eq!(text.matches(">events/s</text>").count(), 2, "{text}");
        assert_eq!(text.matches("width=\"440.0\"").count(), 3, "{text}");
    }

    #[test]
    fn bars_are_in_proportion_within_their_group() {
        let groups = [
            Group {
                title: "a < b".to_owned(),
                bars: vec![("one".to_owned(), 10.0), ("two".to_owned(), 5.0)],
            },
            Group { title: "c".to_owned(), bars: vec![("three".to_owned(), 1e6)] },
        ];
        let text = svg(&groups);
        let widths: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("height=\"15\""))
            .filter_map(|line| line.split("width=\"").nth(1)?.split('"').next())
            .collect();
        assert_eq!(widths, ["440.0", "220.0", "440.0"]);
        assert!(text.contains("a &lt; b") && text.contains(">1,000,000</text>"), "{text}");
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
    }
}
