//! How long the write-ahead log of a service gets.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::{sync::oneshot, task::JoinHandle, time::interval};

const EVERY: Duration = Duration::from_millis(10);

/// Looks at it until asked.
pub struct WalWatch {
    end: oneshot::Sender<()>,
    longest: JoinHandle<u64>,
}

impl WalWatch {
    /// From now on.
    pub fn begin(data: &Path) -> Self {
        let (end, ended) = oneshot::channel();
        let file = data.join("channels.db-wal");
        Self { end, longest: tokio::spawn(watch(file, ended)) }
    }

    /// The longest it was, in MiB.
    pub async fn longest_mib(self) -> anyhow::Result<f64> {
        let _ = self.end.send(());
        Ok(self.longest.await? as f64 / f64::from(1 << 20))
    }
}

async fn watch(file: PathBuf, mut ended: oneshot::Receiver<()>) -> u64 {
    let (mut longest, mut ticks) = (0, interval(EVERY));
    loop {
        tokio::select! {
            _ = &mut ended => return longest,
            _ = ticks.tick() => {}
        }
        longest = longest.max(file.metadata().map_or(0, |metadata| metadata.len()));
    }
}
