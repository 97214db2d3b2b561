//! `--expose`.

use super::ValueError;
use super::field::{Item, Kind};

/// One `--expose`: ports that the container's program listens on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Expose {
    /// The first.
    pub first: u16,
    /// The last, not before the first.
    pub last: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: &'static str,
}

impl Expose {
    /// Each as an image's config names it: `80/tcp`.
    pub fn ports(&self) -> impl Iterator<Item = String> + '_ {
        (self.first..=self.last).map(|port| format!("{port}/{}", self.protocol))
    }
}

impl Item for Expose {
    const KIND: Kind = Kind::List;

    /// `PORT`, `FIRST-LAST`, either with `/tcp`, `/udp` or `/sctp`.
    fn from_text(text: &str) -> Result<Expose, ValueError> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = ["tcp", "udp", "sctp"]
            .into_iter()
            .find(|known| protocol.eq_ignore_ascii_case(known))
            .ok_or(ValueError::Expose)?;
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let port = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse::<u16>().map_err(|_| ValueError::Expose),
            false => Err(ValueError::Expose),
        };
        let (first, last) = (port(first)?, port(last)?);
        if last < first {
            return Err(ValueError::Expose);
        }
        Ok(Expose {
            first,
            last,
            protocol,
        })
    }
}
