//! How names are resolved in a container: `--add-host`, `--dns`, `--dns-search`, `--dns-option`.

use std::net::IpAddr;

use super::ValueError;
use super::field::{Item, Kind, Refusal};

/// One line more of /etc/hosts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ExtraHost {
    /// The name.
    pub name: String,
    /// Its address.
    pub address: IpAddr,
}

impl Item for ExtraHost {
    const KIND: Kind = Kind::Values;

    /// `NAME:ADDRESS`; or, as Docker takes it by now, `NAME=ADDRESS`, and an IPv6 address in brackets.
    fn from_text(text: &str) -> Result<ExtraHost, ValueError> {
        let at = text.find(['=', ':']).ok_or(ValueError::HostSyntax)?;
        let (name, address) = (&text[..at], &text[at + 1..]);
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c == '#') {
            return Err(ValueError::HostSyntax);
        }
        if address == "host-gateway" {
            return Err(ValueError::HostGateway);
        }
        let bare = address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let parsed = bare.unwrap_or(address).parse();
        Ok(ExtraHost {
            name: name.to_owned(),
            address: parsed.map_err(|_| ValueError::Address(address.to_owned()))?,
        })
    }

    fn from_pair(name: &str, address: Option<&str>) -> Result<ExtraHost, Refusal> {
        let address = address.ok_or(ValueError::HostSyntax)?;
        Ok(ExtraHost::from_text(&format!("{name}={address}"))?)
    }
}

/// One name server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameServer(pub IpAddr);

impl Item for NameServer {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<NameServer, ValueError> {
        let address = text.trim().parse();
        address
            .map(NameServer)
            .map_err(|_| ValueError::Address(text.to_owned()))
    }
}

/// One domain in which names without a dot are looked up; `.` for none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SearchDomain(pub String);

impl Item for SearchDomain {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<SearchDomain, ValueError> {
        let domain = text.trim_matches(' ');
        let label = |label: &str| {
            let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(inner)
        };
        let whole = domain.strip_suffix('.').unwrap_or(domain);
        match domain == "." || (domain.len() < 255 && whole.split('.').all(label)) {
            true => Ok(SearchDomain(domain.to_owned())),
            false => Err(ValueError::Domain(text.to_owned())),
        }
    }
}

/// One option of the resolver, as `ndots:2` (resolv.conf(5)).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResolverOption(pub String);

impl Item for ResolverOption {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<ResolverOption, ValueError> {
        match text.is_empty() || text.contains(char::is_whitespace) {
            true => Err(ValueError::ResolverOption(text.to_owned())),
            false => Ok(ResolverOption(text.to_owned())),
        }
    }
}
