//! The limits few ask for: huge pages, RDMA, network class and priority, and v2 files by name.

use oci_spec::runtime::LinuxResources;

use super::controller::Controller::{self, Hugetlb, NetCls, NetPrio, Rdma};
use super::error::CgroupError;
use super::limits::{Wish, invalid, unavailable};

pub(super) fn all(wish: &mut Wish<'_>, resources: &LinuxResources) -> Result<(), CgroupError> {
    for page in resources.hugepage_limits().iter().flatten() {
        let (size, limit) = (page.page_size(), page.limit());
        if !size.ends_with('B') || !size.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(invalid(
                "hugepageLimits",
                size,
                "not a page size such as 2MB",
            ));
        }
        if limit < 0 {
            return Err(invalid("hugepageLimits", &limit, "negative"));
        }
        wish.need(Hugetlb, "hugepageLimits", size)?;
        let file = if wish.v2() {
            format!("hugetlb.{size}.max")
        } else {
            format!("hugetlb.{size}.limit_in_bytes")
        };
        wish.write(Hugetlb, &file, &limit);
    }
    for (device, rdma) in resources.rdma().iter().flatten() {
        wish.need(Rdma, "rdma", device)?;
        let part = |name: &str, value: Option<u32>| {
            value.map_or_else(String::new, |value| format!(" {name}={value}"))
        };
        let text = format!(
            "{device}{}{}",
            part("hca_handle", rdma.hca_handles()),
            part("hca_object", rdma.hca_objects())
        );
        wish.write(Rdma, "rdma.max", &text);
    }
    if let Some(network) = resources.network() {
        if let Some(class) = network.class_id().filter(|&class| class != 0) {
            wish.need(NetCls, "network.classID", &class)?;
            wish.write(NetCls, "net_cls.classid", &class);
        }
        for priority in network.priorities().iter().flatten() {
            let text = format!("{} {}", priority.name(), priority.priority());
            wish.need(NetPrio, "network.priorities", &text)?;
            wish.write(NetPrio, "net_prio.ifpriomap", &text);
        }
    }
    unified(wish, resources)
}

fn unified(wish: &mut Wish<'_>, resources: &LinuxResources) -> Result<(), CgroupError> {
    for (file, value) in resources.unified().iter().flatten() {
        if !wish.v2() {
            return Err(unavailable(
                "unified",
                file,
                "these are files of cgroup v2, and this host's controllers are on v1",
            ));
        }
        let known = file.split_once('.').and_then(|(stem, rest)| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'.';
            Controller::ALL
                .into_iter()
                .find(|controller| controller.v2_name() == Some(stem))
                .filter(|_| rest.bytes().all(plain))
        });
        let Some(controller) = known else {
            return Err(invalid(
                "unified",
                file,
                "not the file of a controller, as memory.high is",
            ));
        };
        wish.need(controller, "unified", file)?;
        for line in value.lines() {
            wish.write(controller, file, &line);
        }
    }
    Ok(())
}
