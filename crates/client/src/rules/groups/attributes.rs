//! What a group says of itself: sealed under a key of its members, in its record.

use bytes::Bytes;
use undertone_credentials::{
    GroupSecret,
    group::{Action, AttributeKind},
};
use undertone_e2ee::{attribute_bytes_max, open_attribute, seal_attribute};
use undertone_wire::group;

use crate::{ClientError, Result, state::Tx};

/// Label of the key.
const KEY: &str = "attributes";

/// The largest size that an attribute of a kind is let have, as the so-manieth of those that there are: a line, a text.
const fn size(kind: AttributeKind) -> usize {
    match kind {
        AttributeKind::Title | AttributeKind::Timer => 0,
        AttributeKind::Description | AttributeKind::Pinned => 2,
        AttributeKind::Avatar => 3,
    }
}

/// Says something of a group; nothing any more, where it is empty.
///
/// # Errors
/// [`ClientError::ProfileTooLong`].
pub(crate) fn set(tx: &mut Tx<'_>, secret: &GroupSecret, kind: AttributeKind, value: &[u8]) -> Result<Action> {
    if value.is_empty() {
        return Ok(Action::SetAttribute(kind, Bytes::new()));
    }
    let max = attribute_bytes_max(size(kind));
    if value.len() > max {
        return Err(ClientError::ProfileTooLong { length: value.len(), max });
    }
    let sealed = seal_attribute(&secret.subkey(KEY), number(kind), value, &mut tx.rng)?;
    Ok(Action::SetAttribute(kind, sealed))
}

/// What it says, as text. Who has the key and no right can put nothing there; what does not open is passed over.
pub(crate) fn open(secret: &GroupSecret, kind: AttributeKind, sealed: &[u8]) -> Option<String> {
    let value = open_attribute(&secret.subkey(KEY), number(kind), sealed).ok()?;
    String::from_utf8(value.to_vec()).ok()
}

fn number(kind: AttributeKind) -> i32 {
    let kind = match kind {
        AttributeKind::Title => group::AttributeKind::Title,
        AttributeKind::Description => group::AttributeKind::Description,
        AttributeKind::Avatar => group::AttributeKind::Avatar,
        AttributeKind::Pinned => group::AttributeKind::Pinned,
        AttributeKind::Timer => group::AttributeKind::Timer,
    };
    kind.into()
}
