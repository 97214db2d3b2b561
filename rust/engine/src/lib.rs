//! fastbox-engine.
