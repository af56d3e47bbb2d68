//! What an identifier is known by here, and what follows from it in each base and delta.

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use undertone_credentials::voprf::{ELEMENT_LEN, Element};
use undertone_wire::{AccountId, context::Context};
use zeroize::ZeroizeOnDrop;

use crate::{ntt::DEGREE, ring::PLAIN};

/// Bytes of a secret.
pub const SECRET_LEN: usize = 32;
/// Buckets of a base: one for each slot of a ciphertext.
pub const BUCKETS: usize = DEGREE;
/// Buckets that an entry stands in, so that a client may choose.
pub const CHOICES: usize = 3;
/// Words of an entry: a tag of two, an account id of eight.
pub const WORDS: usize = TAG_WORDS + AccountId::LEN / 2;
/// Words of a tag: 32 bits.
pub const TAG_WORDS: usize = 2;

/// The secret of an identifier: `H(context, element)`, of its element under the service's key.
///
/// It derives from the element alone, and not, as an output of RFC 9497 does, from the identifier as well, since the
/// service keeps elements and forgets identifiers. Nothing is lost by that: the element is the identifier, hashed to the
/// group, times the key, which nobody tells from a random one who does not have the key, nor an evaluation by it; and
/// another identifier with the same element would be a collision of the hash. Who has the secret finds out whether there is
/// an account, and which.
#[derive(Clone, ZeroizeOnDrop)]
pub struct DiscoverySecret([u8; SECRET_LEN]);

impl DiscoverySecret {
    /// Of an identifier whose element has this encoding.
    pub fn of_element(element: &[u8; ELEMENT_LEN]) -> Self {
        Self(Sha256::digest(Context::DISCOVERY.bytes(&[element])).into())
    }

    /// As it was stored.
    pub const fn new(bytes: [u8; SECRET_LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be stored.
    pub const fn as_bytes(&self) -> &[u8; SECRET_LEN] {
        &self.0
    }

    /// What follows from it in the base or delta of a `context` and number.
    pub(crate) fn mark(&self, context: Context, number: u32) -> Mark {
        let bytes = context.bytes(&[&self.0, &number.to_be_bytes()]);
        let (place, rest) = split(Sha256::digest(&bytes).into());
        Mark { place, tag: rest.0, pad: rest.1 }
    }
}

impl From<&Element> for DiscoverySecret {
    fn from(element: &Element) -> Self {
        Self::of_element(element.as_bytes())
    }
}

fn split(hash: [u8; 32]) -> (u64, ([u8; 4], [u8; AccountId::LEN])) {
    let (mut place, mut tag, mut pad) = ([0; 8], [0; 4], [0; AccountId::LEN]);
    let parts = place.iter_mut().chain(&mut tag).chain(&mut pad);
    parts.zip(hash).for_each(|(to, from)| *to = from);
    (u64::from_be_bytes(place), (tag, pad))
}

/// What follows from a secret in one base or delta: where its entry stands, how it is recognised, and what hides the
/// account in it.
#[derive(Clone, ZeroizeOnDrop)]
pub(crate) struct Mark {
    /// Where; random, and as public as the entry.
    pub place: u64,
    tag: [u8; 2 * TAG_WORDS],
    pad: [u8; AccountId::LEN],
}

impl Mark {
    /// An account id, hidden by the pad; or what is hidden, shown.
    pub fn pad(&self, account: [u8; AccountId::LEN]) -> [u8; AccountId::LEN] {
        let mut padded = self.pad;
        padded.iter_mut().zip(account).for_each(|(pad, byte)| *pad ^= byte);
        padded
    }

    /// The tag and the account, hidden: what stands in a base.
    pub fn seal(&self, account: &AccountId) -> [u8; 2 * WORDS] {
        let mut sealed = [0; 2 * WORDS];
        sealed
            .iter_mut()
            .zip(self.tag.into_iter().chain(self.pad(*account.as_bytes())))
            .for_each(|(to, from)| *to = from);
        sealed
    }

    /// The account, if the tag is this one's. Takes the same time whether it is.
    pub fn open(&self, sealed: &[u8; 2 * WORDS]) -> (subtle::Choice, [u8; AccountId::LEN]) {
        let (tag, hidden) = sealed.split_at(self.tag.len());
        let mut account = self.pad;
        account.iter_mut().zip(hidden).for_each(|(pad, byte)| *pad ^= byte);
        (self.tag.ct_eq(tag), account)
    }

    /// Where it stands in a base of that salt.
    pub fn spot(&self, salt: u64) -> Spot {
        Spot::new(self.place, salt)
    }
}

/// Three buckets and a point.
#[derive(Clone, Copy)]
pub(crate) struct Spot {
    /// Different from each other.
    pub buckets: [u16; CHOICES],
    /// Between 1 and 65,535. At zero every polynomial of a base is zero.
    pub point: u16,
}

impl Spot {
    /// Of a place, which is random already: the salt has only to move it elsewhere.
    pub fn new(place: u64, salt: u64) -> Self {
        const ALL: u64 = BUCKETS as u64;
        // The finaliser of SplitMix64, a bijection.
        let mut bits = place ^ salt;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let draw = |shift: u32, of: u64| ((((bits >> shift) & 0xffff) * of) >> 16) as u16;
        // Each is drawn from those that are left, and steps over those that are not, in their order.
        let first = draw(0, ALL);
        let mut second = draw(16, ALL - 1);
        second += not_below(second, first);
        let mut third = draw(32, ALL - 2);
        third += not_below(third, first.min(second));
        third += not_below(third, first.max(second));
        Self { buckets: [first, second, third], point: 1 + draw(48, u64::from(PLAIN) - 2) }
    }
}

/// 1 or 0, without a branch, for numbers of which the highest bit is free.
const fn not_below(a: u16, b: u16) -> u16 {
    (a.wrapping_sub(b) >> 15) ^ 1
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn buckets_differ_and_all_are_used() {
        let (mut used, mut points) = (BTreeSet::new(), BTreeSet::new());
        for place in 0..100_000 {
            let Spot { buckets: [a, b, c], point } = Spot::new(place, 7);
            assert!(a != b && b != c && a != c);
            used.extend([(0, a), (1, b), (2, c)]);
            points.insert(point);
        }
        assert_eq!(used.len(), CHOICES * BUCKETS);
        assert!(used.iter().all(|(_, bucket)| usize::from(*bucket) < BUCKETS));
        assert!(*points.first().unwrap() == 1 && *points.last().unwrap() == 65_535);
    }

    #[test]
    fn only_the_own_mark_opens() {
        let account = AccountId::new([7; 16]);
        let mark = |secret, number| DiscoverySecret([secret; 32]).mark(Context::DISCOVERY_BASE, number);
        let sealed = mark(1, 1).seal(&account);
        let (found, opened) = mark(1, 1).open(&sealed);
        assert!(bool::from(found) && opened == [7; 16]);
        for other in [mark(2, 1), mark(1, 2), DiscoverySecret([1; 32]).mark(Context::DISCOVERY_DELTA, 1)] {
            let (found, opened) = other.open(&sealed);
            assert!(!bool::from(found) && opened != [7; 16]);
        }
    }
}
