//! Stores on file systems that lack something.

use crate::support::{IMAGE, done, kernel, piped, place};
use crate::{lacking, without};
use fastbox_engine::run::{EngineError, Input};
use fastbox_sys::mount;
use nix::mount::{MntFlags, umount2};
use std::fs;
use std::path::{Path, PathBuf};

/// A mount for one test.
struct Mounted(PathBuf);

impl Mounted {
    fn new(fs: &str, options: &[(&str, &str)], at: PathBuf) -> Mounted {
        fs::create_dir_all(&at).unwrap();
        let made = mount::filesystem(fs, options, 0).unwrap();
        mount::attach(&made, &at).unwrap();
        Mounted(at)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        umount2(&self.0, MntFlags::MNT_DETACH).unwrap();
    }
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// As in a container: no uppers there, and its layers cannot be id-mapped.
#[test]
fn a_store_on_an_overlay() {
    let Some(on) = place() else { return };
    let dir = on.scratch();
    let [lower, upper, work] = ["lower", "upper", "work"].map(|name| dir.join(name));
    for path in [&lower, &upper, &work] {
        fs::create_dir(path).unwrap();
    }
    let options = [
        ("lowerdir", path(&lower)),
        ("upperdir", path(&upper)),
        ("workdir", path(&work)),
    ];
    let mounted = Mounted::new("overlay", &options, dir.join("merged"));
    for names in ["", "detached_layers,idmapped_tmpfs"] {
        let inside = lacking(names, &mounted.0.join(format!("without-{names}")));
        let line = [
            IMAGE,
            "sh",
            "-c",
            "echo x > /x && cat /x /proc/self/uid_map",
        ];
        let prepared = inside.prepare(&line).unwrap();
        let notes = prepared.notes().join("\n");
        assert!(notes.contains("kept in memory"), "{notes}");
        assert!(notes.contains("no user namespace of its own"), "{notes}");
        let done = done(prepared.start(piped(Input::Null)).unwrap(), &prepared, None).unwrap();
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.out.starts_with("x\n"), "{done:?}");
        let refused = inside.refused(&["--strict"], &["true"]);
        assert!(matches!(refused, EngineError::Strict { .. }), "{refused}");
        inside.engine.settle();
    }
}

/// Its ids can be mapped from 6.3 on.
#[test]
fn a_store_on_a_tmpfs() {
    let Some(on) = place() else { return };
    let mounted = Mounted::new("tmpfs", &[], on.scratch().join("memory"));
    let inside = lacking("", &mounted.0);
    let line = [IMAGE, "sh", "-c", "echo x > /x && cat /proc/self/uid_map"];
    let prepared = inside.prepare(&line).unwrap();
    let done = done(prepared.start(piped(Input::Null)).unwrap(), &prepared, None).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    let own = done.out.split_whitespace().nth(1).unwrap() != "0";
    let noted = prepared
        .notes()
        .iter()
        .any(|note| note.contains("user namespace"));
    assert_eq!(
        (own, noted),
        (kernel() >= (6, 3), kernel() < (6, 3)),
        "{done:?}"
    );
    inside.engine.settle();
}

/// A bind from a file system without id maps.
#[test]
fn a_volume_without_id_maps() {
    let Some(inside) = without("") else { return };
    let dir = inside.scratch();
    let proc = Mounted::new("proc", &[], dir.join("proc"));
    let bind = format!("{}:/mnt", path(&proc.0));
    let line = ["-v", &bind, IMAGE, "cat", "/mnt/self/uid_map"];
    let prepared = inside.prepare(&line).unwrap();
    let notes = prepared.notes().join("\n");
    assert!(notes.contains("no user namespace of its own"), "{notes}");
    let done = done(prepared.start(piped(Input::Null)).unwrap(), &prepared, None).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    let refused = inside.refused(&["--strict", "-v", &bind], &["true"]);
    assert!(matches!(refused, EngineError::Strict { .. }), "{refused}");
}
