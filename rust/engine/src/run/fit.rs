//! A document made to fit this machine: what cannot be had of the defaults is left out, and said.

use super::EngineError;
use super::engine::Engine;
use super::start::open;
use super::upper;
use crate::compose::annotation;
use crate::options::{CgroupNamespace, Checked};
use fastbox_container::ContainerError;
use fastbox_container::cgroup::{self, Kind};
use fastbox_container::features::Features;
use fastbox_container::plan::{Choices, Plan, Storage, Userns, has_upper};
use fastbox_container::security::caps::{self, CapSet};
use nix::errno::Errno;
use oci_spec::runtime::Spec;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

impl Engine {
    /// Compiles a plan that this machine can carry out, its first range of ids ready; and what it lacks.
    pub(super) fn fit(
        &self,
        spec: &mut Spec,
        mut choices: Choices,
        options: &Checked,
    ) -> Result<(Arc<Plan>, Vec<String>), EngineError> {
        let mut notes = self.fit_user(spec, &mut choices, options)?;
        if choices.storage == Storage::Disk
            && has_upper(spec)
            && let Some(errno) = self.no_disk_uppers()
        {
            let size = upper::half_of_memory();
            choices.storage = Storage::Memory(size);
            annotate(spec, annotation::STORAGE_SIZE, &size.to_string());
            notes.push(format!(
                "what it writes is kept in memory, at most {size} bytes: {} cannot be under an overlay ({errno})",
                self.paths.uppers().display()
            ));
        }
        let mut plan = self.compiled(spec, &choices)?;
        if !plan.has_own_pids() && self.spawner.group().is_none() {
            return Err(EngineError::NeedsGroups { what: "--pid" });
        }
        if plan.userns().own_range()
            && !self.is_known_to_map(&plan)
            && let Err(error) = self.warm(&plan)
        {
            match &error {
                EngineError::Container(lack)
                    if lack.lacks_id_maps() && options.userns.is_none() => {}
                _ => return Err(error),
            }
            choices.userns = Userns::Host;
            annotate(spec, annotation::USERNS, "host");
            plan = self.compiled(spec, &choices)?;
            notes.push(format!(
                "no user namespace of its own ({error}): root inside is root outside"
            ));
        } else if let Userns::Joined { .. } = plan.userns() {
            notes.push("the user ids of the container whose namespaces it joins".into());
        } else if plan.userns() == Userns::Host
            && options.userns.is_none()
            && let Some(sharing) = options.shares_ids()
        {
            notes.push(format!(
                "no user namespace of its own, because of {sharing}: root inside is root outside"
            ));
        }
        if plan.userns() == Userns::Host && options.wants_all_capabilities() {
            let lacking = CapSet::ALL.difference(caps::available());
            let names: Vec<&str> = lacking.names().collect();
            if !names.is_empty() {
                notes.push(format!(
                    "all capabilities but {}, which this process does not have itself",
                    names.join(", ")
                ));
            }
        }
        if matches!(plan.userns(), Userns::Late | Userns::Joined { .. })
            && super::prepare::administers(spec)
        {
            notes.push(
                "CAP_SYS_ADMIN does not let it mount: its mounts can be its own from Linux 6.15 on"
                    .into(),
            );
        }
        self.make_cgroup_parent(&plan, &choices)?;
        if options.cgroupns == Some(CgroupNamespace::Host)
            && matches!(plan.userns(), Userns::Early | Userns::Owned { .. })
        {
            notes.push("no /sys/fs/cgroup: with its mounts its own and the host's control groups in sight, it could not be made".into());
        }
        let limits = plan.limits().unavailable().iter();
        notes.extend(limits.map(|missing| format!("no {missing}")));
        Ok((plan, notes))
    }

    fn compiled(&self, spec: &Spec, choices: &Choices) -> Result<Arc<Plan>, EngineError> {
        let plan = Plan::compile(spec, choices, self.driver(), self.spawner.group())?;
        Ok(Arc::new(plan))
    }

    /// Makes the group below which the container's will lie, on record before.
    fn make_cgroup_parent(&self, plan: &Plan, choices: &Choices) -> Result<(), EngineError> {
        let parent = &choices.cgroup_parent;
        if parent.is_top() {
            return Ok(());
        }
        if self.driver().kind() == Kind::None {
            return Err(EngineError::Limit {
                flag: "--cgroup-parent",
                value: parent.as_str().to_owned(),
                why: self
                    .driver()
                    .missing()
                    .first()
                    .map_or_else(String::new, |one| one.why.clone()),
            });
        }
        self.owner.will_use_parent(parent)?;
        cgroup::make_parent(self.driver(), parent, plan.limits(), |path| {
            Ok::<_, EngineError>(self.owner.will_make_group(path)?)
        })
    }

    /// Whether an earlier process of this kernel has mapped ids of the store's file system, and nothing else is to be
    /// mapped. Only a process of one container gains by not trying: others need the range that trying makes.
    fn is_known_to_map(&self, plan: &Plan) -> bool {
        let known = || std::fs::read_to_string(self.mapped()?).ok();
        self.brief && plan.binds().is_empty() && known().is_some_and(|of| of == Features::kernel())
    }

    /// The file that says so.
    fn mapped(&self) -> Option<PathBuf> {
        let device = std::fs::metadata(self.paths.root()).ok()?.dev();
        Some(self.paths.run().join(format!("maps-ids-of-{device}")))
    }

    /// Makes the range of the plan's first container: the way to find out whether its files can have one.
    fn warm(&self, plan: &Arc<Plan>) -> Result<(), EngineError> {
        if !self.spawner.features().idmapped_layers {
            return Err(EngineError::Container(ContainerError::Step {
                step: "map ids",
                target: "of layers under an overlay".into(),
                errno: Errno::EINVAL,
            }));
        }
        let opened = open(plan, true)?;
        let opened: Vec<BorrowedFd<'_>> = opened.iter().map(AsFd::as_fd).collect();
        self.ids.give_back(self.spawner.take_released());
        let base = self.ids.take()?;
        self.spawner
            .warm(plan, base, &opened)
            .inspect_err(|_| self.ids.give_back([base]))?;
        if self.brief
            && let Some(file) = self.mapped()
        {
            // Where it cannot be written, the next one tries again.
            let _ = std::fs::write(file, Features::kernel());
        }
        Ok(())
    }
}

pub(super) fn annotate(spec: &mut Spec, key: &str, value: &str) {
    let mut annotations = spec.annotations().clone().unwrap_or_default();
    annotations.insert(key.to_owned(), value.to_owned());
    spec.set_annotations(Some(annotations));
}
