//! Blind tokens: an account is issued them, somebody spends them, and nobody can tell that the two are one.
//!
//! A client makes up nonces and has a verifiable oblivious function ([`voprf`](crate::voprf)) of each computed by the
//! service that it authenticates to ([`Wish`], [`TokenKey`]): one whole batch at a time, hidden by blinds. A nonce with
//! the function's output is a [`Token`]. On an anonymous circuit it pays for one act: the service computes the output
//! again, and keeps the nonce ([`Nullifier`]) so that it pays only once.
//!
//! There is a key for each purpose and week, all derived from one seed ([`IssuingKey`]). The public keys stand in a list
//! that is the same for everybody; the proof that comes with a batch holds it to them. A service that gave somebody a key
//! of his own could know his tokens again, and nothing else lets it: blinded elements say nothing of the nonces, to
//! whatever computer. The seed, stolen, forges tokens of every purpose and week; it links none.

mod issue;
mod token;
mod wish;

#[cfg(test)]
mod tests;

pub(crate) use issue::elements;
pub use issue::{Issued, IssuingKey, TokenKey, TokenPublicKey};
pub use token::{Nullifier, Token};
pub use wish::Wish;
