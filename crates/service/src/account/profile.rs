//! Profiles: what an account tells of itself to those who have its key, and to nobody else.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_store::{Accounts, Profile};
use undertone_wire::{
    account::PutProfileRequest,
    circuit::{Code, Fault},
    padding,
    visitor::{FetchProfileReply, FetchProfileRequest},
};

use super::AccountPlane;
use crate::{
    fault,
    request::{ensure, parse},
};

/// A profile as the store takes it.
pub fn checked(request: PutProfileRequest) -> Result<Profile, Fault> {
    let PutProfileRequest { revision, sealed, access_hash } = request;
    if sealed.is_empty() {
        ensure(access_hash.is_empty())?;
        return Ok(Profile { revision, access_hash: None, sealed: Bytes::new() });
    }
    ensure(padding::PROFILE.contains(&sealed.len()))?;
    Ok(Profile { revision, access_hash: Some(hash(&access_hash)?), sealed })
}

impl<A: Accounts> AccountPlane<A> {
    /// Gives the profile to whoever shows what its owner has told him. All others learn nothing, not even whether there
    /// is such an account.
    pub(crate) async fn fetch_profile(&self, request: FetchProfileRequest) -> Result<FetchProfileReply, Fault> {
        let account = parse(&request.account)?;
        ensure(request.access.len() == 32)?;
        let profile = self.store.profile(account).await.map_err(fault::store)?;
        // Hashes are compared: how long that takes tells nothing of what they are of.
        if profile.access_hash != Some(Sha256::digest(&request.access).into()) {
            return Err(Code::NotFound.into());
        }
        Ok(FetchProfileReply { revision: profile.revision, sealed: profile.sealed })
    }
}

fn hash(bytes: &[u8]) -> Result<[u8; 32], Fault> {
    bytes.try_into().map_err(|_| Code::Malformed.into())
}
