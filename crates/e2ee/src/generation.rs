//! A generation of a channel: the keys that open its log, and the wrap around every body in it.
//!
//! Members share one 32-byte secret. Its read key and write key prove to the service the right to read and to write;
//! its wrap key hides from the service everything that a body holds, MLS headers included. Who has the secret reads
//! what MLS leaves in the clear (who commits, key material, sizes), but no message.

use bytes::Bytes;
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use undertone_credentials::{PublicKey, ReadKey, WriteKey};
use undertone_wire::{ChannelId, Day, Position, channel::EntryKind, context::Context, padding};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    E2eeError, Flaw,
    aead::{self, KEY_LEN},
    labels,
};

/// Bytes of a generation's secret.
pub const GENERATION_SECRET_LEN: usize = 32;
/// Bytes of the keys that a generation installs.
pub const INSTALLS_LEN: usize = 2 * PublicKey::LEN;

/// The secret of a generation. Whoever has it reads and writes the channel's log.
#[derive(ZeroizeOnDrop)]
pub struct Generation([u8; GENERATION_SECRET_LEN]);

/// Where a body stands in a log: it opens nowhere else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The channel.
    pub channel: ChannelId,
    /// What kind of entry it is in.
    pub kind: EntryKind,
    /// The position that the entry is made for.
    pub position: Position,
    /// The entry's last day.
    pub expiry_day: Day,
}

impl Generation {
    /// A generation that begins with nothing but chance, as the first of a channel does.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut secret = Zeroizing::new([0; GENERATION_SECRET_LEN]);
        rng.fill_bytes(&mut *secret);
        Self(*secret)
    }

    /// The generation of a secret.
    pub fn from_secret(secret: [u8; GENERATION_SECRET_LEN]) -> Self {
        Self(secret)
    }

    /// Its secret, to be stored or passed to those who are invited.
    pub fn secret(&self) -> &[u8; GENERATION_SECRET_LEN] {
        &self.0
    }

    /// The key that opens the channel to read.
    pub fn read_key(&self) -> ReadKey {
        ReadKey::from_seed(&self.derive(labels::READ_KEY))
    }

    /// The key that opens the channel to write.
    pub fn write_key(&self) -> WriteKey {
        WriteKey::from_seed(&self.derive(labels::WRITE_KEY))
    }

    /// What the entry that begins this generation installs at the service: read key, then write key, public.
    pub fn installs(&self) -> [u8; INSTALLS_LEN] {
        let mut installs = [0; INSTALLS_LEN];
        let (read, write) = installs.split_at_mut(PublicKey::LEN);
        read.copy_from_slice(self.read_key().public().as_bytes());
        write.copy_from_slice(self.write_key().public().as_bytes());
        installs
    }

    /// Wraps the content of an entry: `nonce (24) || XChaCha20-Poly1305(padded content)`, exactly one bucket of
    /// [`padding::ENTRY`] long. A commit that is too large for that is as long as a [blob](padding::commit_bytes).
    ///
    /// # Errors
    /// [`E2eeError::TooLong`].
    pub fn wrap(&self, place: &Place, content: &[u8], rng: &mut impl CryptoRng) -> Result<Bytes, E2eeError> {
        let key = self.derive(labels::WRAP_KEY);
        let wrapped = match place.kind {
            EntryKind::Commit => aead::seal_large(&key, &place.bytes(), (&[], content), rng),
            _ => aead::seal(&key, &place.bytes(), (&[], content), padding::ENTRY, rng),
        };
        wrapped.map(Bytes::from)
    }

    /// The content of a body that was wrapped for this place in this generation.
    ///
    /// # Errors
    /// [`Flaw::Ciphertext`], for everybody who has this generation alike.
    pub fn unwrap(&self, place: &Place, body: &[u8]) -> Result<Zeroizing<Vec<u8>>, E2eeError> {
        let is_commit = place.kind == EntryKind::Commit && padding::commit_bytes(body.len()) == Some(body.len());
        if !is_commit && !padding::ENTRY.contains(&body.len()) {
            return Err(Flaw::Ciphertext.into());
        }
        Ok(aead::open(&self.derive(labels::WRAP_KEY), &place.bytes(), body)?)
    }

    /// HKDF-SHA256 (RFC 5869) of the secret, without salt.
    fn derive(&self, label: &[u8]) -> Zeroizing<[u8; KEY_LEN]> {
        let mut key = Zeroizing::new([0; KEY_LEN]);
        #[allow(clippy::expect_used, reason = "HKDF-SHA256 gives up to 8,160 bytes")]
        Hkdf::<Sha256>::new(None, &self.0).expand(label, &mut *key).expect("32 bytes");
        key
    }
}

impl Place {
    fn bytes(&self) -> Vec<u8> {
        Context::WRAP.bytes(&[
            self.channel.as_bytes(),
            &i32::from(self.kind).to_be_bytes(),
            &self.position.incarnation.to_be_bytes(),
            &self.position.epoch.to_be_bytes(),
            &self.expiry_day.0.to_be_bytes(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;
    use sha2::Digest;

    use super::*;
    use crate::testing::rng;

    const PLACE: Place = Place {
        channel: ChannelId::new([7; 16]),
        kind: EntryKind::Message,
        position: Position { incarnation: 1, epoch: 5 },
        expiry_day: Day(20_800),
    };

    fn generation() -> Generation {
        Generation::from_secret([3; 32])
    }

    /// What is stored and sent does not drift: these values are frozen.
    #[test]
    fn known_answers() {
        let generation = generation();
        let body = generation.wrap(&PLACE, b"hello", &mut rng(1)).unwrap();
        assert_eq!(
            [
                HEXLOWER.encode(generation.read_key().public().as_bytes()),
                HEXLOWER.encode(generation.write_key().public().as_bytes()),
                HEXLOWER.encode(&Sha256::digest(&body)),
            ],
            [
                "04ceb8b5a89e23061c4bbc4343d71bebd8d7c9e08819b71115bab41bb1d32d32",
                "8c107b38b4ee245edb0b29ad16657a3e5c99259fffcc2af1a964284406b4f96e",
                "c167ff0c425d8a87c31d74fc3849e6189aa64db2677af54fe431b25eb2ae46bd",
            ]
        );
    }

    #[test]
    fn it_opens_in_its_own_place_and_generation() {
        let body = generation().wrap(&PLACE, b"hello", &mut rng(1)).unwrap();
        assert_eq!(body.len(), 256);
        assert_eq!(&**generation().unwrap(&PLACE, &body).unwrap(), b"hello");

        let refused = |place: Place| generation().unwrap(&place, &body).err() == Some(Flaw::Ciphertext.into());
        assert!(refused(Place { channel: ChannelId::new([8; 16]), ..PLACE }));
        assert!(refused(Place { kind: EntryKind::Commit, ..PLACE }));
        assert!(refused(Place { position: Position { incarnation: 2, epoch: 5 }, ..PLACE }));
        assert!(refused(Place { position: Position { incarnation: 1, epoch: 6 }, ..PLACE }));
        assert!(refused(Place { expiry_day: Day(20_801), ..PLACE }));
        assert!(Generation::from_secret([4; 32]).unwrap(&PLACE, &body).is_err());
    }

    /// A length of its own would tell the service apart who writes so.
    #[test]
    fn no_other_length_is_taken() {
        let (generation, content) = (generation(), b"hello");
        let key = generation.derive(labels::WRAP_KEY);
        for (bucket, taken) in [(256, true), (300, false)] {
            let body = aead::seal(&key, &PLACE.bytes(), (&[], content), &[bucket], &mut rng(1)).unwrap();
            assert_eq!(generation.unwrap(&PLACE, &body).is_ok(), taken);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn round_trip(content in proptest::collection::vec(any::<u8>(), 0..66_000), seed: u8) {
            match generation().wrap(&PLACE, &content, &mut rng(seed)) {
                Ok(body) => {
                    prop_assert!(padding::ENTRY.contains(&body.len()));
                    prop_assert_eq!(&**generation().unwrap(&PLACE, &body).unwrap(), &content[..]);
                }
                Err(error) => {
                    prop_assert_eq!(error, E2eeError::TooLong);
                    prop_assert!(content.len() + 4 + aead::OVERHEAD > 65_536);
                }
            }
        }

        #[test]
        fn a_commit_may_be_larger(length in 60_000usize..300_000, byte: u8) {
            let place = Place { kind: EntryKind::Commit, ..PLACE };
            let content = vec![byte; length];
            let body = generation().wrap(&place, &content, &mut rng(1)).unwrap();
            prop_assert_eq!(padding::commit_bytes(body.len()), Some(body.len()));
            prop_assert_eq!(&**generation().unwrap(&place, &body).unwrap(), &content[..]);
            let other = Place { kind: EntryKind::Message, ..PLACE };
            prop_assert!(generation().unwrap(&other, &body).is_err());
        }

        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..256, bit in 0u8..8) {
            let mut body = generation().wrap(&PLACE, b"hello", &mut rng(1)).unwrap().to_vec();
            body[at] ^= 1 << bit;
            prop_assert!(generation().unwrap(&PLACE, &body).is_err());
        }

        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(generation().unwrap(&PLACE, &bytes).is_err());
        }
    }
}
