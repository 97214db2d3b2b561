//! Damaged and unusual compressed archives.

mod common;

use std::io::Write;
use std::process::{Command, Stdio};

use common::{Scratch, Tar};
use fastbox_image::ImageError;

fn compress(program: &str, data: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let data = data.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&data).unwrap());
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    out.stdout
}

#[test]
fn compressed_archives_are_whole_or_refused() {
    let scratch = Scratch::new("compression");
    let noise: Vec<u8> = (0..900_000u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let tar = Tar::new().file("f", &noise).end();
    // The virtual machine has no others.
    let programs = match std::env::var_os("FASTBOX_VM") {
        Some(_) => &["gzip"][..],
        None => &["gzip", "zstd", "xz", "bzip2"],
    };
    for program in programs {
        let whole = compress(program, &tar);
        for cut in [9, whole.len() / 2, whole.len() - 3] {
            let error = scratch.import(&whole[..cut]).unwrap_err();
            let expected = matches!(error, ImageError::Truncated { .. });
            assert!(expected, "{program} {cut}: {error:?}");
        }
        let mut damaged = whole.clone();
        for byte in &mut damaged[whole.len() / 2..][..64] {
            *byte ^= 0x5a;
        }
        let error = scratch.import(&damaged).unwrap_err();
        let expected = matches!(error, ImageError::Corrupt { .. });
        assert!(expected, "{program}: {error:?}");
        let trailing = [&whole[..], b"garbage!"].concat();
        let error = scratch.import(&trailing).unwrap_err();
        let expected = matches!(
            error,
            ImageError::Corrupt { .. } | ImageError::Truncated { .. }
        );
        assert!(expected, "{program}: {error:?}");
        scratch.check_empty();
        // Compressed in two parts, as some programs do.
        let (head, tail) = tar.split_at(300_000);
        let parts = [compress(program, head), compress(program, tail)].concat();
        let imported = scratch.import(&parts).unwrap();
        assert_eq!(imported.bytes, noise.len() as u64);
        drop(imported);
        scratch.store.remove("test", false).unwrap();
    }
    let padded = [&compress("gzip", &tar)[..], &[0; 700]].concat();
    scratch.import(&padded).unwrap();
}
