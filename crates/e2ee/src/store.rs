//! Where a device keeps its MLS secrets: a map that its owner provides.

use zeroize::Zeroizing;

use crate::Loaded;

/// The map failed. Its owner knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key-value store failed")]
pub struct KeyValueError;

/// Bytes by key, over one open transaction of the owner's encrypted database.
///
/// All that an operation writes is committed, together with what it brought (history, outbox), or rolled back; bytes
/// that an operation made leave the device only after that commit. Never bring back an old state, from a backup or
/// otherwise: a ratchet that runs twice encrypts two messages under one key, and a commit that others have merged is
/// gone. Whoever reads the values reads the chats.
pub trait KeyValue {
    /// The value of a key.
    ///
    /// # Errors
    /// When the map cannot tell.
    fn get(&self, key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, KeyValueError>;

    /// Sets the value of a key.
    ///
    /// # Errors
    /// When the map cannot do it.
    fn put(&self, key: &[u8], value: &[u8]) -> Result<(), KeyValueError>;

    /// Forgets a key, if it is there.
    ///
    /// # Errors
    /// When the map cannot do it.
    fn delete(&self, key: &[u8]) -> Result<(), KeyValueError>;

    /// Chats that need not be read from this map again; none where everything is read each time.
    fn loaded(&self) -> Option<&Loaded> {
        None
    }
}
