//! Files of a home that somebody may have changed.

use std::{fs, sync::Arc};

use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};
use undertone_circuit::TcpDialer;
use undertone_client::{Config, Engine, Pace, Rungs, SystemClock};

use crate::Target;

pub const KEY_FILES: Target = Target { name: "key-files", run: key_files, seeds: some_key_files, cost: 384 };

/// A key file, with a database that it may open or not.
fn key_files(data: &[u8]) {
    let Ok(folder) = tempfile::tempdir() else { return };
    if fs::write(folder.path().join("key"), data).is_ok() {
        let _ = open(folder.path());
    }
}

fn open(folder: &std::path::Path) -> undertone_client::Result<Engine> {
    Engine::open(Config {
        folder: folder.to_owned(),
        passphrase: None,
        pace: Pace::eager(),
        clock: Arc::new(SystemClock),
        rng: Box::new(ChaCha20Rng::from_seed([1; 32])),
        rungs: Rungs::of_this_release(),
        dialer_for: Arc::new(|link| Arc::new(TcpDialer::new(link.endpoint.clone()))),
    })
}

fn some_key_files() -> Option<Vec<Vec<u8>>> {
    let folder = tempfile::tempdir().ok()?;
    open(folder.path()).ok()?;
    let plain = fs::read(folder.path().join("key")).ok()?;
    let sealed = [&[1, 1], &[7; 16 + 24 + 48][..]].concat();
    Some(vec![plain, sealed])
}
