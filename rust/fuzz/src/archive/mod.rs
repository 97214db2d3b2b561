//! Any archive of images: it is loaded, saved, and loaded again, or refused.

mod change;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use fastbox_engine::image::{Digest, ImageError, LoadFrom, LoadOptions, Loaded};

use crate::confined::{Confined, World};
use crate::random::Random;
use crate::tar::{self, LIMITS};

pub use change::mutate;

static CONFINED: LazyLock<Confined> = LazyLock::new(|| Confined::start("archive"));

/// Loads an archive, made whole as the target `tar` does, from a file or from a pipe.
pub fn run(data: &[u8]) {
    let archive = tar::whole(data);
    let from_file = Random::of(data).below(2) == 0;
    CONFINED.run(move |world| {
        match load(world, &archive, from_file) {
            Ok(loaded) => check_loaded(world, loaded),
            Err(error) => tar::check_error(&error),
        }
        world.check_empty();
        world.check_outside();
    });
}

fn load(world: &World, archive: &[u8], from_file: bool) -> Result<Vec<Loaded>, ImageError> {
    let options = LoadOptions {
        limits: LIMITS,
        ..LoadOptions::default()
    };
    if from_file {
        return world
            .store
            .load(LoadFrom::File(world.file(archive)), options);
    }
    let mut reader = archive;
    world.store.load(LoadFrom::Stream(&mut reader), options)
}

/// What was loaded is within its limits, and what is saved of it is the same.
fn check_loaded(world: &World, loaded: Vec<Loaded>) {
    for image in &loaded {
        tar::check_image(&image.image);
    }
    drop(loaded);
    if let Some(id) = ids(world).first() {
        let mut saved = Vec::new();
        let written = world.store.save(&[&id.to_string()], &mut saved, None);
        written.expect("what was loaded can be saved");
        remove_all(world);
        let again = load(world, &saved, false).expect("what was saved can be loaded");
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].image.id, *id);
    }
    remove_all(world);
}

fn ids(world: &World) -> BTreeSet<Digest> {
    let images = world.store.list().expect("the store can be listed");
    images.iter().map(|image| image.id).collect()
}

fn remove_all(world: &World) {
    for id in ids(world) {
        let removed = world.store.remove(&id.to_string(), true);
        removed.expect("an image goes");
    }
}
