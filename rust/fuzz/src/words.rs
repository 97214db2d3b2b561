//! Any text that people write: image names, changes to a config, options of run.

use std::sync::LazyLock;

use fastbox_engine::compose::{ImageView, etc};
use fastbox_engine::image::{Config, Reference, change};
use fastbox_engine::options::{TABLE, parse_run};

use crate::config;
use crate::confined::Confined;
use crate::random::Random;

static CONFINED: LazyLock<Confined> = LazyLock::new(|| Confined::start("words"));

/// Reads each line as a name, all lines as changes, and all as the arguments of run.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    for line in text.lines() {
        name(line);
    }
    let mut image = Config::default();
    if change::apply(&mut image, &[&text]).is_ok() {
        config::round_trip(&image);
    }
    // Options may name files, so there are none of the machine's.
    CONFINED.run(move |world| {
        options(&text.lines().collect::<Vec<_>>(), &image);
        world.check_outside();
    });
}

/// A name's two forms mean the same name.
fn name(line: &str) {
    if let Ok(name) = Reference::parse(line) {
        for form in [name.to_string(), name.short()] {
            let again = Reference::parse(&form);
            assert_eq!(again.expect("a name's form is a name"), name);
        }
    }
}

fn options(words: &[&str], image: &Config) {
    let lookup = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    match parse_run(words, &lookup) {
        Ok(run) => {
            let view = ImageView {
                config: Some(&image.oci),
                healthcheck: None,
                mounts: &[],
                etc_files: &etc::FILES,
                read: &|_| None,
            };
            config::plan(&run.options, &run.command, &view);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

const VALUES: [&str; 72] = [
    "0",
    "-1",
    "1",
    "1.5",
    "512m",
    "18446744073709551615",
    "1e9",
    "10gb",
    "true",
    "false",
    "maybe",
    "host",
    "none",
    "private",
    "shareable",
    "container:x",
    "ALL",
    "SYS_ADMIN",
    "cap_net_raw",
    "a=b",
    "A",
    "=",
    "HOME",
    "/a:/b",
    "/a:/b:ro",
    "/a:/b:ro,z",
    "vol:/b",
    "./x:/y",
    "/b",
    "type=bind,source=/a,target=/b,readonly",
    "type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=1777",
    "type=image,src=debian,dst=/i",
    "type=volume,dst=/v",
    "/t:size=64k,mode=755",
    "nofile=100:200",
    "core=-1",
    "net.ipv4.ip_forward=1",
    "kernel.shm_rmid_forced=1",
    "/dev/null:/dev/x:rwm",
    "c 1:3 rwm",
    "/dev/sda:1mb",
    "/dev/sda:100",
    "0-3,7",
    "seccomp=unconfined",
    "seccomp=/x.json",
    "apparmor=p",
    "label=disable",
    "no-new-privileges",
    "systempaths=unconfined",
    "mask=/x:/y",
    "size=1g",
    "8.8.8.8",
    "::1",
    "x:10.0.0.1",
    "ndots:2",
    "example.org",
    "SIGTERM",
    "RTMIN+1",
    "10s",
    "1h30m",
    "/a/b",
    "a/../b",
    "1000:1000",
    "root:adm",
    "linux/amd64",
    "missing",
    "--",
    "-",
    "-it",
    "-e",
    "debian",
    "localhost:5000/a/b:tag",
];

const CHANGES: [&str; 26] = [
    "CMD [\"a\", \"b\"]",
    "CMD a $B \"c d\"",
    "ENTRYPOINT [\"x\"]",
    "ENTRYPOINT x",
    "ENV A=b C=\"d e\" F=$A",
    "ENV A b c",
    "ENV X=${A:-b}",
    "ENV Y=${A:+c}",
    "ENV P=${A#b}",
    "EXPOSE 80 443/tcp 1000-1002/udp",
    "LABEL a=b \"c d\"='e f'",
    "VOLUME [\"/a\", \"/b\"]",
    "VOLUME /a /b",
    "WORKDIR /a",
    "WORKDIR b/../c",
    "USER www:adm",
    "STOPSIGNAL SIGKILL",
    "HEALTHCHECK --interval=5s --retries=3 CMD x",
    "HEALTHCHECK NONE",
    "ONBUILD RUN x",
    "# comment",
    "ENV A=\\",
    "b",
    "RUN x",
    "MAINTAINER me",
    "SHELL [\"a\"]",
];

/// Changes, removes or adds a line.
pub fn mutate(data: &[u8], random: &mut Random) -> Vec<u8> {
    let text = String::from_utf8_lossy(data).into_owned();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=random.below(3) {
        let at = random.below(lines.len() + 1);
        match random.below(8) {
            0 if at < lines.len() => {
                lines.remove(at);
            }
            1 if at < lines.len() => lines[at] = random.pick(&VALUES).to_owned(),
            2 => lines.insert(at, random.pick(&CHANGES).to_owned()),
            3 => lines.insert(at, random.pick(&VALUES).to_owned()),
            _ => lines.insert(0, flag(random)),
        }
    }
    lines.join("\n").into_bytes()
}

fn flag(random: &mut Random) -> String {
    let row = &TABLE[random.below(TABLE.len())];
    let value = random.pick(&VALUES);
    match (row.short, random.below(6)) {
        (Some(letter), 0) => format!("-{letter}{value}"),
        (_, 1) => format!("--{}", row.flag),
        (_, 2) => format!("--{}\n{value}", row.flag),
        _ => format!("--{}={value}", row.flag),
    }
}
