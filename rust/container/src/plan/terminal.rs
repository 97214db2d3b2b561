//! The container's terminal: one of its own devpts, so that its name and /dev/console mean something inside.
//!
//! Whoever mounts the devpts opens it, which is the child, whosever the user namespace is; our side leaves by a
//! socket before anything of the image runs.

use super::Compiler;
use crate::error::PlanError;
use crate::slots;
use fastbox_sys::builder::Slot;
use oci_spec::runtime::Spec;

const O_RDWR_NOCTTY: i32 = 0o2 | 0o400;

/// The directory whose devpts a terminal is made in.
pub(super) const PTS: &str = "/dev/pts";
const CONSOLE: &str = "/dev/console";

/// Whether the document asks for a terminal.
pub(super) fn wanted(spec: &Spec) -> bool {
    let process = spec.process().as_ref();
    process
        .and_then(|process| process.terminal())
        .unwrap_or(false)
}

impl Compiler<'_> {
    /// Makes the terminal in a devpts just attached, the process's own, and sends our side of it away.
    pub(super) fn terminal(&mut self, devpts: Slot) {
        let process = self.spec.process().as_ref();
        let size = process.and_then(|process| process.console_size());
        let b = &mut self.child;
        let (master, console, at) = (b.slot(), b.slot(), b.slot());
        b.label("open terminal", "ptmx")
            .open(Some(devpts), "ptmx", O_RDWR_NOCTTY, master)
            .open_slave(master, slots::TERMINAL)
            .chown_fd_to(slots::TERMINAL, slots::TERMINAL_OWNER);
        if let Some(size) = size {
            let short = |length| u16::try_from(length).unwrap_or(u16::MAX);
            b.terminal_size(slots::TERMINAL, short(size.height()), short(size.width()));
        }
        b.label("mount", CONSOLE)
            .clone_mount(Some(slots::TERMINAL), "", false, console)
            .open_target(CONSOLE, at)
            .attach_at(console, at)
            .close(at)
            .close(console);
        b.label("hand out", "terminal")
            .send_fd(slots::TERMINAL_SOCKET, master)
            .close(master);
        b.label("take", "terminal")
            .controlling_terminal(slots::TERMINAL)
            .reuse_slots(master);
        self.has_terminal = true;
    }

    /// A document that asks for a terminal without a devpts to make it in cannot be carried out.
    pub(super) fn only_made_terminal(&self) -> Result<(), PlanError> {
        if wanted(self.spec) && !self.has_terminal {
            return Err(PlanError::Unsupported {
                field: "process.terminal".into(),
                reason: "a terminal is made in the devpts on /dev/pts, and something else is mounted there",
            });
        }
        Ok(())
    }

    /// What becomes stdin, stdout and stderr.
    pub(super) fn stdio(&self) -> [Slot; 3] {
        if self.has_terminal {
            [slots::TERMINAL; 3]
        } else {
            slots::STDIO
        }
    }
}
