//! `tracestate`, by the form of the W3C (Trace Context, level 1, 3.3): what the tracers of a request say to each other.
//!
//! What is malformed, says one key twice, or is longer than everybody must pass on, is as if it were not there.

use std::collections::HashSet;

use axum::http::HeaderMap;

const HEADER: &str = "tracestate";
/// Characters that everybody who passes it on must take.
const CHARS_MAX: usize = 512;
const MEMBERS_MAX: usize = 32;

/// The caller's, its members with commas between; `None` where there is none that is well.
pub(super) fn of(headers: &HeaderMap) -> Option<String> {
    let mut members = Vec::new();
    for value in headers.get_all(HEADER) {
        members.extend(value.to_str().ok()?.split(',').map(|member| member.trim_matches([' ', '\t'])));
    }
    members.retain(|member| !member.is_empty());
    let mut keys = HashSet::new();
    let well = members.iter().all(|member| {
        let (key, value) = member.split_once('=').unwrap_or((member, ""));
        is_key(key) && is_value(value) && keys.insert(key)
    });
    let text = members.join(",");
    let fits = members.len() <= MEMBERS_MAX && text.len() <= CHARS_MAX;
    (well && fits && !members.is_empty()).then_some(text)
}

/// A tracer's name, or that of a tenant of it in front of an `@`.
fn is_key(key: &str) -> bool {
    let part = |text: &str, most: usize, digit_first: bool| {
        let first = text.bytes().next();
        let begins =
            first.is_some_and(|byte| byte.is_ascii_lowercase() || digit_first && byte.is_ascii_digit());
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/');
        begins && text.len() <= most && text.bytes().all(plain)
    };
    match key.split_once('@') {
        None => part(key, 256, false),
        Some((tenant, system)) => part(tenant, 241, true) && part(system, 14, false),
    }
}

fn is_value(value: &str) -> bool {
    let plain = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=';
    (1..=256).contains(&value.len()) && !value.ends_with(' ') && value.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&str]) -> Option<String> {
        let value = |text: &&str| {
            (axum::http::HeaderName::from_static(HEADER), HeaderValue::from_str(text).expect("a value"))
        };
        of(&values.iter().map(value).collect())
    }

    /// Would fail if something went on to other tracers that they must refuse, or if what is well were lost.
    #[test]
    fn a_tracestate_is_what_the_w3c_says_or_nothing() {
        let long = format!("a={},b={}", "x".repeat(254), "y".repeat(253));
        let many: Vec<_> = (0..32).map(|n| format!("k{n}=v")).collect();
        for (values, well) in [
            (vec!["congo=t61rcWkgMzE"], "congo=t61rcWkgMzE"),
            (
                vec!["rojo=00f067aa0ba902b7 ,\tcongo=t61", "", "a-b_c*/d=\"\\ x"],
                "rojo=00f067aa0ba902b7,congo=t61,a-b_c*/d=\"\\ x",
            ),
            (vec!["1tenant@system=v"], "1tenant@system=v"),
            (vec![&long], &long),
            (vec![&many.join(",")], &many.join(",")),
        ] {
            assert_eq!(read(&values).as_deref(), Some(well), "{values:?}");
        }
        assert_eq!(long.len(), 512);
        let (longer, more) = (format!("{long}z"), format!("{},k=v", many.join(",")));
        for wrong in [
            "", " , ", "congo", "congo=", "=v", "Congo=v", "1congo=v", "a=v,a=w", "a=b=c", "t@1s=v",
            "a@b@c=v", "a=\u{e9}", &longer, &more,
        ] {
            assert_eq!(read(&[wrong]), None, "{wrong}");
        }
    }
}
