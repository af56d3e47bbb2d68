//! Joining a chat that one was invited to.

use openmls::prelude::{
    JoinBuilder, MlsMessageBodyIn, MlsMessageIn, ProcessedWelcome, RatchetTreeIn, Welcome, WelcomeError,
    tls_codec::Deserialize as _,
};
use undertone_wire::ChannelId;

use super::{Chat, group_id, verify};
use crate::{E2eeError, Flaw, KeyValueError, Lists, Me, config};

impl Chat {
    /// Joins the chat of a channel by an invitation: whose leaves are in it, what its context says and who signed it
    /// is all checked. Uses the key package up, in the caller's transaction: after an error that is rolled back.
    ///
    /// `lists` are those of the inviter and of oneself.
    ///
    /// # Errors
    /// [`E2eeError::Exists`]; [`E2eeError::KeyGone`] when the invitation is for none of this device's key packages, or
    /// for one that was used up; [`E2eeError::Unsupported`]; a flaw; [`E2eeError::Storage`].
    pub fn join(
        me: &Me<'_>,
        channel: ChannelId,
        welcome: &[u8],
        tree: &[u8],
        lists: &Lists<'_>,
    ) -> Result<Self, E2eeError> {
        let welcome = parse_welcome(welcome)?;
        let tree = RatchetTreeIn::tls_deserialize_exact(tree).map_err(|_| Flaw::Malformed)?;
        let blame = |error| me.blame(classify(error));

        let processed = ProcessedWelcome::new_from_welcome(&me.provider, &config::join(), welcome).map_err(blame)?;
        if processed.unverified_group_info().group_id() != &group_id(channel) {
            return Err(Flaw::Epoch.into());
        }
        let staged = JoinBuilder::new(&me.provider, processed)
            .with_ratchet_tree(tree)
            // Our lifetimes are unlimited; what others claim is no reason to ask the clock.
            .skip_lifetime_validation()
            .build()
            .map_err(blame)?;
        verify::context(staged.group_context().extensions(), channel, 0)?;
        verify::members(staged.members(), lists)?;
        let group = staged.into_group(&me.provider).map_err(blame)?;
        Ok(Self { channel, group })
    }
}

fn parse_welcome(bytes: &[u8]) -> Result<Welcome, E2eeError> {
    let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| Flaw::Malformed)?;
    match message.extract() {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(Flaw::Kind.into()),
    }
}

fn classify(error: WelcomeError<KeyValueError>) -> E2eeError {
    match error {
        WelcomeError::NoMatchingKeyPackage
        | WelcomeError::PrivateInitKeyNotFound
        | WelcomeError::NoMatchingEncryptionKey => E2eeError::KeyGone,
        WelcomeError::GroupAlreadyExists => E2eeError::Exists,
        WelcomeError::StorageError(_) => E2eeError::Storage,
        WelcomeError::UnsupportedMlsVersion
        | WelcomeError::UnsupportedCapability
        | WelcomeError::UnsupportedCiphersuite(_)
        | WelcomeError::UnsupportedExtensions => E2eeError::Unsupported,
        WelcomeError::InvalidGroupInfoSignature | WelcomeError::UnknownSender => Flaw::Signature.into(),
        WelcomeError::GroupSecrets(_) | WelcomeError::GroupInfo(_) | WelcomeError::UnableToDecrypt => {
            Flaw::Ciphertext.into()
        }
        WelcomeError::LeafNodeValidation(_) => Flaw::Leaf.into(),
        WelcomeError::ConfirmationTagMismatch => Flaw::Fork.into(),
        _ => Flaw::Malformed.into(),
    }
}
