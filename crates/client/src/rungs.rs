//! Which rungs of the ladder this program stands on.

use undertone_wire::{ladder, padding};

/// What a home says that it understands, and what it makes. Each release has one answer; another is only good for stories
/// in which an older one still runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rungs {
    /// Features that its device announces (`wire::ladder`).
    pub features: Vec<u32>,
    /// Number of the MLS suite of the chats and key packages that it makes.
    pub suite: u32,
    /// Bytes of a group's commit, or head slot, above which it is put as a blob.
    pub inline_bytes: usize,
}

impl Rungs {
    /// Those of this release.
    pub fn of_this_release() -> Self {
        let inline_bytes = padding::ENTRY.last().copied().unwrap_or_default();
        Self { features: ladder::FEATURES.to_vec(), suite: ladder::SUITE, inline_bytes }
    }
}
