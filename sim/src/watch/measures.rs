//! What protects people, each switchable by the pace alone: so that its worth can be told.

use undertone_client::{Delay, Pace};

/// A pace in which something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Without {
    /// Nothing: the pace that people have.
    Nothing,
    /// No stock: a channel is made when it is needed, and whatever is wanted next at once after it.
    Stock,
    /// A channel is opened as soon as it is made, or its invitation accepted.
    OpeningDelay,
    /// The inbox is read every minute.
    InboxSchedule,
    /// Receipts and other notes go out at once.
    NoteDelay,
    /// All circuits follow each other at once.
    Gaps,
    /// All channels are on one circuit.
    Spread,
    /// None of these.
    All,
}

const AT_ONCE: Delay = Delay::ms(0, 0);
const EVERY_MINUTE: Delay = Delay::ms(60_000, 60_000);

impl Without {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Stock => "the stock of channels",
            Self::OpeningDelay => "the delays before a first opening",
            Self::NoteDelay => "the delay of receipts",
            Self::InboxSchedule => "the schedule of the inbox",
            Self::Gaps => "the gaps between circuits",
            Self::Spread => "the spreading over circuits",
            Self::All => "all of these",
        }
    }

    /// The pace of all clients of such a world.
    pub fn pace(self) -> Pace {
        let normal = Pace::normal();
        match self {
            Self::Nothing => normal,
            Self::Stock => Pace { stock: 0, restock: AT_ONCE, ..normal },
            Self::OpeningDelay => Pace { after_acceptance: AT_ONCE, before_opening: AT_ONCE, ..normal },
            Self::NoteDelay => Pace { note: AT_ONCE, ..normal },
            Self::InboxSchedule => Pace { inbox: EVERY_MINUTE, ..normal },
            Self::Gaps => Pace { between_circuits: AT_ONCE, ..normal },
            Self::Spread => Pace { channel_circuits: 1, ..normal },
            Self::All => Pace {
                stock: 0,
                restock: AT_ONCE,
                after_acceptance: AT_ONCE,
                before_opening: AT_ONCE,
                note: AT_ONCE,
                inbox: EVERY_MINUTE,
                between_circuits: AT_ONCE,
                channel_circuits: 1,
                ..normal
            },
        }
    }
}
