//! What a credential is over: three attributes, each a point (section 3.1).

use curve25519_dalek::{RistrettoPoint, traits::Identity as _};
use sha2::Sha256;
use undertone_wire::{AccountId, Day, context::Context};

use super::{hash, system::SYSTEM};

/// `M1 = HashToG(account)`, which an entry is recognised by, and `M2 = EncodeToG(account)`, which it is decrypted to
/// (section 4.1).
pub fn of_account(account: &AccountId) -> [RistrettoPoint; 2] {
    [hashed(account), encoded(account)]
}

/// `M1 = HashToG(account)`.
pub fn hashed(account: &AccountId) -> RistrettoPoint {
    hash::to_point(Context::ACCOUNT_POINT, &[account.as_bytes()])
}

/// `M2 = EncodeToG(account)`: Lizard, whose inverse is [`decoded`].
fn encoded(account: &AccountId) -> RistrettoPoint {
    RistrettoPoint::lizard_encode::<Sha256>(account.as_bytes())
}

/// `DecodeFromG(M2)`. None: this point encodes no account.
pub fn decoded(M2: &RistrettoPoint) -> Option<AccountId> {
    M2.lizard_decode::<Sha256>().map(AccountId::new)
}

/// `M3 = day * G_m3` (section 3.1, an attribute that is a scalar). The day is public, so this may vary in time.
pub fn of_day(day: Day) -> RistrettoPoint {
    let bits = (0..u32::BITS).rev().map(|bit| day.0 >> bit & 1 == 1);
    bits.fold(RistrettoPoint::identity(), |sum, bit| {
        let doubled = sum + sum;
        if bit { doubled + SYSTEM.G_m3 } else { doubled }
    })
}
