//! The handshake, one type per state: [`initiate`] -> [`Initiated`] -> [`Established`] on the client's side, and
//! [`respond`] -> [`Established`] on the service's.
//!
//! Message 1 = KEM ciphertext (1088) || Noise message (32 + 1184 + 16).
//! Message 2 = KEM ciphertext (1088) || Noise message (32 + 16).

use ml_kem::{Decapsulate as _, Encapsulate as _, KeyExport as _, ml_kem_768};
use rand_core::CryptoRng;
use sha2::{Digest as _, Sha256};
use snow::{Builder, HandshakeState};
use undertone_wire::{HandshakeHash, context::Context};
use zeroize::Zeroizing;

use super::{Forged, Session, TAG_BYTES, randomness::Primitives};
use crate::{
    keys::{DH_BYTES, KEM_BYTES, ServiceKeys, ServicePublicKeys, parse_kem},
    preamble::VERSION,
};

const PATTERN: &str = "Noise_NKpsk0+psk2_25519_ChaChaPoly_SHA256";

/// An ML-KEM-768 ciphertext, in bytes (FIPS 203, table 3).
const KEM_CIPHERTEXT_BYTES: usize = 1088;
const NOISE_1_BYTES: usize = DH_BYTES + KEM_BYTES + TAG_BYTES;
const NOISE_2_BYTES: usize = DH_BYTES + TAG_BYTES;

/// Length of message 1.
pub(crate) const MESSAGE_1_BYTES: usize = KEM_CIPHERTEXT_BYTES + NOISE_1_BYTES;
/// Length of message 2.
pub(crate) const MESSAGE_2_BYTES: usize = KEM_CIPHERTEXT_BYTES + NOISE_2_BYTES;

/// A client that waits for message 2.
pub(crate) struct Initiated {
    noise: HandshakeState,
    ephemeral: ml_kem_768::DecapsulationKey,
}

/// A session, and the name that both ends have for it.
pub(crate) struct Established {
    pub(crate) session: Session,
    pub(crate) hash: HandshakeHash,
}

/// Client: message 1 to the service with these keys. Draws from `rng`, in this order: ML-KEM's message (32), the seed
/// of the ephemeral KEM key (64), the ephemeral X25519 secret (32).
pub(crate) fn initiate(service: &ServicePublicKeys, rng: &mut impl CryptoRng) -> Result<(Initiated, Vec<u8>), Forged> {
    let static_kem = parse_kem(service.kem()).map_err(|_| Forged)?;
    let (ciphertext, secret) = static_kem.encapsulate_with_rng(rng);
    let psk0 = psk(Context::PSK_SERVICE, secret.into(), &ciphertext, service.kem());

    let mut seed = Zeroizing::new([0; 64]);
    rng.fill_bytes(&mut *seed);
    let ephemeral = ml_kem_768::DecapsulationKey::from_seed((*seed).into());

    let prologue = prologue(service);
    let mut noise =
        builder(rng)?.prologue(&prologue)?.remote_public_key(service.dh())?.psk(0, &psk0)?.build_initiator()?;
    let mut noise_message = [0; NOISE_1_BYTES];
    noise.write_message(&ephemeral.encapsulation_key().to_bytes(), &mut noise_message)?;
    Ok((Initiated { noise, ephemeral }, [&ciphertext[..], &noise_message[..]].concat()))
}

impl Initiated {
    /// Client: the session, if message 2 comes from who has both of the service's secret keys.
    pub(crate) fn finish(mut self, message: &[u8]) -> Result<Established, Forged> {
        let (ciphertext, noise_message) = split(message)?;
        let secret = self.ephemeral.decapsulate_slice(ciphertext).map_err(|_| Forged)?;
        let key = self.ephemeral.encapsulation_key().to_bytes();
        let psk2 = psk(Context::PSK_CLIENT, secret.into(), ciphertext, &key);
        self.noise.set_psk(2, &*psk2)?;
        self.noise.read_message(noise_message, &mut [])?;
        established(self.noise)
    }
}

/// Service: the session and message 2. Draws from `rng`, in this order: the ephemeral X25519 secret (32), ML-KEM's
/// message (32).
pub(crate) fn respond(
    keys: &ServiceKeys,
    message: &[u8],
    rng: &mut impl CryptoRng,
) -> Result<(Established, Vec<u8>), Forged> {
    let (ciphertext, noise_message) = split(message)?;
    let secret = keys.kem().decapsulate_slice(ciphertext).map_err(|_| Forged)?;
    let psk0 = psk(Context::PSK_SERVICE, secret.into(), ciphertext, keys.public().kem());

    let prologue = prologue(keys.public());
    let mut noise =
        builder(rng)?.prologue(&prologue)?.local_private_key(keys.dh())?.psk(0, &psk0)?.build_responder()?;
    let mut key = [0; KEM_BYTES];
    if noise.read_message(noise_message, &mut key)? != KEM_BYTES {
        return Err(Forged);
    }

    let (ciphertext, secret) = parse_kem(&key).map_err(|_| Forged)?.encapsulate_with_rng(rng);
    let psk2 = psk(Context::PSK_CLIENT, secret.into(), &ciphertext, &key);
    noise.set_psk(2, &*psk2)?;
    let mut noise_message = [0; NOISE_2_BYTES];
    noise.write_message(&[], &mut noise_message)?;
    Ok((established(noise)?, [&ciphertext[..], &noise_message[..]].concat()))
}

fn builder<'a>(rng: &mut impl CryptoRng) -> Result<Builder<'a>, Forged> {
    Ok(Builder::with_resolver(PATTERN.parse()?, Box::new(Primitives::new(rng))))
}

/// What both ends must agree on beforehand: a handshake meant for another version or other keys fails.
fn prologue(service: &ServicePublicKeys) -> Vec<u8> {
    Context::TUNNEL.bytes(&[&[VERSION], service.dh(), service.kem()])
}

/// A shared secret, bound to the ciphertext that carried it and the key that it was made for (as in X-Wing, but with
/// the ciphertext too: then nothing has to be assumed of the KEM).
fn psk(context: Context, secret: [u8; 32], ciphertext: &[u8], key: &[u8]) -> Zeroizing<[u8; 32]> {
    let secret = Zeroizing::new(secret);
    let bytes = Zeroizing::new(context.bytes(&[&*secret, ciphertext, key]));
    Zeroizing::new(Sha256::digest(&*bytes).into())
}

fn split(message: &[u8]) -> Result<(&[u8], &[u8]), Forged> {
    message.split_at_checked(KEM_CIPHERTEXT_BYTES).ok_or(Forged)
}

fn established(noise: HandshakeState) -> Result<Established, Forged> {
    let hash = HandshakeHash::try_from(noise.get_handshake_hash()).map_err(|_| Forged)?;
    Ok(Established { session: Session::new(noise.into_transport_mode()?), hash })
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::LazyLock};

    use data_encoding::HEXLOWER;
    use rand_chacha::{
        ChaCha20Rng,
        rand_core::{SeedableRng as _, TryCryptoRng, TryRng},
    };

    use super::*;

    static KEYS: LazyLock<ServiceKeys> = LazyLock::new(|| ServiceKeys::generate(&mut rng(0)));

    fn rng(seed: u64) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(seed)
    }

    fn sealed(session: &mut Session, plaintext: &[u8]) -> Vec<u8> {
        let mut out = vec![0; plaintext.len() + TAG_BYTES];
        session.seal(plaintext, &mut out).unwrap();
        out
    }

    fn opened(session: &mut Session, message: &[u8]) -> Option<Vec<u8>> {
        let mut out = vec![0; message.len() - TAG_BYTES];
        session.open(message, &mut out).ok()?;
        Some(out)
    }

    #[test]
    fn both_ends_reach_the_same_session() {
        let (client, message_1) = initiate(KEYS.public(), &mut rng(1)).unwrap();
        let (mut service, message_2) = respond(&KEYS, &message_1, &mut rng(2)).unwrap();
        let mut client = client.finish(&message_2).unwrap();
        assert_eq!((message_1.len(), message_2.len()), (MESSAGE_1_BYTES, MESSAGE_2_BYTES));
        assert_eq!((MESSAGE_1_BYTES, MESSAGE_2_BYTES), (2_320, 1_136));
        assert!(client.hash == service.hash);

        let there = sealed(&mut client.session, b"there");
        assert_eq!(opened(&mut service.session, &there).unwrap(), b"there");
        assert!(opened(&mut service.session, &there).is_none(), "a message opens once");
        let back = sealed(&mut service.session, b"back");
        assert_eq!(opened(&mut client.session, &back).unwrap(), b"back");
    }

    #[test]
    fn sessions_differ_though_message_1_is_replayed() {
        let (client, message_1) = initiate(KEYS.public(), &mut rng(1)).unwrap();
        let (first, message_2) = respond(&KEYS, &message_1, &mut rng(2)).unwrap();
        let (mut second, _) = respond(&KEYS, &message_1, &mut rng(3)).unwrap();
        let mut client = client.finish(&message_2).unwrap();
        assert!(first.hash != second.hash);
        assert!(opened(&mut second.session, &sealed(&mut client.session, b"recorded")).is_none());
    }

    #[test]
    fn every_tampered_byte_of_message_1_is_refused() {
        let (_, message_1) = initiate(KEYS.public(), &mut rng(1)).unwrap();
        for at in 0..message_1.len() {
            let mut tampered = message_1.clone();
            tampered[at] ^= 1 << (at % 8);
            let answer = respond(&KEYS, &tampered, &mut rng(2));
            // X25519 ignores the top bit of a key (RFC 7748, section 5), but Noise hashes the bytes as sent.
            assert!(answer.is_err(), "byte {at}");
        }
        assert!(respond(&KEYS, &message_1[..message_1.len() - 1], &mut rng(2)).is_err());
        assert!(respond(&KEYS, &[&message_1[..], &[0]].concat(), &mut rng(2)).is_err());
        assert!(respond(&KEYS, &[], &mut rng(2)).is_err());
    }

    #[test]
    fn every_tampered_byte_of_message_2_is_refused() {
        let (_, message_1) = initiate(KEYS.public(), &mut rng(1)).unwrap();
        let (_, message_2) = respond(&KEYS, &message_1, &mut rng(2)).unwrap();
        let finish = |message: &[u8]| initiate(KEYS.public(), &mut rng(1)).unwrap().0.finish(message);
        assert!(finish(&message_2).is_ok());
        for at in 0..message_2.len() {
            let mut tampered = message_2.clone();
            tampered[at] ^= 1 << (at % 8);
            assert!(finish(&tampered).is_err(), "byte {at}");
        }
        assert!(finish(&message_2[..message_2.len() - 1]).is_err());
        assert!(finish(&[&message_2[..], &[0]].concat()).is_err());
        assert!(finish(&[]).is_err());
    }

    #[test]
    fn one_of_the_two_keys_is_not_enough() {
        let other = ServiceKeys::generate(&mut rng(9));
        let (right, wrong) = (KEYS.to_bytes(), other.to_bytes());
        let (_, message_1) = initiate(KEYS.public(), &mut rng(1)).unwrap();
        for half in [[&right[..33], &wrong[33..]].concat(), [&wrong[..33], &right[33..]].concat()] {
            let thief = ServiceKeys::from_bytes(&half).unwrap();
            assert!(respond(&thief, &message_1, &mut rng(2)).is_err());
        }
    }

    /// Gives the bytes of a known answer, and no more.
    struct Script(Vec<u8>);

    impl TryRng for Script {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            unreachable!("keys are drawn as bytes")
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            unreachable!("keys are drawn as bytes")
        }

        fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
            out.copy_from_slice(&self.0[..out.len()]);
            self.0.drain(..out.len());
            Ok(())
        }
    }

    impl TryCryptoRng for Script {}

    /// The session's bytes do not drift: `tests/vectors/session.txt` is frozen.
    #[test]
    fn known_answers() {
        let text = include_str!("../../tests/vectors/session.txt");
        let value = |name: &str| {
            let line = text.lines().find(|line| line.split(' ').next() == Some(name)).unwrap();
            HEXLOWER.decode(line.split(' ').nth(1).unwrap().as_bytes()).unwrap()
        };
        let keys = ServiceKeys::from_bytes(&value("service_keys")).unwrap();
        let mut client_rng = Script(value("client_random"));
        let mut service_rng = Script(value("service_random"));

        let (client, message_1) = initiate(keys.public(), &mut client_rng).unwrap();
        let (mut service, message_2) = respond(&keys, &message_1, &mut service_rng).unwrap();
        let mut client = client.finish(&message_2).unwrap();
        let answers = [
            ("pin", keys.pin().as_bytes().to_vec()),
            ("message_1", message_1),
            ("message_2", message_2),
            ("handshake_hash", client.hash.as_bytes().to_vec()),
            ("client_sealed", sealed(&mut client.session, &value("client_plaintext"))),
            ("service_sealed", sealed(&mut service.session, &value("service_plaintext"))),
        ];
        for (name, answer) in answers {
            assert!(value(name) == answer, "{name} {}", HEXLOWER.encode(&answer));
        }
        assert!(client_rng.0.is_empty() && service_rng.0.is_empty() && client.hash == service.hash);
    }
}
