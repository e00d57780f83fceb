//! Numbers as people read them.

use std::time::Duration;

/// `262200` as `262,200`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 segment`, `262,200 events`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(number))
}

/// Bytes in the binary unit that leaves one to four digits.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64 / 1024.0;
    let mut unit = 0;
    while 1024.0 <= value && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

/// How many a second; 0 where no time passed, since a rate would say nothing.
pub(crate) fn rate(count: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds <= 0.0 { 0.0 } else { count as f64 / seconds }
}

/// Seconds in the unit that leaves one to three digits, or days.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", grouped(seconds / 86_400)),
    }
}

/// With one decimal: more digits than a measurement has are noise in JSON.
pub(crate) fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_from_the_right_and_sizes_keep_their_unit() {
        assert_eq!(
            [0, 999, 1_000, 262_200, 1_234_567].map(grouped),
            ["0", "999", "1,000", "262,200", "1,234,567"]
        );
        assert_eq!(
            [0, 1_023, 1_024, 5 << 20, 3 << 40].map(bytes),
            ["0 B", "1023 B", "1.0 KiB", "5.0 MiB", "3.0 TiB"]
        );
    }

    #[test]
    fn a_span_is_told_in_the_unit_that_fits() {
        assert_eq!([0, 119, 120, 7_200, 172_800].map(span), ["0 s", "119 s", "2 min", "2 h", "2 d"]);
    }

    #[test]
    fn a_rate_without_time_is_no_infinity() {
        assert_eq!(rate(5, Duration::ZERO), 0.0);
        assert_eq!(rate(5, Duration::from_millis(500)), 10.0);
    }
}
