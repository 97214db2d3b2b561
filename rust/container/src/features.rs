//! What this kernel can do beyond the floor of 5.15, asked once.

use fastbox_sys::mount;
use std::os::fd::AsFd;
use std::path::Path;

/// Newer calls, each with its fallback elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Overlay takes layers as open detached mounts (6.15); else they are attached first, in the child.
    pub detached_layers: bool,
    /// tmpfs can be id-mapped (6.3); else device nodes are nobody's, which harms nothing.
    pub idmapped_tmpfs: bool,
    /// Overlay takes id-mapped layers (5.19); else containers have the caller's ids.
    pub idmapped_layers: bool,
    /// tmpfs keeps users' extended attributes (6.6), which a user's overlay marks replaced directories by.
    pub tmpfs_attributes: bool,
}

impl Features {
    /// Asks the kernel: by trying, since distributions carry features back. Needs the right to mount.
    #[must_use]
    pub fn probe() -> Features {
        Features {
            detached_layers: detached_layers().is_some(),
            idmapped_tmpfs: release() >= (6, 3),
            idmapped_layers: release() >= (5, 19),
            tmpfs_attributes: release() >= (6, 6),
        }
    }

    /// The kernel's release and version, as uname(2) has them: what is found out on one counts for no other.
    #[must_use]
    pub fn kernel() -> String {
        nix::sys::utsname::uname().map_or_else(
            |_| String::new(),
            |names| {
                format!(
                    "{} {}",
                    names.release().display(),
                    names.version().display()
                )
            },
        )
    }

    /// What [`Features::probe`] said on this very kernel, as kept in `file`; else asks, and keeps it there.
    #[must_use]
    pub fn kept_in(file: &Path) -> Features {
        let kernel = nix::sys::utsname::uname().map_or_else(
            |_| String::new(),
            |names| {
                format!(
                    "{} {}",
                    names.release().display(),
                    names.version().display()
                )
            },
        );
        let kept = std::fs::read_to_string(file).unwrap_or_default();
        if let Some((of, names)) = kept.split_once('\n')
            && of == kernel
            && let Some(names) = names.strip_suffix('\n')
        {
            let has = |name| names.split(' ').any(|kept| kept == name);
            return Features {
                detached_layers: has("detached_layers"),
                idmapped_tmpfs: has("idmapped_tmpfs"),
                idmapped_layers: has("idmapped_layers"),
                tmpfs_attributes: has("tmpfs_attributes"),
            };
        }
        let probed = Features::probe();
        let all = [
            (probed.detached_layers, "detached_layers"),
            (probed.idmapped_tmpfs, "idmapped_tmpfs"),
            (probed.idmapped_layers, "idmapped_layers"),
            (probed.tmpfs_attributes, "tmpfs_attributes"),
        ];
        let has = all.iter().filter(|(has, _)| *has);
        let names: Vec<&str> = has.map(|(_, name)| *name).collect();
        // Whole or not at all; where it cannot be kept it is asked again.
        let new = file.with_extension(std::process::id().to_string());
        if std::fs::write(&new, format!("{kernel}\n{}\n", names.join(" "))).is_ok()
            && std::fs::rename(&new, file).is_err()
        {
            let _ = std::fs::remove_file(&new);
        }
        probed
    }

    /// What it cannot do, in words.
    pub fn lacking(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.detached_layers, "overlay of detached layers (6.15)"),
            (self.idmapped_tmpfs, "id-mapped tmpfs (6.3)"),
            (self.idmapped_layers, "overlay of id-mapped layers (5.19)"),
            (
                self.tmpfs_attributes,
                "users' extended attributes on tmpfs (6.6)",
            ),
        ];
        let lacks = |(has, words): (bool, _)| (!has).then_some(words);
        all.into_iter().filter_map(lacks)
    }

    /// As if the kernel lacked those named, in the spelling of the fields, with commas between: to try the
    /// fallbacks on a kernel that has them.
    #[must_use]
    pub fn without(mut self, names: &str) -> Features {
        for name in names.split(',') {
            match name {
                "detached_layers" => self.detached_layers = false,
                "idmapped_tmpfs" => self.idmapped_tmpfs = false,
                "idmapped_layers" => self.idmapped_layers = false,
                _ => {}
            }
        }
        self
    }
}

/// An overlay of two empty detached file systems.
fn detached_layers() -> Option<()> {
    let layers = [
        mount::filesystem("tmpfs", &[], 0).ok()?,
        mount::filesystem("tmpfs", &[], 0).ok()?,
    ];
    mount::overlay_of(&[layers[0].as_fd(), layers[1].as_fd()])
        .ok()
        .map(drop)
}

/// The kernel's version and patch level; zeros where it cannot be read.
fn release() -> (u32, u32) {
    let Ok(names) = nix::sys::utsname::uname() else {
        return (0, 0);
    };
    let release = names.release().to_string_lossy().into_owned();
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|n| n.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_counts_for_this_kernel_only() {
        let folder = std::env::temp_dir().join(format!("fastbox-features-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("features");
        let probed = Features::kept_in(&file);
        assert_eq!(probed, Features::probe());
        let kept = std::fs::read_to_string(&file).unwrap();
        let (kernel, _) = kept.split_once('\n').unwrap();
        // Read, and not asked again.
        std::fs::write(&file, format!("{kernel}\nidmapped_tmpfs\n")).unwrap();
        let one = Features::kept_in(&file);
        let only = Features {
            detached_layers: false,
            idmapped_tmpfs: true,
            idmapped_layers: false,
            tmpfs_attributes: false,
        };
        assert_eq!(one, only);
        // Of another kernel, or cut short: asked again.
        for other in [
            "1.0 another\nidmapped_tmpfs\n",
            &format!("{kernel}\nidmapped_tmpfs"),
        ] {
            std::fs::write(&file, other).unwrap();
            assert_eq!(Features::kept_in(&file), probed);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
