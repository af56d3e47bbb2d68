//! Somebody who cheats, and knows more than he could: the service's key too.

use curve25519_dalek::{RistrettoPoint, Scalar};

use super::{
    presentation::{Commitments, Shown},
    *,
};
use crate::CredentialError;

const Z: u64 = 77;

type Change = fn(&mut Forger);

/// What somebody presents who holds a good credential, but says other things than he should.
pub struct Forger {
    pub credential: Credential,
    pub group: GroupSecret,
    pub known: GroupPublic,
    pub entry: MemberEntry,
    pub day: Day,
    pub commitments: Commitments,
    pub shift: RistrettoPoint,
}

impl Forger {
    pub fn new() -> Self {
        let (credential, group) = (credential(ANA, TODAY), group(1));
        let (known, entry) = (group.public(), group.encrypt(&ANA));
        let commitments = credential.hide(&Scalar::from(Z), attributes::of_account(&ANA));
        let shift = RistrettoPoint::mul_base(&Scalar::from(5u64));
        Self { credential, group, known, entry, day: TODAY, commitments, shift }
    }

    /// Proves with the right secrets what is no longer right.
    pub fn bytes(&self) -> Vec<u8> {
        let (key, z) = (key(), Scalar::from(Z));
        let Self { credential, group, known, entry, day, commitments, .. } = self;
        let shown = Shown { public: key.public(), group: known, entry, day: *day, binding: &BINDING };
        shown.prove(commitments, key.public().I() * z, &credential.secrets(&z, group), &mut rng(2))
    }

    /// Proves it, and is judged.
    pub fn judged(self) -> Result<(), CredentialError> {
        key().verify(&self.known, &self.entry, self.day, &BINDING, &self.bytes())
    }

    /// Each breaks one equation alone; what the service computes with its key would agree.
    pub fn of_each_equation() -> Vec<(&'static str, Self)> {
        let changes: [(&str, Change); 7] = [
            ("Z = z * I", |forger| forger.commitments.C_V += forger.shift),
            ("C_x1 = t * C_x0 + z0 * G_x0 + z * G_x1, by C_x1", |forger| {
                forger.commitments.C_x1 += forger.shift;
                forger.commitments.C_V += key().x1 * forger.shift;
            }),
            ("C_x1 = t * C_x0 + z0 * G_x0 + z * G_x1, by C_x0", |forger| {
                forger.commitments.C_x0 += forger.shift;
                forger.commitments.C_V += key().x0 * forger.shift;
            }),
            ("C_y1 = z * G_y1 + b * E_A1", |forger| {
                forger.commitments.C_y1 += forger.shift;
                forger.commitments.C_V += key().y1 * forger.shift;
            }),
            ("C_y2 - E_A2 = z * G_y2 - a2 * E_A1", |forger| {
                forger.commitments.C_y2 += forger.shift;
                forger.commitments.C_V += key().y2 * forger.shift;
            }),
            ("C_y3 = z * G_y3", |forger| {
                forger.commitments.C_y3 += forger.shift;
                forger.commitments.C_V += key().y3 * forger.shift;
            }),
            ("A = b * G_a1 + a2 * G_a2", |forger| forger.known = group(2).public()),
        ];
        let forged = changes.map(|(equation, change)| {
            let mut forger = Self::new();
            change(&mut forger);
            (equation, forger)
        });
        forged.into()
    }
}
