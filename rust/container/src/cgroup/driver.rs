//! What this host has: found once from `/proc/self/mountinfo` and `/proc/self/cgroup`.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::unistd::{AccessFlags, Uid, access};

use super::controller::{Controller, Controllers};
use super::device_program;
use super::mounts::{self, Membership, Mount};

/// Which kind of control groups the host has, as far as we can use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Version 1 hierarchies only.
    V1,
    /// Version 2 only.
    V2,
    /// Controllers in version 1 hierarchies, and a version 2 hierarchy beside them, which we leave alone.
    Hybrid,
    /// None that this process may use; [`Driver::missing`] says why.
    None,
}

/// A controller that cannot be had, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The controller.
    pub controller: Controller,
    /// The reason, for people.
    pub why: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.controller.v1_name(), self.why)
    }
}

/// One hierarchy we use, and the directory in it in which `fastbox` lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) controllers: Controllers,
    pub(super) base: PathBuf,
}

/// What this host has.
#[derive(Clone, Debug)]
pub struct Driver {
    kind: Kind,
    hierarchies: Vec<Hierarchy>,
    missing: Vec<Missing>,
}

impl Driver {
    /// Looks at the host. Never fails: what cannot be had is in [`Driver::missing`].
    ///
    /// Root uses the root of each mounted hierarchy, or where that is not writable (inside a container) its own
    /// group. An ordinary user uses v2 only, beneath the nearest group that is delegated (writable) to it.
    #[must_use]
    pub fn probe() -> Driver {
        let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let cgroup = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let root = Uid::effective().is_root();
        let mounts = mounts::mounts(&mountinfo);
        let own = mounts::memberships(&cgroup);

        let defaults = Controllers::of(&Controller::DEFAULTS);
        let v1 = mounts
            .iter()
            .any(|mount| !mount.v2 && v1_controllers(&mount.options).meets(defaults));
        if v1 {
            Driver::v1(&mounts, &own, root)
        } else {
            Driver::v2(&mounts, &own, root)
        }
    }

    /// One as a test wants it.
    #[cfg(test)]
    pub(super) fn of(kind: Kind, hierarchies: Vec<Hierarchy>, missing: Vec<Missing>) -> Driver {
        Driver {
            kind,
            hierarchies,
            missing,
        }
    }

    fn v1(mounts: &[Mount], own: &[Membership], root: bool) -> Driver {
        let mut hierarchies: Vec<Hierarchy> = Vec::new();
        let mut missing = Vec::new();
        let mut found = Controllers::default();
        for mount in mounts.iter().filter(|mount| !mount.v2) {
            let controllers = v1_controllers(&mount.options).without(found);
            if controllers.is_empty() {
                continue;
            }
            let own = own
                .iter()
                .find(|line| v1_controllers(&line.names).meets(controllers))
                .and_then(|line| mounts::through(mount, &line.path));
            match v1_base(mount, own, root) {
                Ok(base) => {
                    found = found.or(controllers);
                    hierarchies.push(Hierarchy { controllers, base });
                }
                Err(why) => missing.extend(controllers.iter().map(|controller| Missing {
                    controller,
                    why: why.clone(),
                })),
            }
        }
        missing.retain(|one: &Missing| !found.contains(one.controller));
        for controller in Controller::ALL {
            if !found.contains(controller) && missing.iter().all(|m| m.controller != controller) {
                missing.push(Missing {
                    controller,
                    why: "no cgroup v1 hierarchy with it is mounted".to_owned(),
                });
            }
        }
        let kind = if hierarchies.is_empty() {
            Kind::None
        } else if mounts.iter().any(|mount| mount.v2) {
            Kind::Hybrid
        } else {
            Kind::V1
        };
        Driver {
            kind,
            hierarchies,
            missing,
        }
    }

    fn v2(mounts: &[Mount], own: &[Membership], root: bool) -> Driver {
        let own = own.iter().find(|line| line.names.is_empty());
        let place = match mounts.iter().find(|mount| mount.v2) {
            Some(mount) => v2_base(mount, own, root),
            None => Err("no cgroup file system is mounted".to_owned()),
        };
        let (hierarchy, mut missing) = match place {
            Ok(place) => (Some(place.hierarchy), place.missing),
            Err(why) => (
                None,
                Controller::ALL
                    .into_iter()
                    .map(|controller| Missing {
                        controller,
                        why: why.clone(),
                    })
                    .collect(),
            ),
        };
        let mut hierarchies: Vec<Hierarchy> = hierarchy.into_iter().collect();
        for hierarchy in &mut hierarchies {
            match device_program::loadable() {
                Ok(()) => hierarchy.controllers.insert(Controller::Devices),
                Err(errno) => missing.push(Missing {
                    controller: Controller::Devices,
                    why: format!("the kernel refuses a device program (bpf(2)): {errno}"),
                }),
            }
        }
        Driver {
            kind: if hierarchies.is_empty() {
                Kind::None
            } else {
                Kind::V2
            },
            hierarchies,
            missing,
        }
    }

    /// Which kind of control groups this is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Every controller that cannot be had, and why. What nobody asks for is listed too.
    #[must_use]
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Whether swap can be limited: the kernel counts it.
    #[must_use]
    pub fn limits_swap(&self) -> bool {
        let file = if self.is_v2() {
            // The root group has no such file.
            "fastbox/memory.swap.max"
        } else {
            "memory.memsw.limit_in_bytes"
        };
        let memory = self.hierarchy(Controller::Memory);
        memory.is_some_and(|hierarchy| hierarchy.base.join(file).exists())
    }

    pub(super) fn is_v2(&self) -> bool {
        self.kind == Kind::V2
    }

    /// Version 1: the controllers of each hierarchy that these limits are written to, by name; what a container may
    /// be shown of them.
    #[must_use]
    pub fn limited_hierarchies(&self, limits: &super::Limits) -> Vec<Vec<&'static str>> {
        let limited = limits.limited();
        let shown = self
            .hierarchies
            .iter()
            .filter(|hierarchy| !self.is_v2() && hierarchy.controllers.meets(limited));
        shown
            .map(|hierarchy| {
                hierarchy
                    .controllers
                    .iter()
                    .map(Controller::v1_name)
                    .collect()
            })
            .collect()
    }

    pub(super) fn hierarchies(&self) -> &[Hierarchy] {
        &self.hierarchies
    }

    pub(super) fn hierarchy(&self, controller: Controller) -> Option<&Hierarchy> {
        self.hierarchies
            .iter()
            .find(|hierarchy| hierarchy.controllers.contains(controller))
    }

    pub(super) fn why_missing(&self, controller: Controller) -> String {
        self.missing
            .iter()
            .find(|missing| missing.controller == controller)
            .map_or_else(|| "not found".to_owned(), |missing| missing.why.clone())
    }
}

fn v1_controllers(names: &[String]) -> Controllers {
    let mut set = Controllers::default();
    for controller in Controller::ALL {
        if names.iter().any(|name| name == controller.v1_name()) {
            set.insert(controller);
        }
    }
    set
}

fn v1_base(mount: &Mount, own: Option<PathBuf>, root: bool) -> Result<PathBuf, String> {
    if !root {
        return Err(format!(
            "the cgroup v1 hierarchy at {} belongs to root",
            mount.point.display()
        ));
    }
    let refused = match writable(&mount.point) {
        Ok(()) => return Ok(mount.point.clone()),
        Err(errno) => format!("{}: {errno}", mount.point.display()),
    };
    match own {
        Some(own) if writable(&own).is_ok() => Ok(own),
        _ => Err(refused),
    }
}

struct V2Place {
    hierarchy: Hierarchy,
    missing: Vec<Missing>,
}

fn v2_base(mount: &Mount, own: Option<&Membership>, root: bool) -> Result<V2Place, String> {
    let mut candidates = Vec::new();
    if root {
        candidates.push(mount.point.clone());
    }
    let own = own.and_then(|line| mounts::through(mount, &line.path));
    // Upwards as long as it is delegated: the group that holds this process cannot hand controllers down, its
    // empty parent can.
    for path in own.iter().flat_map(|own| own.ancestors()) {
        if !path.starts_with(&mount.point) || v2_writable(path).is_err() {
            break;
        }
        candidates.push(path.to_owned());
    }
    let mut first = None;
    for base in candidates {
        if v2_writable(&base).is_err() {
            continue;
        }
        let place = v2_place(base);
        if place.hierarchy.controllers.contains(Controller::Memory)
            && place.hierarchy.controllers.contains(Controller::Pids)
        {
            return Ok(place);
        }
        first = first.or(Some(place));
    }
    first.ok_or_else(|| {
        let path = own.unwrap_or_else(|| mount.point.clone());
        let errno = v2_writable(&path).err().unwrap_or(Errno::EACCES);
        format!(
            "no cgroup is delegated to this user ({}: {errno}); with systemd, `systemd-run --user --scope -p \
             Delegate=yes` gives one",
            path.display()
        )
    })
}

fn v2_place(base: PathBuf) -> V2Place {
    let read = |name: &str| fs::read_to_string(base.join(name)).unwrap_or_default();
    let offered = Controllers::from_v2_list(&read("cgroup.controllers"));
    let enabled = Controllers::from_v2_list(&read("cgroup.subtree_control"));
    // Only the real root may hold processes and hand down controllers; it alone has no cgroup.type.
    let occupied = base.join("cgroup.type").exists() && !read("cgroup.procs").is_empty();
    let mut usable = if occupied { enabled } else { offered };
    usable.insert(Controller::Cpuacct);
    let missing = Controller::ALL
        .into_iter()
        .filter(|&controller| controller != Controller::Devices && !usable.contains(controller))
        .map(|controller| Missing {
            controller,
            why: match controller.v2_name() {
                None => "cgroup v2 has no such controller".to_owned(),
                Some(name) if offered.contains(controller) => format!(
                    "{} holds processes, so {name} cannot be enabled below it; start from a group of its own, \
                     beneath it",
                    base.display()
                ),
                Some(name) => format!(
                    "{} does not offer {name}",
                    base.join("cgroup.controllers").display()
                ),
            },
        })
        .collect();
    V2Place {
        hierarchy: Hierarchy {
            controllers: usable,
            base,
        },
        missing,
    }
}

fn writable(path: &Path) -> nix::Result<()> {
    access(path, AccessFlags::W_OK | AccessFlags::X_OK)
}

fn v2_writable(path: &Path) -> nix::Result<()> {
    writable(path)?;
    access(&path.join("cgroup.procs"), AccessFlags::W_OK)?;
    access(&path.join("cgroup.subtree_control"), AccessFlags::W_OK)
}
