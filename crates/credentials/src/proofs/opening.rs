//! Openings: a channel circuit may read or write, and nobody learns who holds it.

use undertone_wire::{ChannelId, HandshakeHash, context::Context};

use crate::{CredentialError, PublicKey, ReadKey, SIGNATURE_LEN, WriteKey};

macro_rules! opening {
    ($(#[$doc:meta])* $name:ident, $key:ident, $open:ident, $verify:ident, $context:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub struct $name {
            channel: ChannelId,
            generation: u32,
        }

        impl $name {
            /// The channel.
            pub fn channel(&self) -> ChannelId {
                self.channel
            }

            /// The generation whose key was proven.
            pub fn generation(&self) -> u32 {
                self.generation
            }
        }

        /// Opens a channel on this circuit.
        pub fn $open(
            circuit: &HandshakeHash,
            channel: ChannelId,
            generation: u32,
            key: &$key,
        ) -> [u8; SIGNATURE_LEN] {
            key.sign(&Context::$context.bytes(&[channel.as_bytes(), &generation.to_be_bytes(), circuit.as_bytes()]))
        }

        /// Checks an opening of a channel on this circuit, with the key that the channel has in this generation.
        ///
        /// # Errors
        /// [`CredentialError::Signature`].
        pub fn $verify(
            circuit: &HandshakeHash,
            channel: ChannelId,
            generation: u32,
            key: &PublicKey,
            signature: &[u8],
        ) -> Result<$name, CredentialError> {
            let parts = [&channel.as_bytes()[..], &generation.to_be_bytes(), circuit.as_bytes()];
            key.verify(&Context::$context.bytes(&parts), signature)?;
            Ok($name { channel, generation })
        }
    };
}

opening!(
    /// A circuit's right to read a channel.
    ReadOpening, ReadKey, open_read, verify_open_read, OPEN_READ
);
opening!(
    /// A circuit's right to write to a channel.
    WriteOpening, WriteKey, open_write, verify_open_write, OPEN_WRITE
);

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: HandshakeHash = HandshakeHash::new([1; 32]);
    const ELSEWHERE: HandshakeHash = HandshakeHash::new([2; 32]);
    const CHANNEL: ChannelId = ChannelId::new([3; 16]);
    const OTHER: ChannelId = ChannelId::new([4; 16]);

    #[test]
    fn an_opening_is_for_one_circuit_channel_and_generation() {
        let (read, write) = (ReadKey::from_seed(&[5; 32]), WriteKey::from_seed(&[6; 32]));
        let signature = open_read(&HERE, CHANNEL, 7, &read);
        let opening = verify_open_read(&HERE, CHANNEL, 7, &read.public(), &signature).ok().unwrap();
        assert!(opening.channel() == CHANNEL && opening.generation() == 7);
        let signature = open_write(&HERE, CHANNEL, 7, &write);
        let opening = verify_open_write(&HERE, CHANNEL, 7, &write.public(), &signature).ok().unwrap();
        assert!(opening.channel() == CHANNEL && opening.generation() == 7);

        for (circuit, channel, generation) in [(ELSEWHERE, CHANNEL, 7), (HERE, OTHER, 7), (HERE, CHANNEL, 8)] {
            let signature = open_read(&circuit, channel, generation, &read);
            assert!(verify_open_read(&HERE, CHANNEL, 7, &read.public(), &signature).is_err());
            let signature = open_write(&circuit, channel, generation, &write);
            assert!(verify_open_write(&HERE, CHANNEL, 7, &write.public(), &signature).is_err());
        }
    }

    #[test]
    fn reading_is_not_writing_even_with_the_same_key() {
        let (read, write) = (ReadKey::from_seed(&[5; 32]), WriteKey::from_seed(&[5; 32]));
        let reads = open_read(&HERE, CHANNEL, 7, &read);
        let writes = open_write(&HERE, CHANNEL, 7, &write);
        assert!(verify_open_write(&HERE, CHANNEL, 7, &write.public(), &reads).is_err());
        assert!(verify_open_read(&HERE, CHANNEL, 7, &read.public(), &writes).is_err());
    }
}
