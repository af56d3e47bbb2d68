//! Joining a chat that one was invited to.

use openmls::prelude::{
    JoinBuilder, MlsGroup, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider as _, ProcessedWelcome, RatchetTreeIn,
    StagedWelcome, Welcome, WelcomeError, tls_codec::Deserialize as _,
};
use undertone_wire::ChannelId;

use super::{Chat, group_id, verify};
use crate::{E2eeError, Flaw, KeyValueError, Lists, Me, Member, Suite, config};

impl Chat {
    /// Joins the chat of a channel by an invitation: whose leaves are in it, what its context says and who signed it
    /// is all checked. Uses the key package up, in the caller's transaction: after an error that is rolled back.
    ///
    /// What this device had of the same chat is deleted; so it is for the caller to see that the invitation is no old
    /// one. `group` counts the restarts that were valid, `lists` are those of all accounts of the chat. Returns besides who has
    /// let this device in, and has signed what the chat is: whether he may by lists newer than these is for the caller to see.
    ///
    /// # Errors
    /// [`E2eeError::KeyGone`] when the invitation is for none of this device's key packages, or for one that was used
    /// up; [`E2eeError::Unsupported`]; a flaw; [`E2eeError::Storage`].
    pub fn join(
        me: &Me<'_>,
        channel: ChannelId,
        group: u32,
        welcome: &[u8],
        tree: &[u8],
        lists: &Lists<'_>,
    ) -> Result<(Self, Member), E2eeError> {
        let welcome = parse_welcome(welcome)?;
        let tree = parse_tree(Suite::of(welcome.ciphersuite())?, tree)?;
        let opened = Opened::open(me, welcome, tree)?;
        opened.check(channel, group, 0, lists)?;
        let by = opened.inviter()?;
        Ok((opened.join(me, channel, group)?, by))
    }
}

/// A Welcome that was opened, which has used up its key package.
pub(super) struct Opened(pub(super) StagedWelcome);

impl Opened {
    pub(super) fn open(me: &Me<'_>, welcome: Welcome, tree: RatchetTreeIn) -> Result<Self, E2eeError> {
        let blame = |error| me.blame(classify(error));
        let processed = ProcessedWelcome::new_from_welcome(&me.provider, &config::join(), welcome).map_err(blame)?;
        JoinBuilder::new(&me.provider, processed)
            .with_ratchet_tree(tree)
            .replace_old_group()
            // Our lifetimes are unlimited; what others claim is no reason to ask the clock.
            .skip_lifetime_validation()
            .build()
            .map(Self)
            .map_err(blame)
    }

    pub(super) fn check(
        &self,
        channel: ChannelId,
        group: u32,
        floor_min: u32,
        lists: &Lists<'_>,
    ) -> Result<(), E2eeError> {
        let context = self.0.group_context();
        if context.group_id() != &group_id(channel, group) {
            return Err(Flaw::Epoch.into());
        }
        verify::context(context.extensions(), channel, floor_min)?;
        verify::members(self.0.members(), lists)?;
        Ok(())
    }

    /// Whose leaf has signed the group that the Welcome leads into.
    fn inviter(&self) -> Result<Member, Flaw> {
        let leaf = self.0.welcome_sender().map_err(|_| Flaw::Leaf)?;
        Member::of(leaf.credential())
    }

    pub(super) fn join(self, me: &Me<'_>, channel: ChannelId, group: u32) -> Result<Chat, E2eeError> {
        let storage = me.provider.storage();
        let old = MlsGroup::load(storage, &group_id(channel, group)).map_err(|_| E2eeError::Storage)?;
        if let Some(mut old) = old {
            old.delete(storage).map_err(|_| E2eeError::Storage)?;
        }
        let group = self.0.into_group(&me.provider).map_err(|error| me.blame(classify(error)))?;
        Ok(Chat { channel, group })
    }
}

pub(super) fn parse_welcome(bytes: &[u8]) -> Result<Welcome, E2eeError> {
    let message = MlsMessageIn::tls_deserialize_exact(bytes).map_err(|_| Flaw::Malformed)?;
    match message.extract() {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(Flaw::Kind.into()),
    }
}

pub(super) fn parse_tree(suite: Suite, bytes: &[u8]) -> Result<RatchetTreeIn, Flaw> {
    let tree = RatchetTreeIn::tls_deserialize_exact(bytes).map_err(|_| Flaw::Malformed)?;
    verify::tree_keys(suite, &tree)?;
    Ok(tree)
}

fn classify(error: WelcomeError<KeyValueError>) -> E2eeError {
    match error {
        WelcomeError::NoMatchingKeyPackage
        | WelcomeError::PrivateInitKeyNotFound
        | WelcomeError::NoMatchingEncryptionKey => E2eeError::KeyGone,
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
