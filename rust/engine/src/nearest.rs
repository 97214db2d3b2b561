//! What was meant by a misspelt word.

/// The one of `words` that is nearest to `said`, where one is near: a letter in three may differ
/// (Damerau-Levenshtein distance).
pub fn nearest<'w>(said: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let most = said.chars().count().div_ceil(3).min(3);
    words
        .into_iter()
        .map(|word| (strsim::damerau_levenshtein(said, word), word))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_is_found_where_one_is_near() {
        let words = ["memory", "memory-swap", "name", "rm"];
        for (said, meant) in [
            ("memroy", Some("memory")),
            ("memory-swp", Some("memory-swap")),
            ("rn", Some("rm")),
            ("frob", None),
            ("", None),
        ] {
            assert_eq!(nearest(said, words), meant, "{said}");
        }
    }
}
