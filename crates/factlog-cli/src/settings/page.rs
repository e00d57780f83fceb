//! `docs/settings.md`, made from the table and the text beside it.

use std::fmt::Write as _;

const MARK: &str = "@ROWS@\n";

/// The page.
pub(super) fn markdown() -> String {
    let text = include_str!("page.txt");
    assert!(text.contains(MARK), "the text says where the table stands");
    let mut rows =
        String::from("| key and flag | variable | takes | default | meaning |\n|---|---|---|---|---|\n");
    for setting in &super::TABLE {
        let name = if setting.hides_value() { setting.name.to_owned() } else { super::flag(setting.name) };
        let default = setting.default.map_or("-".to_owned(), |default| format!("`{default}`"));
        // Writing to a string cannot fail.
        let _ = writeln!(
            rows,
            "| `{name}` | `{}` | {} | {default} | {} |",
            setting.variable(),
            setting.kind.takes(),
            setting.meaning
        );
    }
    text.replace(MARK, &rows)
}
