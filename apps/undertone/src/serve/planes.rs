use std::sync::Arc;

use anyhow::Context as _;
use tokio::task::spawn_blocking;
use undertone_credentials::HeadKey;
use undertone_service::{AccountPlane, BlobPlane, ChannelPlane, Issuer, Registration, TicketKey};
use undertone_store::sqlite::{SqliteAccounts, SqliteBlobs, SqliteChannels};

use super::DataFolder;

/// The two planes, and blobs, over their files.
#[derive(Clone)]
pub struct Planes {
    /// The account plane.
    pub accounts: Arc<AccountPlane<SqliteAccounts>>,
    /// The channel plane.
    pub channels: Arc<ChannelPlane<SqliteChannels>>,
    /// Blobs.
    pub blobs: Arc<BlobPlane<SqliteBlobs>>,
}

impl Planes {
    /// Opens all files, or creates them. The caller owns the folder. Blobs may take up `blob_bytes` in all.
    pub async fn open(
        folder: &DataFolder,
        registration: Registration,
        head: HeadKey,
        issuer: Issuer,
        blob_bytes: u64,
    ) -> anyhow::Result<Self> {
        let (accounts, channels, blobs) = (folder.accounts(), folder.channels(), folder.blobs());
        let issuer = Arc::new(issuer);
        let tickets = TicketKey::generate(&mut rand::rng());
        spawn_blocking(move || {
            let accounts = SqliteAccounts::open(&accounts).with_context(|| accounts.display().to_string())?;
            let channels = SqliteChannels::open(&channels).with_context(|| channels.display().to_string())?;
            let blobs = SqliteBlobs::open(&blobs).with_context(|| blobs.display().to_string())?;
            Ok(Self {
                accounts: Arc::new(AccountPlane::new(accounts, registration, issuer.clone())),
                channels: Arc::new(ChannelPlane::new(channels, head, tickets, issuer.clone())),
                blobs: Arc::new(BlobPlane::new(blobs, issuer, blob_bytes)),
            })
        })
        .await?
    }

    /// Closes all files. Whoever holds the last copy waits until all that was handed over is in them.
    pub async fn close(self) {
        if spawn_blocking(move || drop(self)).await.is_err() {
            tracing::error!("the files were not closed in order; they are checked at the next start");
        }
    }
}
