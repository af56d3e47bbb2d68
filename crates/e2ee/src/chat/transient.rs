//! What is told of the moment and kept by nobody: sealed under a key that MLS exports from its epoch.
//!
//! `nonce (24) || XChaCha20-Poly1305 of the padded Transient`, exactly [`padding::TRANSIENT`] long, bound to channel and
//! position. It moves no state of the chat: what is never processed can be lost, doubled and exchanged without harm to
//! anything but itself. So it proves a member of the epoch, and not which; and the service can repeat it as long as the
//! epoch lasts.

use bytes::Bytes;
use openmls::prelude::OpenMlsProvider as _;
use rand_core::CryptoRng;
use undertone_wire::{ChannelId, Message as _, Position, content::Transient, context::Context, padding};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    Chat, E2eeError, Flaw, Me,
    aead::{self, KEY_LEN},
    labels,
};

/// The key of an epoch's transients: its members have it, and nobody else.
#[derive(ZeroizeOnDrop)]
pub struct TransientKey {
    key: [u8; KEY_LEN],
    #[zeroize(skip)]
    channel: ChannelId,
}

impl Chat {
    /// The key of the transients of the epoch where this chat stands. Nothing is written.
    ///
    /// # Errors
    /// [`E2eeError::Private`] once this device was removed.
    pub fn transient_key(&self, me: &Me<'_>) -> Result<TransientKey, E2eeError> {
        self.check_member()?;
        let exported = self.group.export_secret(me.provider.crypto(), labels::TRANSIENT, &[], KEY_LEN);
        let exported = Zeroizing::new(exported.map_err(|_| E2eeError::Internal)?);
        let key = exported[..].try_into().map_err(|_| E2eeError::Internal)?;
        Ok(TransientKey { key, channel: self.channel() })
    }
}

impl TransientKey {
    /// Seals something of the moment for the position of the key's epoch.
    ///
    /// # Errors
    /// [`E2eeError::TooLong`].
    pub fn seal(&self, at: Position, transient: &Transient, rng: &mut impl CryptoRng) -> Result<Bytes, E2eeError> {
        let content = transient.encode_to_vec();
        aead::seal(&self.key, &self.associated(at), (&[], &content), padding::TRANSIENT, rng).map(Bytes::from)
    }

    /// Opens what a member has said there.
    ///
    /// # Errors
    /// [`Flaw::Ciphertext`], [`Flaw::Malformed`].
    pub fn open(&self, at: Position, sealed: &[u8]) -> Result<Transient, E2eeError> {
        if !padding::TRANSIENT.contains(&sealed.len()) {
            return Err(Flaw::Ciphertext.into());
        }
        let content = aead::open(&self.key, &self.associated(at), sealed)?;
        Ok(Transient::decode(&content[..]).map_err(|_| Flaw::Malformed)?)
    }

    fn associated(&self, Position { incarnation, epoch }: Position) -> Vec<u8> {
        Context::TRANSIENT.bytes(&[self.channel.as_bytes(), &incarnation.to_be_bytes(), &epoch.to_be_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Person, lists, pair, rng};

    const AT: Position = Position { incarnation: 1, epoch: 7 };

    fn typing(by: &Person) -> Transient {
        Transient { account: by.account().into(), typing: true }
    }

    fn key(of: &Person) -> TransientKey {
        let before = of.memory.rows.borrow().clone();
        let key = of.chat(|me, chat| chat.transient_key(me)).ok().unwrap();
        assert!(*of.memory.rows.borrow() == before, "nothing is written");
        key
    }

    #[test]
    fn members_of_the_epoch_read_it_there_and_nowhere_else() {
        let (ana, bo) = pair();
        let sealed = key(&ana).seal(AT, &typing(&ana), &mut rng(1)).unwrap();
        assert_eq!(sealed.len(), padding::TRANSIENT[0]);
        assert!(key(&bo).open(AT, &sealed) == Ok(typing(&ana)));
        // As often as somebody likes, and before or after anything else.
        assert!(bo.read(&ana.encrypt("hello"), &lists(&[&ana, &bo])).0 == "hello");
        assert!(key(&bo).open(AT, &sealed) == Ok(typing(&ana)));

        let refused = Some(Flaw::Ciphertext.into());
        for at in [Position { epoch: 8, ..AT }, Position { incarnation: 0, ..AT }] {
            assert_eq!(key(&bo).open(at, &sealed).err(), refused);
        }
        let elsewhere = TransientKey { channel: ChannelId::new([1; 16]), key: key(&bo).key };
        assert_eq!(elsewhere.open(AT, &sealed).err(), refused);
        let both = lists(&[&ana, &bo]);
        let commit = ana.self_update(&both);
        ana.follow(&commit, &both);
        bo.follow(&commit, &both);
        assert_eq!(key(&bo).open(AT, &sealed).err(), refused, "another epoch");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600), sound: bool) {
            let key = TransientKey { key: [3; KEY_LEN], channel: ChannelId::new([1; 16]) };
            let mut bytes = bytes;
            if sound {
                bytes.resize(padding::TRANSIENT[0], 0);
            }
            prop_assert!(key.open(AT, &bytes).is_err());
            let header = aead::seal(&key.key, &key.associated(AT), (&[], &bytes), padding::INBOX, &mut rng(2));
            prop_assert!(key.open(AT, &header.unwrap()).is_err(), "another length");
        }
    }
}
