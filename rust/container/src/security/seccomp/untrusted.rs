//! What the preset `untrusted` denies beyond the profile it starts from.

use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompArgBuilder,
    LinuxSeccompOperator, LinuxSyscall,
};

const AF_ALG: u64 = 38;
const SYS_SOCKET: u64 = 1;

/// Deny the kernel's crypto sockets, and with them i386's socketcall(SYS_SOCKET) whole, whose
/// socket family lies in memory where a filter cannot read it.
///
/// moby's profile since v0.3.0 allows socket(2) by family, without AF_ALG and AF_VSOCK, but lets
/// socketcall pass. This works on any profile: rules that allow the two calls without a condition
/// get one that always holds, because a rule without conditions would decide alone, and the
/// strictest of several conditional rules decides. The calls fail with EAFNOSUPPORT, as on a kernel
/// that is built without them.
pub fn deny_for_untrusted(spec: &mut LinuxSeccomp) {
    let default_is_ours = spec.default_action() == LinuxSeccompAction::ScmpActErrno
        && spec.default_errno_ret() == Some(nix::libc::EAFNOSUPPORT as u32);
    // A rule with the default action would be left out as redundant, and then not win.
    let errno = if default_is_ours {
        nix::libc::EACCES
    } else {
        nix::libc::EAFNOSUPPORT
    };
    let mut calls = Vec::new();
    for call in spec.syscalls().iter().flatten() {
        split(call, &mut calls);
    }
    // The family is an int: the kernel looks at the low word only.
    calls.push(denial("socket", errno, condition(0xffff_ffff, AF_ALG)));
    calls.push(denial(
        "socketcall",
        errno,
        condition(0xffff_ffff, SYS_SOCKET),
    ));
    spec.set_syscalls(Some(calls));
}

fn split(call: &LinuxSyscall, out: &mut Vec<LinuxSyscall>) {
    let unconditional = call.args().as_ref().is_none_or(Vec::is_empty);
    let is_ours = |name: &String| name == "socket" || name == "socketcall";
    if !unconditional || !call.names().iter().any(is_ours) {
        out.push(call.clone());
        return;
    }
    let (ours, others) = call.names().iter().cloned().partition(is_ours);
    let mut rest = call.clone();
    rest.set_names(others);
    let mut always = call.clone();
    always.set_names(ours).set_args(Some(vec![condition(0, 0)]));
    out.extend([rest, always]);
}

fn condition(mask: u64, value: u64) -> LinuxSeccompArg {
    LinuxSeccompArgBuilder::default()
        .index(0_usize)
        .op(LinuxSeccompOperator::ScmpCmpMaskedEq)
        .value(mask)
        .value_two(value)
        .build()
        .expect("every field is set")
}

fn denial(name: &str, errno: i32, arg: LinuxSeccompArg) -> LinuxSyscall {
    let mut call = LinuxSyscall::default();
    call.set_names(vec![name.to_owned()])
        .set_action(LinuxSeccompAction::ScmpActErrno)
        .set_errno_ret(Some(errno as u32))
        .set_args(Some(vec![arg]));
    call
}
