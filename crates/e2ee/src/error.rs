//! Why an operation did not happen, told apart by what the caller has to do next.

/// Why bytes were not believed, or a chat could not do what it was asked.
///
/// After any of these the caller rolls its transaction back, drops the [`Chat`](crate::Chat) and loads it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum E2eeError {
    /// Everybody who reads these bytes finds the same flaw and skips them. Who skips a commit commits next.
    #[error("not acceptable to anybody: {0}")]
    Invalid(Flaw),
    /// Others can follow this commit, this device cannot: only its own secrets fail. It needs a new invitation.
    #[error("this device cannot follow the chat any more and must join it again")]
    Private,
    /// Made by a later release: to be kept until an update understands it.
    #[error("made by a newer version: update first")]
    Unsupported,
    /// What it was encrypted to has been used up, or forgotten after its time.
    #[error("encrypted to a key that this device no longer has")]
    KeyGone,
    /// There is a chat in this channel already.
    #[error("there is a chat in this channel already")]
    Exists,
    /// A commit of one's own waits for its place in the log: merge or discard it first.
    #[error("an own commit is still waiting for its place in the log")]
    Pending,
    /// The content does not fit into the largest bucket.
    #[error("too long for the largest padding bucket")]
    TooLong,
    /// The store failed, or holds what this release never wrote.
    #[error("the state of a chat could not be read or written")]
    Storage,
    /// A step that cannot fail did: a fault of this program.
    #[error("an internal step of the encryption failed")]
    Internal,
}

/// What is wrong with bytes, the same for all who read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// They do not parse, or break a limit.
    #[error("it does not parse")]
    Malformed,
    /// They are something else than the entry's kind says.
    #[error("it is of another kind than its entry says")]
    Kind,
    /// Made for another MLS group or epoch than stands here.
    #[error("it was made for another epoch")]
    Epoch,
    /// Made from another state of this epoch than ours, or not by a member.
    #[error("it was made from another state than ours")]
    Fork,
    /// They cannot be decrypted: damaged, repeated, or not meant for us.
    #[error("it cannot be decrypted")]
    Ciphertext,
    /// A signature does not check.
    #[error("a signature does not check")]
    Signature,
    /// A member's leaf is not that of a device on the newest list of an account of this chat.
    #[error("a member is not who he must be")]
    Leaf,
    /// A device list in the entry does not check, or is of nobody in this chat.
    #[error("a device list is not one of this chat")]
    List,
    /// The keys that the entry installs are not those of the generation that it begins, or are missing where it must begin
    /// one.
    #[error("it does not begin the generation that it must")]
    Generation,
    /// A head does not lead into the chat that it is of.
    #[error("the way back into the chat leads elsewhere")]
    Head,
    /// The group context does not say what ours must: this channel, a floor that is not lowered, nor the suite.
    #[error("the context of the chat is not what it must be")]
    Context,
    /// The commit or one of its proposals breaks a rule of MLS.
    #[error("a commit breaks a rule")]
    Commit,
    /// The authenticated data is not what the sender has seen of the log.
    #[error("the authenticated data does not parse")]
    AuthenticatedData,
}

impl From<Flaw> for E2eeError {
    fn from(flaw: Flaw) -> Self {
        Self::Invalid(flaw)
    }
}
