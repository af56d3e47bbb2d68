//! The ladder: every version, ciphersuite and feature, with the release that first reads, writes and requires it.
//!
//! Nothing has a flag day. A release reads a rung before any writes it; a chat moves up when all its members read the
//! next rung; a service refuses a rung only after the day that it has announced.

/// What a rung is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Version of the frames on a circuit.
    Protocol,
    /// MLS ciphersuite (RFC 9420, section 17.1).
    Suite,
    /// Optional ability, by its number in Hello and in device lists.
    Feature,
}

/// A release of this project, `(major, minor)`.
pub type Release = (u16, u16);

/// One step of the ladder.
#[derive(Clone, Copy, Debug)]
pub struct Rung {
    /// What it is about.
    pub kind: Kind,
    /// Its number on the wire.
    pub number: u32,
    /// Its name, for people.
    pub name: &'static str,
    /// The first release that understands it.
    pub reads: Release,
    /// The first release that uses it where all others understand it; none if no release does any more.
    pub writes: Option<Release>,
    /// The first release that refuses to do without; none so far.
    pub requires: Option<Release>,
}

/// Protocol version of this release, the only one so far.
pub const PROTOCOL: u32 = 1;
/// Lowest protocol version that this release still speaks.
pub const PROTOCOL_MIN: u32 = 1;
/// Version of signed and sealed objects of this release.
pub const OBJECTS: u32 = 1;
/// The MLS suite of this release: `MLS_128_MLKEM768X25519_AES256GCM_SHA384_Ed25519`.
pub const SUITE: u32 = 0x004E;
/// The suite before it, which is still read: `MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519`.
pub const SUITE_CLASSICAL: u32 = 0x0001;
/// Feature: reads chats of [`SUITE`]. A chat whose devices all have it moves there.
pub const READS_SUITE: u32 = 1;
/// Feature: reads what rides along with messages, or comes alone as a note: receipts, profile keys, parameters. In a chat
/// whose devices all have it they are written.
pub const READS_NOTES: u32 = 2;
/// Feature: pays with blind tokens.
pub const TOKENS: u32 = 3;
/// Feature: takes part in groups. Nobody is added whose devices do not all have it.
pub const GROUPS: u32 = 4;
/// Feature: reads commits and head slots that are blobs. In a group whose devices all have it they are written.
pub const LARGE: u32 = 5;
/// Features of this release.
pub const FEATURES: &[u32] = &[READS_SUITE, READS_NOTES, TOKENS, GROUPS, LARGE];

/// The whole ladder, oldest rungs first.
pub const RUNGS: &[Rung] = &[
    Rung {
        kind: Kind::Protocol,
        number: PROTOCOL,
        name: "circuit frames",
        reads: (0, 1),
        writes: Some((0, 1)),
        requires: Some((0, 1)),
    },
    Rung {
        kind: Kind::Suite,
        number: SUITE_CLASSICAL,
        name: "X25519, AES-128-GCM, SHA-256, Ed25519",
        reads: (0, 1),
        writes: None,
        requires: None,
    },
    Rung {
        kind: Kind::Suite,
        number: SUITE,
        name: "X-Wing, AES-256-GCM, SHA-384, Ed25519",
        reads: (0, 1),
        writes: Some((0, 1)),
        requires: Some((0, 1)),
    },
    Rung {
        kind: Kind::Feature,
        number: READS_SUITE,
        name: "reads suite 0x004E",
        reads: (0, 1),
        writes: Some((0, 1)),
        requires: None,
    },
    Rung {
        kind: Kind::Feature,
        number: READS_NOTES,
        name: "receipts, profile keys and parameters in messages",
        reads: (0, 2),
        writes: Some((0, 2)),
        requires: None,
    },
    Rung {
        kind: Kind::Feature,
        number: TOKENS,
        name: "blind tokens",
        reads: (0, 2),
        writes: Some((0, 2)),
        requires: Some((0, 2)),
    },
    Rung {
        kind: Kind::Feature,
        number: GROUPS,
        name: "private groups",
        reads: (0, 4),
        writes: Some((0, 4)),
        requires: None,
    },
    Rung {
        kind: Kind::Feature,
        number: LARGE,
        name: "large groups",
        reads: (0, 5),
        writes: Some((0, 5)),
        requires: None,
    },
];

/// The highest protocol version that both ranges hold; none means that one side needs an update.
pub fn negotiate(peer_min: u32, peer_max: u32) -> Option<u32> {
    let best = PROTOCOL.min(peer_max);
    (best >= PROTOCOL_MIN.max(peer_min)).then_some(best)
}

/// Abilities that both sides have.
pub fn common_features(peer: &[u32]) -> Vec<u32> {
    FEATURES.iter().copied().filter(|feature| peer.contains(feature)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_common_version_is_spoken() {
        assert_eq!(negotiate(1, 1), Some(1));
        assert_eq!(negotiate(1, 9), Some(1));
        assert_eq!(negotiate(2, 9), None);
        assert_eq!(negotiate(0, 0), None);
    }

    #[test]
    fn every_feature_is_on_the_ladder() {
        let on_the_ladder =
            |number: &u32| RUNGS.iter().any(|rung| rung.kind == Kind::Feature && rung.number == *number);
        assert!(FEATURES.iter().all(on_the_ladder));
    }

    #[test]
    fn a_rung_is_read_before_it_is_written_before_it_is_required() {
        for rung in RUNGS {
            assert!(rung.writes.is_none_or(|writes| rung.reads <= writes));
            assert!(rung.requires.is_none_or(|requires| rung.writes.is_some_and(|writes| writes <= requires)));
        }
    }
}
