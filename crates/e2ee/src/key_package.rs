//! MLS key packages (RFC 9420, section 10): by which others add this device to a chat.

use bytes::Bytes;
use openmls::prelude::{
    ExtensionType, KeyPackage as MlsKeyPackage, KeyPackageIn, OpenMlsProvider as _, ProtocolVersion,
    tls_codec::{Deserialize as _, Serialize as _},
};
use openmls_traits::storage::StorageProvider as _;
use undertone_credentials::{DeviceList, KeyPackage};

use crate::{
    E2eeError, Flaw, Lists, Me, Member, Suite, config,
    labels::CONTEXT_EXTENSION,
    provider::{Provider, is_encryption_key},
};

/// Makes a key package of this device for chats of a suite and keeps its private part. The result is to be signed
/// (`credentials::KeyPackage::sign`) with the same `last_resort`.
///
/// A one-time package's private part goes with the first invitation that uses it; a last resort's stays, and opens
/// all of them, until [`forget_key_package`].
///
/// # Errors
/// [`E2eeError::Storage`].
pub fn create_key_package(me: &Me<'_>, suite: Suite, last_resort: bool) -> Result<Bytes, E2eeError> {
    let builder = MlsKeyPackage::builder()
        .leaf_node_capabilities(config::capabilities(suite))
        .key_package_lifetime(config::lifetime());
    let builder = if last_resort { builder.mark_as_last_resort() } else { builder };
    let bundle = builder
        .build(suite.mls(), &me.provider, &me.signer, me.credential())
        .map_err(|_| me.blame(E2eeError::Internal))?;
    bundle.key_package().tls_serialize_detached().map(Bytes::from).map_err(|_| E2eeError::Internal)
}

/// Forgets the private part of a key package of this device: one that was replaced, or whose time is over.
///
/// # Errors
/// [`E2eeError::Storage`]; [`Flaw::Malformed`] when it is no key package.
pub fn forget_key_package(me: &Me<'_>, mls: &[u8]) -> Result<(), E2eeError> {
    let package = parse(&me.provider, mls)?;
    let reference = package.hash_ref(me.provider.crypto()).map_err(|_| E2eeError::Internal)?;
    me.provider.storage().delete_key_package(&reference).map_err(|_| E2eeError::Storage)
}

/// The MLS key package inside a signed one, if it can add that device of that list to a chat of this suite.
pub(crate) fn check(
    provider: &Provider<'_>,
    suite: Suite,
    list: &DeviceList,
    package: &KeyPackage,
) -> Result<MlsKeyPackage, E2eeError> {
    let mls = parse(provider, package.mls())?;
    let member = judge(suite, &mls, &Lists::from_iter([list]))?;
    if member != (Member { account: list.account(), device: package.device() }) {
        return Err(Flaw::Leaf.into());
    }
    if mls.last_resort() != package.last_resort() {
        return Err(Flaw::Malformed.into());
    }
    Ok(mls)
}

/// Whom a key package, whose signatures MLS has checked, adds to a chat of this suite and these accounts.
///
/// # Errors
/// [`E2eeError::Unsupported`] when that device cannot do what the chat needs; [`Flaw::Leaf`], [`Flaw::Malformed`].
pub(crate) fn judge(suite: Suite, mls: &MlsKeyPackage, lists: &Lists<'_>) -> Result<Member, E2eeError> {
    if mls.ciphersuite() != suite.mls() {
        return Err(E2eeError::Unsupported);
    }
    let leaf = mls.leaf_node();
    let member = lists.member(leaf.credential(), leaf.signature_key().as_slice())?;
    let capable = leaf.capabilities().ciphersuites().contains(&suite.mls().into())
        && leaf.capabilities().extensions().contains(&ExtensionType::Unknown(CONTEXT_EXTENSION))
        && leaf.capabilities().credentials().contains(&leaf.credential().credential_type());
    if !capable {
        return Err(E2eeError::Unsupported);
    }
    let sound = *mls.life_time() == config::lifetime()
        && is_encryption_key(suite, leaf.encryption_key())
        && is_encryption_key(suite, mls.hpke_init_key());
    if sound { Ok(member) } else { Err(Flaw::Malformed.into()) }
}

/// Parses a key package and checks what MLS asks of every one, its signatures above all.
fn parse(provider: &Provider<'_>, mls: &[u8]) -> Result<MlsKeyPackage, E2eeError> {
    let package = KeyPackageIn::tls_deserialize_exact(mls).map_err(|_| Flaw::Malformed)?;
    package.validate(provider.crypto(), ProtocolVersion::Mls10).map_err(|_| Flaw::Signature.into())
}
