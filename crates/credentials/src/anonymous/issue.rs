//! Issuance: a MAC over an account and a day, with a proof that it was made with the key that everybody knows (section 3.2).

use curve25519_dalek::RistrettoPoint;
use rand_core::CryptoRng;
use undertone_wire::{AccountId, Day, context::Context};
use zeroize::Zeroizing;

use super::{
    Credential, CredentialKey, CredentialPublic, attributes,
    credential::MAC_LEN,
    statement::{Statement, proof_len},
    system::SYSTEM,
};
use crate::{CredentialError, voprf::SecretScalar};

const EQUATIONS: usize = 3;
const SECRETS: usize = 7;
/// Bytes of what a credential is issued as: the MAC `(t, U, V)`, then the proof.
pub const ISSUED_LEN: usize = MAC_LEN + proof_len(EQUATIONS, SECRETS);

impl CredentialKey {
    /// Issues to whoever has proven to have this account: [`ISSUED_LEN`] bytes. Two credentials for one account and day have
    /// nothing in common that a presentation would show.
    pub fn issue(&self, account: AccountId, day: Day, rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut uniform = Zeroizing::new([0; 64]);
        rng.fill_bytes(&mut *uniform);
        let U = RistrettoPoint::from_uniform_bytes(&uniform);
        let SecretScalar(t) = SecretScalar::random(rng);
        let [M1, M2] = attributes::of_account(&account);
        let V = self.mac(&t, &U, [M1, M2, attributes::of_day(day)]);
        let credential = Credential { account, day, t, U, V };
        let Self { w, w_prime, x0, x1, y1, y2, y3, .. } = *self;
        let secrets = Zeroizing::new([w, w_prime, x0, x1, y1, y2, y3]);
        let proof = statement(self.public(), &credential).prove(&secrets, rng);
        [&credential.mac()[..], &proof].concat()
    }
}

impl Credential {
    /// Takes what was issued to this account for this day, if the key was used that everybody is shown.
    ///
    /// # Errors
    /// [`CredentialError::Element`] and [`CredentialError::Malformed`] for what is no MAC, [`CredentialError::Proof`] if it
    /// was made with another key, or for another account or day.
    pub fn receive(
        public: &CredentialPublic,
        account: AccountId,
        day: Day,
        issued: &[u8],
    ) -> Result<Self, CredentialError> {
        let (mac, proof) = issued.split_first_chunk().ok_or(CredentialError::Malformed)?;
        let credential = Self::parse(account, day, mac)?;
        statement(public, &credential).verify(proof)?;
        Ok(credential)
    }
}

/// Section 3.2: `PK{(w, w', x0, x1, y1, y2, y3): C_W = w * G_w + w' * G_w' AND
/// G_V - I = x0 * G_x0 + x1 * G_x1 + y1 * G_y1 + y2 * G_y2 + y3 * G_y3 AND
/// V = w * G_w + x0 * U + x1 * (t * U) + y1 * M1 + y2 * M2 + y3 * M3}`.
fn statement(public: &CredentialPublic, credential: &Credential) -> Statement<SECRETS> {
    let Credential { account, day, t, U, V } = credential;
    let message = [&public.as_bytes()[..], account.as_bytes(), &day.0.to_be_bytes(), &*credential.mac()];
    let (mut st, [w, w_prime, x0, x1, y1, y2, y3]) = Statement::new(Context::CREDENTIAL_ISSUED, &message);

    let sys = &*SYSTEM;
    let [M1, M2] = attributes::of_account(account);
    let [C_W, G_V_minus_I] = st.points([*public.C_W(), sys.G_V - public.I()]);
    let [G_w, G_w_prime, G_x0, G_x1] = st.points([sys.G_w, sys.G_w_prime, sys.G_x0, sys.G_x1]);
    let [G_y1, G_y2, G_y3] = st.points([sys.G_y1, sys.G_y2, sys.G_y3]);
    let [M1, M2, M3] = st.points([M1, M2, attributes::of_day(*day)]);
    let [U, tU, V] = st.points([*U, U * t, *V]);

    st.add(C_W, [(w, G_w), (w_prime, G_w_prime)]);
    st.add(G_V_minus_I, [(x0, G_x0), (x1, G_x1), (y1, G_y1), (y2, G_y2), (y3, G_y3)]);
    st.add(V, [(w, G_w), (x0, U), (x1, tU), (y1, M1), (y2, M2), (y3, M3)]);
    st
}
