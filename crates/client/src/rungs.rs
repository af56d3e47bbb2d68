//! Which rungs of the ladder this program stands on.

use undertone_wire::ladder;

/// What a home says that it understands, and what it makes. Each release has one answer; another is only good for stories
/// in which an older one still runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rungs {
    /// Features that its device announces (`wire::ladder`).
    pub features: Vec<u32>,
    /// Number of the MLS suite of the chats and key packages that it makes.
    pub suite: u32,
}

impl Rungs {
    /// Those of this release.
    pub fn of_this_release() -> Self {
        Self { features: ladder::FEATURES.to_vec(), suite: ladder::SUITE }
    }
}
