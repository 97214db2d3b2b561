//! Archives with random damage: whatever happens, it is no panic, no escape and no leftover.

mod common;

use common::{Header, Scratch, Tar, sum};

/// Enough for every run; set FASTBOX_ROUNDS for more, FASTBOX_SEED to repeat a failure.
const ROUNDS: u64 = 400;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

#[test]
fn damage_is_contained() {
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = number("FASTBOX_SEED").unwrap_or(time.unwrap().as_nanos() as u64);
    println!("FASTBOX_SEED={seed}");
    let mut random = Random(seed);
    let scratch = Scratch::new("mutations");
    let outside = scratch.outside();
    let outside = outside.to_str().unwrap();
    let seeded = Tar::new()
        .dir("d")
        .symlink("out", outside)
        .symlink("d/up", "../../..")
        .file("d/up/f", b"data")
        .file("out/sentinel", b"changed")
        .hard_link("h", "d/up/f")
        .pax(&[("path", b"out/x"), ("mtime", b"1.5"), ("size", b"3")])
        .file("x", b"abc")
        .pax(&[("GNU.sparse.map", b"0,1,9,2"), ("GNU.sparse.size", b"99")])
        .file("sparse", b"abc")
        .with_data(Header::new(b'L', "l"), b"out/dir/long\0")
        .file(".wh.d", b"")
        .end();
    let splices: [&[u8]; 10] = [
        b"../",
        b"/",
        b"..",
        b"out/",
        b"\0",
        b"\xff",
        b"5",
        b"2",
        b"1",
        b"99999999999",
    ];
    let (mut accepted, mut refused) = (0u64, 0u64);
    for _ in 0..number("FASTBOX_ROUNDS").unwrap_or(ROUNDS) {
        let mut tar = seeded.clone();
        for _ in 0..=random.below(4) {
            let block = random.below(tar.len() / 512) * 512;
            let at = block + [random.below(512), random.below(100), 124, 156, 157][random.below(5)];
            let splice = splices[random.below(splices.len())];
            for (to, from) in tar[at..].iter_mut().zip(splice) {
                *to = *from;
            }
            // Most damage keeps a right checksum, or nothing would get past it.
            if tar[block + 257..].starts_with(b"ustar") && random.below(8) > 0 {
                sum(&mut tar[block..block + 512]);
            }
        }
        if random.below(10) == 0 {
            tar.truncate(random.below(tar.len()));
        }
        match scratch.import(&tar) {
            Ok(imported) => {
                accepted += 1;
                drop(imported);
                scratch.store.remove("test", false).unwrap();
            }
            Err(_) => refused += 1,
        }
        scratch.check_outside();
        scratch.check_empty();
    }
    println!("{accepted} accepted, {refused} refused");
}
