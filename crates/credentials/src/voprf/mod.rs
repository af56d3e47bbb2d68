//! Oblivious pseudorandom functions: OPRF and VOPRF of RFC 9497, suite ristretto255-SHA512.
//!
//! A server has a key, a client an input. Together they compute the function's output for that input: the server
//! learns neither of the two, the client nothing of the key. In mode [`Voprf`] the server also proves that it has used
//! the key that everybody knows it by; without that, a key of his own would mark each client.
//!
//! The client hides its inputs ([`Blinded`]), the server evaluates what it gets ([`SecretKey::blind_evaluate`]), the
//! client takes the outputs out of the answer ([`Blinded::finalize`]). Who has the key computes an output directly
//! ([`SecretKey::evaluate`]). Nobody trusts anybody: elements and proofs are checked where they are parsed and used.
//!
//! The third mode of the RFC (POPRF) binds an output to a public input as well. It is not here: whoever needs that takes
//! a key for each such input ([`SecretKey::derive`]), which costs less and keeps the proofs apart.
//!
//! Whatever depends on a secret takes constant time; what varies in time sees only what both sides know.

mod client;
mod element;
mod key;
mod proof;
mod scalar;
mod suite;

#[cfg(test)]
mod tests;

pub use client::Blinded;
pub use element::{ELEMENT_LEN, Element};
pub use key::{Multiplier, PublicKey, SecretKey};
pub use proof::{PROOF_LEN, Proof};
pub use scalar::{SCALAR_LEN, SecretScalar};
pub use suite::{BATCH_MAX, Mode, OUTPUT_LEN, Oprf, Output, Voprf};
