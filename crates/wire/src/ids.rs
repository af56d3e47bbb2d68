//! Identifiers and times. None can be printed by accident: there is no `Debug` and no `Display`.

use std::{fmt, ops::Add};

use data_encoding::HEXLOWER;

use crate::channel::EntryKind;

/// Bytes of another length than the type has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected} bytes")]
pub struct WrongLength {
    /// The length that was needed.
    pub expected: usize,
}

/// Text that is no identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {0} lower-case hexadecimal digits")]
pub struct ParseIdError(usize);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Its length in bytes.
            pub const LEN: usize = $len;

            /// From its bytes.
            pub const fn new(bytes: [u8; $len]) -> Self {
                Self(bytes)
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// Its text, for its owner's eyes: lower-case hexadecimal. Never for a log.
            pub fn to_hex(&self) -> String {
                HEXLOWER.encode(&self.0)
            }

            /// From its text.
            ///
            /// # Errors
            /// When the text is not exactly its hexadecimal form.
            pub fn from_hex(text: &str) -> Result<Self, ParseIdError> {
                let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| ParseIdError($len * 2))?;
                Self::try_from(&bytes[..]).map_err(|_| ParseIdError($len * 2))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = WrongLength;

            fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
                bytes.try_into().map(Self).map_err(|_| WrongLength { expected: $len })
            }
        }

        impl From<$name> for bytes::Bytes {
            fn from(id: $name) -> Self {
                Self::copy_from_slice(&id.0)
            }
        }
    };
}

id!(
    /// Names an account: it commits to the recovery key and the first identity key (`credentials`).
    AccountId, 16
);
id!(
    /// Names a channel: random, and tied to nothing.
    ChannelId, 16
);
id!(
    /// Names a blob: random, and tied to nothing. Whoever knows it may read the blob.
    BlobId, 16
);
id!(
    /// Names one mutation, so that a retry is known: random, fresh for each ciphertext.
    IdempotencyId, 16
);
id!(
    /// Names one message of a chat, inside its encryption.
    MessageId, 16
);
id!(
    /// Noise's final handshake hash: the one name of a circuit, which both ends compute.
    HandshakeHash, 32
);

/// Where a log stands: an entry is taken only when it was made for the position at which it comes to stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Counts the MLS groups that have lived in this channel.
    pub incarnation: u32,
    /// Counts the commit entries of this incarnation (which is not MLS's own epoch number).
    pub epoch: u64,
}

impl Position {
    /// After an entry of this kind: a commit begins the next epoch, a restart the next incarnation.
    #[must_use]
    pub fn after(self, kind: EntryKind) -> Self {
        let Self { incarnation, epoch } = self;
        match kind {
            EntryKind::Commit => Self { incarnation, epoch: epoch.saturating_add(1) },
            EntryKind::Restart => Self { incarnation: incarnation.saturating_add(1), epoch: 0 },
            EntryKind::Unspecified | EntryKind::Message | EntryKind::Change => self,
        }
    }
}

/// A moment: milliseconds since 1970-01-01, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now(pub u64);

impl Now {
    /// The day that this moment lies in. The service keeps days, never moments.
    pub const fn day(self) -> Day {
        Day((self.0 / 86_400_000) as u32)
    }

    /// This moment plus a number of milliseconds.
    pub const fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// A day: days since 1970-01-01, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u32);

impl Day {
    /// The week that this day lies in.
    pub const fn week(self) -> Week {
        Week(self.0 / 7)
    }
}

impl Add<u32> for Day {
    type Output = Self;

    fn add(self, days: u32) -> Self {
        Self(self.0.saturating_add(days))
    }
}

impl fmt::Display for Day {
    /// ISO 8601, from the days alone (Howard Hinnant's `civil_from_days`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let z = i64::from(self.0) + 719_468;
        let era = z.div_euclid(146_097);
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A week: weeks since 1970-01-01, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week(pub u32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_read_as_dates() {
        assert_eq!(Day(0).to_string(), "1970-01-01");
        assert_eq!(Day(11_016).to_string(), "2000-02-29");
        assert_eq!(Day(20_779).to_string(), "2026-11-22");
        assert_eq!(Now(1_795_341_522_000).day(), Day(20_779));
    }

    #[test]
    fn ids_read_only_their_own_form() {
        let id = AccountId::new([0xab; 16]);
        assert!(AccountId::from_hex(&id.to_hex()) == Ok(id));
        for wrong in ["", "ab", &"AB".repeat(16), &"g0".repeat(16), &"ab".repeat(17), "äää"] {
            assert!(AccountId::from_hex(wrong).is_err());
        }
        assert!(matches!(AccountId::try_from(&[0; 15][..]), Err(WrongLength { expected: 16 })));
    }
}
