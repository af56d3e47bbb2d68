//! How a mutation can fail.

/// The engine's own failure; a domain's refusal is a value of the call's result instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Certainly not applied: the same call may be made again.
    #[error("the store did not apply the change; try again")]
    NotApplied,
    /// May or may not have been applied: the same bytes, sent again, tell.
    #[error("the store cannot tell whether the change was applied; send the same again")]
    Unknown,
    /// The store is not usable, and stays so until an operator acts.
    #[error("the store is unusable: {0}")]
    Unusable(&'static str),
}
