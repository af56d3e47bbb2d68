//! The service's data folder: what stands where, and who owns it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use crate::failure::{Failure, Kind};

const KEYS: &str = "service.keys";
const ACCOUNTS: &str = "accounts.db";
const CHANNELS: &str = "channels.db";
const BLOBS: &str = "blobs.db";
const PARAMETERS: &str = "service.parameters";
const SOCKET: &str = "admin.sock";
const OTHERS: u32 = 0o077;

/// A folder that holds a service, or may come to hold one.
pub struct DataFolder(PathBuf);

/// The exclusive right to a data folder. The kernel takes it back when the process ends, in whatever way.
pub struct DataLock {
    folder: DataFolder,
    /// The folder itself, under flock(2): so there is no lock file that somebody could delete.
    _locked: File,
}

impl DataFolder {
    /// Nothing is touched yet.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The service's secret keys.
    pub fn keys(&self) -> PathBuf {
        self.0.join(KEYS)
    }

    /// The last list of public parameters.
    pub fn parameters(&self) -> PathBuf {
        self.0.join(PARAMETERS)
    }

    /// The account plane.
    pub fn accounts(&self) -> PathBuf {
        self.0.join(ACCOUNTS)
    }

    /// The channel plane.
    pub fn channels(&self) -> PathBuf {
        self.0.join(CHANNELS)
    }

    /// Blobs.
    pub fn blobs(&self) -> PathBuf {
        self.0.join(BLOBS)
    }

    /// The operator's socket.
    pub fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }

    /// Writes a file of the service so that after a crash there is either this one or the one before. It is readable to
    /// its owner alone.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = path.with_added_extension("new");
        // What an earlier try has left behind is nobody's.
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        File::open(self.path())?.sync_all()
    }

    /// Takes the socket away, so that nobody knocks in vain.
    pub fn remove_socket(&self) {
        // One that stays is taken away by the next service.
        let _ = fs::remove_file(self.socket());
    }

    /// That a service was started here before.
    pub fn must_be_service(&self) -> Result<(), Failure> {
        if self.keys().exists() {
            return Ok(());
        }
        let message = format!("there is no service in {}: start one with `undertone serve`", self.0.display());
        Err(Failure::new(Kind::Failed, message))
    }

    /// Makes it the folder of a service, closed to other users, and owns it.
    pub fn own(self) -> Result<DataLock, Failure> {
        self.prepare()?;
        let taken = format!("another process serves {}, or works on it: stop it first", self.0.display());
        self.lock()?.ok_or_else(|| Failure::new(Kind::Failed, taken))
    }

    /// Owns it, unless another process does.
    pub fn lock(&self) -> Result<Option<DataLock>, Failure> {
        let opened = File::open(&self.0).map_err(|error| self.failed(&error))?;
        match opened.try_lock() {
            Ok(()) => Ok(Some(DataLock { folder: Self(self.0.clone()), _locked: opened })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(self.failed(&error)),
        }
    }

    fn prepare(&self) -> Result<(), Failure> {
        let failed = |error: io::Error| self.failed(&error);
        if !self.0.exists() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(failed)?;
            let absolute = std::path::absolute(&self.0).map_err(failed)?;
            if let Some(parent) = absolute.parent() {
                // What will be acknowledged is as durable as the folder that it stands in.
                File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
            }
        }
        if !self.keys().exists() && self.holds_other_things().map_err(failed)? {
            let message = format!("{} has other things in it; name a new folder with --data DIR", self.0.display());
            return Err(Failure::new(Kind::Usage, message));
        }
        let mut permissions = fs::metadata(&self.0).map_err(failed)?.permissions();
        if permissions.mode() & OTHERS != 0 {
            permissions.set_mode(permissions.mode() & !OTHERS);
            fs::set_permissions(&self.0, permissions).map_err(failed)?;
        }
        Ok(())
    }

    /// Whether anything is here that no service begins with.
    fn holds_other_things(&self) -> io::Result<bool> {
        for entry in fs::read_dir(&self.0)? {
            let name = entry?.file_name();
            let ours = name.to_str().is_some_and(|name| {
                [KEYS, PARAMETERS, ACCOUNTS, CHANNELS, BLOBS, SOCKET].iter().any(|file| name.starts_with(file))
            });
            if !ours {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn failed(&self, error: &io::Error) -> Failure {
        Failure::io(&format!("{} cannot be used", self.0.display()), error)
    }
}

impl DataLock {
    /// The folder that is owned.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_folder_has_one_owner_and_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let first = DataFolder::new(path.clone()).own().unwrap();
        assert_eq!(mode(&path), 0o700);
        assert!(first.folder().lock().unwrap().is_none());
        let second = DataFolder::new(path.clone()).own().err().unwrap();
        assert_eq!(second.exit_code(), 1);
        drop(first);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        DataFolder::new(path.clone()).own().unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn a_folder_of_other_things_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("letter.txt"), "mine").unwrap();
        let data = || DataFolder::new(folder.path().to_owned());
        assert_eq!(data().own().err().unwrap().exit_code(), 2);
        assert_eq!(mode(folder.path()), 0o755);
        assert!(data().must_be_service().is_err());
        fs::write(data().keys(), "").unwrap();
        data().own().unwrap();
        data().must_be_service().unwrap();
    }
}
