//! What there is to be looked up in.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError},
};

use bytes::Bytes;
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use undertone_credentials::{CredentialError, SIGNATURE_LEN, sign_directory};
use undertone_discovery::{Base, Change, Delta, DiscoverySecret, Members};
use undertone_store::{Accounts, ListingChange, StoreError};
use undertone_wire::{Day, Message as _, Now, directory, limits::DELTA_DAYS};

use super::{BaseState, DirectoryPlane};

/// Format of the head.
const VERSION: u32 = 1;
/// Listings that are read at once: a megabyte.
const PAGE: u32 = 16_384;
/// Changes of one day that are told: 1.5 MB. Beyond that everybody does better to ask anew.
const CHANGES_MAX: usize = 1 << 16;
const MINUTE_MS: u64 = 60_000;

/// A base with what came after it, under one head.
pub struct Published {
    /// `directory.Head`, encoded.
    pub(super) head: Bytes,
    /// SHA-256 of it.
    pub(super) hash: [u8; 32],
    /// By the service's head key.
    pub(super) signature: [u8; SIGNATURE_LEN],
    /// What answers queries.
    pub(super) base: Arc<Base>,
    /// What is the same for everybody, by its SHA-256.
    pub(super) parts: HashMap<[u8; 32], Bytes>,
    today: Day,
    /// The day on which the base was made.
    made: Day,
}

impl<A: Accounts> DirectoryPlane<A> {
    pub(super) async fn publish_due(
        self: &Arc<Self>,
        now: Now,
        anew: bool,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<(), StoreError> {
        self.rekey().await?;
        let today = now.day();
        let before = self.published();
        if !anew && before.as_ref().is_some_and(|published| published.today == today) {
            return Ok(());
        }
        let store = self.accounts.store();
        store.tell(today).await?;
        let anew = anew || store.told(today).await?.len() > CHANGES_MAX;
        store.forget_told(Day(today.0.saturating_sub(DELTA_DAYS))).await?;
        let kept = before.filter(|published| !anew && published.made.week() == today.week());
        let (base, made) = match &kept {
            Some(published) => (published.base.clone(), published.made),
            None => (Arc::new(self.base(now, rng).await?), today),
        };
        let published = self.under_one_head(base, made, today, rng).await?;
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(published));
        Ok(())
    }

    /// Makes anew what other keys than the one in use have made. Nobody is listed meanwhile.
    async fn rekey(self: &Arc<Self>) -> Result<(), StoreError> {
        let store = self.accounts.store();
        let number = self.accounts.issuer().directory_number();
        loop {
            let page = store.made_by_others(number, PAGE).await?;
            let Some((_, old)) = page.first().copied() else { return Ok(()) };
            let elements: Vec<_> =
                page.into_iter().filter(|(_, key)| *key == old).map(|(element, _)| element).collect();
            let issuer = self.accounts.issuer().clone();
            let replaced = self.compute(move || {
                let made = issuer.directory_elements(old, &elements)?;
                Ok::<_, CredentialError>(elements.into_iter().zip(made).collect())
            });
            // What is kept was made here: other bytes are damage.
            store.rekey(number, replaced.await?.map_err(|_| StoreError::NotApplied)?).await?;
        }
    }

    /// A base of all who are listed now. Its number is no other's, since what is masked by it would come off.
    async fn base(self: &Arc<Self>, now: Now, rng: &mut (impl CryptoRng + Send)) -> Result<Base, StoreError> {
        let before = self.published().map_or(0, |published| published.base.header().number());
        let number = u32::try_from(now.0 / MINUTE_MS).unwrap_or(u32::MAX).max(before.saturating_add(1));
        let store = self.accounts.store();
        let through = store.told_days().await?.last().map_or(0, |day| day.0);
        let mut members = Members::new(number);
        let mut after = None;
        loop {
            let page = store.listings(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.element);
            let threads = self.threads;
            let page: Vec<_> = page.iter().map(|listing| (listing.element.0, listing.account)).collect();
            members = self
                .compute(move || {
                    let page: Vec<_> = page.iter().map(|(element, account)| (secret(element), *account)).collect();
                    members.add(&page, threads);
                    members
                })
                .await?;
        }
        let (mut seed, threads) = ([0; 32], self.threads);
        rng.fill_bytes(&mut seed);
        let built = self.compute(move || Base::build(members, through, &seed, threads)).await?;
        built.map_err(|_| StoreError::NotApplied)
    }

    async fn under_one_head(
        &self,
        base: Arc<Base>,
        made: Day,
        today: Day,
        rng: &mut (impl CryptoRng + Send),
    ) -> Result<Published, StoreError> {
        let store = self.accounts.store();
        let mut parts = HashMap::from([(hash(base.download()), base.download().clone())]);
        let mut deltas = Vec::new();
        for Day(day) in store.told_days().await? {
            let changes: Vec<_> = store.told(Day(day)).await?.iter().map(change).collect();
            let mut seed = [0; 32];
            rng.fill_bytes(&mut seed);
            let delta = if changes.len() > CHANGES_MAX { None } else { Delta::build(day, &changes, &seed).ok() };
            let Some(delta) = delta.map(Bytes::from) else {
                // The base has them. Whoever knows no later day asks anew.
                deltas.clear();
                continue;
            };
            let hash = hash(&delta);
            let bytes = u32::try_from(delta.len()).unwrap_or(u32::MAX);
            deltas.push(directory::Delta { day, bytes, hash: Bytes::copy_from_slice(&hash) });
            parts.insert(hash, delta);
        }
        let key = self.accounts.issuer().directory_public();
        let head = directory::Head { version: VERSION, key, base: base.header().to_bytes().into(), deltas };
        let head = Bytes::from(head.encode_to_vec());
        let signature = sign_directory(&self.head_key, &head);
        Ok(Published { hash: hash(&head), head, signature, base, parts, today, made })
    }
}

impl Published {
    /// What it is made of.
    pub(super) fn state(&self) -> BaseState {
        let header = self.base.header();
        let rows = u64::from(header.rows());
        BaseState {
            made: self.made,
            entries: header.entries().into(),
            download_bytes: header.download_len() as u64,
            query_bytes: if rows > 0 { header.query_len() as u64 } else { 0 },
            answer_bytes: rows * header.row_len() as u64,
        }
    }
}

fn change(change: &ListingChange) -> (DiscoverySecret, Change) {
    (secret(&change.element.0), change.account.map_or(Change::Removed, Change::Added))
}

fn secret(element: &[u8; 32]) -> DiscoverySecret {
    DiscoverySecret::of_element(element)
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
