//! The root file system: layers under overlay, and the way into it.

use super::{Compiler, Storage, bounding};
use crate::slots;
use fastbox_sys::builder::{Arg, Builder, Program};
use fastbox_sys::program::OnError;
use fastbox_sys::steps::attr;

impl Compiler<'_> {
    /// What is done before the clone: where the kernel takes open layers, the whole root.
    pub(super) fn outside(&self, read_only: bool) -> Program {
        let mut b = Builder::new();
        if self.is_owned() {
            // Without the right to mount there is nothing to do outside.
            return b.finish();
        }
        if !read_only {
            upper(&mut b, self.choices.storage, self.choices.flat_upper());
        }
        if self.choices.features.detached_layers {
            let upper = (!read_only).then(|| match self.choices.storage {
                Storage::Disk => (
                    slots::UPPERS,
                    Arg::Slot(slots::UPPER),
                    Arg::Slot(slots::WORK),
                ),
                Storage::Memory(_) => (slots::MEMORY, Arg::from("upper"), Arg::from("work")),
            });
            b.label("root file system", "overlay");
            let context = b.slot();
            b.fsopen("overlay", context)
                .fsconfig(context, "source", "overlay");
            for layer in (0..self.choices.layers.len()).rev() {
                b.fsconfig_fd(context, "lowerdir+", slots::layer(layer));
            }
            if let Some((dir, upper, work)) = upper {
                let (upper_fd, work_fd) = (b.slot(), b.slot());
                b.open(Some(dir), upper, O_PATH_DIRECTORY, upper_fd).open(
                    Some(dir),
                    work,
                    O_PATH_DIRECTORY,
                    work_fd,
                );
                b.fsconfig_fd(context, "upperdir", upper_fd)
                    .fsconfig_fd(context, "workdir", work_fd);
                // Nobody reads this upper after the container: what was not synced cannot be missed.
                b.fsconfig_flag(context, "volatile");
                b.fsconfig_create(context).close(upper_fd).close(work_fd);
            } else {
                b.fsconfig_create(context);
            }
            b.fsmount(
                context,
                if read_only { attr::RDONLY } else { 0 },
                slots::ROOT,
            )
            .close(context);
        }
        b.finish()
    }

    /// Into the root. The old one, an empty tmpfs, stays behind under /proc where proc hides it for good: nobody in
    /// the container may unmount in a mount namespace that is the host's, and a umount here would cost 150 µs.
    pub(super) fn enter_root(&mut self, read_only: bool) {
        if self.is_owned() {
            return self.enter_owned_root(read_only);
        }
        if self.choices.features.detached_layers {
            self.child
                .label("enter root", "/")
                .attach(slots::ROOT, "/r")
                .fchdir(slots::ROOT)
                .pivot_root(".", "proc")
                .chdir("/");
            if self.is_early() || bounding(self.spec).contains(SYS_ADMIN) {
                // Who may unmount proc must not find anything under it.
                self.child.detach("/proc");
            }
            return;
        }
        self.attached_root(read_only);
        self.child
            .label("enter root", "/")
            .chdir("/r")
            .pivot_root(".", "proc")
            .chdir("/")
            // Here the old root holds the layers themselves.
            .detach("/proc");
    }

    /// Makes the root's mount read-only, whatever is on its upper.
    pub(super) fn seal_root(&mut self) {
        self.child.label("make read-only", "/").mount_attributes(
            "/",
            attr::RDONLY,
            false,
            OnError::Fail,
        );
    }

    /// For kernels whose overlay takes paths only: the layers are attached in the lean root, under numbers, and the
    /// overlay is made by mount(2), whose options may be long (4 KiB; a value of fsconfig(2) ends at 256 bytes).
    pub(super) fn attached_root(&mut self, read_only: bool) {
        let b = &mut self.child;
        b.label("root file system", "layers");
        for layer in 0..self.choices.layers.len() {
            b.attach(slots::layer(layer), format!("/{layer}").as_str());
        }
        let mut names: Vec<String> = (0..self.choices.layers.len())
            .rev()
            .map(|n| format!("/{n}"))
            .collect();
        if names.len() == 1 {
            // Overlay without an upper wants two layers: an empty directory is the second.
            names.push("/e".into());
        }
        let mut options = format!("lowerdir={}", names.join(":"));
        if !read_only {
            options.push_str(",upperdir=upper,workdir=work,volatile");
            b.label("root file system", "upper");
            match self.choices.storage {
                // The directory of all uppers is there in every lean namespace.
                Storage::Disk => {
                    let own = b.slot();
                    b.chdir("/u")
                        .open(None, slots::ID, O_PATH_DIRECTORY, own)
                        .fchdir(own)
                        .close(own)
                        .reuse_slots(own)
                }
                Storage::Memory(_) => b.attach(slots::MEMORY, "/u").chdir("/u"),
            };
        }
        if self.is_owned() {
            options.push_str(",userxattr");
        }
        let flags = if read_only { attr::RDONLY } else { 0 };
        let b = &mut self.child;
        b.label("root file system", "overlay").mount(
            "overlay",
            "/r",
            "overlay",
            flags,
            options.as_str(),
            OnError::Fail,
        );
    }
}

/// CAP_SYS_ADMIN (capabilities(7)).
const SYS_ADMIN: u8 = 21;
const O_PATH_DIRECTORY: i32 = 0o10000000 | 0o200000;

/// Makes the directories the container's writes go to. The root directory is the range's: an upper that belonged to
/// the caller would make all copies-up fail.
///
/// `flat` is without a directory around the two, which on disk costs as much as one of them.
pub(super) fn upper(b: &mut Builder, storage: Storage, flat: bool) {
    match storage {
        Storage::Disk => {
            b.label("make upper", "");
            if !flat {
                b.mkdir(slots::UPPERS, slots::ID, 0o700);
            }
            b.mkdir(slots::UPPERS, slots::UPPER, 0o755)
                .mkdir(slots::UPPERS, slots::WORK, 0o700);
            b.chown(slots::UPPERS, slots::UPPER, slots::BASE);
        }
        Storage::Memory(size) => {
            let size = size.to_string();
            b.label("make upper", "tmpfs");
            let options = [
                ("mode", Arg::from("0755")),
                ("size", Arg::from(size.as_str())),
            ];
            b.filesystem("tmpfs", &options, 0, slots::MEMORY);
            b.mkdir(slots::MEMORY, "upper", 0o755)
                .mkdir(slots::MEMORY, "work", 0o700)
                .chown(slots::MEMORY, "upper", slots::BASE);
        }
    }
}
