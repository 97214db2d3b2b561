//! The image store: an OCI image layout, with every layer unpacked beside its blob.
//!
//! [`Store::import`] makes an image from a root filesystem archive, [`Store::load`] takes images from
//! archives of images, [`Store::resolve`] finds one by name or id, and the [`Image`] it gives keeps the image from being removed while it lives.
//!
//! ```text
//! <root>/oci-layout, index.json, blobs/sha256/…   the OCI image layout; index.json is derived
//! <root>/refs/<escaped name>.json                 one document per name: the truth
//! <root>/refs/@<id>.json                          an image that lost its last name
//! <root>/layers/<diff id>/                        a layer, unpacked, as overlay wants it
//! <root>/notes/<diff id>                          what a layer's files do not show
//! <root>/trees/<chain id>/                        the layers of an image as one directory
//! <root>/leases/<id>                              held (flock, shared) by who uses the image
//! <root>/tmp/<random>/                            work of a live process (flock) or garbage
//! <root>/lock                                     held (flock) for the instant of a change
//! <root>/restoring                                held (flock) while an image is unpacked again
//! ```

mod archive;
pub mod change;
mod config;
mod digest;
mod error;
mod image;
mod locate;
mod merge;
mod platform;
mod read;
mod reference;
mod store;
mod stream;
mod tar;
mod unpack;

pub use config::{Config, Healthcheck};
pub use digest::Digest;
pub use error::ImageError;
pub use image::Image;
pub use locate::{Kind, Located, locate};
pub use platform::Platform;
pub use reference::Reference;
pub use store::{ImportOptions, Imported, LoadFrom, LoadOptions, Loaded, Removed, Store, Summary};
pub use stream::Progress;
pub use unpack::{Limits, Skipped};
