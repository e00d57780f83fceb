//! `If-None-Match` of a read: what the caller has already, by the `ETag`s it was given (RFC 9110, 13.1.2).
//!
//! * It is a list, compared weakly: proxies that compress put `W/` before a tag.
//! * A stream of which the caller may read nothing has no `ETag`, and nothing is known of it.

use axum::http::{HeaderMap, header};
use factlog_core::Revision;

use super::problem::Problem;

/// What the caller has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Something: any revision will do.
    Any,
    /// What was current at these revisions. Tags of others are no revisions, and match nothing.
    At(Vec<Revision>),
}

impl Known {
    /// By the headers; `None` where they do not say.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut revisions = Vec::new();
        let mut said = None;
        for value in headers.get_all(header::IF_NONE_MATCH) {
            let text = value.to_str().map_err(|_| malformed())?.trim_ascii();
            if said == Some("*") || (text == "*" && said.is_some()) {
                return Err(malformed());
            }
            said = Some(text);
            if text != "*" {
                tags(text, &mut revisions)?;
            }
        }
        Ok(said.map(|said| if said == "*" { Self::Any } else { Self::At(revisions) }))
    }

    /// Whether it is what there is at this revision.
    pub(super) fn is(&self, revision: Revision) -> bool {
        match self {
            Self::Any => true,
            Self::At(revisions) => revisions.contains(&revision),
        }
    }
}

/// The revisions among tags with commas between.
fn tags(mut text: &str, revisions: &mut Vec<Revision>) -> Result<(), Problem> {
    loop {
        let tag = text.strip_prefix("W/").unwrap_or(text).strip_prefix('"').ok_or_else(malformed)?;
        let (tag, rest) = tag.split_once('"').ok_or_else(malformed)?;
        // As they are written here: `+7` and `07` are tags of somebody else.
        let revision = tag.parse().ok().filter(|number: &u64| number.to_string() == tag);
        revisions.extend(revision.map(Revision::new));
        let rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Ok(());
        }
        text = rest.strip_prefix(',').ok_or_else(malformed)?.trim_ascii_start();
    }
}

fn malformed() -> Problem {
    let what = "If-None-Match: give ETags of the stream, its revisions in quotes with commas between, or `*`";
    Problem::invalid(what).with("header", "if-none-match")
}

/// The header that says these revisions.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn said(revisions: &[Revision]) -> axum::http::HeaderValue {
    let tags: Vec<_> = revisions.iter().map(|revision| format!("W/\"{revision}\"")).collect();
    axum::http::HeaderValue::from_str(&tags.join(" , ")).expect("digits, quotes and commas")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// What is known; the word "malformed" where it is.
    fn of(values: &[&str]) -> Result<Option<Known>, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_NONE_MATCH, HeaderValue::from_str(value).expect("a value"));
        }
        Known::of(&headers).map_err(|_| "malformed")
    }

    /// Would fail if a tag that is somebody else's were taken for a revision, or a list were read in part.
    #[test]
    fn tags_are_read_by_the_letter() {
        let at = |revisions: &[u64]| {
            Ok(Some(Known::At(revisions.iter().map(|number| Revision::new(*number)).collect())))
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["*"]), Ok(Some(Known::Any)));
        assert_eq!(of(&["\"7\""]), at(&[7]));
        assert_eq!(of(&["W/\"7\" ,\"8\"", "\"18446744073709551615\""]), at(&[7, 8, u64::MAX]));
        assert_eq!(of(&["\"07\",\"+7\",\"a,b\",\"\",\"18446744073709551616\""]), at(&[]));
        for wrong in ["", "7", "\"7", "\"7\"\"8\"", "\"7\",", "w/\"7\"", "*, \"7\"", "\"7\" *"] {
            assert_eq!(of(&[wrong]), Err("malformed"), "{wrong}");
        }
        for two in [["*", "\"7\""], ["\"7\"", "*"], ["*", "*"]] {
            assert_eq!(of(&two), Err("malformed"), "{two:?}");
        }
        let some = [Revision::new(3), Revision::new(0)];
        assert_eq!(of(&[said(&some).to_str().expect("text")]), at(&[3, 0]));
    }
}
