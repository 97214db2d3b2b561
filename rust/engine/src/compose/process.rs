//! `process`: what runs, as whom, with which rights.

use std::path::PathBuf;

use fastbox_container::security::caps::CapSet;
use oci_spec::runtime::{
    Box, BoxBuilder, Capabilities, LinuxCapabilities, PosixRlimit, PosixRlimitBuilder,
    PosixRlimitType, Process, User,
};

use super::passwd::Identity;
use super::{Host, ImageView, SpecError, environment};
use crate::options::{Checked, Entrypoint, clean_path};

/// Open files: a soft limit that programs with select(2) and those that close all can bear, a hard
/// one for servers; both at most the caller's own hard limit.
const OPEN_FILES: (u64, u64) = (1024, 524_288);

/// `user[:group]`: the option's, else the image's, else empty.
pub(super) fn user<'a>(options: &'a Checked, image: &ImageView<'a>) -> &'a str {
    let given = options
        .user
        .as_ref()
        .map(|user| user.0.as_str())
        .filter(|user| !user.is_empty());
    given
        .or_else(|| image.config?.user().as_deref())
        .unwrap_or("")
}

pub(super) fn process(
    options: &Checked,
    command: &[String],
    image: &ImageView,
    identity: &Identity,
    caps: &CapSet,
    hostname: Option<&str>,
    host: &Host,
) -> Result<Process, SpecError> {
    let image_env = image
        .config
        .and_then(|config| config.env().as_deref())
        .unwrap_or(&[]);
    without_zero(image_env, "environment")?;
    let mut user = User::default();
    user.set_uid(identity.uid).set_gid(identity.gid);
    // The primary group is in the list, as in Docker: leaving it out would let setgid programs drop it.
    let mut groups = vec![identity.gid];
    groups.extend(identity.groups.iter().filter(|gid| **gid != identity.gid));
    user.set_additional_gids(Some(groups));

    let mut process = Process::default();
    process
        .set_terminal(Some(options.tty))
        .set_console_size(host.terminal.filter(|_| options.tty).map(size))
        .set_args(Some(args(options, command, image)?))
        .set_env(Some(environment::environment(
            image_env,
            &options.env,
            hostname,
            options.tty,
            &identity.home,
        )))
        .set_cwd(workdir(options, image)?)
        .set_capabilities(Some(capabilities(caps, identity.uid)))
        .set_rlimits(Some(rlimits(options, host)))
        .set_oom_score_adj(options.oom_score_adj.and_then(|n| i32::try_from(n.0).ok()))
        .set_no_new_privileges(Some(options.no_new_privileges()))
        .set_apparmor_profile(options.apparmor().map(str::to_owned))
        .set_user(user);
    Ok(process)
}

fn size((rows, columns): (u16, u16)) -> Box {
    let size = BoxBuilder::default().height(rows).width(columns).build();
    size.expect("every field is set")
}

/// The entrypoint, then the command given or else the image's. An entrypoint that is given stands for the image's
/// command as well.
fn args(
    options: &Checked,
    command: &[String],
    image: &ImageView,
) -> Result<Vec<String>, SpecError> {
    let part = |list: &'_ Option<Vec<String>>| list.clone().unwrap_or_default();
    let (mut args, default) = match (&options.entrypoint, image.config) {
        (Some(Entrypoint(program)), _) if program.is_empty() => (Vec::new(), Vec::new()),
        (Some(Entrypoint(program)), _) => (vec![program.clone()], Vec::new()),
        (None, Some(config)) => (part(config.entrypoint()), part(config.cmd())),
        (None, None) => (Vec::new(), Vec::new()),
    };
    without_zero(&args, "entrypoint")?;
    without_zero(&default, "command")?;
    args.extend(if command.is_empty() {
        default
    } else {
        command.to_vec()
    });
    match args.first() {
        None => Err(SpecError::NoCommand),
        Some(_) => Ok(args),
    }
}

fn workdir(options: &Checked, image: &ImageView) -> Result<PathBuf, SpecError> {
    if let Some(given) = &options.workdir {
        return Ok(PathBuf::from(clean_path(&given.0)));
    }
    match image
        .config
        .and_then(|config| config.working_dir().as_deref())
    {
        None | Some("") => Ok(PathBuf::from("/")),
        Some(directory) if directory.contains('\0') => Err(SpecError::ImageZeroByte {
            field: "working directory",
        }),
        Some(directory) if directory.starts_with('/') => Ok(PathBuf::from(clean_path(directory))),
        Some(directory) => Err(SpecError::ImageWorkdir {
            directory: directory.to_owned(),
        }),
    }
}

/// Root holds what the bounding set allows; others hold nothing and can gain it by setuid programs
/// and file capabilities only. Inheritable and ambient are empty, as in Docker.
fn capabilities(caps: &CapSet, uid: u32) -> LinuxCapabilities {
    let bounding = caps.to_oci();
    let held = if uid == 0 {
        bounding.clone()
    } else {
        Capabilities::new()
    };
    let mut sets = LinuxCapabilities::default();
    sets.set_effective(Some(held.clone()))
        .set_permitted(Some(held))
        .set_bounding(Some(bounding))
        .set_inheritable(Some(Capabilities::new()))
        .set_ambient(Some(Capabilities::new()));
    sets
}

fn rlimits(options: &Checked, host: &Host) -> Vec<PosixRlimit> {
    let limit = |kind, soft, hard| {
        let limit = PosixRlimitBuilder::default()
            .typ(kind)
            .soft(soft)
            .hard(hard)
            .build();
        limit.expect("every field is set")
    };
    let (soft, hard) = OPEN_FILES;
    let files = limit(
        PosixRlimitType::RlimitNofile,
        soft.min(host.open_files),
        hard.min(host.open_files),
    );
    let mut limits = vec![files];
    if options.untrusted() {
        // The host's core_pattern would otherwise be handed the memory of a program nobody read.
        limits.push(limit(PosixRlimitType::RlimitCore, 0, 0));
    }
    for ulimit in &options.ulimits {
        let kind = kind(ulimit.name);
        limits.retain(|other| other.typ() != kind);
        limits.push(limit(kind, ulimit.soft, ulimit.hard));
    }
    limits
}

/// The document's word for a limit that options name.
fn kind(name: &str) -> PosixRlimitType {
    use PosixRlimitType::*;
    match name {
        "core" => RlimitCore,
        "cpu" => RlimitCpu,
        "data" => RlimitData,
        "fsize" => RlimitFsize,
        "locks" => RlimitLocks,
        "memlock" => RlimitMemlock,
        "msgqueue" => RlimitMsgqueue,
        "nice" => RlimitNice,
        "nproc" => RlimitNproc,
        "rss" => RlimitRss,
        "rtprio" => RlimitRtprio,
        "rttime" => RlimitRttime,
        "sigpending" => RlimitSigpending,
        "stack" => RlimitStack,
        _ => RlimitNofile,
    }
}

fn without_zero(list: &[String], field: &'static str) -> Result<(), SpecError> {
    match list.iter().any(|text| text.contains('\0')) {
        true => Err(SpecError::ImageZeroByte { field }),
        false => Ok(()),
    }
}
