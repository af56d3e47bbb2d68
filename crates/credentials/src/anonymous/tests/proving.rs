//! Statements and their proofs.

use curve25519_dalek::{RistrettoPoint, Scalar};
use undertone_wire::context::Context;

use super::*;
use crate::{
    CredentialError,
    anonymous::statement::{Statement, proof_len},
};

const G: [u64; 3] = [3, 5, 7];

fn point(multiple: u64) -> RistrettoPoint {
    RistrettoPoint::mul_base(&Scalar::from(multiple))
}

fn secrets(x: u64, y: u64) -> [Scalar; 2] {
    [Scalar::from(x), Scalar::from(y)]
}

/// `P = x * G0 - y * G1 AND Q = y * G2`, for x = 11 and y = 2.
fn statement(context: Context, message: &[&[u8]], P: u64, Q: u64) -> Statement<2> {
    let (mut st, [x, y]) = Statement::new(context, message);
    let [P, Q] = st.points([P, Q].map(point));
    let [G0, G1, G2] = st.points(G.map(point));
    st.add(P, [(x, G0), (y, -G1)]);
    st.add(Q, [(y, G2)]);
    st
}

fn right() -> Statement<2> {
    statement(Context::SYSTEM_POINT, &[b"a", b"b"], 11 * 3 - 2 * 5, 2 * 7)
}

#[test]
fn what_is_true_is_proven() {
    let proof = right().prove(&secrets(11, 2), &mut rng(1));
    assert!(proof.len() == proof_len(2, 2) && proof.len() == 128);
    assert_eq!(right().verify(&proof), Ok(()));
}

#[test]
fn what_is_false_is_not() {
    for [x, y] in [secrets(11, 3), secrets(10, 2), secrets(0, 0), secrets(2, 11)] {
        let proof = right().prove(&[x, y], &mut rng(1));
        assert_eq!(right().verify(&proof), Err(CredentialError::Proof));
    }
    // Each equation alone.
    for (P, Q) in [(24, 14), (23, 15)] {
        let wrong = statement(Context::SYSTEM_POINT, &[b"a", b"b"], P, Q);
        assert_eq!(wrong.verify(&wrong.prove(&secrets(11, 2), &mut rng(1))), Err(CredentialError::Proof));
    }
}

#[test]
fn a_proof_is_for_one_statement_context_and_message() {
    let proof = right().prove(&secrets(11, 2), &mut rng(1));
    let others = [
        statement(Context::ACCOUNT_POINT, &[b"a", b"b"], 23, 14),
        statement(Context::SYSTEM_POINT, &[b"ab"], 23, 14),
        statement(Context::SYSTEM_POINT, &[b"a"], 23, 14),
        statement(Context::SYSTEM_POINT, &[b"a", b"c"], 23, 14),
        // As true, for other secrets.
        statement(Context::SYSTEM_POINT, &[b"a", b"b"], 26, 14),
        statement(Context::SYSTEM_POINT, &[b"a", b"b"], 18, 21),
    ];
    for other in others {
        assert_eq!(other.verify(&proof), Err(CredentialError::Proof));
    }
}

#[test]
fn nothing_of_a_proof_can_be_changed() {
    let proof = right().prove(&secrets(11, 2), &mut rng(1));
    for at in 0..proof.len() {
        let mut changed = proof.clone();
        changed[at] ^= 1;
        assert_eq!(right().verify(&changed), Err(CredentialError::Proof), "byte {at}");
    }
    let longer = [&proof[..], &[0]].concat();
    for refused in [&proof[..127], &proof[..64], &[], &longer, &[0; 128], &[0xff; 128]] {
        assert_eq!(right().verify(refused), Err(CredentialError::Proof));
    }
    // The same responses, not reduced: each plus the group's order. They are big-endian.
    let order = (-Scalar::ONE).to_bytes();
    for at in [64, 96] {
        let mut carry = 1u16;
        let mut unreduced = proof.clone();
        for (byte, order) in unreduced[at..at + 32].iter_mut().rev().zip(order) {
            carry += u16::from(*byte) + u16::from(order);
            *byte = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        assert_eq!(right().verify(&unreduced), Err(CredentialError::Proof));
    }
}

/// Two proofs with the same nonces and different challenges give their secrets away.
#[test]
fn randomness_that_comes_twice_gives_no_nonces_twice() {
    let commitments = |statement: Statement<2>, [x, y]: [Scalar; 2]| {
        let mut proof = statement.prove(&[x, y], &mut rng(1));
        proof.truncate(64);
        hex(&proof)
    };
    let first = commitments(right(), secrets(11, 2));
    assert!(first == commitments(right(), secrets(11, 2)));
    let others = [
        commitments(right(), secrets(11, 3)),
        commitments(statement(Context::SYSTEM_POINT, &[b"a", b"c"], 23, 14), secrets(11, 2)),
        commitments(statement(Context::SYSTEM_POINT, &[b"a", b"b"], 24, 14), secrets(11, 2)),
    ];
    assert!(others.iter().all(|other| *other != first));
    let mut proof = right().prove(&secrets(11, 2), &mut rng(2));
    proof.truncate(64);
    assert!(hex(&proof) != first, "and other randomness gives others");
}
