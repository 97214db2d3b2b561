//! Which process an owner is, and whether it lives: pid and start time, in one boot and one set of namespaces.
use std::fs;
use std::os::fd::OwnedFd;

use fastbox_sys::pidfd;
use nix::errno::Errno;
use nix::poll::PollTimeout;

/// Clock ticks in a second, as /proc counts them (USER_HZ), on every architecture we run on.
pub(super) const TICKS_PER_SECOND: u64 = 100;

/// A process as written into its owner's directory: `<pid> <start> <boot> <pid ns> <time ns>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub pid: i32,
    /// Start time in clock ticks since boot.
    pub start: u64,
    pub boot: String,
    /// The namespaces in which pid and start mean this, as their links in /proc read.
    pub view: String,
}

/// What is known of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    Alive,
    /// It has ended, all threads of it.
    Dead,
    /// It lives in another pid or time namespace of this boot: it cannot be judged from here, and is left alone.
    Elsewhere,
}

impl Identity {
    pub fn current() -> Identity {
        let pid = std::process::id() as i32;
        Identity {
            pid,
            start: start_of(pid).unwrap_or(0),
            boot: boot_id(),
            view: view(),
        }
    }

    pub fn parse(text: &str) -> Option<Identity> {
        let mut words = text.strip_suffix('\n')?.splitn(4, ' ');
        Some(Identity {
            pid: words.next()?.parse().ok().filter(|pid| *pid > 0)?,
            start: words.next()?.parse().ok()?,
            boot: words.next()?.to_owned(),
            view: words.next()?.to_owned(),
        })
    }

    pub fn to_line(&self) -> String {
        format!("{} {} {} {}\n", self.pid, self.start, self.boot, self.view)
    }

    pub fn life(&self, here: &Identity) -> Life {
        if self.boot != here.boot {
            Life::Dead
        } else if self.view != here.view {
            Life::Elsewhere
        } else {
            match self.open() {
                Ok(_) => Life::Alive,
                Err(Errno::ESRCH) => Life::Dead,
                // Out of descriptors, say: nothing is known, so nothing is touched.
                Err(_) => Life::Elsewhere,
            }
        }
    }

    /// The process, if it runs: opened first and compared after, so that the descriptor is this one's.
    pub fn open(&self) -> Result<OwnedFd, Errno> {
        let process = pidfd::open(self.pid).map_err(|errno| match errno {
            // Not the leader of a thread group (any more): the number went to a thread.
            Errno::EINVAL | Errno::ENOENT => Errno::ESRCH,
            errno => errno,
        })?;
        // A start that cannot be read says nothing; the descriptor then tells whether anyone is there.
        if start_of(self.pid).is_some_and(|start| start != self.start)
            || pidfd::wait_end(&process, PollTimeout::ZERO)?
        {
            return Err(Errno::ESRCH);
        }
        Ok(process)
    }
}

/// A process's start time in clock ticks since boot: field 22 of proc_pid_stat(5), the 20th after the name,
/// which is in parentheses and may hold anything.
pub(super) fn start_of(pid: i32) -> Option<u64> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let after = stat.iter().rposition(|byte| *byte == b')')? + 1;
    let fields = str::from_utf8(&stat[after..]).ok()?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

fn boot_id() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let id = id.trim_end();
    // Without /proc/sys all boots look the same, as they do to everyone who sees only pid and start.
    if id.len() == 36 {
        id.to_owned()
    } else {
        "-".repeat(36)
    }
}

fn view() -> String {
    let link = |name: &str| {
        fs::read_link(format!("/proc/self/ns/{name}"))
            .map_or_else(|_| "-".to_owned(), |link| link.display().to_string())
    };
    format!("{} {}", link("pid"), link("time"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_only_it() {
        let here = Identity::current();
        assert_eq!(Identity::parse(&here.to_line()).unwrap(), here);
        assert_eq!(here.life(&here), Life::Alive);
        let mut other = here.clone();
        other.start += 1;
        assert_eq!(other.life(&here), Life::Dead);
        other.view = "pid:[1] time:[1]".to_owned();
        assert_eq!(other.life(&here), Life::Elsewhere);
        other.boot = "x".repeat(36);
        assert_eq!(other.life(&here), Life::Dead);
    }

    #[test]
    fn damaged_lines_are_nobody() {
        for text in [
            "",
            "\n",
            "1 2\n",
            "0 1 b v\n",
            "-3 1 b v\n",
            "1 2 b v",
            "x 1 b v\n",
        ] {
            assert_eq!(Identity::parse(text), None, "{text:?}");
        }
    }
}
