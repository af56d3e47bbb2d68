//! Presentation: that somebody has a credential for today, whose account is what an entry encrypts (sections 3.2 and 4.1).

use curve25519_dalek::{RistrettoPoint, Scalar, traits::MultiscalarMul as _};
use rand_core::CryptoRng;
use undertone_wire::{Day, context::Context};
use zeroize::Zeroizing;

use super::{
    Credential, CredentialKey, CredentialPublic, GroupPublic, GroupSecret, MemberEntry, attributes,
    statement::{Statement, proof_len},
    system::SYSTEM,
};
use crate::{
    CredentialError,
    voprf::{ELEMENT_LEN, Element, SecretScalar},
};

const COMMITMENTS: usize = 6;
const COMMITMENTS_LEN: usize = COMMITMENTS * ELEMENT_LEN;
const EQUATIONS: usize = 6;
const SECRETS: usize = 5;
/// Bytes of a presentation: the commitments `C_x0`, `C_x1`, `C_y1`, `C_y2`, `C_y3`, `C_V`, then the proof.
pub const PRESENTATION_LEN: usize = COMMITMENTS_LEN + proof_len(EQUATIONS, SECRETS);

impl Credential {
    /// Presents it to a service that knows the group and our entry in it: [`PRESENTATION_LEN`] bytes, which are good for
    /// this group, entry and day, and for what they are bound to: the circuit and the whole request. Two presentations show
    /// no more than their entries whether one credential made both.
    pub fn present(
        &self,
        public: &CredentialPublic,
        group: &GroupSecret,
        binding: &[u8; 32],
        rng: &mut impl CryptoRng,
    ) -> Vec<u8> {
        let account = attributes::of_account(&self.account);
        let entry = group.encrypt_points(account);
        let SecretScalar(z) = &SecretScalar::random(rng);
        let shown = Shown { public, group: &group.public(), entry: &entry, day: self.day, binding };
        shown.prove(&self.hide(z, account), public.I() * z, &self.secrets(z, group), rng)
    }

    /// Section 3.2: every point of the credential plus a multiple of a base of its own.
    pub(super) fn hide(&self, z: &Scalar, [M1, M2]: [RistrettoPoint; 2]) -> Commitments {
        let sys = &*SYSTEM;
        Commitments {
            C_x0: sys.G_x0 * z + self.U,
            C_x1: RistrettoPoint::multiscalar_mul([*z, self.t], [sys.G_x1, self.U]),
            C_y1: sys.G_y1 * z + M1,
            C_y2: sys.G_y2 * z + M2,
            C_y3: sys.G_y3 * z,
            C_V: sys.G_V * z + self.V,
        }
    }

    /// What the statement is about: `(z, z0, t, a2, b)`.
    pub(super) fn secrets(&self, z: &Scalar, group: &GroupSecret) -> Zeroizing<[Scalar; SECRETS]> {
        Zeroizing::new([*z, -self.t * z, self.t, group.a2, group.b])
    }
}

impl CredentialKey {
    /// Judges what somebody presents: that he has a credential of this day for the account which the entry encrypts in this
    /// group, and presents it for what both sides have hashed to `binding`. That tells nothing more about him.
    ///
    /// # Errors
    /// [`CredentialError::Presentation`], whatever is wrong.
    pub fn verify(
        &self,
        group: &GroupPublic,
        entry: &MemberEntry,
        day: Day,
        binding: &[u8; 32],
        presentation: &[u8],
    ) -> Result<(), CredentialError> {
        let shown = Shown { public: self.public(), group, entry, day, binding };
        self.check(&shown, presentation).map_err(|_| CredentialError::Presentation)
    }

    fn check(&self, shown: &Shown<'_>, presentation: &[u8]) -> Result<(), CredentialError> {
        let (encoded, proof) = presentation.split_first_chunk().ok_or(CredentialError::Presentation)?;
        let commitments = Commitments::decode(encoded)?;
        let Z = self.Z(&commitments, shown.day);
        shown.statement(&commitments, encoded, Z).verify(proof)
    }

    /// Section 3.2: `Z = C_V - (W + x0 * C_x0 + x1 * C_x1 + y1 * C_y1 + y2 * C_y2 + y3 * (C_y3 + M3))`, which is `z * I` if
    /// the MAC is good.
    fn Z(&self, commitments: &Commitments, day: Day) -> RistrettoPoint {
        let Commitments { C_x0, C_x1, C_y1, C_y2, C_y3, C_V } = *commitments;
        let scalars = [self.x0, self.x1, self.y1, self.y2, self.y3];
        let points = [C_x0, C_x1, C_y1, C_y2, C_y3 + attributes::of_day(day)];
        C_V - self.W - RistrettoPoint::multiscalar_mul(scalars, points)
    }
}

/// A credential, hidden (section 3.2).
pub struct Commitments {
    pub C_x0: RistrettoPoint,
    pub C_x1: RistrettoPoint,
    pub C_y1: RistrettoPoint,
    pub C_y2: RistrettoPoint,
    pub C_y3: RistrettoPoint,
    pub C_V: RistrettoPoint,
}

impl Commitments {
    fn encode(&self) -> [u8; COMMITMENTS_LEN] {
        let Self { C_x0, C_x1, C_y1, C_y2, C_y3, C_V } = self;
        let mut encoded = [0; COMMITMENTS_LEN];
        let points = [C_x0, C_x1, C_y1, C_y2, C_y3, C_V];
        for (bytes, point) in encoded.chunks_exact_mut(ELEMENT_LEN).zip(points) {
            bytes.copy_from_slice(point.compress().as_bytes());
        }
        encoded
    }

    fn decode(encoded: &[u8; COMMITMENTS_LEN]) -> Result<Self, CredentialError> {
        let mut points = encoded.chunks_exact(ELEMENT_LEN).map(Element::try_from);
        let mut next = || points.next().ok_or(CredentialError::Element)?.map(|element| *element.point());
        Ok(Self { C_x0: next()?, C_x1: next()?, C_y1: next()?, C_y2: next()?, C_y3: next()?, C_V: next()? })
    }
}

/// All that both sides know before anything is presented.
pub struct Shown<'a> {
    pub public: &'a CredentialPublic,
    pub group: &'a GroupPublic,
    pub entry: &'a MemberEntry,
    pub day: Day,
    pub binding: &'a [u8; 32],
}

impl Shown<'_> {
    /// A presentation: commitments, and the proof that they are what they should be.
    pub fn prove(
        &self,
        commitments: &Commitments,
        Z: RistrettoPoint,
        secrets: &[Scalar; SECRETS],
        rng: &mut impl CryptoRng,
    ) -> Vec<u8> {
        let encoded = commitments.encode();
        let proof = self.statement(commitments, &encoded, Z).prove(secrets, rng);
        [&encoded[..], &proof].concat()
    }

    /// Sections 3.2 and 4.1: `PK{(z, z0, t, a2, b): Z = z * I AND C_x1 = t * C_x0 + z0 * G_x0 + z * G_x1 AND
    /// A = b * G_a1 + a2 * G_a2 AND C_y1 = z * G_y1 + b * E_A1 AND C_y2 - E_A2 = z * G_y2 - a2 * E_A1 AND
    /// C_y3 = z * G_y3}`, where `z0 = -t * z` and `b = 1 / a1`.
    fn statement(
        &self,
        commitments: &Commitments,
        encoded: &[u8; COMMITMENTS_LEN],
        Z: RistrettoPoint,
    ) -> Statement<SECRETS> {
        let (group, entry, day) = (self.group.as_bytes(), self.entry.as_bytes(), self.day.0.to_be_bytes());
        let message = [&self.public.as_bytes()[..], group, entry, &day, self.binding, encoded];
        let (mut st, [z, z0, t, a2, b]) = Statement::new(Context::CREDENTIAL_SHOWN, &message);

        let sys = &*SYSTEM;
        let Commitments { C_x0, C_x1, C_y1, C_y2, C_y3, .. } = *commitments;
        let [Z, I] = st.points([Z, *self.public.I()]);
        let [C_x0, C_x1, G_x0, G_x1] = st.points([C_x0, C_x1, sys.G_x0, sys.G_x1]);
        let [A, G_a1, G_a2] = st.points([*self.group.point(), sys.G_a1, sys.G_a2]);
        let [C_y1, E_A1, C_y2_minus_E_A2] = st.points([C_y1, *self.entry.E_A1(), C_y2 - self.entry.E_A2()]);
        let [G_y1, G_y2, G_y3, C_y3] = st.points([sys.G_y1, sys.G_y2, sys.G_y3, C_y3]);

        st.add(Z, [(z, I)]);
        st.add(C_x1, [(t, C_x0), (z0, G_x0), (z, G_x1)]);
        st.add(A, [(b, G_a1), (a2, G_a2)]);
        st.add(C_y1, [(z, G_y1), (b, E_A1)]);
        st.add(C_y2_minus_E_A2, [(z, G_y2), (a2, -E_A1)]);
        st.add(C_y3, [(z, G_y3)]);
        st
    }
}
