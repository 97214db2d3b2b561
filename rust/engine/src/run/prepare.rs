//! From an image's name and options to a plan.

use super::engine::Engine;
use super::joined::Joined;
use super::skeleton::{self, Skeleton};
use super::{EngineError, lock, may, user};
use crate::compose::{self, ImageView, annotation, etc, host, sources};
use crate::logging::event;
use crate::options::Checked;
use fastbox_container::cgroup::Parent;
use fastbox_container::plan::{Choices, Plan, Storage, Userns};
use fastbox_image::{Image, Platform};
use fastbox_sys::terminal;
use nix::unistd::Uid;
use oci_spec::runtime::{Capability, Mount, Spec};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Files of an image that name users are no longer than this, in bytes.
const LONGEST_FILE: usize = 16 << 20;

/// A plan with what it stands on. Dropping it lets the kernel's and the disk's parts of it go.
pub struct Prepared {
    pub(super) engine: Arc<Engine>,
    pub(super) plan: Arc<Plan>,
    options: Checked,
    spec: Spec,
    notes: Vec<String>,
    directory: PathBuf,
    // Keeps the image from being removed. A plan kept for runs to come has given it away.
    image: Mutex<Option<Image>>,
    // The same for those that are mounted.
    _shown_images: Vec<Image>,
    pub(super) joined: Option<Joined>,
}

impl Engine {
    /// Compiles a plan for containers of `image`. `command` is what runs where a start gives no arguments; it may be
    /// empty.
    ///
    /// # Errors
    /// An image that is not there, options that do not fit it, what this machine cannot do.
    pub fn prepare(
        self: &Arc<Self>,
        image: &str,
        options: Checked,
        command: &[String],
    ) -> Result<Arc<Prepared>, EngineError> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let here = std::env::current_dir().map_err(|error| {
            let errno = nix::errno::Errno::from_raw(error.raw_os_error().unwrap_or(0));
            EngineError::System {
                operation: "find the working directory",
                errno,
            }
        })?;
        may::give(&options)?;
        let swap_limit = options.memory.is_some() && self.driver().limits_swap();
        let asked = image;
        let mut facts = compose::Host::probe(here.clone(), swap_limit, &options)?;
        facts.terminal = terminal_size(&options);
        let host_image = (image == host::NAME)
            .then(|| host::image(Path::new("/")))
            .transpose()?;
        let image = host_image
            .is_none()
            .then(|| self.store.resolve(image))
            .transpose()?;

        if let Some(name) = &options.platform {
            let (wanted, has) = (
                name.platform(),
                image.as_ref().map_or_else(Platform::default, platform),
            );
            if wanted.architecture != has.architecture
                || (wanted.variant.is_some() && wanted.variant != has.variant)
            {
                return Err(EngineError::Platform {
                    image: asked.to_owned(),
                    has: has.to_string(),
                    wanted: wanted.to_string(),
                });
            }
        }

        let read = |path: &str| match &image {
            Some(image) => image.read_file(path, LONGEST_FILE).ok().flatten(),
            None => std::fs::read(path).ok(),
        };
        let (shown, shown_images) = self.image_mounts(&options)?;
        let mounts: Vec<Mount> = host_image
            .iter()
            .flat_map(|host| host.mounts.clone())
            .chain(shown)
            .collect();
        let view = ImageView {
            config: match (&host_image, &image) {
                (Some(host), _) => Some(&host.config),
                (_, image) => image
                    .as_ref()
                    .and_then(|image| image.config.config().as_ref()),
            },
            healthcheck: image.as_ref().and_then(|image| image.healthcheck.as_ref()),
            mounts: &mounts,
            etc_files: host_image
                .as_ref()
                .map_or(&etc::FILES, |host| &host.etc_files),
            read: &read,
        };
        // A plan may be made before it is known what it will run.
        let nothing = ["".to_owned()];
        let command = if command.is_empty() && !has_command(&view) {
            &nothing
        } else {
            command
        };
        let mut spec = compose::compose(&options, command, &view, &facts, &|path| {
            std::fs::read(path)
        })?;
        let joined = self.join(&options, &mut spec)?;
        sources::make_missing(&options, &here)?;

        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let directory = self.owner.uppers()?.join(format!("plan-{number}"));
        let made = self.compile(
            &mut spec,
            &options,
            &directory,
            joined.as_ref(),
            host_image.as_ref(),
            image.as_ref(),
        );
        let (plan, notes) = match made {
            Ok(fitting) => fitting,
            Err(error) => {
                let _ = std::fs::remove_dir_all(&directory);
                return Err(error);
            }
        };
        let prepared = Prepared {
            engine: Arc::clone(self),
            plan,
            spec,
            notes,
            directory,
            image: Mutex::new(image),
            _shown_images: shown_images,
            joined,
            options,
        };
        event!(
            Debug,
            "prepared {} with {} layers",
            asked,
            prepared.plan.layers().len()
        );
        for note in &prepared.notes {
            event!(Debug, "{asked}: {note}");
        }
        match prepared.notes.first().filter(|_| prepared.options.strict) {
            Some(note) => Err(EngineError::Strict { note: note.clone() }),
            None => Ok(Arc::new(prepared)),
        }
    }

    fn compile(
        &self,
        spec: &mut Spec,
        options: &Checked,
        directory: &Path,
        joined: Option<&Joined>,
        host_image: Option<&host::HostImage>,
        image: Option<&Image>,
    ) -> Result<(Arc<Plan>, Vec<String>), EngineError> {
        let of_image = image.map_or(&[][..], |image| &image.layers);
        let skeleton = Skeleton::new(directory.to_owned(), of_image)?;
        if let Some(host) = host_image {
            skeleton.entries(&host.skeleton)?;
        }
        skeleton.etc(spec, options, host_image.is_some())?;
        if !Uid::effective().is_root() {
            user::bind_devices(spec, options)?;
        }
        skeleton.mount_points(spec)?;
        skeleton.masks(spec)?;
        self.spawner.ready()?;
        let mut layers = of_image.to_vec();
        if layers.is_empty() {
            layers.push(skeleton.base());
        }
        layers.push(skeleton.layer());

        let annotations = spec.annotations().clone().unwrap_or_default();
        let userns = match annotations.get(annotation::USERNS).map(String::as_str) {
            Some("host") => Userns::Host,
            _ if joined.is_some() => match joined.and_then(|joined| joined.base) {
                Some(base) => Userns::Joined { base },
                None => Userns::Host,
            },
            _ if self.spawner.features().detached_layers && administers(spec) => Userns::Early,
            _ => Userns::Late,
        };
        let choices = Choices {
            layers,
            userns,
            storage: match annotations
                .get(annotation::STORAGE_SIZE)
                .and_then(|size| size.parse().ok())
            {
                Some(size) => Storage::Memory(size),
                None => Storage::Disk,
            },
            foreign: host_image.map_or(Vec::new(), |host| skeleton::sources(&host.mounts)),
            features: self.spawner.features(),
            init: annotations.contains_key(annotation::INIT),
            cgroup_parent: options
                .cgroup_parent
                .as_ref()
                .map_or_else(Parent::default, |parent| parent.0.clone()),
        };
        self.fit(spec, choices, options)
    }
}

impl Prepared {
    /// The options it was prepared with.
    #[must_use]
    pub fn options(&self) -> &Checked {
        &self.options
    }

    /// The document.
    #[must_use]
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// Gives the hold on the image away.
    pub(super) fn take_image(&self) -> Option<Image> {
        lock(&self.image).take()
    }

    /// Defaults that this machine cannot give, a sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if self.engine.is_mine() {
            let directory = self.directory.file_name().unwrap_or_default();
            self.engine.spawner.forget(self.plan.id, directory);
        }
    }
}

/// Rows and columns of the caller's terminal, if the container is to have one.
pub(super) fn terminal_size(options: &Checked) -> Option<(u16, u16)> {
    options
        .tty
        .then(|| terminal::size(std::io::stdout()))
        .flatten()
}

/// Whether the container may have CAP_SYS_ADMIN.
pub(super) fn administers(spec: &Spec) -> bool {
    let process = spec.process().as_ref();
    let caps = process.and_then(|process| process.capabilities().as_ref());
    let bounding = caps.and_then(|caps| caps.bounding().as_ref());
    bounding.is_some_and(|set| set.contains(&Capability::SysAdmin))
}

/// Whether the image itself says what to run.
fn has_command(view: &ImageView) -> bool {
    view.config.is_some_and(|config| {
        [config.entrypoint(), config.cmd()]
            .iter()
            .any(|list| list.as_ref().is_some_and(|list| !list.is_empty()))
    })
}

/// What an image's programs are for.
fn platform(image: &Image) -> Platform {
    Platform {
        architecture: image.config.architecture().clone(),
        variant: image.config.variant().clone(),
    }
}
