//! Images of many layers.

use std::io::Read;

use fastbox_image::{LoadFrom, LoadOptions};

use crate::archive::Tar;
use crate::archive::images::Files;
use crate::support::{base, busybox, place};

/// Each layer replaces the last one's file, hides one of the layer before and adds one.
fn layer(number: usize) -> Vec<u8> {
    let text = number.to_string();
    let layer = Tar::new()
        .file("layers/last", text.as_bytes())
        .file(format!("layers/{number}"), text.as_bytes());
    match number % 2 {
        0 => layer.end(),
        _ => layer
            .file(format!("layers/.wh.{}", number - 1), b"")
            .hard_link(format!("links/{number}/busybox"), "bin/busybox")
            .end(),
    }
}

#[test]
fn a_container_of_sixty_four_layers() {
    let (Some(place), Some(busybox)) = (place(), busybox()) else {
        return;
    };
    let mut layers = vec![base(&busybox).end()];
    layers.extend((1..64).map(layer));
    let archive = Files::default().docker(&["sixty-four"], &layers).tar();
    let mut archive = &archive[..];
    let from = LoadFrom::Stream(&mut archive as &mut dyn Read);
    let options = LoadOptions::default();
    drop(place.engine.store().load(from, options).unwrap());
    let script = "cat /layers/last; echo; ls /layers | wc -l; ls /layers | head -n 3 | tr '\\n' ' '; echo; \
                  /links/63/busybox ls /links | wc -l; echo new > /layers/last; cat /layers/last";
    let done = place.line(&["sixty-four", "sh", "-c", script]).unwrap();
    assert_eq!(done.code, 0, "{done:?}");
    let lines: Vec<&str> = done.out.lines().map(str::trim).collect();
    // 1, 3, … 63 are left, and `last`.
    assert_eq!(lines, ["63", "33", "1 11 13", "32", "new"], "{done:?}");
    // What one container writes the next does not see.
    let done = place.line(&["sixty-four", "cat", "/layers/last"]).unwrap();
    assert_eq!(done.out, "63");
}
