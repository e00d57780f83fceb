//! Columns for people: as wide as their widest cell, numbers to the right.

/// Where the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// A heading and rows, each cell two spaces from the next, without line ending at the end.
pub(crate) fn table<const N: usize>(columns: [(&str, Align); N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(columns[column].0.chars().count())
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let mut line = String::new();
        for ((cell, width), (_, align)) in cells.into_iter().zip(widths).zip(columns) {
            let cell = match align {
                Align::Left => format!("{cell:<width$}  "),
                Align::Right => format!("{cell:>width$}  "),
            };
            line.push_str(&cell);
        }
        line.truncate(line.trim_end().len());
        line
    };
    let heading = line(columns.map(|(name, _)| name));
    let rows = rows.iter().map(|row| line(row.each_ref().map(String::as_str)));
    std::iter::once(heading).chain(rows).collect::<Vec<_>>().join("\n")
}

/// Names and what they are, one a line; what is `None` is left out.
pub(crate) fn facts(rows: impl IntoIterator<Item = (&'static str, Option<String>)>) -> String {
    let rows: Vec<_> = rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    rows.iter().map(|(name, value)| format!("{name:<width$}  {value}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a".to_owned(), "1".to_owned()], ["longer".to_owned(), "1,000".to_owned()]];
        let shown = table([("NAME", Align::Left), ("N", Align::Right)], &rows);
        assert_eq!(shown, "NAME        N\na           1\nlonger  1,000");
        assert_eq!(table([("NAME", Align::Left)], &[]), "NAME");
    }
}
