//! The socket's address. The path of a Unix socket has at most 107 bytes, the path of a home may have more: then the
//! socket is named through an open descriptor of its folder.

use std::{
    fs::{self, File, Permissions},
    io,
    os::{
        fd::AsRawFd as _,
        unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

use tokio::net::{UnixListener, UnixStream};

use super::folder::Folder;

/// The shortest bound of the systems we run on, without its final zero.
const PATH_BYTES_MAX: usize = 103;

/// Connects to the host.
pub async fn connect(folder: &Folder) -> io::Result<UnixStream> {
    let address = Address::of(folder)?;
    UnixStream::connect(&address.path).await
}

/// Listens as the host, in place of whoever was it before.
pub fn listen(folder: &Folder) -> io::Result<UnixListener> {
    remove(folder)?;
    let address = Address::of(folder)?;
    let listener = UnixListener::bind(&address.path)?;
    fs::set_permissions(folder.socket(), Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Takes the socket away, so that nobody knocks in vain.
pub fn remove(folder: &Folder) -> io::Result<()> {
    match std::fs::remove_file(folder.socket()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

struct Address {
    path: PathBuf,
    /// Held while the path is in use.
    _folder: Option<File>,
}

impl Address {
    fn of(folder: &Folder) -> io::Result<Self> {
        let path = folder.socket();
        if path.as_os_str().as_bytes().len() <= PATH_BYTES_MAX {
            return Ok(Self { path, _folder: None });
        }
        let open = File::open(folder.path())?;
        let descriptors = Path::new("/proc/self/fd").join(open.as_raw_fd().to_string());
        if !descriptors.exists() {
            let message = "the path of this home is too long; choose a shorter one with --home DIR";
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, message));
        }
        let name = path.file_name().unwrap_or_default();
        Ok(Self { path: descriptors.join(name), _folder: Some(open) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn long_paths_are_reached_too() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["short".to_owned(), "long".repeat(40)] {
            let folder = Folder::find(Some(&parent.path().join(name))).unwrap();
            folder.prepare().unwrap();
            assert!(connect(&folder).await.is_err());
            for _ in 0..2 {
                let listener = listen(&folder).unwrap();
                connect(&folder).await.unwrap();
                listener.accept().await.unwrap();
            }
            remove(&folder).unwrap();
            remove(&folder).unwrap();
        }
    }
}
