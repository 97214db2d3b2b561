//! Values: lists of CPUs, and shares as weights.

/// The numbers of a list such as `0-3,8`, the form of `cpuset.cpus` (cpuset(7)), as inclusive ranges; None when
/// it is not one.
pub(super) fn ranges(list: &str) -> Option<Vec<(u32, u32)>> {
    list.split(',')
        .map(|part| {
            let part = part.trim();
            let (low, high) = part.split_once('-').unwrap_or((part, part));
            let (low, high) = (low.parse().ok()?, high.parse().ok()?);
            (low <= high).then_some((low, high))
        })
        .collect()
}

/// Whether each number of `wanted` is in `there`, where `there` is sorted and disjoint as the kernel prints it.
pub(super) fn within(wanted: &[(u32, u32)], there: &[(u32, u32)]) -> bool {
    let mut joined: Vec<(u32, u32)> = Vec::new();
    for &(low, high) in there {
        match joined.last_mut() {
            Some(last) if last.1.checked_add(1) == Some(low) => last.1 = high,
            _ => joined.push((low, high)),
        }
    }
    wanted
        .iter()
        .all(|&(low, high)| joined.iter().any(|&(l, h)| l <= low && high <= h))
}

/// `cpu.shares` (2 to 262144, by default 1024) as `cpu.weight` (1 to 10000, by default 100), by the curve through
/// the three that belong together, which is what the current OCI runtimes use.
pub(super) fn weight_of_shares(shares: u64) -> u64 {
    // In range, the conversions lose nothing.
    #[expect(clippy::cast_precision_loss)]
    let log = (shares as f64).log2();
    let exponent = (log * log + 125.0 * log) / 612.0 - 7.0 / 34.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let weight = 10f64.powf(exponent).ceil() as u64;
    weight.clamp(1, 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        assert_eq!(ranges("0-3,8"), Some(vec![(0, 3), (8, 8)]));
        assert_eq!(ranges("1"), Some(vec![(1, 1)]));
        for bad in [
            "",
            ",",
            "a",
            "3-1",
            "1-",
            "-1",
            "1,,2",
            "0x1",
            "99999999999",
        ] {
            assert_eq!(ranges(bad), None, "{bad:?}");
        }
        assert!(within(&[(0, 2)], &[(0, 1), (2, 5)]));
        assert!(!within(&[(0, 2)], &[(0, 1), (3, 5)]));
    }

    #[test]
    fn shares_and_weights_meet_at_the_ends_and_the_default() {
        assert_eq!(weight_of_shares(2), 1);
        assert_eq!(weight_of_shares(1024), 100);
        assert_eq!(weight_of_shares(262_144), 10_000);
        assert!(weight_of_shares(512) < 100);
    }
}
