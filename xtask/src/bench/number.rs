//! Numbers for reading, and the middle of several: the same for the programs that measure and the report they end in.
//!
//! `benches/common` compiles this very file; it uses nothing but the standard library.

/// The middle of some values, the mean of the middle two for an even number; 0 for none.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        even if even.is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
        _ => sorted[middle],
    }
}

/// A number with the digits that mean something: three below 1,000, grouped by thousands above; `-` for none.
pub fn shown(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let digits = [(0.995, 3), (9.995, 2), (99.95, 1)];
    let places = digits.iter().find(|(below, _)| value.abs() < *below).map_or(0, |(_, places)| *places);
    let plain = format!("{value:.places$}");
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), ""), |(whole, rest)| (whole, rest));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |whole| ("-", whole));
    let mut text = sign.to_owned();
    for (at, digit) in whole.char_indices() {
        if 0 < at && (whole.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    //! What everybody reads in a report goes through these two.
    use super::*;

    #[test]
    fn numbers_are_shown_with_the_digits_that_mean_something() {
        for (value, text) in [
            (0.0, "0.000"),
            (0.1234, "0.123"),
            (1.234, "1.23"),
            (-12.34, "-12.3"),
            (123.4, "123"),
            (9_999.0, "9,999"),
            (1_234_567.8, "1,234,568"),
            (f64::INFINITY, "-"),
        ] {
            assert_eq!(shown(value), text);
        }
    }

    #[test]
    fn one_slow_round_does_not_move_the_median() {
        assert_eq!(median(&[]), 0.0);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[1000.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
    }
}
