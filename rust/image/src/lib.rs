//! fastbox-image.
