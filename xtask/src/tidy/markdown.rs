//! The little of Markdown that the checks need: code, links and tables.
//!
//! It does not render and does not know headings; anchors of links are not checked.

use super::rust::numbered;

/// Something written as code, with the line it stands on.
pub(super) fn code(text: &str) -> Vec<(usize, &str)> {
    let mut spans = Vec::new();
    let mut fenced = false;
    for (line, content) in numbered(text) {
        if is_fence(content) {
            fenced = !fenced;
        } else if fenced {
            spans.push((line, content));
        } else {
            spans.extend(inline_code(content).into_iter().map(|span| (line, span)));
        }
    }
    spans
}

/// The text without its code; every line stays where it was.
pub(super) fn without_code(text: &str) -> String {
    let mut prose = String::with_capacity(text.len());
    let mut fenced = false;
    for line in text.lines() {
        if is_fence(line) {
            fenced = !fenced;
        } else if !fenced {
            let parts: Vec<&str> = line.split('`').step_by(2).collect();
            prose.push_str(&parts.join(" "));
        }
        prose.push('\n');
    }
    prose
}

/// The targets of `[text](target)` and `[text]: target`, with their lines.
pub(super) fn links(text: &str) -> Vec<(usize, String)> {
    let mut links = Vec::new();
    for (line, content) in numbered(&without_code(text)) {
        for (at, _) in content.match_indices("](") {
            let target = &content[at + 2..];
            let target = target.split([')', ' ']).next().unwrap_or(target);
            links.push((line, target.to_owned()));
        }
        if let Some((_, target)) = content.split_once("]: ").filter(|_| content.starts_with('[')) {
            links.push((line, target.split_whitespace().next().unwrap_or_default().to_owned()));
        }
    }
    links
}

/// The rows of the first table that has these columns, each with its line and its cells in that order.
pub(super) fn table<const N: usize>(text: &str, columns: [&str; N]) -> Option<Vec<(usize, [String; N])>> {
    let mut lines = numbered(text).skip_while(|(_, line)| places(line, columns).is_none());
    let places = places(lines.next()?.1, columns)?;
    let rows = lines.skip(1).take_while(|(_, line)| line.starts_with('|'));
    let rows = rows.map(|(line, content)| {
        let cells = cells(content);
        (line, places.map(|place| cells.get(place).copied().unwrap_or_default().to_owned()))
    });
    Some(rows.collect())
}

/// The spans between backticks on one line.
pub(super) fn inline_code(line: &str) -> Vec<&str> {
    let parts: Vec<&str> = line.split('`').collect();
    let closed = if parts.len() % 2 == 1 { parts.len() } else { parts.len() - 1 };
    parts[..closed].iter().skip(1).step_by(2).copied().filter(|span| !span.is_empty()).collect()
}

fn places<const N: usize>(line: &str, columns: [&str; N]) -> Option<[usize; N]> {
    let cells = cells(line);
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = cells.iter().position(|cell| *cell == column)?;
    }
    Some(places)
}

fn cells(line: &str) -> Vec<&str> {
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(str::trim).collect()
}

fn is_fence(line: &str) -> bool {
    line.trim_start().starts_with("```")
}

#[cfg(test)]
mod tests {
    //! One page with everything that is looked for.
    use super::*;

    const PAGE: &str = "# A\n\nSee `crates/a` and [b](docs/b.md#x) or `c`.\n\n```sh\ncargo xtask tidy\n```\n\n[d]: d.md \"D\"\n";

    #[test]
    fn code_is_found_inline_and_in_fences() {
        assert_eq!(code(PAGE), [(3, "crates/a"), (3, "c"), (6, "cargo xtask tidy")]);
        assert_eq!(inline_code("an `open span"), Vec::<&str>::new());
    }

    #[test]
    fn prose_keeps_its_lines() {
        let prose = without_code(PAGE);
        assert_eq!(prose.lines().count(), PAGE.lines().count());
        assert!(!prose.contains("crates/a") && !prose.contains("cargo") && prose.contains("See"));
    }

    #[test]
    fn links_are_found_in_both_forms() {
        assert_eq!(links(PAGE), [(3, "docs/b.md#x".to_owned()), (9, "d.md".to_owned())]);
    }

    #[test]
    fn a_table_is_found_by_its_columns() {
        let text =
            "| x |\n|---|\n| 1 |\n\n| crate | why | never |\n|---|---|---|\n| `a` | because | `b` |\n\nend\n";
        let rows = table(text, ["crate", "never"]).expect("found");
        assert_eq!(rows, [(7, ["`a`".to_owned(), "`b`".to_owned()])]);
        assert_eq!(table(text, ["crate", "missing"]), None);
    }
}
