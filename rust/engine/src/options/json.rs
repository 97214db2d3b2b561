//! The table for readers in other languages.

use serde::Serialize;

use super::{REFUSED, Row, TABLE};

#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    row: &'static Row,
    python_type: &'static str,
}

/// The table as a JSON array in the order of help: every field of [`Row`], and `python_type`, the
/// annotation of the keyword without `| None`.
pub fn table_json() -> String {
    let entries: Vec<Entry> = TABLE
        .iter()
        .map(|row| Entry {
            row,
            python_type: row.kind.python(),
        })
        .collect();
    // Texts, letters and nothing else: serializing these cannot fail.
    serde_json::to_string(&entries).expect("the option table is plain text")
}

/// [`REFUSED`] as a JSON array: every field of [`super::Refused`].
pub fn refused_json() -> String {
    serde_json::to_string(REFUSED).expect("the list of refused flags is plain text")
}
