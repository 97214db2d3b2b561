//! fastbox-py.
