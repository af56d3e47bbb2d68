use std::{
    fs::{File, OpenOptions, TryLockError},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use crate::failure::Failure;

/// The exclusive right to a home. The kernel takes it back when the process ends, in whatever way.
pub struct HomeLock {
    _file: File,
}

impl HomeLock {
    /// Takes it (flock(2)) if no other process has it.
    pub fn take(path: &Path) -> Result<Option<Self>, Failure> {
        let failed = |error| Failure::io(&format!("{} cannot be locked", path.display()), &error);
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = HomeLock::take(&path).unwrap();
        assert!(first.is_some());
        assert!(HomeLock::take(&path).unwrap().is_none());
        drop(first);
        assert!(HomeLock::take(&path).unwrap().is_some());
    }
}
