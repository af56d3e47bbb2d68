//! Why something is not believed.

use undertone_wire::limits::DEVICES_MAX;

/// Why bytes or words prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The bytes do not parse, or a field breaks its limit.
    #[error("a signed object does not parse or breaks a limit")]
    Malformed,
    /// Of a version that this release does not know yet.
    #[error("a signed object was made by a newer version: update first")]
    Newer,
    /// Not the one encoding of a point of large order.
    #[error("a public key is no valid Ed25519 key")]
    Key,
    /// A signature does not check, or is by somebody else.
    #[error("a signature does not check")]
    Signature,
    /// Not the canonical encoding of an element of ristretto255, or the identity's.
    #[error("a group element is not valid")]
    Element,
    /// A batch of none or too many, or an answer to another number of them.
    #[error("a batch holds another number of elements than it may")]
    Batch,
    /// A batch was not evaluated with the key that everybody knows.
    #[error("a proof does not check: the service has used another key than it says")]
    Proof,
    /// A token is forged, or of another purpose or week than it says.
    #[error("a token does not check")]
    Token,
    /// A token can be spent in its week and in the one after it.
    #[error("a token is not of this week or the one before")]
    TokenWeek,
    /// A member entry is no account's in this group.
    #[error("a member entry stands for nobody in this group")]
    Entry,
    /// Whoever presents a credential has none for this entry, group and day, or presents it for something else.
    #[error("a presentation does not check")]
    Presentation,
    /// The list holds no such device.
    #[error("the device is not on the device list")]
    NoDevice,
    /// A list has none or more devices than it may, or an account's first list another number than one.
    #[error("a device list holds between 1 and {DEVICES_MAX} devices, and an account's first one just 1")]
    DeviceCount,
    /// Recovery words: another number of them than 24.
    #[error("there must be 24 recovery words, but there are {0}")]
    WordCount(usize),
    /// Recovery words: the word in this place, counted from 1, is not on the list.
    #[error("recovery word {0} is not a word of the list: check its spelling")]
    UnknownWord(usize),
    /// Recovery words: all are on the list, but they do not belong together.
    #[error("the recovery words do not belong together: one is wrong, or two are exchanged")]
    WordsChecksum,
}
