//! Where a home is, and what makes a folder one.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use undertone_client::ClientError;

use crate::failure::{Failure, Kind};

const LOCK: &str = "lock";
const SOCKET: &str = "socket";
const OTHERS: u32 = 0o077;

/// A folder that is a home, or may become one.
#[derive(Clone)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder that was named, or the user's own data folder.
    pub fn find(named: Option<&Path>) -> Result<Self, Failure> {
        if let Some(path) = named {
            return Ok(Self(path.to_owned()));
        }
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let data = variable("XDG_DATA_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| variable("HOME").map(|home| home.join(".local/share")));
        data.map(|data| Self(data.join("undertone"))).ok_or_else(|| {
            Failure::new(Kind::Usage, "where your account is cannot be guessed here; say it with --home DIR")
        })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The lock of its owner.
    pub fn lock(&self) -> PathBuf {
        self.0.join(LOCK)
    }

    /// The socket of its owner.
    pub fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }

    /// That somebody has registered here, or tried to.
    pub fn must_be_home(&self) -> Result<(), Failure> {
        if self.lock().exists() { Ok(()) } else { Err(ClientError::NotRegistered.into()) }
    }

    /// Makes it a home: a folder of its own, closed to other users.
    pub fn prepare(&self) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure::io(&format!("{} cannot be used", self.0.display()), &error);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(failed)?;
        if !self.lock().exists() && fs::read_dir(&self.0).map_err(failed)?.next().is_some() {
            let message = format!("{} has other things in it; name a new folder with --home DIR", self.0.display());
            return Err(Failure::new(Kind::Usage, message));
        }
        let mut permissions = fs::metadata(&self.0).map_err(failed)?.permissions();
        if permissions.mode() & OTHERS != 0 {
            permissions.set_mode(permissions.mode() & !OTHERS);
            fs::set_permissions(&self.0, permissions).map_err(failed)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_home_is_closed_to_others() {
        let parent = tempfile::tempdir().unwrap();
        let new = Folder(parent.path().join("a/b"));
        assert!(new.must_be_home().is_err());
        new.prepare().unwrap();
        assert_eq!(mode(new.path()), 0o700);
        let open = Folder(parent.path().join("open"));
        fs::create_dir(open.path()).unwrap();
        fs::set_permissions(open.path(), fs::Permissions::from_mode(0o755)).unwrap();
        open.prepare().unwrap();
        assert_eq!(mode(open.path()), 0o700);
    }

    #[test]
    fn a_folder_of_other_things_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("letter.txt"), "mine").unwrap();
        let home = Folder(folder.path().to_owned());
        assert_eq!(home.prepare().err().unwrap().exit_code(), 2);
        assert_eq!(mode(folder.path()), 0o755);
        fs::write(home.lock(), "").unwrap();
        home.prepare().unwrap();
        home.must_be_home().unwrap();
    }
}
