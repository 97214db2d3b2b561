//! fastbox-container.
