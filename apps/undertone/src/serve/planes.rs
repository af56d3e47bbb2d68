use std::{num::NonZeroU32, sync::Arc};

use anyhow::Context as _;
use tokio::task::spawn_blocking;
use undertone_credentials::HeadKey;
use undertone_service::{
    AccountPlane, BlobPlane, ChannelPlane, Codes, DirectoryPlane, Issuer, Registration, TicketKey,
};
use undertone_store::Directory as _;
use undertone_store::sqlite::{SqliteAccounts, SqliteBlobs, SqliteChannels};

use super::{DataFolder, directory};

/// The two planes, and blobs, over their files.
#[derive(Clone)]
pub struct Planes {
    /// The account plane.
    pub accounts: Arc<AccountPlane<SqliteAccounts>>,
    /// The channel plane.
    pub channels: Arc<ChannelPlane<SqliteChannels>>,
    /// Blobs.
    pub blobs: Arc<BlobPlane<SqliteBlobs>>,
    /// The directory, over the file of the account plane.
    pub directory: Arc<DirectoryPlane<SqliteAccounts>>,
}

/// What the operator decides.
pub struct Rules {
    /// Who may make an account.
    pub registration: Registration,
    /// How identifiers are verified; none: only those that need no code are.
    pub codes: Option<Codes>,
    /// What blobs may take up in all.
    pub blob_bytes: u64,
}

impl Planes {
    /// Opens all files, or creates them. The caller owns the folder.
    pub async fn open(folder: &DataFolder, rules: Rules, head: HeadKey, issuer: Issuer) -> anyhow::Result<Self> {
        let (accounts, channels, blobs) = (folder.accounts(), folder.channels(), folder.blobs());
        let opening = spawn_blocking(move || {
            let accounts = SqliteAccounts::open(&accounts).with_context(|| accounts.display().to_string())?;
            let channels = SqliteChannels::open(&channels).with_context(|| channels.display().to_string())?;
            let blobs = SqliteBlobs::open(&blobs).with_context(|| blobs.display().to_string())?;
            anyhow::Ok((accounts, channels, blobs))
        });
        let (accounts, channels, blobs) = opening.await??;
        let number = NonZeroU32::new(accounts.directory_key().await?).unwrap_or(NonZeroU32::MIN);
        let issuer = Arc::new(issuer.with_directory_key(number));
        let Rules { registration, codes, blob_bytes } = rules;
        let accounts = AccountPlane::new(accounts, registration, issuer.clone());
        let accounts = Arc::new(match codes {
            Some(codes) => accounts.with_codes(codes),
            None => accounts,
        });
        let (same_head, tickets) = (HeadKey::from_seed(&head.seed()), TicketKey::generate(&mut rand::rng()));
        let directory = DirectoryPlane::new(accounts.clone(), same_head, directory::threads(), directory::workers());
        let blobs = Arc::new(BlobPlane::new(blobs, issuer.clone(), blob_bytes));
        let channels = ChannelPlane::new(channels, head, tickets, issuer).with_large(blobs.clone());
        Ok(Self { accounts, channels: Arc::new(channels), blobs, directory: Arc::new(directory) })
    }

    /// Closes all files. Whoever holds the last copy waits until all that was handed over is in them.
    pub async fn close(self) {
        if spawn_blocking(move || drop(self)).await.is_err() {
            tracing::error!("the files were not closed in order; they are checked at the next start");
        }
    }
}
