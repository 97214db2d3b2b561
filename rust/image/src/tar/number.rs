//! Numbers in tar headers: octal text, and the base-256 extension for what does not fit.

/// Reads a numeric field. None where it is neither octal nor base-256 within `i64`.
///
/// Octal may have leading blanks or NULs and ends at the first blank or NUL; an empty field is 0. In
/// base-256 the first byte's top bit is set and the rest is a big-endian two's complement number.
pub(super) fn parse(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => base256(field),
        _ => octal(field),
    }
}

fn octal(field: &[u8]) -> Option<i64> {
    let blank = |b: &u8| *b == b' ' || *b == 0;
    let start = field.iter().position(|b| !blank(b)).unwrap_or(field.len());
    let digits = &field[start..];
    let end = digits.iter().position(blank).unwrap_or(digits.len());
    // What follows the terminator must be padding: a second number there means a lying header.
    if !digits[end..].iter().all(blank) {
        return None;
    }
    digits[..end].iter().try_fold(0i64, |value, digit| {
        let digit = match digit {
            b'0'..=b'7' => i64::from(digit - b'0'),
            _ => return None,
        };
        value.checked_mul(8)?.checked_add(digit)
    })
}

fn base256(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    // Bit 7 of the first byte is the marker; bit 6 the sign.
    let first = if negative { field[0] } else { field[0] & 0x7f };
    let mut value: i128 = if negative { -1 } else { 0 };
    for (at, byte) in field.iter().enumerate() {
        let byte = if at == 0 { first } else { *byte };
        value = value << 8 | i128::from(byte);
        if i64::try_from(value).is_err() {
            return None;
        }
    }
    i64::try_from(value).ok()
}

/// Reads decimal text as PAX has it: digits only, a leading minus allowed.
pub(super) fn decimal(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_fields() {
        assert_eq!(parse(b"0000644\0"), Some(0o644));
        assert_eq!(parse(b"  644 \0"), Some(0o644));
        assert_eq!(parse(b"77777777777"), Some(0o77777777777));
        assert_eq!(parse(b"\0\0\0\0"), Some(0));
        assert_eq!(parse(b"        "), Some(0));
        for bad in [
            &b"-0000001"[..],
            b"0000008\0",
            b"12 34\0\0\0",
            b"abc",
            b"0x10",
        ] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn base_256_fields() {
        let field = |value: i64| {
            let mut field = [if value < 0 { 0xff } else { 0 }; 12];
            field[4..].copy_from_slice(&value.to_be_bytes());
            field[0] |= 0x80;
            field
        };
        for value in [0, 1, -1, 1 << 40, i64::MAX, i64::MIN, -2208988800] {
            assert_eq!(parse(&field(value)), Some(value));
        }
        assert_eq!(parse(&[0xff; 12]), Some(-1));
        assert_eq!(parse(&[0xbf; 12]), None, "larger than i64");
        assert_eq!(parse(&[0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
        assert_eq!(parse(&[0x80, 0, 0, 0, 0, 0, 1, 0]), Some(256));
    }

    #[test]
    fn decimal_text() {
        assert_eq!(decimal(b"1234"), Some(1234));
        assert_eq!(decimal(b"-5"), Some(-5));
        for bad in [
            &b""[..],
            b"-",
            b"+1",
            b" 1",
            b"1 ",
            b"99999999999999999999",
            b"0x1",
        ] {
            assert_eq!(decimal(bad), None);
        }
    }
}
