//! Kernels that lack something.

use crate::support::{IMAGE, Place, done, kernel, piped};
use crate::without;
use fastbox_engine::run::{EngineError, Input};
use std::fs;

const OLD: &str = "detached_layers,idmapped_tmpfs";

/// Layers that are attached are used up by each container: a plan must start many.
#[test]
fn a_plan_of_attached_layers_starts_many() {
    let Some(place) = without(OLD) else { return };
    let script =
        "echo $0 > /written && cat /written && ls -ld /bin/busybox && cat /proc/self/uid_map";
    let prepared = place.prepare(&[IMAGE, "sh", "-c", script]).unwrap();
    let mut last = String::new();
    std::thread::scope(|scope| {
        let four: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let run = |_| {
                        let started = prepared.start(piped(Input::Null)).unwrap();
                        done(started, &prepared, None).unwrap()
                    };
                    (0..5).fold(None, |_, n| Some(run(n))).unwrap()
                })
            })
            .collect();
        for one in four {
            let done = one.join().unwrap();
            assert_eq!(done.code, 0, "{done:?}");
            last = done.out;
        }
    });
    assert!(last.starts_with("sh\n"), "{last}");
    assert!(last.contains("root     root"), "{last}");
    let inside = last.lines().last().unwrap();
    let outside: u32 = inside.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(outside > 65_536, "{inside}");
}

#[test]
fn the_host_cannot_be_reached_from_attached_layers() {
    let Some(place) = without(OLD) else { return };
    let mounts = place.sh(&[], "cat /proc/self/mountinfo");
    let points: Vec<&str> = mounts
        .lines()
        .map(|l| l.split(' ').nth(4).unwrap())
        .collect();
    assert_eq!(
        points.iter().filter(|point| **point == "/").count(),
        1,
        "{mounts}"
    );
    assert_eq!(
        points.iter().filter(|point| **point == "/proc").count(),
        1,
        "{mounts}"
    );
    assert!(!mounts.contains(" ext4 "), "{mounts}");
}

#[test]
fn attached_layers_under_memory_and_under_nothing() {
    let Some(place) = without(OLD) else { return };
    let size = ["--storage-opt", "size=8m"];
    let written = place.run(
        &size,
        &[
            "sh",
            "-c",
            "dd if=/dev/zero of=/big bs=1M count=20; stat -f -c %T /",
        ],
    );
    assert!(written.err.contains("No space left"), "{written:?}");
    let refused = place.run(&["--read-only"], &["sh", "-c", "echo x > /x"]);
    assert!(refused.err.contains("Read-only file system"), "{refused:?}");
    for options in [&size[..], &["--read-only"]] {
        assert_eq!(place.sh(options, "cat /etc/hostname | wc -l; true"), "1");
    }
}

/// Overlay's options then go by mount(2), as one string.
#[test]
fn many_layers() {
    for names in ["", OLD] {
        let Some(place) = without(names) else { return };
        let count = 120;
        stack(&place, count);
        let script = "ls /layers | wc -l; cat /layers/0 /layers/119 /which";
        let all = place.sh(&[], script);
        assert_eq!(all, "120\nlayer 0\nlayer 119\nlayer 119", "{names}");
        assert_eq!(place.sh(&["--read-only"], script), all, "{names}");
        assert_eq!(
            place.sh(&["--storage-opt", "size=8m"], script),
            all,
            "{names}"
        );
    }
}

/// Puts so many layers above those of the image, in the store's own words.
fn stack(place: &Place, count: usize) {
    let refs = place.paths.root().join("refs");
    let path = fs::read_dir(refs).unwrap().next().unwrap().unwrap().path();
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for layer in 0..count {
        let hex = format!("{layer:064x}");
        let dir = place.paths.root().join("layers").join(&hex);
        fs::create_dir_all(dir.join("layers")).unwrap();
        for file in [format!("layers/{layer}"), "which".to_owned()] {
            fs::write(dir.join(file), format!("layer {layer}\n")).unwrap();
        }
        let layers = record["layers"].as_array_mut().unwrap();
        layers.push(format!("sha256:{hex}").into());
    }
    fs::write(&path, serde_json::to_vec(&record).unwrap()).unwrap();
}

/// Below 5.19 layers cannot be id-mapped: containers start as Docker's do, and say so.
#[test]
fn without_id_maps_it_starts_with_the_callers_ids() {
    let Some(place) = without("idmapped_layers") else {
        return;
    };
    let prepared = place
        .prepare(&[IMAGE, "sh", "-c", "cat /proc/self/uid_map; id -u"])
        .unwrap();
    let notes = prepared.notes().join("\n");
    assert!(notes.contains("no user namespace of its own"), "{notes}");
    assert!(notes.contains("root inside is root outside"), "{notes}");
    let done = done(prepared.start(piped(Input::Null)).unwrap(), &prepared, None).unwrap();
    let words: Vec<&str> = done.out.split_whitespace().collect();
    assert_eq!(words, ["0", "0", "4294967295", "0"]);
    assert!(matches!(
        place.refused(&["--strict"], &["true"]),
        EngineError::Strict { .. }
    ));
    let asked = place.refused(&["--userns", "auto"], &["true"]);
    assert!(matches!(asked, EngineError::Container(_)), "{asked}");
}

/// What was used of a machine that can do all of it.
#[test]
fn a_new_kernel_needs_no_fallback() {
    let Some(place) = without("") else { return };
    if kernel() < (6, 15) {
        return;
    }
    let prepared = place.prepare(&[IMAGE, "true"]).unwrap();
    let notes = prepared.notes();
    assert!(
        !notes.iter().any(|note| note.contains("user namespace")),
        "{notes:?}"
    );
}

#[test]
fn a_terminal_is_the_containers_own() {
    for features in [OLD, "detached_layers"] {
        let Some(place) = without(features) else {
            return;
        };
        for options in [&[][..], &["--userns", "host"], &["-u", "1000"]] {
            let script = "tty; readlink /proc/self/fd/0; echo said >/dev/console";
            let line = [&["-t"], options, &[IMAGE, "sh", "-c", script]].concat();
            let done = place.line(&line).unwrap();
            let expected = "/dev/pts/0\r\n/dev/pts/0\r\nsaid\r\n";
            assert_eq!(done.out, expected, "{options:?} {done:?}");
        }
    }
}
