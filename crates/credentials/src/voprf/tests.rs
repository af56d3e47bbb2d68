//! The protocol as a whole: the vectors of RFC 9497, and what each side refuses.

use curve25519_dalek::{RistrettoPoint, Scalar};
use data_encoding::HEXLOWER;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{CredentialError, testing::rng};

fn key<M: Mode>(seed: u8) -> SecretKey<M> {
    SecretKey::derive(&[seed; 32], b"a test").unwrap()
}

/// A batch of so many inputs: the number of each, in two bytes.
fn blinded<M: Mode>(count: usize) -> Result<Blinded<M>, CredentialError> {
    let rng = &mut rng(1);
    Blinded::new((0..count).map(|number| (input(number), SecretScalar::random(rng))))
}

fn input(number: usize) -> Vec<u8> {
    u16::try_from(number).unwrap_or_default().to_be_bytes().to_vec()
}

fn shifted(element: &Element, by: RistrettoPoint) -> Element {
    Element::new(element.point() + by).unwrap()
}

/// `tests/vectors/rfc9497-ristretto255-sha512.json`: appendix A.1 of the RFC, all its modes.
struct Vectors(Value);

impl Vectors {
    fn of<M: Mode>() -> Self {
        let modes: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/vectors/rfc9497-ristretto255-sha512.json")).unwrap();
        Self(modes.into_iter().find(|mode| mode["mode"] == M::NUMBER).unwrap())
    }

    fn key<M: Mode>(&self) -> SecretKey<M> {
        let [seed, info] = ["seed", "keyInfo"].map(|field| bytes(&self.0[field]));
        let key = SecretKey::derive(&seed.try_into().unwrap(), &info).unwrap();
        assert_eq!(HEXLOWER.encode(key.scalar().as_bytes()), self.0["skSm"]);
        key
    }

    /// All vectors, each with its batch as a client has it.
    fn batches<M: Mode>(&self) -> Vec<(&Value, Blinded<M>)> {
        let vectors = self.0["vectors"].as_array().unwrap().iter();
        vectors
            .map(|vector| {
                let inputs = list(&vector["Input"]);
                let blinds = list(&vector["Blind"]).into_iter().map(|blind| secret(&blind));
                (vector, Blinded::new(inputs.into_iter().zip(blinds)).unwrap())
            })
            .collect()
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn list(value: &Value) -> Vec<Vec<u8>> {
    value.as_str().unwrap().split(',').map(|text| HEXLOWER.decode(text.as_bytes()).unwrap()).collect()
}

fn secret(bytes: &[u8]) -> SecretScalar {
    SecretScalar::from_bytes(bytes.try_into().unwrap()).unwrap()
}

fn encodings(elements: &[Element]) -> Vec<Vec<u8>> {
    elements.iter().map(|element| element.as_bytes().to_vec()).collect()
}

fn assert_outputs<M: Mode>(key: &SecretKey<M>, vector: &Value, outputs: &[Output]) {
    let expected = list(&vector["Output"]);
    assert_eq!(outputs.iter().map(|output| output.to_vec()).collect::<Vec<_>>(), expected);
    let direct = list(&vector["Input"]).into_iter().map(|input| key.evaluate(&input).unwrap().to_vec());
    assert_eq!(direct.collect::<Vec<_>>(), expected);
}

#[test]
fn the_rfc_s_vectors_of_oprf() {
    let vectors = Vectors::of::<Oprf>();
    let key = vectors.key::<Oprf>();
    let batches = vectors.batches::<Oprf>();
    assert_eq!(batches.len(), 2);
    for (vector, batch) in batches {
        assert_eq!(encodings(batch.elements()), list(&vector["BlindedElement"]));
        let evaluated = key.blind_evaluate(batch.elements());
        assert_eq!(encodings(&evaluated), list(&vector["EvaluationElement"]));
        assert_outputs(&key, vector, &batch.finalize(&evaluated).unwrap());
    }
}

#[test]
fn the_rfc_s_vectors_of_voprf() {
    let vectors = Vectors::of::<Voprf>();
    let key = vectors.key::<Voprf>();
    assert_eq!(key.public().as_bytes().to_vec(), bytes(&vectors.0["pkSm"]));
    let batches = vectors.batches::<Voprf>();
    assert_eq!(batches.len(), 3);
    for (vector, batch) in batches {
        assert_eq!(encodings(batch.elements()), list(&vector["BlindedElement"]));
        let (evaluated, _) = key.blind_evaluate(batch.elements(), &mut rng(1)).unwrap();
        assert_eq!(encodings(&evaluated), list(&vector["EvaluationElement"]));
        let nonce = secret(&bytes(&vector["Proof"]["r"]));
        let proof = Proof::prove(&key, batch.elements(), &evaluated, &nonce);
        assert_eq!(proof.to_bytes().to_vec(), bytes(&vector["Proof"]["proof"]));
        assert_outputs(&key, vector, &batch.finalize(&key.public(), &evaluated, &proof).unwrap());
    }
}

#[test]
fn batches_of_all_sizes_give_what_the_key_gives() {
    let key = key::<Voprf>(1);
    for count in [1, 2, 32, 1_600] {
        let batch = blinded::<Voprf>(count).unwrap();
        let (evaluated, proof) = key.blind_evaluate(batch.elements(), &mut rng(2)).unwrap();
        let outputs = batch.finalize(&key.public(), &evaluated, &proof).unwrap();
        assert_eq!(outputs.len(), count);
        assert!(outputs.iter().enumerate().all(|(number, output)| *output == key.evaluate(&input(number)).unwrap()));
    }
}

#[test]
fn there_are_no_batches_of_none_and_none_too_large() {
    assert!(blinded::<Oprf>(0).err() == Some(CredentialError::Batch));
    assert!(blinded::<Voprf>(0).err() == Some(CredentialError::Batch));
    assert!(key::<Voprf>(1).blind_evaluate(&[], &mut rng(1)).err() == Some(CredentialError::Batch));
    let element = blinded::<Voprf>(1).unwrap().elements()[0];
    let answer = key::<Voprf>(1).blind_evaluate(&vec![element; BATCH_MAX + 1], &mut rng(1));
    assert!(answer.err() == Some(CredentialError::Batch));
    let counts = [0, 1, 65_535, 65_536].map(|count| suite::check_batch(count).is_ok());
    assert_eq!(counts, [false, true, true, false]);
}

#[test]
fn an_answer_has_as_many_elements_as_were_asked_for() {
    let (key, batch) = (key::<Voprf>(1), blinded::<Voprf>(3).unwrap());
    let (mut evaluated, proof) = key.blind_evaluate(batch.elements(), &mut rng(2)).unwrap();
    let finalize = |evaluated: &[Element]| batch.finalize(&key.public(), evaluated, &proof).map(drop);
    assert_eq!(finalize(&evaluated[..2]), Err(CredentialError::Batch));
    evaluated.push(evaluated[0]);
    assert_eq!(finalize(&evaluated), Err(CredentialError::Batch));

    let (key, batch) = (self::key::<Oprf>(1), blinded::<Oprf>(3).unwrap());
    let mut evaluated = key.blind_evaluate(batch.elements());
    assert!(batch.finalize(&evaluated[..2]).err() == Some(CredentialError::Batch));
    evaluated.push(evaluated[0]);
    assert!(batch.finalize(&evaluated).err() == Some(CredentialError::Batch));
}

/// Shorter answers would pass if the proof were made for them.
#[test]
fn a_proof_for_a_part_of_the_batch_is_no_proof() {
    let (key, batch) = (key::<Voprf>(1), blinded::<Voprf>(3).unwrap());
    let (evaluated, proof) = key.blind_evaluate(&batch.elements()[..2], &mut rng(2)).unwrap();
    assert!(batch.finalize(&key.public(), &evaluated, &proof).err() == Some(CredentialError::Batch));
}

#[test]
fn another_key_is_noticed() {
    let (key, other, batch) = (key::<Voprf>(1), key::<Voprf>(2), blinded::<Voprf>(3).unwrap());
    let refused = |evaluated: &[Element], proof: &Proof| {
        batch.finalize(&key.public(), evaluated, proof).err() == Some(CredentialError::Proof)
    };
    let (evaluated, proof) = other.blind_evaluate(batch.elements(), &mut rng(2)).unwrap();
    assert!(refused(&evaluated, &proof));
    // A proof by the right key of what it did not evaluate; and of one element that another key has.
    let proof = Proof::prove(&key, batch.elements(), &evaluated, &SecretScalar::random(&mut rng(3)));
    assert!(refused(&evaluated, &proof));
    let (mut mixed, _) = key.blind_evaluate(batch.elements(), &mut rng(2)).unwrap();
    mixed[2] = evaluated[2];
    let proof = Proof::prove(&key, batch.elements(), &mixed, &SecretScalar::random(&mut rng(3)));
    assert!(refused(&mixed, &proof));
}

#[test]
fn changed_elements_are_noticed() {
    let (key, batch) = (key::<Voprf>(1), blinded::<Voprf>(3).unwrap());
    let (evaluated, proof) = key.blind_evaluate(batch.elements(), &mut rng(2)).unwrap();
    let refused = |evaluated: &[Element], proof: &Proof| {
        batch.finalize(&key.public(), evaluated, proof).err() == Some(CredentialError::Proof)
    };
    let mut swapped = evaluated.clone();
    swapped.swap(0, 1);
    assert!(refused(&swapped, &proof));
    // With the same sum, and a proof made for it: only the weights tell.
    let by = RistrettoPoint::mul_base(&Scalar::from(7u64));
    let same_sum = [shifted(&evaluated[0], by), shifted(&evaluated[1], -by), evaluated[2]];
    let forged = Proof::prove(&key, batch.elements(), &same_sum, &SecretScalar::random(&mut rng(3)));
    assert!(refused(&same_sum, &forged));
    // The answer to another batch.
    let other = Blinded::<Voprf>::new((0..3).map(|number| (input(number), SecretScalar::random(&mut rng(9))))).unwrap();
    assert!(other.finalize(&key.public(), &evaluated, &proof).err() == Some(CredentialError::Proof));
}

#[test]
fn proofs_have_one_form() {
    let (key, batch) = (key::<Voprf>(1), blinded::<Voprf>(3).unwrap());
    let (evaluated, proof) = key.blind_evaluate(batch.elements(), &mut rng(2)).unwrap();
    let bytes = proof.to_bytes();
    assert!(Proof::try_from(&bytes[..]).is_ok_and(|again| again == proof));
    for at in 0..PROOF_LEN {
        let mut tampered = bytes;
        tampered[at] ^= 1;
        let judged = Proof::try_from(&tampered[..]).and_then(|proof| batch.finalize(&key.public(), &evaluated, &proof));
        assert!(judged.err() == Some(CredentialError::Proof), "{at}");
    }
    let longer = [&bytes[..], &[0]].concat();
    for refused in [&bytes[..0], &bytes[..31], &bytes[..63], &longer] {
        assert!(Proof::try_from(refused).err() == Some(CredentialError::Proof));
    }
    // The same scalars, not reduced: each plus the group's order.
    let order = (-Scalar::ONE).to_bytes();
    for half in [0, SCALAR_LEN] {
        let mut carry = 1u16;
        let mut unreduced = bytes;
        for (byte, order) in unreduced[half..half + SCALAR_LEN].iter_mut().zip(order) {
            carry += u16::from(*byte) + u16::from(order);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        assert!(Proof::try_from(&unreduced[..]).err() == Some(CredentialError::Proof));
    }
}

#[test]
fn inputs_are_not_too_long() {
    let (longest, too_long) = (vec![7; usize::from(u16::MAX)], vec![7; usize::from(u16::MAX) + 1]);
    let key = key::<Oprf>(1);
    let batch = Blinded::<Oprf>::new([(longest.clone(), SecretScalar::random(&mut rng(1)))]).unwrap();
    let outputs = batch.finalize(&key.blind_evaluate(batch.elements())).unwrap();
    assert!(outputs[0] == key.evaluate(&longest).unwrap());
    let batch = Blinded::<Oprf>::new([(too_long.clone(), SecretScalar::random(&mut rng(1)))]);
    assert!(batch.err() == Some(CredentialError::Malformed));
    assert!(key.evaluate(&too_long).err() == Some(CredentialError::Malformed));
    assert!(SecretKey::<Oprf>::derive(&[1; 32], &longest).is_ok());
    assert!(SecretKey::<Oprf>::derive(&[1; 32], &too_long).err() == Some(CredentialError::Malformed));
}

/// What is stored of an identifier, so that the key can change without it.
#[test]
fn an_output_is_the_hash_of_its_element() {
    let key = key::<Voprf>(1);
    let element = key.element(b"an identifier").unwrap();
    let output = suite::output(b"an identifier", element.as_bytes()).unwrap();
    assert!(output == key.evaluate(b"an identifier").unwrap());
}

#[test]
fn a_public_key_is_an_element() {
    let public = key::<Voprf>(1).public();
    assert!(PublicKey::try_from(&public.as_bytes()[..]).is_ok_and(|again| again == public));
    assert!(public != key::<Voprf>(2).public());
    for refused in [&[0; 32][..], &[0xff; 32], &public.as_bytes()[..31]] {
        assert!(PublicKey::try_from(refused).err() == Some(CredentialError::Element));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn blinds_change_what_is_sent_and_not_what_comes_out(
        input in proptest::collection::vec(any::<u8>(), 0..200),
        seeds in any::<[u8; 2]>(),
    ) {
        let key = key::<Voprf>(1);
        let batch = |seed| Blinded::<Voprf>::new([(input.clone(), SecretScalar::random(&mut rng(seed)))]).unwrap();
        let [one, other] = seeds.map(batch);
        prop_assert_eq!(one.elements() == other.elements(), seeds[0] == seeds[1]);
        for batch in [one, other] {
            let (evaluated, proof) = key.blind_evaluate(batch.elements(), &mut rng(2)).unwrap();
            let outputs = batch.finalize(&key.public(), &evaluated, &proof).unwrap();
            prop_assert!(outputs[0] == key.evaluate(&input).unwrap());
        }
    }

    #[test]
    fn any_bytes_are_an_element_or_refused(bytes in any::<[u8; 32]>()) {
        if let Ok(element) = Element::try_from(&bytes[..]) {
            prop_assert!(element.as_bytes() == &bytes && element == Element::nonzero(*element.point()));
        }
    }
}

#[test]
fn elements_are_what_outputs_are_made_of_and_move_to_another_key() {
    let (old, new) = (key::<Voprf>(1), key::<Voprf>(2));
    let batch = blinded::<Voprf>(3).unwrap();
    let (evaluated, proof) = old.blind_evaluate(batch.elements(), &mut rng(2)).unwrap();
    let elements = batch.unblind(&old.public(), &evaluated, &proof).unwrap();
    let direct = |key: &SecretKey<Voprf>| (0..3).map(|number| key.element(&input(number)).unwrap()).collect::<Vec<_>>();
    assert!(elements == direct(&old));
    assert!(old.multiplier(&new).apply(&elements) == direct(&new));
    assert!(batch.unblind(&new.public(), &evaluated, &proof).err() == Some(CredentialError::Proof));
    assert!(batch.unblind(&old.public(), &evaluated[1..], &proof).err() == Some(CredentialError::Batch));
}
