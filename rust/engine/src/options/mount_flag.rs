//! `--mount`: `type=bind,source=/a,target=/b,readonly`, fields with commas between, as a line of CSV (RFC 4180).

use super::field::{Item, Kind, Scalar};
use super::mounts::{destination_path, is_path};
use super::{Below, Bind, Propagation, Size, Tmpfs, ValueError};

/// One `--mount`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MountFlag {
    /// A file or directory of the host.
    Bind(Bind),
    /// An empty file system in memory.
    Tmpfs(Tmpfs),
    /// Another image's files, read-only.
    Image(ImageMount),
}

/// The files of an image, read-only.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageMount {
    /// The image's name or id.
    pub image: String,
    /// An absolute path in the container, cleaned; not `/`.
    pub destination: String,
    /// What of the image is mounted: a directory or file, relative to its root; empty for all.
    pub subpath: String,
}

impl MountFlag {
    /// Where it goes.
    pub fn destination(&self) -> &str {
        match self {
            MountFlag::Bind(bind) => &bind.destination,
            MountFlag::Tmpfs(tmpfs) => &tmpfs.destination,
            MountFlag::Image(image) => &image.destination,
        }
    }
}

/// The keys of fields, as Docker has them.
const KEYS: &[&str] = &[
    "type",
    "source",
    "src",
    "target",
    "dst",
    "destination",
    "readonly",
    "ro",
    "consistency",
    "bind-propagation",
    "bind-nonrecursive",
    "bind-recursive",
    "bind-create-src",
    "tmpfs-size",
    "tmpfs-mode",
    "image-subpath",
    "volume-subpath",
    "volume-nocopy",
    "volume-label",
    "volume-driver",
    "volume-opt",
];

/// The fields as given.
#[derive(Default)]
struct Fields {
    kind: Option<String>,
    source: Option<String>,
    target: Option<String>,
    read_only: bool,
    propagation: Option<Propagation>,
    below: Option<String>,
    make: bool,
    size: Option<String>,
    mode: Option<String>,
    subpath: Option<String>,
    /// The first field that is for one type only, with that type.
    only_for: Option<(&'static str, &'static str)>,
}

impl Item for MountFlag {
    const KIND: Kind = Kind::List;

    fn from_text(text: &str) -> Result<MountFlag, ValueError> {
        let mut fields = Fields::default();
        for field in record(text)? {
            fields.take(&field)?;
        }
        let kind = fields.kind.as_deref().unwrap_or("volume");
        if let Some((field, only)) = fields.only_for.filter(|(_, only)| *only != kind) {
            return Err(ValueError::MountMixed { field, only });
        }
        match kind {
            "bind" => fields.bind(),
            "tmpfs" => fields.tmpfs(),
            "image" => fields.image(),
            "volume" => Err(ValueError::VolumeMount),
            other => Err(ValueError::MountType(other.to_owned())),
        }
    }
}

impl Fields {
    /// Takes one field; a later one of its kind takes the place of an earlier one.
    fn take(&mut self, field: &str) -> Result<(), ValueError> {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (field, None),
        };
        let known = KEYS.iter().find(|known| known.eq_ignore_ascii_case(key));
        let Some(&key) = known else {
            return Err(match value {
                None => ValueError::MountField(field.to_owned()),
                Some(_) => ValueError::MountKey(key.to_owned()),
            });
        };
        let wrong = |value: &str| ValueError::MountValue {
            field: key,
            value: value.to_owned(),
        };
        let switch = |value: Option<&str>| match value {
            None | Some("1" | "t" | "T" | "true" | "TRUE" | "True") => Ok(true),
            Some("0" | "f" | "F" | "false" | "FALSE" | "False") => Ok(false),
            Some(other) => Err(wrong(other)),
        };
        match key {
            "readonly" | "ro" => {
                self.read_only = switch(value)?;
                return Ok(());
            }
            "bind-nonrecursive" => {
                let left = switch(value)?;
                self.below = left.then(|| "disabled".to_owned());
                self.is_for(key, "bind");
                return Ok(());
            }
            "bind-create-src" => {
                self.make = switch(value)?;
                self.is_for(key, "bind");
                return Ok(());
            }
            _ => {}
        }
        let value = value
            .ok_or_else(|| ValueError::MountField(field.to_owned()))?
            .to_owned();
        match key {
            "type" => self.kind = Some(value.to_ascii_lowercase()),
            "source" | "src" => self.source = Some(value),
            "target" | "dst" | "destination" => self.target = Some(value),
            // A hint of other systems, without effect here.
            "consistency" => {}
            "bind-propagation" => {
                let found = Propagation::from_word(&value).ok_or_else(|| wrong(&value))?;
                self.propagation = Some(found);
            }
            "bind-recursive" => match value.as_str() {
                "enabled" | "disabled" | "writable" | "readonly" => self.below = Some(value),
                other => return Err(wrong(other)),
            },
            "tmpfs-size" => self.size = Some(value),
            "tmpfs-mode" => self.mode = Some(value),
            "image-subpath" => self.subpath = Some(value),
            // Of volumes, which are refused as a whole.
            _ => {}
        }
        for kind in ["bind", "tmpfs", "image", "volume"] {
            if key
                .strip_prefix(kind)
                .is_some_and(|rest| rest.starts_with('-'))
            {
                self.is_for(key, kind);
            }
        }
        Ok(())
    }

    fn is_for(&mut self, field: &'static str, kind: &'static str) {
        self.only_for.get_or_insert((field, kind));
    }

    fn target(&self) -> Result<String, ValueError> {
        match self.target.as_deref() {
            None | Some("") => Err(ValueError::MountNeeds("target")),
            Some(target) => destination_path(target),
        }
    }

    fn source(&mut self) -> Result<String, ValueError> {
        let given = self.source.take().filter(|source| !source.is_empty());
        given.ok_or(ValueError::MountNeeds("source"))
    }

    fn bind(mut self) -> Result<MountFlag, ValueError> {
        let destination = self.target()?;
        let source = self.source()?;
        if !is_path(&source) {
            return Err(ValueError::RelativeDestination(source));
        }
        let propagation = self.propagation.unwrap_or_default();
        let below = match self.below.as_deref() {
            Some("disabled") => Below::Left,
            Some("writable") if !self.read_only => {
                return Err(ValueError::MountTogether {
                    field: "bind-recursive=writable",
                    needs: "readonly",
                });
            }
            Some("writable") => Below::Writable,
            Some("readonly") if !self.read_only => {
                return Err(ValueError::MountTogether {
                    field: "bind-recursive=readonly",
                    needs: "readonly",
                });
            }
            Some("readonly") if self.propagation != Some(Propagation::RPrivate) => {
                return Err(ValueError::MountTogether {
                    field: "bind-recursive=readonly",
                    needs: "bind-propagation=rprivate",
                });
            }
            _ => Below::Alike,
        };
        Ok(MountFlag::Bind(Bind {
            source,
            destination,
            read_only: self.read_only,
            propagation,
            below,
            make: self.make,
        }))
    }

    fn tmpfs(self) -> Result<MountFlag, ValueError> {
        if self.source.is_some() {
            return Err(ValueError::MountNoSource);
        }
        let mut tmpfs = Tmpfs::new(&self.target()?, "")?;
        if let Some(size) = self.size {
            let Size(bytes) = Size::from_text(&size)?;
            tmpfs.add(&format!("size={bytes}"))?;
        }
        if let Some(mode) = self.mode {
            tmpfs.add(&format!("mode={mode}"))?;
        }
        if self.read_only {
            tmpfs.add("ro")?;
        }
        Ok(MountFlag::Tmpfs(tmpfs))
    }

    fn image(mut self) -> Result<MountFlag, ValueError> {
        let destination = self.target()?;
        let image = self.source()?;
        let subpath = self.subpath.unwrap_or_default();
        if subpath.starts_with('/') || subpath.split('/').any(|name| name == "..") {
            return Err(ValueError::MountValue {
                field: "image-subpath",
                value: subpath,
            });
        }
        Ok(MountFlag::Image(ImageMount {
            image,
            destination,
            subpath,
        }))
    }
}

/// The fields of one line: one in double quotes may hold commas, and its quotes doubled.
fn record(line: &str) -> Result<Vec<String>, ValueError> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        if !rest.starts_with('"') && field.contains('"') {
            return Err(ValueError::MountQuotes);
        }
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(fields),
            None => return Err(ValueError::MountQuotes),
        }
    }
}

/// What stands before the closing quote, and what after it.
fn unquote(text: &str) -> Result<(String, &str), ValueError> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"').ok_or(ValueError::MountQuotes)?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => return Ok((field, rest)),
        }
    }
}
