//! Sizes in bytes, in Docker's grammar.

use super::ValueError;
use super::decimal::Decimal;
use super::field::{Kind, Refusal, Scalar};

/// A number of bytes. Written as a number with an optional unit `b k m g t p`, each optionally
/// followed by `b` or `ib`, upper or lower case, all powers of 1024; a fraction is rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl Size {
    /// `n` times 1,048,576 bytes.
    pub const fn mebibytes(n: u64) -> Size {
        Size(n << 20)
    }
}

impl Scalar for Size {
    const KIND: Kind = Kind::Size;

    fn from_text(text: &str) -> Result<Size, ValueError> {
        let invalid = || ValueError::Size(text.to_owned());
        let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ');
        let end = end.ok_or_else(invalid)? + 1;
        let (number, unit) = text.split_at(end);
        // One space may stand between the number and its unit.
        let number = number.strip_suffix(' ').unwrap_or(number);
        let number = Decimal::parse(number).ok_or_else(invalid)?;
        let lower = unit.to_ascii_lowercase();
        let shift = match lower.as_bytes() {
            [] | b"b" => 0,
            [prefix, rest @ ..] => {
                let known = b"kmgtp".iter().position(|unit| unit == prefix);
                match (known, rest) {
                    (Some(place), b"" | b"b" | b"ib") => 10 * (place as u32 + 1),
                    _ => return Err(ValueError::SizeSuffix(unit.to_owned())),
                }
            }
        };
        let bytes = number.times(1 << shift).ok_or(ValueError::TooLarge)?;
        // The kernel's and the OCI document's sizes are signed.
        i64::try_from(bytes).map_err(|_| ValueError::TooLarge)?;
        Ok(Size(bytes))
    }

    fn from_int(bytes: i64) -> Result<Size, Refusal> {
        let bytes = u64::try_from(bytes).map_err(|_| ValueError::Size(bytes.to_string()))?;
        Ok(Size(bytes))
    }
}
