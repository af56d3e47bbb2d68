//! How our MLS groups are set up: our credential and context, nothing that needs a clock or a past epoch.

use openmls::prelude::{
    Capabilities, CredentialType, Extension, ExtensionType, Extensions, GroupContext, Lifetime, MlsGroupCreateConfig,
    MlsGroupJoinConfig, PURE_PLAINTEXT_WIRE_FORMAT_POLICY, RequiredCapabilitiesExtension, SenderRatchetConfiguration,
    UnknownExtension, WireFormatPolicy,
};
use undertone_wire::{ChannelId, Message, content, ladder};

use crate::{
    E2eeError, Suite,
    labels::{CONTEXT_EXTENSION, CREDENTIAL},
};

/// Handshakes travel in the clear of MLS, messages encrypted; the wrap hides both alike.
const WIRE_FORMAT: WireFormatPolicy = PURE_PLAINTEXT_WIRE_FORMAT_POLICY;

/// The log has one order, so keys of skipped messages serve only those of one batch that failed and came again.
const SKIPPED_KEYS_MAX: u32 = 64;

/// A reader who was away may find so many messages of one sender and epoch expired before the next that he can read.
/// Skipping them takes about a second.
const SKIPPED_MESSAGES_MAX: u32 = 100_000;

/// What every leaf of ours can do in a chat of this suite. That a device reads another one is said by its features on the
/// device list. Proposals of later releases are no part of it yet.
pub fn capabilities(suite: Suite) -> Capabilities {
    Capabilities::builder()
        .ciphersuites(vec![suite.mls()])
        .extensions(vec![ExtensionType::Unknown(CONTEXT_EXTENSION), ExtensionType::LastResort])
        .credentials(vec![CredentialType::Other(CREDENTIAL)])
        .build()
}

/// Key packages and leaves never expire for MLS, which would ask the system's clock and make a late reader refuse
/// what was right in its time. Their age is judged once, by the adder, by the signed validity.
pub fn lifetime() -> Lifetime {
    Lifetime::init(0, u64::MAX)
}

/// For a new group of a channel.
pub fn create(channel: ChannelId, suite: Suite) -> Result<MlsGroupCreateConfig, E2eeError> {
    Ok(MlsGroupCreateConfig::builder()
        .ciphersuite(suite.mls())
        .capabilities(capabilities(suite))
        .lifetime(lifetime())
        .with_group_context_extensions(context(channel, ladder::PROTOCOL_MIN)?)
        .wire_format_policy(WIRE_FORMAT)
        .sender_ratchet_configuration(sender_ratchet())
        .max_past_epochs(0)
        .use_ratchet_tree_extension(false)
        .build())
}

/// For a group that one was invited to.
pub fn join() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(WIRE_FORMAT)
        .sender_ratchet_configuration(sender_ratchet())
        .max_past_epochs(0)
        .use_ratchet_tree_extension(false)
        .build()
}

/// The extensions of our group context: what every leaf must support, and what the chat is.
pub fn context(channel: ChannelId, floor: u32) -> Result<Extensions<GroupContext>, E2eeError> {
    let content = content::Context { channel: channel.into(), floor }.encode_to_vec();
    let required = RequiredCapabilitiesExtension::new(
        &[ExtensionType::Unknown(CONTEXT_EXTENSION)],
        &[],
        &[CredentialType::Other(CREDENTIAL)],
    );
    Extensions::from_vec(vec![
        Extension::RequiredCapabilities(required),
        Extension::Unknown(CONTEXT_EXTENSION, UnknownExtension(content)),
    ])
    .map_err(|_| E2eeError::Internal)
}

fn sender_ratchet() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(SKIPPED_KEYS_MAX, SKIPPED_MESSAGES_MAX)
}
