//! Letters sealed to an inbox (HPKE, see [`xwing`]).
//!
//! `version (1) || week (4, big-endian) || enc (1120) || ciphertext of the padded content`, exactly one bucket of
//! [`padding::INBOX`] long. The service sees the week of the key that a letter is sealed to, and so whether its writer
//! knew the newest key; nothing else. Base mode authenticates nobody: who wrote is said, and signed, inside
//! ([`letter`](crate::letter)). Who steals a week's secret reads the letters of that week.

use bytes::Bytes;
use rand_core::CryptoRng;
use undertone_credentials::{INBOX_KEY_LEN, InboxKey};
use undertone_wire::{AccountId, Week, context::Context, padding};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    E2eeError, Flaw,
    xwing::{self, SecretKey},
};

const VERSION: u8 = 1;
const WEEK_LEN: usize = 4;

/// The secret half of one week's inbox key, shared by an account's devices.
#[derive(ZeroizeOnDrop)]
pub struct InboxSecret {
    #[zeroize(skip)]
    week: Week,
    key: SecretKey,
}

impl InboxSecret {
    /// A fresh one for a week.
    pub fn generate(week: Week, rng: &mut impl CryptoRng) -> Self {
        Self { week, key: SecretKey::generate(rng) }
    }

    /// The week that it is for.
    pub fn week(&self) -> Week {
        self.week
    }

    /// Its stored form: `version (1) || week (4) || X-Wing seed (32)`.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&[VERSION][..], &self.week.0.to_be_bytes(), self.key.seed()].concat())
    }

    /// From its stored form.
    ///
    /// # Errors
    /// [`E2eeError::Unsupported`] for another version, [`Flaw::Malformed`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, E2eeError> {
        let (week, seed) = split_week(bytes)?;
        Ok(Self { week, key: SecretKey::from_seed(seed)? })
    }

    /// The public half, to be signed (`credentials::InboxKey`).
    pub fn public(&self) -> [u8; INBOX_KEY_LEN] {
        self.key.public()
    }
}

/// Seals content to an account's inbox key of a week.
///
/// # Errors
/// [`E2eeError::TooLong`]; [`Flaw::Malformed`] when the key is none that X-Wing can use.
pub fn seal(
    recipient: AccountId,
    key: &InboxKey,
    content: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<Bytes, E2eeError> {
    let padded =
        padding::pad(content, 1 + WEEK_LEN + xwing::OVERHEAD, padding::INBOX).map_err(|_| E2eeError::TooLong)?;
    let sealed = xwing::seal(key.key(), &info(recipient, key.week()), &padded, rng)?;
    Ok([&[VERSION][..], &key.week().0.to_be_bytes(), &sealed].concat().into())
}

/// Opens what was sealed to this account with one of its secrets.
///
/// # Errors
/// [`E2eeError::KeyGone`] when none is of that week, [`E2eeError::Unsupported`] for another version,
/// [`Flaw::Malformed`], [`Flaw::Ciphertext`].
pub fn open(secrets: &[InboxSecret], account: AccountId, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, E2eeError> {
    let (week, rest) = split_week(sealed)?;
    if !padding::INBOX.contains(&sealed.len()) {
        return Err(Flaw::Malformed.into());
    }
    let mut of_week = secrets.iter().filter(|secret| secret.week == week).peekable();
    of_week.peek().ok_or(E2eeError::KeyGone)?;
    for secret in of_week {
        match xwing::open(&secret.key, &info(account, week), rest) {
            Ok(padded) => return Ok(Zeroizing::new(padding::unpad(&padded).map_err(|_| Flaw::Malformed)?.to_vec())),
            // Two devices may have made one for the same week at once.
            Err(Flaw::Ciphertext) => {}
            Err(flaw) => return Err(flaw.into()),
        }
    }
    Err(Flaw::Ciphertext.into())
}

fn info(account: AccountId, week: Week) -> Vec<u8> {
    Context::SEAL.bytes(&[account.as_bytes(), &week.0.to_be_bytes()])
}

/// The week after a version that we know, and the rest.
fn split_week(bytes: &[u8]) -> Result<(Week, &[u8]), E2eeError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => {
            let (week, rest) = rest.split_first_chunk::<WEEK_LEN>().ok_or(Flaw::Malformed)?;
            Ok((Week(u32::from_be_bytes(*week)), rest))
        }
        Some((&version, _)) if version > VERSION => Err(E2eeError::Unsupported),
        _ => Err(Flaw::Malformed.into()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use undertone_credentials::{Device, DeviceKey, DeviceList, IdentityKey, RecoveryKey};

    use super::*;
    use crate::testing::{rng, vector};

    const ACCOUNT: AccountId = AccountId::new([6; 16]);

    fn secret(week: u32) -> InboxSecret {
        InboxSecret::generate(Week(week), &mut rng(7))
    }

    /// The public half, vouched for by somebody: who, does not matter here.
    fn public(secret: &InboxSecret) -> InboxKey {
        vouched(secret.week(), &secret.public())
    }

    fn vouched(week: Week, key: &[u8; INBOX_KEY_LEN]) -> InboxKey {
        let rng = &mut rng(8);
        let (recovery, identity) = (RecoveryKey::generate(rng), IdentityKey::generate(rng));
        let devices = vec![Device { number: 1, key: DeviceKey::generate(rng).public(), features: vec![] }];
        let list = DeviceList::first(&recovery.public(), &identity, devices).ok().unwrap();
        InboxKey::verify(&list, &InboxKey::sign(&identity, list.account(), week, key)).ok().unwrap()
    }

    /// What waits in inboxes does not drift: the letter in the file opens, and is what we seal.
    #[test]
    fn known_answer() {
        let (fixed, content) = (secret(2_968), b"a letter of 2026");
        let sealed = seal(ACCOUNT, &public(&fixed), content, &mut rng(1)).unwrap();
        crate::testing::freeze(
            "seal.txt",
            "HPKE base mode, X-Wing, HKDF-SHA256, AES-256-GCM: `secret` opens `sealed` for `account`, which gives `content`.",
            &[
                ("account", ACCOUNT.as_bytes()),
                ("secret", &fixed.to_bytes()),
                ("content", content),
                ("sealed", &sealed),
            ],
        );
        let vector = vector("seal.txt");
        let secrets = [InboxSecret::from_bytes(&vector["secret"]).unwrap()];
        let account = AccountId::try_from(&vector["account"][..]).unwrap();
        assert_eq!(*open(&secrets, account, &vector["sealed"]).unwrap(), vector["content"]);
        assert!(sealed == vector["sealed"]);
    }

    #[test]
    fn only_its_account_and_week_open_it() {
        let sealed = seal(ACCOUNT, &public(&secret(5)), b"hello", &mut rng(1)).unwrap();
        assert_eq!(sealed.len(), padding::INBOX[0]);
        assert_eq!(&**open(&[secret(4), secret(5)], ACCOUNT, &sealed).unwrap(), b"hello");
        let flaw = |flaw: Flaw| Some(E2eeError::from(flaw));
        assert_eq!(open(&[secret(5)], AccountId::new([7; 16]), &sealed).err(), flaw(Flaw::Ciphertext));
        assert_eq!(open(&[secret(4)], ACCOUNT, &sealed).err(), Some(E2eeError::KeyGone));
        let other = InboxSecret::generate(Week(5), &mut rng(9));
        assert_eq!(open(&[other], ACCOUNT, &sealed).err(), flaw(Flaw::Ciphertext));
        // A week's secret that was made twice, as by two devices at once: either may be the one.
        let other = InboxSecret::generate(Week(5), &mut rng(9));
        assert!(open(&[other, secret(5)], ACCOUNT, &sealed).is_ok());

        let cut = &sealed[..sealed.len() - 1];
        assert_eq!(open(&[secret(5)], ACCOUNT, cut).err(), flaw(Flaw::Malformed), "no bucket");
        let mut moved = sealed.to_vec();
        moved[4] = 4;
        assert_eq!(open(&[secret(4), secret(5)], ACCOUNT, &moved).err(), flaw(Flaw::Ciphertext));
        moved[0] = 2;
        assert_eq!(open(&[secret(5)], ACCOUNT, &moved).err(), Some(E2eeError::Unsupported));
        moved[0] = 0;
        assert_eq!(open(&[secret(5)], ACCOUNT, &moved).err(), flaw(Flaw::Malformed));
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        let key = vouched(Week(5), &[0xff; INBOX_KEY_LEN]);
        assert_eq!(seal(ACCOUNT, &key, b"hello", &mut rng(1)).err(), Some(Flaw::Malformed.into()));
    }

    #[test]
    fn a_secret_is_stored_as_it_is() {
        let secret = secret(5);
        let again = InboxSecret::from_bytes(&secret.to_bytes()).unwrap();
        assert!(again.week() == secret.week() && again.public() == secret.public());
        for wrong in [&secret.to_bytes()[..36], &[&secret.to_bytes()[..], &[0]].concat(), &[], &[1]] {
            assert!(matches!(InboxSecret::from_bytes(wrong), Err(E2eeError::Invalid(Flaw::Malformed))));
        }
        assert!(matches!(InboxSecret::from_bytes(&[2]), Err(E2eeError::Unsupported)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn round_trip(content in proptest::collection::vec(any::<u8>(), 0..140_000), seed: u8) {
            match seal(ACCOUNT, &public(&secret(5)), &content, &mut rng(seed)) {
                Ok(sealed) => {
                    prop_assert!(padding::INBOX.contains(&sealed.len()));
                    prop_assert!(**open(&[secret(5)], ACCOUNT, &sealed).unwrap() == content);
                }
                Err(error) => {
                    prop_assert_eq!(error, E2eeError::TooLong);
                    prop_assert!(content.len() > (128 << 10) - 1_200);
                }
            }
        }

        #[test]
        fn every_flipped_bit_is_refused(at in 0usize..(16 << 10), bit in 0u8..8) {
            let mut sealed = seal(ACCOUNT, &public(&secret(5)), b"hello", &mut rng(1)).unwrap().to_vec();
            sealed[at] ^= 1 << bit;
            prop_assert!(open(&[secret(5)], ACCOUNT, &sealed).is_err());
        }

        #[test]
        fn any_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..3_000), sound: bool) {
            let bytes = if sound {
                let mut body = [&[VERSION, 0, 0, 0, 5][..], &bytes].concat();
                body.resize(padding::INBOX[0], 0);
                body
            } else {
                bytes
            };
            prop_assert!(open(&[secret(5)], ACCOUNT, &bytes).is_err());
        }
    }
}
