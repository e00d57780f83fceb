//! `docs/metrics.md`, made from what a registry with every source writes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

const HEAD: &str = "# Metrics

What `GET /metrics` tells, as OpenMetrics 1.0. This page is made from the registry of `factlog-server`; a test compares the two, and
writes the page anew when it is run with `FACTLOG_UPDATE=1`. Names and labels are API: they are added to, not renamed. A metric
without a source is left out: a store in memory has no disk, a server that knows no certificate tells of none. No label has
a stream, a tag or anything else that callers make up. [operations.md](operations.md) says what to watch.

| metric | type | labels | meaning |
|---|---|---|---|
";

/// The page for this text.
pub(super) fn page(text: &str) -> String {
    let mut page = HEAD.to_owned();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        let kind = lines.next().and_then(|line| line.rsplit(' ').next()).expect("a type");
        let mut labels = BTreeSet::new();
        while let Some(sample) = lines.next_if(|line| !line.starts_with("# HELP") && *line != "# EOF") {
            labels.extend(names(sample));
        }
        let ending = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let labels: Vec<String> = labels.iter().map(|label| format!("`{label}`")).collect();
        writeln!(
            page,
            "| `{name}{ending}` | {kind} | {} | {} |",
            labels.join(", "),
            help.trim_end_matches('.')
        )
        .expect("writing to memory does not fail");
    }
    page
}

/// The names of the labels of a sample, but for the bound of a bucket.
fn names(sample: &str) -> Vec<String> {
    let Some((_, rest)) = sample.split_once('{').filter(|_| !sample.starts_with('#')) else {
        return Vec::new();
    };
    let labels = rest.split_once('}').map_or(rest, |(labels, _)| labels);
    let names =
        labels.split("\",").filter_map(|label| label.split_once('=').map(|(name, _)| name.to_owned()));
    names.filter(|name| name != "le").collect()
}
