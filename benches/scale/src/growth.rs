//! What a figure would be at a size that nobody measured, from how it grew; and how far that can be relied on.
//!
//! Four models are laid through the points, and the one that misses its worst point least is taken: the figure stays as
//! it is, grows by as much with each tenfold (a + b·log n), grows by as much with each event (a + b·n), or grows by as
//! many times with each tenfold (a·n^b). A model of two numbers through three points proves little. So the outlook says
//! how far the model is off, and also what comes out if every further tenfold is as bad as the worst one measured.
//! Neither is ever better than the last figure: that things get better with size is nothing to rely on.

use bench_common::results::Outlook;

/// What is worse: more of it, or less of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Worse {
    More,
    Less,
}

/// Figures that differ by less than this part are the same, by the noise of this kind of machine.
const NOISE: f64 = 0.15;

/// The outlook at `events` from the points; `None` for fewer than three, and for figures that are 0.
pub(crate) fn outlook(points: &[(u64, f64)], worse: Worse, events: u64) -> Option<Outlook> {
    let [.., (last_events, last)] = points else { return None };
    if points.len() < 3 || points.iter().any(|(_, value)| *value <= 0.0) {
        return None;
    }
    let tenfolds = |from: u64, to: u64| (to as f64 / from as f64).log10();
    let steps: Vec<f64> = points
        .windows(2)
        .map(|pair| (pair[1].1 / pair[0].1).powf(1.0 / tenfolds(pair[0].0, pair[1].0)))
        .collect();
    let worst_step = match worse {
        Worse::More => steps.iter().copied().fold(1.0, f64::max),
        Worse::Less => steps.iter().copied().fold(1.0, f64::min),
    };
    let (model, off, expected) = nearest(points, events as f64)?;
    let worse_of = |one: f64, other: f64| match worse {
        Worse::More => one.max(other),
        Worse::Less => one.min(other),
    };
    let expected = worse_of(expected, *last);
    let worst = worse_of(expected, last * worst_step.powf(tenfolds(*last_events, events)));
    Some(Outlook { events, steps, model: model.to_owned(), off, expected, worst })
}

/// The model that misses least, how far off it is, and what it says.
fn nearest(points: &[(u64, f64)], events: f64) -> Option<(&'static str, f64, f64)> {
    let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let off = |of: &dyn Fn(f64) -> f64| {
        let misses = points.iter().map(|(events, value)| (of(*events as f64) / value - 1.0).abs());
        misses.fold(0.0, f64::max)
    };
    let constant = off(&|_| mean);
    if constant <= NOISE {
        return Some(("stays", constant, mean));
    }
    let same = |value: f64| value;
    let logarithm = line(points, f64::ln, same);
    let straight = line(points, same, same);
    let power = line(points, f64::ln, f64::ln);
    type Model = (&'static str, Box<dyn Fn(f64) -> f64>);
    let models: [Model; 3] = [
        ("a + b·log n", Box::new(move |n| logarithm.0 + logarithm.1 * n.ln())),
        ("a + b·n", Box::new(move |n| straight.0 + straight.1 * n)),
        ("a·n^b", Box::new(move |n| (power.0 + power.1 * n.ln()).exp())),
    ];
    // A rate or a size below nothing is no outlook.
    let possible = models.iter().filter(|(_, of)| 0.0 < of(events));
    let nearest = possible.min_by(|(_, one), (_, other)| off(one).total_cmp(&off(other)));
    nearest.map(|(name, of)| (*name, off(of), of(events)))
}

/// The line through the points that misses them least, each weighed so that it is the part of the figure that counts.
fn line(points: &[(u64, f64)], x: fn(f64) -> f64, y: fn(f64) -> f64) -> (f64, f64) {
    let weigh = |value: f64| if y(value) == value { value.powi(-2) } else { 1.0 };
    let of = |f: &dyn Fn(f64, f64) -> f64| {
        let terms = points.iter().map(|(n, value)| weigh(*value) * f(x(*n as f64), y(*value)));
        terms.sum::<f64>()
    };
    let (weight, sum_x, sum_y) = (of(&|_, _| 1.0), of(&|x, _| x), of(&|_, y| y));
    let (sum_xx, sum_xy) = (of(&|x, _| x * x), of(&|x, y| x * y));
    let slope = (weight * sum_xy - sum_x * sum_y) / (weight * sum_xx - sum_x * sum_x);
    ((sum_y - slope * sum_x) / weight, slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: u64 = 10_000_000_000;

    fn at(of: impl Fn(f64) -> f64) -> Vec<(u64, f64)> {
        [1_000_000, 10_000_000, 100_000_000].map(|events| (events, of(events as f64))).to_vec()
    }

    fn near(one: f64, other: f64) -> bool {
        (one / other - 1.0).abs() < 1e-6
    }

    /// Would fail if a scan at opening were taken for something that hardly grows, or the other way round.
    #[test]
    fn each_model_is_recognised_from_its_own_points() {
        type Case = (&'static str, fn(f64) -> f64);
        let cases: [Case; 4] = [
            ("stays", |_| 3.0),
            ("a + b·log n", |n| 5.0 + 4.0 * n.ln()),
            ("a + b·n", |n| 0.1 + 2e-7 * n),
            ("a·n^b", |n| 2.0 * n.powf(0.4)),
        ];
        for (name, of) in cases {
            let outlook = outlook(&at(of), Worse::More, FAR).unwrap();
            assert_eq!(outlook.model, name);
            assert!(near(outlook.expected, of(FAR as f64)), "{outlook:?}");
            assert!(outlook.off < 1e-6, "{outlook:?}");
        }
    }

    /// Would fail if noise in the right direction were promised to go on.
    #[test]
    fn no_outlook_is_better_than_the_last_figure() {
        let points = [(1_000_000, 100.0), (10_000_000, 400.0), (100_000_000, 200.0)];
        let lower = outlook(&points, Worse::Less, FAR).unwrap();
        assert!(near(lower.worst, 200.0 * 0.5 * 0.5), "{lower:?}");
        let higher = outlook(&points, Worse::More, FAR).unwrap();
        assert!(near(higher.worst, 200.0 * 4.0 * 4.0), "{higher:?}");
        assert!(near(higher.steps[0], 4.0) && near(higher.steps[1], 0.5));
        let faster = outlook(&at(|n| n.powf(0.2)), Worse::Less, FAR).unwrap();
        let last = 1e8_f64.powf(0.2);
        assert!(near(faster.expected, last) && near(faster.worst, last), "{faster:?}");
    }

    /// Would fail if the worst were better than the model, as it is when a figure only begins to grow with each event.
    #[test]
    fn the_worst_is_at_least_the_model() {
        let outlook = outlook(&at(|n| 1.0 + 1e-8 * n), Worse::More, FAR).unwrap();
        assert!(near(outlook.expected, 101.0) && near(outlook.worst, 101.0), "{outlook:?}");
    }

    /// Would fail if two points, through which everything goes, were taken for knowledge.
    #[test]
    fn there_is_no_outlook_from_two_points_or_from_nothing() {
        assert!(outlook(&[(10, 1.0), (100, 2.0)], Worse::More, FAR).is_none());
        assert!(outlook(&[(10, 0.0), (100, 0.0), (1_000, 0.0)], Worse::More, FAR).is_none());
        assert!(outlook(&[], Worse::More, FAR).is_none());
    }

    /// Would fail if a falling rate were said to fall below nothing.
    #[test]
    fn a_falling_rate_stays_above_nothing() {
        let points = [(1_000_000, 900.0), (10_000_000, 500.0), (100_000_000, 100.0)];
        assert!(0.0 < outlook(&points, Worse::Less, FAR).unwrap().expected);
    }
}
