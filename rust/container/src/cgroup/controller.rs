//! The controllers, and sets of them.

/// A resource controller, whichever version of cgroups it lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Controller {
    /// Which device nodes may be made and opened; on v2 a BPF program and not a controller.
    Devices,
    /// Memory limits and the out-of-memory killer.
    Memory,
    /// CPU time used; on v2 every group counts it.
    Cpuacct,
    /// How many tasks there may be.
    Pids,
    /// CPU time allowed: quota and weight.
    Cpu,
    /// Which CPUs and memory nodes may be used.
    Cpuset,
    /// Block devices; `blkio` on v1, `io` on v2.
    Io,
    /// Huge pages.
    Hugetlb,
    /// RDMA resources.
    Rdma,
    /// Network class of packets, v1 only.
    NetCls,
    /// Network priority per interface, v1 only.
    NetPrio,
}

impl Controller {
    /// All of them.
    pub const ALL: [Controller; 11] = [
        Controller::Devices,
        Controller::Memory,
        Controller::Cpuacct,
        Controller::Pids,
        Controller::Cpu,
        Controller::Cpuset,
        Controller::Io,
        Controller::Hugetlb,
        Controller::Rdma,
        Controller::NetCls,
        Controller::NetPrio,
    ];

    /// Those every container gets, limits or not: to confine devices, to count, and to find its processes.
    pub const DEFAULTS: [Controller; 4] = [
        Controller::Devices,
        Controller::Memory,
        Controller::Cpuacct,
        Controller::Pids,
    ];

    /// Its name in `/proc/self/mountinfo` and `/proc/self/cgroup` on v1.
    #[must_use]
    pub fn v1_name(self) -> &'static str {
        match self {
            Controller::Devices => "devices",
            Controller::Memory => "memory",
            Controller::Cpuacct => "cpuacct",
            Controller::Pids => "pids",
            Controller::Cpu => "cpu",
            Controller::Cpuset => "cpuset",
            Controller::Io => "blkio",
            Controller::Hugetlb => "hugetlb",
            Controller::Rdma => "rdma",
            Controller::NetCls => "net_cls",
            Controller::NetPrio => "net_prio",
        }
    }

    /// Its name in `cgroup.controllers` on v2; None for what is no controller there.
    #[must_use]
    pub fn v2_name(self) -> Option<&'static str> {
        match self {
            Controller::Io => Some("io"),
            Controller::Devices
            | Controller::Cpuacct
            | Controller::NetCls
            | Controller::NetPrio => None,
            _ => Some(self.v1_name()),
        }
    }
}

/// A set of controllers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Controllers(u16);

impl Controllers {
    pub(super) fn of(list: &[Controller]) -> Controllers {
        let mut set = Controllers::default();
        for &controller in list {
            set.insert(controller);
        }
        set
    }

    pub(super) fn insert(&mut self, controller: Controller) {
        self.0 |= 1 << controller as u16;
    }

    pub(super) fn contains(self, controller: Controller) -> bool {
        self.0 & (1 << controller as u16) != 0
    }

    pub(super) fn meets(self, other: Controllers) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn without(self, other: Controllers) -> Controllers {
        Controllers(self.0 & !other.0)
    }

    pub(super) fn and(self, other: Controllers) -> Controllers {
        Controllers(self.0 & other.0)
    }

    pub(super) fn or(self, other: Controllers) -> Controllers {
        Controllers(self.0 | other.0)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn bits(self) -> u16 {
        self.0
    }

    pub(super) fn from_bits(bits: u16) -> Controllers {
        Controllers(bits)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = Controller> {
        Controller::ALL
            .into_iter()
            .filter(move |&controller| self.contains(controller))
    }

    /// The controllers that a v2 file such as `cgroup.controllers` lists.
    pub(super) fn from_v2_list(text: &str) -> Controllers {
        let mut set = Controllers::default();
        for name in text.split_whitespace() {
            for controller in Controller::ALL {
                if controller.v2_name() == Some(name) {
                    set.insert(controller);
                }
            }
        }
        set
    }

    /// What `cgroup.subtree_control` takes to enable these: `+memory +pids`.
    pub(super) fn enable_text(self) -> String {
        let mut text = String::new();
        for name in self.iter().filter_map(Controller::v2_name) {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push('+');
            text.push_str(name);
        }
        text
    }
}
