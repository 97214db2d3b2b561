//! Imports an archive into a store and says what it took: `import STORE NAME < ARCHIVE`.

use fastbox_image::{ImportOptions, Reference, Store};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(root), Some(name)) = (args.next(), args.next()) else {
        return Err("usage: import STORE NAME < ARCHIVE".into());
    };
    let store = Store::open(root.as_ref())?;
    let name = Reference::parse(&name)?;
    let input = std::fs::File::open("/dev/stdin")?;
    let imported = store.import(input, &name, ImportOptions::default())?;
    println!(
        "{} {}: {} entries, {} bytes, unpacked in {:.3} s, on disk after {:.3} s more",
        name.short(),
        imported.image.id.short(),
        imported.entries,
        imported.bytes,
        imported.unpacking.as_secs_f64(),
        imported.syncing.as_secs_f64(),
    );
    for (entry, what) in &imported.skipped.first {
        println!("left out: {entry}: {what}");
    }
    Ok(())
}
