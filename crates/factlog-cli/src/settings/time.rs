//! Times as settings write them: a whole number and a unit, `90s`, `30m`, `1h` or `2d`.

const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];

/// Seconds.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let (_, size) = UNITS.iter().find(|(known, _)| *known == unit)?;
    let digits = &text[..text.len() - 1];
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse::<u64>().ok().filter(|_| plain)?.checked_mul(*size)
}

/// In the largest unit that leaves no fraction.
pub(super) fn text(seconds: u64) -> String {
    let whole = |(_, size): &&(char, u64)| 0 < seconds && seconds.is_multiple_of(*size);
    let (unit, size) = UNITS.iter().rev().find(whole).unwrap_or(&UNITS[0]);
    format!("{}{unit}", seconds / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        for (written, read) in [("0s", 0), ("90s", 90), ("30m", 1_800), ("1h", 3_600), ("2d", 172_800)] {
            assert_eq!(seconds(written), Some(read));
            assert_eq!(text(read), written);
        }
        for wrong in [
            "",
            "s",
            "1",
            "1 s",
            "+1s",
            "-1s",
            "1.5h",
            "1w",
            "1é",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
