//! The client's half: a question, hidden, and what its answer says.

mod cuckoo;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, Rng as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _};
use undertone_wire::{AccountId, context::Context};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::{
    DiscoveryError, DiscoverySecret, Header,
    masks::mask,
    ntt::{BLOCKS, DEGREE, LANES, Poly},
    pack::{pack, packed_len, unpack},
    ring::{Element, Fractions, Line, ONE, PLAIN, QUERY_BITS, UNIT, product, ring},
    secret::{BUCKETS, Mark, WORDS},
    shape::{ANSWER_BITS, DIGIT_BITS, DIGITS, MASK_BITS, Shape},
    simd::{Backend, vectorized},
    table,
};

/// Contacts of one question at the most.
pub const CONTACTS_MAX: usize = 1_600;
/// Who of these is in a base that is a table: as many, in the order of the contacts.
///
/// # Errors
/// [`DiscoveryError::Table`] if the base has rows, [`DiscoveryError::Download`] for other bytes than the header says.
pub fn find_in_table(
    header: &Header,
    download: &[u8],
    contacts: &[DiscoverySecret],
) -> Result<Vec<Option<AccountId>>, DiscoveryError> {
    if header.shape.rows != 0 {
        return Err(DiscoveryError::Table);
    }
    check_download(header, download)?;
    let find = |secret| table::find(download, secret, Context::DISCOVERY_BASE, header.number);
    Ok(contacts.iter().map(find).collect())
}

fn check_download(header: &Header, download: &[u8]) -> Result<(), DiscoveryError> {
    let good = download.len() == header.download_len() && Sha256::digest(download)[..] == header.hash;
    if good { Ok(()) } else { Err(DiscoveryError::Download) }
}

/// One question to one base: what its answer is read with. It is asked once: who asks again makes another.
pub struct Question {
    header: Header,
    /// Of each word of a group, the secret that its answers are under.
    secrets: Vec<Zeroizing<Vec<Line>>>,
    /// By slot: the contact that was asked for there.
    slots: Zeroizing<Vec<Option<usize>>>,
    marks: Vec<Mark>,
    /// By contact as they came: its place among the marks.
    contacts: Zeroizing<Vec<usize>>,
    backend: Backend,
}

impl ZeroizeOnDrop for Question {}

impl Question {
    /// A question for these contacts, and the query to send, whose length depends on the base alone.
    ///
    /// # Errors
    /// [`DiscoveryError::TooMany`] for more than [`CONTACTS_MAX`], [`DiscoveryError::Rows`] if the base is a table.
    pub fn new(
        header: &Header,
        contacts: &[DiscoverySecret],
        rng: &mut impl CryptoRng,
    ) -> Result<(Self, Vec<u8>), DiscoveryError> {
        let shape = header.shape;
        if shape.rows == 0 {
            return Err(DiscoveryError::Rows);
        }
        if contacts.len() > CONTACTS_MAX {
            return Err(DiscoveryError::TooMany);
        }
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(&mut *seed);
        let mut rng = ChaCha20Rng::from_seed(*seed);
        let backend = Backend::best();
        let (marks, contacts) = marks(header, contacts);
        let spots: Vec<_> = marks.iter().map(|mark| mark.spot(header.salt)).collect();
        let slots = Zeroizing::new(cuckoo::place(&spots, &mut rng));
        let mut points = Zeroizing::new([[0; LANES]; BLOCKS]);
        for (point, index) in points.as_flattened_mut().iter_mut().zip(slots.iter()) {
            let spot = index.and_then(|index| spots.get(index));
            *point = spot.map_or(0, |spot| spot.point.into());
        }
        let asked = Encryption { shape, seed: header.mask_seed(), backend };
        let mut query = Vec::with_capacity(shape.query_len());
        let (secret, coefficients) = asked.secret(&mut rng);
        asked.powers(&points, &secret, &mut rng, &mut query);
        let secrets = (0..usize::from(shape.shared)).map(|word| {
            let (key, _) = asked.secret(&mut rng);
            asked.switch(word, &coefficients, &key, &mut rng, &mut query);
            key
        });
        let secrets = secrets.collect();
        Ok((Self { header: header.clone(), secrets, slots, marks, contacts, backend }, query))
    }

    /// Who is there: as many as contacts, in their order. `download` is the base's, and `answer` has all its rows.
    ///
    /// A contact is missed if the walk of its placement fails, and somebody else's account stands for it with a chance of
    /// 2^-32 for each row; that account does not exist.
    ///
    /// # Errors
    /// [`DiscoveryError::Download`], [`DiscoveryError::Length`], [`DiscoveryError::Answer`].
    pub fn finish(self, download: &[u8], answer: &[u8]) -> Result<Vec<Option<AccountId>>, DiscoveryError> {
        let shape = &self.header.shape;
        check_download(&self.header, download)?;
        if answer.len() != self.header.answer_len() {
            return Err(DiscoveryError::Length);
        }
        let mut found = vec![([0; AccountId::LEN], Choice::from(0)); self.marks.len()];
        let mut empty = 0;
        let masks_len = shape.groups() * packed_len(DEGREE, MASK_BITS);
        for (masks, row) in download.chunks_exact(masks_len).zip(answer.chunks_exact(shape.row_len())) {
            let words = self.read(masks, row);
            for (slot, index) in self.slots.iter().enumerate() {
                let values = words.iter().filter_map(|word| word.as_flattened().get(slot).copied());
                let Some((index, mark)) = index.and_then(|index| Some((index, self.marks.get(index)?))) else {
                    empty |= values.fold(0, |all, value| all | value);
                    continue;
                };
                let mut sealed = [[0; 2]; WORDS];
                let mut large = 0;
                for (sealed, value) in sealed.iter_mut().zip(values) {
                    *sealed = (value as u16).to_be_bytes();
                    large |= value >> 16;
                }
                let (opens, account) = mark.open(sealed.as_flattened().try_into().unwrap_or(&[0; 2 * WORDS]));
                if let Some((of, already)) = found.get_mut(index) {
                    let take = opens & !*already & !Choice::from((large & 1) as u8);
                    of.iter_mut().zip(&account).for_each(|(to, from)| to.conditional_assign(from, take));
                    *already |= take;
                }
            }
        }
        // Whoever asked for nothing asked at zero, where every polynomial is zero.
        if empty != 0 {
            return Err(DiscoveryError::Answer);
        }
        let of = |index: &usize| {
            let (account, is) = found.get(*index)?;
            bool::from(*is).then_some(AccountId::new(*account))
        };
        Ok(self.contacts.iter().map(of).collect())
    }

    /// The slots of each word of a row.
    fn read(&self, masks: &[u8], row: &[u8]) -> Vec<Poly> {
        let masks = masks.chunks_exact(packed_len(DEGREE, MASK_BITS));
        let masks = masks.map(|mask| read_mask(self.backend, mask));
        let keys = masks.flat_map(|mask| self.secrets.iter().map(move |secret| (mask.clone(), secret)));
        let words = row.chunks_exact(packed_len(DEGREE, ANSWER_BITS));
        words.zip(keys).map(|(word, (mask, secret))| decrypt(self.backend, word, &mask, secret)).collect()
    }
}

/// A mark for each different secret, and of each contact the place of its own.
fn marks(header: &Header, contacts: &[DiscoverySecret]) -> (Vec<Mark>, Zeroizing<Vec<usize>>) {
    let mut known = std::collections::BTreeMap::new();
    let mut marks = Vec::new();
    let places = contacts.iter().map(|secret| {
        *known.entry(secret.as_bytes()).or_insert_with(|| {
            marks.push(secret.mark(Context::DISCOVERY_BASE, header.number));
            marks.len() - 1
        })
    });
    let places = Zeroizing::new(places.collect());
    (marks, places)
}

/// What all ciphertexts of a query are made with.
struct Encryption {
    shape: Shape,
    seed: [u8; 32],
    backend: Backend,
}

impl Encryption {
    /// A ternary secret, by its values and by its coefficients.
    fn secret(&self, rng: &mut ChaCha20Rng) -> (Zeroizing<Vec<Line>>, Zeroizing<Poly>) {
        let mut coefficients = Zeroizing::new([[0; LANES]; BLOCKS]);
        for coefficient in coefficients.as_flattened_mut() {
            let third = (u64::from(rng.next_u32()) * 3) >> 32;
            *coefficient = (third as u32).wrapping_sub(1);
        }
        let element = small(self.backend, &coefficients);
        (element, coefficients)
    }

    /// Bodies of `x`, `x^2`, ... in all slots.
    fn powers(&self, points: &Poly, secret: &[Line], rng: &mut ChaCha20Rng, out: &mut Vec<u8>) {
        let mut power = Zeroizing::new(*points);
        let mut message = Zeroizing::new([0; DEGREE]);
        for column in 0..usize::from(self.shape.columns) {
            encode(self.backend, &mut power, points, &mut message);
            encrypt(self.backend, &message, &mask(&self.seed, column), secret, rng, out);
        }
    }

    /// Bodies of the keys that switch digits from a secret to the key of one word: at that word the secret, scaled for each
    /// digit; at the others nothing.
    fn switch(&self, word: usize, secret: &Poly, key: &[Line], rng: &mut ChaCha20Rng, out: &mut Vec<u8>) {
        for place in 0..self.shape.switched() {
            let mask = mask(&self.seed, usize::from(self.shape.columns) + place);
            let (of, digit) = (place / DIGITS, place % DIGITS);
            let scale = if of == word { 1u64 << (64 - DIGIT_BITS * (DIGITS - digit)) } else { 0 };
            let mut message = Zeroizing::new([0; DEGREE]);
            for (scaled, value) in message.iter_mut().zip(secret.as_flattened()) {
                // Sign-extended, so that the product is one modulo 2^64.
                *scaled = (i64::from(*value as i32) as u64).wrapping_mul(scale);
            }
            encrypt(self.backend, &message, &mask, key, rng, out);
        }
    }
}

vectorized! {
    /// Small coefficients, by values.
    fn small(coefficients: &Poly) -> Zeroizing<Vec<Line>> {
        Zeroizing::new(ring().small(coefficients).to_vec())
    }
}

vectorized! {
    /// A power of the points as a message, and the next power in its place.
    fn encode(power: &mut Poly, points: &Poly, message: &mut Fractions) {
        let mut coefficients = Zeroizing::new(*power);
        ring().unslots(&mut coefficients);
        message.iter_mut().zip(coefficients.as_flattened()).for_each(|(to, value)| *to = u64::from(*value) * UNIT);
        let next = power.as_flattened_mut().iter_mut().zip(points.as_flattened());
        next.for_each(|(power, point)| *power = (u64::from(*power) * u64::from(*point) % u64::from(PLAIN)) as u32);
    }
}

vectorized! {
    /// Appends the body of a message.
    fn encrypt(message: &Fractions, mask: &Element, secret: &[Line], rng: &mut ChaCha20Rng, out: &mut Vec<u8>) {
        const HALF: u64 = 1 << (63 - QUERY_BITS);
        let mut random = Zeroizing::new([0; 8 * DEGREE]);
        rng.fill_bytes(&mut *random);
        let mut body = Zeroizing::new(ring().fractions(&mut product(mask, secret)));
        for (body, (message, random)) in body.iter_mut().zip(message.iter().zip(random.as_chunks().0)) {
            let exact = message.wrapping_sub(*body).wrapping_add(noise(u64::from_le_bytes(*random)));
            *body = exact.wrapping_add(HALF) >> (64 - QUERY_BITS);
        }
        pack::<QUERY_BITS>(out, &body[..]);
    }
}

/// Noise of variance 10.5: the difference of how many of 21 bits are set, twice, in units of `1 / q`.
#[inline(always)]
fn noise(random: u64) -> u64 {
    const BITS: u64 = (1 << 21) - 1;
    let ones = |bits: u64| u64::from((bits & BITS).count_ones());
    ones(random).wrapping_sub(ones(random >> 21)).wrapping_mul(ONE)
}

vectorized! {
    /// The mask of a group, by values.
    fn read_mask(packed: &[u8]) -> Vec<Line> {
        let mut fractions: Fractions = [0; DEGREE];
        unpack::<MASK_BITS>(packed, &mut fractions);
        fractions.iter_mut().for_each(|fraction| *fraction <<= QUERY_BITS - MASK_BITS);
        ring().scale(&fractions).to_vec()
    }
}

vectorized! {
    /// Slots of one word of an answer.
    fn decrypt(packed: &[u8], mask: &[Line], secret: &[Line]) -> Poly {
        let hiding = Zeroizing::new(ring().fractions(&mut product(mask, secret)));
        let mut fractions: Fractions = [0; DEGREE];
        unpack::<ANSWER_BITS>(packed, &mut fractions);
        let mut message = [[0; LANES]; BLOCKS];
        for (coefficient, (body, hiding)) in message.as_flattened_mut().iter_mut().zip(fractions.iter().zip(hiding.iter()))
        {
            let fraction = (body << (64 - ANSWER_BITS)).wrapping_add(*hiding);
            let scaled = u128::from(fraction) * u128::from(PLAIN) + (1 << 63);
            // The modulus itself, to which the highest fractions round, transforms like zero.
            *coefficient = (scaled >> 64) as u32;
        }
        ring().slots(&mut message);
        message
    }
}

const _: () = assert!(BUCKETS == DEGREE, "a slot for each bucket");

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng as _};

    use super::*;
    use crate::{Base, Members, Query};

    /// In units of a plaintext: of the answer's rounding a quarter, evenly; of the rest a normal deviation of 0.021, nearly
    /// all of it the mask's rounding where columns are as few as here.
    #[test]
    fn noise_is_what_was_calculated() {
        let shape = Shape { entries: 100, rows: 1, columns: 4, shared: 2 };
        let members = Members::new(1).distinct();
        let base = Base::with_shape(1, members, shape, 0, &[1; 32], NonZeroUsize::MIN).unwrap();
        let (question, query) = Question::new(base.header(), &[], &mut ChaCha20Rng::from_seed([2; 32])).unwrap();
        let query = Query::from_bytes(base.header(), &query).unwrap();
        let answer = base.answer(&[&query], 0..1).unwrap().remove(0);
        let mut errors = Vec::new();
        for (word, packed) in answer.chunks_exact(packed_len(DEGREE, ANSWER_BITS)).enumerate() {
            let mask = &base.download()[word / 2 * packed_len(DEGREE, MASK_BITS)..][..packed_len(DEGREE, MASK_BITS)];
            let mask = read_mask(Backend::best(), mask);
            let hiding = ring().fractions(&mut product(&mask, &question.secrets[word % 2]));
            let mut fractions: Fractions = [0; DEGREE];
            unpack::<ANSWER_BITS>(packed, &mut fractions);
            for (body, hiding) in fractions.iter().zip(&hiding) {
                let fraction = (body << (64 - ANSWER_BITS)).wrapping_add(*hiding);
                let units = fraction as f64 / 2f64.powi(64) * f64::from(PLAIN);
                errors.push(units - units.round());
            }
        }
        let variance = errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64;
        let expected = 0.25f64.powi(2) / 12.0 + 0.021f64.powi(2);
        assert!((variance / expected - 1.0).abs() < 0.05, "{variance} where {expected} was expected");
        assert!(errors.iter().all(|error| error.abs() < 0.125 + 7.0 * 0.021));
    }
}
