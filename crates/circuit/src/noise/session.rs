//! An established session: seals and opens messages, each in its order.

use snow::TransportState;

use super::Forged;

/// A Poly1305 tag, in bytes.
pub(crate) const TAG_BYTES: usize = 16;
/// The longest sealed message, in bytes (Noise, section 3).
pub(crate) const MESSAGE_BYTES_MAX: usize = 65_535;
/// The longest plaintext of one message.
pub(crate) const PLAINTEXT_BYTES_MAX: usize = MESSAGE_BYTES_MAX - TAG_BYTES;

/// Both directions of a session.
pub(crate) struct Session(TransportState);

impl Session {
    pub(super) fn new(transport: TransportState) -> Self {
        Self(transport)
    }

    /// Seals at most [`PLAINTEXT_BYTES_MAX`] bytes into `out`, which is longer by [`TAG_BYTES`].
    pub(crate) fn seal(&mut self, plaintext: &[u8], out: &mut [u8]) -> Result<(), Forged> {
        self.0.write_message(plaintext, out)?;
        Ok(())
    }

    /// Opens the peer's next message into `out`, which is shorter by [`TAG_BYTES`].
    pub(crate) fn open(&mut self, message: &[u8], out: &mut [u8]) -> Result<(), Forged> {
        self.0.read_message(message, out)?;
        Ok(())
    }
}
