//! A file as a block device.

use crate::support::Place;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A block device, taken away at the end.
pub struct Disk {
    /// The loop device.
    pub path: PathBuf,
    /// Where its file system is mounted.
    pub mount: PathBuf,
}

impl Disk {
    /// Of 64 MiB, with an ext4 file system; none where the machine cannot.
    pub fn make(on: &Place) -> Option<Disk> {
        let dir = on.scratch();
        let image = dir.join("image");
        fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
        let run = |words: &[&str]| {
            let done = Command::new(words[0]).args(&words[1..]).output();
            done.ok().filter(|done| done.status.success())
        };
        run(&["mkfs.ext4", "-q", "-F", image.to_str()?])?;
        let found = run(&["losetup", "--find", "--show", image.to_str()?])?;
        let path = PathBuf::from(String::from_utf8(found.stdout).ok()?.trim());
        let mount = dir.join("mnt");
        fs::create_dir(&mount).unwrap();
        let disk = Disk { path, mount };
        run(&["mount", disk.path.to_str()?, disk.mount.to_str()?])?;
        Some(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.mount).output();
        let _ = Command::new("losetup").arg("-d").arg(&self.path).output();
    }
}
