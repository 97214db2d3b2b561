//! Users and groups by the image's own /etc/passwd and /etc/group (passwd(5), group(5)), with
//! Docker's rules: a number is looked up as a number, and need not be found.

use super::SpecError;

/// Whom a process runs as.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, in the group file's order.
    pub groups: Vec<u32>,
    /// The home directory; `/` for a user the image does not know.
    pub home: String,
}

/// Ids are what fits a signed 32-bit number, as in Docker.
const MAX_ID: u32 = i32::MAX as u32;

struct User<'a> {
    name: &'a str,
    uid: u32,
    gid: u32,
    home: &'a str,
}

struct Group<'a> {
    name: &'a str,
    gid: u32,
    members: &'a str,
}

/// Resolves `user[:group]`, empty is root, and the groups `more`, names or numbers.
pub(crate) fn resolve(
    spec: &str,
    more: &[String],
    read: &dyn Fn(&str) -> Option<Vec<u8>>,
) -> Result<Identity, SpecError> {
    let file = |path| String::from_utf8_lossy(&read(path).unwrap_or_default()).into_owned();
    let (user, group) = spec.split_once(':').unwrap_or((spec, ""));
    let passwd = file("/etc/passwd");
    let uid = if user.is_empty() {
        Some(0)
    } else {
        number(user)?
    };
    let known = users(&passwd).find(|entry| match uid {
        Some(uid) => entry.uid == uid,
        None => entry.name == user,
    });
    let mut identity = match (&known, uid) {
        (Some(entry), _) => Identity {
            uid: entry.uid,
            gid: entry.gid,
            groups: Vec::new(),
            home: entry.home.to_owned(),
        },
        (None, Some(uid)) => Identity {
            uid,
            gid: 0,
            groups: Vec::new(),
            home: String::new(),
        },
        (None, None) => {
            return Err(SpecError::UserNotFound {
                user: user.to_owned(),
            });
        }
    };
    if identity.home.is_empty() {
        identity.home.push('/');
    }
    if !group.is_empty() {
        identity.gid = match number(group)? {
            Some(gid) => gid,
            None => {
                let file = file("/etc/group");
                let found = groups(&file)
                    .find(|entry| entry.name == group)
                    .map(|entry| entry.gid);
                found.ok_or_else(|| SpecError::GroupNotFound {
                    group: group.to_owned(),
                })?
            }
        };
    } else if let Some(known) = known {
        let file = file("/etc/group");
        let member = |entry: &Group| {
            entry
                .members
                .split(',')
                .any(|name| name.trim() == known.name)
        };
        identity.groups = groups(&file)
            .filter(member)
            .map(|entry| entry.gid)
            .collect();
    }
    if !more.is_empty() {
        let file = file("/etc/group");
        for group in more {
            let gid = further(group, &file)?;
            if !identity.groups.contains(&gid) {
                identity.groups.push(gid);
            }
        }
    }
    Ok(identity)
}

/// A group by its name, even one of digits, else by its number, which need not be in the file.
fn further(group: &str, file: &str) -> Result<u32, SpecError> {
    match groups(file).find(|entry| entry.name == group) {
        Some(entry) => Ok(entry.gid),
        None => number(group)?.ok_or_else(|| SpecError::GroupNotFound {
            group: group.to_owned(),
        }),
    }
}

/// `None` if the text is no number; an error if it is one out of range.
fn number(text: &str) -> Result<Option<u32>, SpecError> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    match text.parse::<u32>() {
        Ok(id) if id <= MAX_ID => Ok(Some(id)),
        _ => Err(SpecError::IdRange {
            id: text.to_owned(),
        }),
    }
}

/// The lines with a name and valid ids; others are skipped (a broken line must not mean root).
fn users(file: &str) -> impl Iterator<Item = User<'_>> {
    file.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let (name, _) = (fields.next()?, fields.next()?);
        let (uid, gid) = (id(fields.next()?)?, id(fields.next()?)?);
        let home = fields.nth(1).unwrap_or("");
        // A zero byte could not be handed to a program.
        (!name.is_empty() && !home.contains('\0')).then_some(User {
            name,
            uid,
            gid,
            home,
        })
    })
}

fn groups(file: &str) -> impl Iterator<Item = Group<'_>> {
    file.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let (name, _) = (fields.next()?, fields.next()?);
        let gid = id(fields.next()?)?;
        (!name.is_empty()).then_some(Group {
            name,
            gid,
            members: fields.next().unwrap_or(""),
        })
    })
}

fn id(text: &str) -> Option<u32> {
    text.parse().ok().filter(|id| *id <= MAX_ID)
}
