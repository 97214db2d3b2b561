//! Exact decimal numbers: what sizes, durations and cpus are written in.

/// A decimal number `whole + billionths / 10⁹`, and whether digits beyond the ninth were lost.
pub(super) struct Decimal {
    pub whole: u64,
    pub billionths: u32,
    pub exact: bool,
}

impl Decimal {
    /// Reads digits with at most one point (`1`, `1.5`, `.5`, `1.`); no sign, no exponent.
    /// `None` if it is anything else, or beyond 64 bits.
    pub fn parse(text: &str) -> Option<Decimal> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) {
            return None;
        }
        let kept = &fraction[..fraction.len().min(9)];
        let scaled = kept.bytes().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
        Some(Decimal {
            whole: if whole.is_empty() {
                0
            } else {
                whole.parse().ok()?
            },
            billionths: scaled * 10u32.pow(9 - kept.len() as u32),
            exact: fraction[kept.len()..].bytes().all(|b| b == b'0'),
        })
    }

    /// The number times `factor`, rounded down to a whole.
    pub fn times(&self, factor: u64) -> Option<u64> {
        let whole = u128::from(self.whole) * u128::from(factor);
        let part = u128::from(self.billionths) * u128::from(factor) / 1_000_000_000;
        u64::try_from(whole + part).ok()
    }
}
