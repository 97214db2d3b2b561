//! Any image config: it composes with the default options and compiles, or is refused.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::LazyLock;

use fastbox_engine::compose::{Host, ImageView, compose, etc};
use fastbox_engine::container::cgroup::{Driver, Parent};
use fastbox_engine::container::features::Features;
use fastbox_engine::container::plan::{Choices, Plan, Storage, Userns};
use fastbox_engine::container::security::caps::CapSet;
use fastbox_engine::image::Config;
use fastbox_engine::options::{Checked, parse_run};
use oci_spec::image::ImageConfiguration;
use oci_spec::runtime::Spec;
use serde_json::Value;

use crate::json;
use crate::random::Random;

static DRIVER: LazyLock<Driver> = LazyLock::new(Driver::probe);

static DEFAULTS: LazyLock<Checked> = LazyLock::new(|| {
    let run = parse_run(&["image"], &|_| None);
    run.expect("no options are options").options
});

/// The parts of an input: the config document, /etc/passwd and /etc/group, with zero bytes between.
const PARTS: usize = 3;

/// Reads the document as the store does, and makes a container's plan of it, as far as that goes
/// without making the container.
pub fn run(data: &[u8]) {
    let mut parts = data.splitn(PARTS, |byte| *byte == 0);
    let document = parts.next().unwrap_or_default();
    let files = [
        ("/etc/passwd", parts.next().unwrap_or_default()),
        ("/etc/group", parts.next().unwrap_or_default()),
    ];
    let value: Value = serde_json::from_slice(document).unwrap_or_default();
    let config = serde_json::from_value(value["config"].clone());
    config.iter().for_each(round_trip);
    let Ok(image) = serde_json::from_slice::<ImageConfiguration>(document) else {
        return;
    };
    let read = |path: &str| {
        let file = files.iter().find(|(name, _)| *name == path)?;
        Some(file.1.to_vec())
    };
    let view = ImageView {
        config: image.config().as_ref(),
        healthcheck: value["config"]["Healthcheck"].as_object(),
        mounts: &[],
        etc_files: &etc::FILES,
        read: &read,
    };
    plan(&DEFAULTS, &[], &view);
}

/// Composes and compiles.
///
/// # Panics
/// Where what is composed is no document that could be carried out.
pub fn plan(options: &Checked, command: &[String], view: &ImageView) {
    let nothing = |_: &Path| Err(ErrorKind::NotFound.into());
    let Ok(spec) = compose(options, command, view, &host(), &nothing) else {
        return;
    };
    check(&spec);
    for userns in [Userns::Late, Userns::Host, Userns::Owned { ids: 1 }] {
        let choices = Choices {
            layers: vec!["/layer".into()],
            init: false,
            userns,
            storage: Storage::Memory(1 << 20),
            foreign: Vec::new(),
            features: Features {
                detached_layers: true,
                idmapped_tmpfs: true,
                idmapped_layers: true,
                tmpfs_attributes: true,
            },
            cgroup_parent: Parent::default(),
        };
        // A refusal is an answer; only a panic is none.
        let _ = Plan::compile(&spec, &choices, &DRIVER, None);
    }
}

fn check(spec: &Spec) {
    let process = spec.process().as_ref().expect("there is a process");
    let args = process.args().as_deref().unwrap_or_default();
    assert!(!args.is_empty(), "nothing to run");
    assert!(process.cwd().is_absolute(), "{:?}", process.cwd());
    for mount in spec.mounts().iter().flatten() {
        let target = mount.destination();
        assert!(target.is_absolute(), "{target:?}");
        assert!(
            target.components().all(|step| step.as_os_str() != ".."),
            "{target:?}"
        );
    }
    let text = serde_json::to_string(spec).expect("a document can be written");
    serde_json::from_str::<Spec>(&text).expect("and read again");
}

/// A config is the same when it was written and read again. (As values: some lists of oci-spec's
/// have no order.)
pub fn round_trip(config: &Config) {
    let written = serde_json::to_value(config).expect("a config can be written");
    let again: Config = serde_json::from_value(written.clone()).expect("and read again");
    assert_eq!(serde_json::to_value(again).ok(), Some(written));
}

fn host() -> Host {
    Host {
        hostname: "machine".into(),
        directory: "/home/me".into(),
        terminal: Some((40, 132)),
        cpus: 4,
        processors: 2,
        swap_limit: true,
        open_files: 1 << 20,
        capabilities: CapSet::ALL,
        kernel: (6, 18),
        apparmor: false,
        devices: Vec::new(),
        device_rules: Vec::new(),
        block_devices: Vec::new(),
    }
}

/// Words of image configs.
const WORDS: [&str; 52] = [
    "architecture",
    "os",
    "variant",
    "created",
    "config",
    "rootfs",
    "history",
    "diff_ids",
    "type",
    "layers",
    "empty_layer",
    "User",
    "ExposedPorts",
    "Env",
    "Entrypoint",
    "Cmd",
    "Volumes",
    "WorkingDir",
    "Labels",
    "StopSignal",
    "Healthcheck",
    "Test",
    "Interval",
    "Retries",
    "OnBuild",
    "Shell",
    "ArgsEscaped",
    "Hostname",
    "amd64",
    "linux",
    "root",
    "www",
    "www:adm",
    "1000:1000",
    "0",
    "4294967295",
    "-1",
    "PATH=/bin",
    "HOME",
    "=x",
    "/bin/sh",
    "/work/dir",
    "relative/dir",
    "/data",
    "/proc/x",
    "/etc/hostname",
    "8080/tcp",
    "53/udp",
    "SIGTERM",
    "RTMIN+3",
    "15",
    "2024-01-02T03:04:05Z",
];

/// Changes a few values of the document, or a line of a file.
pub fn mutate(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut parts: Vec<Vec<u8>> = data
        .splitn(PARTS, |byte| *byte == 0)
        .map(<[u8]>::to_vec)
        .collect();
    match random.below(6) {
        0 if parts.len() > 1 => {
            let at = 1 + random.below(parts.len() - 1);
            parts[at] = line(&parts[at], random);
        }
        _ => {
            let document = json::mutate(&parts[0], &WORDS, random);
            parts[0] = document.unwrap_or_else(|| {
                br#"{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}"#.to_vec()
            });
        }
    }
    parts.join(&0)
}

fn line(file: &[u8], random: &mut Random) -> Vec<u8> {
    let mut lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    let new = random.pick(&[
        "root:x:0:0:root:/root:/bin/sh",
        "www:x:33:33:web:/var/www:/bin/false",
        "bad:x:-1:5::/bad:",
        "www:x:4294967295:4294967296::relative:",
        "adm:x:4:ann,www",
        "1000:x:7:7::/seven:",
        "+",
        ":::::::",
        "# comment",
    ]);
    let at = random.below(lines.len() + 1);
    if at < lines.len() && random.below(2) == 0 {
        lines[at] = new.as_bytes();
    } else {
        lines.insert(at, new.as_bytes());
    }
    lines.join(&b'\n')
}
