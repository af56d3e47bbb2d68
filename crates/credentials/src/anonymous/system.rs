//! The system parameters (sections 3.1 and 4.1): points that are hashed from their names, so that nobody knows the
//! logarithm of one to another.

use std::sync::LazyLock;

use curve25519_dalek::RistrettoPoint;
use undertone_wire::context::Context;

use super::hash;

/// The points that everybody computes with. `G_m3` carries the day, the third attribute; the first two are points already.
pub struct System {
    pub G_w: RistrettoPoint,
    pub G_w_prime: RistrettoPoint,
    pub G_x0: RistrettoPoint,
    pub G_x1: RistrettoPoint,
    pub G_y1: RistrettoPoint,
    pub G_y2: RistrettoPoint,
    pub G_y3: RistrettoPoint,
    pub G_m3: RistrettoPoint,
    pub G_V: RistrettoPoint,
    pub G_a1: RistrettoPoint,
    pub G_a2: RistrettoPoint,
}

pub static SYSTEM: LazyLock<System> = LazyLock::new(|| {
    let point = |name: &str| hash::to_point(Context::SYSTEM_POINT, &[name.as_bytes()]);
    System {
        G_w: point("G_w"),
        G_w_prime: point("G_w'"),
        G_x0: point("G_x0"),
        G_x1: point("G_x1"),
        G_y1: point("G_y1"),
        G_y2: point("G_y2"),
        G_y3: point("G_y3"),
        G_m3: point("G_m3"),
        G_V: point("G_V"),
        G_a1: point("G_a1"),
        G_a2: point("G_a2"),
    }
});
