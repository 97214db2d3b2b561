//! Facts of composed documents, and every refusal.

mod machine;
mod metadata;
mod process;
mod resources;
mod surroundings;

use std::path::Path;

use super::*;
use crate::options::parse_run;

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n+\nbroken\nbad:x:-1:5::/bad:\n\
    # comment\nwww:x:33:33:web:/var/www:/bin/false\nann:x:1000:1001::/home/ann:\n1000:x:7:7::/seven:\nhomeless:x:9:9\n";
const GROUP: &str =
    "root:x:0:\nadm:x:4:ann, www\nwww:x:33:\nann:x:1001:ann\naudio:x:29:www,ann\nbad:x:no:ann\n";

fn host() -> Host {
    Host {
        hostname: "machine".into(),
        directory: "/home/me".into(),
        terminal: Some((40, 132)),
        cpus: 4,
        processors: 2,
        swap_limit: true,
        open_files: 1 << 20,
        capabilities: CapSet::ALL.difference(CapSet::EMPTY.with(24)),
        kernel: (6, 18),
        apparmor: false,
        devices: Vec::new(),
        device_rules: Vec::new(),
        block_devices: vec![("/dev/sda".into(), (8, 0)), ("/dev/sdb".into(), (8, 16))],
    }
}

/// Composes `fastbox run LINE` for an image with this config (JSON).
fn try_compose(config: &str, line: &[&str]) -> Result<Spec, SpecError> {
    let text = config;
    let config: Config = serde_json::from_str(text).unwrap();
    let mut whole: Value = serde_json::from_str(text).unwrap();
    let check = match whole["Healthcheck"].take() {
        Value::Object(check) => check,
        _ => Map::new(),
    };
    let run = parse_run(line, &|_| None).unwrap();
    let read = |path: &str| match path {
        "/etc/passwd" => Some(PASSWD.into()),
        "/etc/group" => Some(GROUP.into()),
        _ => None,
    };
    let read_host = |path: &Path| match path.to_str() {
        Some("/home/me/good.json") => Ok(br#"{"defaultAction": "SCMP_ACT_ALLOW"}"#.to_vec()),
        Some("/home/me/bad.json") => Ok(b"{}".to_vec()),
        Some("/home/me/binary") => Ok(b"\xff".to_vec()),
        _ => Err(io::ErrorKind::NotFound.into()),
    };
    let image = ImageView {
        config: Some(&config),
        healthcheck: Some(&check).filter(|check| !check.is_empty()),
        mounts: &[],
        etc_files: &etc::FILES,
        read: &read,
    };
    compose(&run.options, &run.command, &image, &host(), &read_host)
}

fn spec(config: &str, line: &[&str]) -> Spec {
    try_compose(config, line).unwrap_or_else(|error| panic!("{line:?}: {error}"))
}

fn error(config: &str, line: &[&str]) -> String {
    try_compose(config, line)
        .expect_err("must be refused")
        .to_string()
}

fn process(spec: &Spec) -> &oci_spec::runtime::Process {
    spec.process().as_ref().unwrap()
}

fn linux(spec: &Spec) -> &oci_spec::runtime::Linux {
    spec.linux().as_ref().unwrap()
}

/// `destination type source options` of every mount.
fn mount_lines(spec: &Spec) -> Vec<String> {
    let line = |mount: &Mount| {
        let source = mount.source().as_ref().unwrap().display().to_string();
        let options = mount.options().as_ref().unwrap().join(",");
        format!(
            "{} {} {source} {options}",
            mount.destination().display(),
            mount.typ().as_ref().unwrap()
        )
    };
    spec.mounts().as_ref().unwrap().iter().map(line).collect()
}

fn annotation<'a>(spec: &'a Spec, key: &str) -> Option<&'a str> {
    spec.annotations().as_ref()?.get(key).map(String::as_str)
}
