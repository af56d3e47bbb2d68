use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// A fresh folder for one demo, closed to other users, which goes when the demo goes.
pub struct Folder(PathBuf);

impl Folder {
    /// In the system's folder for such things.
    pub fn create() -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("undertone-demo-{:08x}", rand::random::<u32>()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .map_err(|error| Failure::io("the demo's folder cannot be made", &error))?;
        Ok(Self(path))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now, the system removes some day.
        let _ = fs::remove_dir_all(&self.0);
    }
}
