//! Ports as EXPOSE has them.

/// `80`, `53/udp`, `8000-8002/tcp`: each port with its protocol.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(text: &str) -> Result<Vec<String>, String> {
    let wrong = |what: &str| format!("port {text:?}: {what}");
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(wrong("the protocol must be tcp, udp or sctp"));
    }
    if range.contains(':') {
        return Err(wrong(
            "a port of the host is chosen when a container is started",
        ));
    }
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| {
        let number = text.parse::<u16>().ok();
        number.ok_or_else(|| wrong("a port is a number up to 65535"))
    };
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(wrong("the range ends before it begins"));
    }
    Ok((first..=last)
        .map(|port| format!("{port}/{protocol}"))
        .collect())
}
