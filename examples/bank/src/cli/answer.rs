//! What a command answers: text for people and the same as JSON. It writes nothing.

use std::fmt::Write as _;

use serde_json::Value;

/// An answer in both forms.
#[derive(Debug)]
pub(super) struct Answer {
    /// Ends with a line break.
    pub(super) text: String,
    pub(super) json: Value,
}

/// A table of text: the first row is the heading; columns marked `>` are aligned to the right.
#[derive(Debug)]
pub(super) struct Table {
    right: &'static str,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with a heading; `align` has one `<` or `>` per column.
    pub(super) fn new(align: &'static str, heading: &[&str]) -> Self {
        assert_eq!(align.len(), heading.len());
        Self { right: align, rows: vec![heading.iter().map(ToString::to_string).collect()] }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        assert_eq!(N, self.right.len());
        self.rows.push(cells.into());
    }

    pub(super) fn text(&self) -> String {
        let width =
            |column: usize| self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.right.len()).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), align) in row.iter().zip(&widths).zip(self.right.chars()) {
                let padded = if align == '>' { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
                write!(line, "{padded}  ").expect("a String takes any text");
            }
            writeln!(text, "{}", line.trim_end()).expect("a String takes any text");
        }
        text
    }
}

/// `1 row`, `2 rows`.
pub(super) fn counted(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up_and_ends_no_line_in_blanks() {
        let mut table = Table::new("<>", &["account", "balance"]);
        table.row(["7".into(), "-14.60".into()]);
        table.row(["2378".into(), "1000.00".into()]);
        assert_eq!(table.text(), "account  balance\n7         -14.60\n2378     1000.00\n");
    }
}
