//! Where homes stand, and how an empty one looks. To make every table of a database is the dearest thing that a home ever
//! does; so it is done once, and all homes of a process begin as copies.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use tempfile::TempDir;
use undertone_circuit::memory;
use undertone_client::{Config, Engine, Pace, Rungs};

use super::time::{Time, Watch};

/// Ground for homes.
pub struct Ground {
    /// None: wherever the system has such things.
    folders: Option<PathBuf>,
    empty: TempDir,
}

impl Ground {
    /// Makes the first home in `folders`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(folders: Option<&Path>) -> anyhow::Result<Arc<Self>> {
        let folders = folders.map(Path::to_owned);
        let empty = folder(folders.as_deref())?;
        let (dialer, _) = memory(1);
        let dialer = Arc::new(dialer);
        drop(Engine::open(Config {
            folder: empty.path().to_owned(),
            passphrase: None,
            pace: Pace::eager(),
            clock: Watch::new(&Time::new(0)),
            dialer_for: Arc::new(move |_| dialer.clone()),
            rng: Box::new(ChaCha20Rng::seed_from_u64(0)),
            rungs: Rungs::of_this_release(),
        })?);
        Ok(Arc::new(Self { folders, empty }))
    }

    /// A folder with an empty home.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn home(&self) -> anyhow::Result<TempDir> {
        let home = folder(self.folders.as_deref())?;
        for file in fs::read_dir(self.empty.path())? {
            let file = file?;
            fs::copy(file.path(), home.path().join(file.file_name()))?;
        }
        Ok(home)
    }
}

fn folder(folders: Option<&Path>) -> anyhow::Result<TempDir> {
    folders.map_or_else(tempfile::tempdir, tempfile::tempdir_in).context("no folder for a home")
}
