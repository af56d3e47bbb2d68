//! The Noise session (DESIGN §8): `NKpsk0+psk2` with ML-KEM-768 mixed in twice.
//!
//! ```text
//! NK psk0+psk2:
//!   <- s                                        pinned by the service's link
//!   ...
//!   -> psk0, e, es { client's ephemeral KEM key }   psk0: encapsulated to the service's static KEM key
//!   <- e, ee, psk2 { }                              psk2: encapsulated to the client's ephemeral KEM key
//! ```
//!
//! The service proves itself by either static key only together with the other, so an attacker has to break X25519
//! *and* ML-KEM-768. Recorded sessions stay closed to whoever takes the static keys later: both ephemeral secrets are
//! gone. The client stays anonymous. Message 1 can be replayed by anyone who saw it; a replayer cannot go on, so
//! nothing is done for a client before its first message in the session.
//!
//! Specification: The Noise Protocol Framework, revision 34, sections 7.5 and 9; FIPS 203.

mod handshake;
mod randomness;
mod session;

pub(crate) use handshake::{Established, MESSAGE_1_BYTES, MESSAGE_2_BYTES, initiate, respond};
pub(crate) use session::{MESSAGE_BYTES_MAX, PLAINTEXT_BYTES_MAX, Session, TAG_BYTES};

/// A handshake or a message that does not check. It does not say why: that would help only an attacker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

impl From<snow::Error> for Forged {
    fn from(_: snow::Error) -> Self {
        Self
    }
}
