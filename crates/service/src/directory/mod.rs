//! The directory: who is listed is looked up here by nobody in particular, who does not say whom he looks for.
//!
//! It is part of the account plane, and reads what accounts are listed under; a circuit of its kind speaks for no account.
//! What is looked up in is *published*: a base that holds everybody, made anew each week, and for each day what has changed.
//! How a query finds its answer in a base without telling what it asks is the `discovery` crate's; this one evaluates, takes
//! tokens, holds queries until they are answered, and bounds all of it.

mod publication;
mod queries;
mod session;

use std::{
    num::NonZeroUsize,
    sync::{Arc, PoisonError, RwLock},
};

use rand_core::CryptoRng;
use tokio::sync::oneshot;
use undertone_credentials::HeadKey;
use undertone_store::{Accounts, StoreError};
use undertone_wire::{
    Day, Now,
    circuit::{Code, Fault},
};

use self::{publication::Published, queries::Queries};
use crate::AccountPlane;

pub use session::DirectorySession;

/// Nothing is published yet, or it is being made anew.
const PUBLISHING_RETRY_MS: u32 = 10_000;

/// Something that computes for long.
pub type Work = Box<dyn FnOnce() + Send>;

/// Runs what computes for long where it holds nobody up: each at once, or one after another.
pub type Workers = Box<dyn Fn(Work) + Send + Sync>;

/// What a directory is made of.
pub struct DirectoryState {
    /// Identifiers under which accounts are listed.
    pub listings: u64,
    /// Number of its key.
    pub key: u32,
    /// Number of the key that is taken at the next start.
    pub next_key: u32,
    /// What is looked up in; none while nothing is published.
    pub base: Option<BaseState>,
}

/// What is looked up in.
pub struct BaseState {
    /// The day on which it was made.
    pub made: Day,
    /// Listings, padded.
    pub entries: u64,
    /// What everybody downloads once.
    pub download_bytes: u64,
    /// A query; 0 where the download has it all.
    pub query_bytes: u64,
    /// Its answer.
    pub answer_bytes: u64,
}

/// The directory over the store of the account plane.
pub struct DirectoryPlane<A> {
    accounts: Arc<AccountPlane<A>>,
    head_key: HeadKey,
    threads: NonZeroUsize,
    workers: Arc<Workers>,
    published: RwLock<Option<Arc<Published>>>,
    queries: Arc<Queries>,
}

impl<A: Accounts> DirectoryPlane<A> {
    /// A directory of which nothing is published yet, see [`publish`](Self::publish). A base is made by so many threads.
    pub fn new(accounts: Arc<AccountPlane<A>>, head_key: HeadKey, threads: NonZeroUsize, workers: Workers) -> Self {
        let workers = Arc::new(workers);
        let queries = Arc::new(Queries::new(workers.clone()));
        Self { accounts, head_key, threads, workers, published: RwLock::default(), queries }
    }

    /// What answers one directory circuit.
    pub fn session(self: &Arc<Self>) -> DirectorySession<A> {
        DirectorySession::new(self.clone())
    }

    /// Tells what is due: of each day what has changed before it, and in each week a new base. To be called every hour or
    /// so, and at the start. It takes long where a base is due; what was published before answers meanwhile.
    ///
    /// # Errors
    /// The store's; the next call makes up for it.
    pub async fn publish(self: &Arc<Self>, now: Now, rng: &mut (impl CryptoRng + Send)) -> Result<(), StoreError> {
        self.publish_due(now, false, rng).await
    }

    /// Likewise, with a new base in any case: whoever is listed now can be found at once.
    ///
    /// # Errors
    /// The store's.
    pub async fn publish_anew(self: &Arc<Self>, now: Now, rng: &mut (impl CryptoRng + Send)) -> Result<(), StoreError> {
        self.publish_due(now, true, rng).await
    }

    /// Takes another directory key at the next start: whatever was computed under the one before says nothing any more.
    ///
    /// # Errors
    /// The store's.
    pub async fn take_another_key(&self) -> Result<(), StoreError> {
        let store = self.accounts.store();
        let number = store.directory_key().await?.saturating_add(1);
        store.take_directory_key(number).await
    }

    /// What it is made of, for the operator.
    ///
    /// # Errors
    /// The store's.
    pub async fn state(&self) -> Result<DirectoryState, StoreError> {
        let store = self.accounts.store();
        let base = self.published().map(|published| published.state());
        Ok(DirectoryState {
            listings: store.listings_count().await?,
            key: self.accounts.issuer().directory_number(),
            next_key: store.directory_key().await?,
            base,
        })
    }

    fn published(&self) -> Option<Arc<Published>> {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is published now.
    fn current(&self) -> Result<Arc<Published>, Fault> {
        self.published().ok_or_else(|| Fault::from(Code::Unavailable).retry_after_ms(PUBLISHING_RETRY_MS))
    }

    /// Has something computed by the workers.
    async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
        let (done, result) = oneshot::channel();
        (self.workers)(Box::new(move || {
            // Nobody waits any more: then nobody misses it.
            let _ = done.send(work());
        }));
        result.await.map_err(|_| StoreError::NotApplied)
    }
}
