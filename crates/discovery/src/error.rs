//! Why something of discovery was not done.

/// Why bytes are not used, or nothing could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// The bytes do not parse, or a field breaks its limit.
    #[error("what contacts are looked up in does not parse or breaks a limit")]
    Malformed,
    /// Of a version that this release does not know yet.
    #[error("contact discovery was set up by a newer version: update first")]
    Newer,
    /// A query, an answer or a download has another length than its base says.
    #[error("a query or an answer of contact discovery has the wrong length: is it of another base?")]
    Length,
    /// A download is another than the header says.
    #[error("what was downloaded for contact discovery is not what the service signed")]
    Download,
    /// An answer does not fit the question: it was made from another base, with an error, or not honestly.
    #[error("the service's answer about contacts is wrong")]
    Answer,
    /// The base is a table, which has no rows to ask for; or has no such rows.
    #[error("this base of contacts has no such rows")]
    Rows,
    /// The base has rows, and so no table to look into.
    #[error("this base of contacts is no table")]
    Table,
    /// More contacts than are asked for at once.
    #[error("too many contacts at once")]
    TooMany,
    /// More entries than a base holds.
    #[error("too many entries for one base of contacts")]
    TooLarge,
    /// No salt places all entries. One in a thousand does at the least, so something is wrong with the entries.
    #[error("the entries could not be placed in a base of contacts")]
    Unbuildable,
}
