//! Giving an image another name.

use super::Store;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::reference::Reference;

impl Store {
    /// Gives the image `source` the name `target` as well, and returns its id. An image that had
    /// the name loses it.
    ///
    /// # Errors
    /// Those of [`Store::resolve`], [`ImageError::Reserved`].
    pub fn tag(&self, source: &str, target: &Reference) -> Result<Digest, ImageError> {
        target.check_free()?;
        let _lock = self.lock()?;
        let mut record = self.find(source)?.record().clone();
        let was_nameless = record.name.is_none();
        if let Some(before) = self.named(target)?
            && before.id != record.id
        {
            self.loses_name(before, target)?;
        }
        record.name = Some(target.to_string());
        self.put(&record)?;
        if was_nameless {
            record.name = None;
            self.forget(&record)?;
        }
        self.write_index(&self.records()?)?;
        Ok(record.id)
    }
}
