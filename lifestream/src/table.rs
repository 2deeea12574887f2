//! Tables for people, and how numbers stand in them.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table};

/// A table without lines, as users of `kubectl` know it; the columns numbered in `right` hold numbers.
pub fn table(headings: &[&str], right: &[usize], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(headings).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    // What a row is named by stays whole, to be copied; the others wrap where the terminal is narrow.
    if let Some(column) = table.column_mut(0) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    for &column in right {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// `-` for what is not known.
pub fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// What fits into a row of a text that may have many lines.
pub fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Seconds as people say them: `0.4 s`, `12 s`, `3 min`, `5 h`, `2 d`.
pub fn age(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{:.1} s", s.max(0.0)),
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} d", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::age;

    #[test]
    fn ages_are_short() {
        let all = [0.04, 9.94, 12.4, 119.0, 121.0, 7300.0, 200_000.0].map(age);
        assert_eq!(all, ["0.0 s", "9.9 s", "12 s", "119 s", "2 min", "2 h", "2 d"]);
    }
}
