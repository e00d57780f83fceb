//! The figures of all sizes, each in its line, in the order in which they were first put down.

use bench_common::results::Series;

use crate::growth::{self, Worse};

/// Events of the size that is looked out to.
pub(crate) const FAR: u64 = 10_000_000_000;

/// A line before it is complete.
#[derive(Clone, Debug)]
struct Line {
    series: Series,
    worse: Option<Worse>,
}

/// All lines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    lines: Vec<Line>,
}

impl Board {
    /// Puts a figure into its line; what is noted with the last one stays.
    pub(crate) fn put(&mut self, what: &str, unit: &str, events: u64, value: f64) -> &mut Series {
        let at = self.lines.iter().position(|line| line.series.what == what).unwrap_or_else(|| {
            let series = Series {
                what: what.to_owned(),
                unit: unit.to_owned(),
                points: Vec::new(),
                target: String::new(),
                met: None,
                note: String::new(),
                outlook: None,
            };
            self.lines.push(Line { series, worse: None });
            self.lines.len() - 1
        });
        let series = &mut self.lines[at].series;
        series.points.push((events, value));
        series
    }

    /// The same for a figure whose growth is worth an outlook.
    pub(crate) fn grows(
        &mut self,
        worse: Worse,
        what: &str,
        unit: &str,
        events: u64,
        value: f64,
    ) -> &mut Series {
        self.put(what, unit, events, value);
        let at = self.lines.iter().rposition(|line| line.series.what == what).unwrap_or_default();
        self.lines[at].worse = Some(worse);
        &mut self.lines[at].series
    }

    /// The lines, with an outlook where there are enough points for one.
    pub(crate) fn series(&self) -> Vec<Series> {
        let complete = self.lines.iter().map(|line| {
            let mut series = line.series.clone();
            series.outlook = line.worse.and_then(|worse| growth::outlook(&series.points, worse, FAR));
            series
        });
        complete.collect()
    }
}
