//! All that is kept of an account, value by value, and what each means.

use bytes::Bytes;

use crate::page::Page;

/// One value of a row, by its table and column.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredValue {
    /// As it is called in the account file; of a day's partition with its day.
    pub table: String,
    /// Likewise.
    pub column: String,
    /// What stands there.
    pub value: Value,
}

/// What can stand in a column.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A count, a day, a number.
    Number(u64),
    /// A key, a hash, ciphertext.
    Data(Bytes),
}

impl Value {
    fn bytes(&self) -> usize {
        match self {
            Self::Null | Self::Number(_) => 0,
            Self::Data(data) => data.len(),
        }
    }
}

/// Part of what is kept of an account.
#[derive(Clone, Default, PartialEq)]
pub struct ValuesPage {
    /// Row by row, in the order of tables, their keys and columns.
    pub values: Vec<StoredValue>,
    /// Whether there is more after them.
    pub more: bool,
}

/// Columns that have one meaning.
pub struct Columns {
    /// In which file: `both` planes', or `all` three.
    pub file: &'static str,
    /// Of the partition of a day: with DAY for its number.
    pub table: &'static str,
    /// One or several.
    pub columns: &'static [&'static str],
    /// What they are, and so what they tell.
    pub meaning: &'static str,
}

/// What a column of the account file means, whether others have it too or not. None: there is no such.
pub fn meaning(table: &str, column: &str) -> Option<&'static str> {
    let table = match table.rsplit_once('_') {
        Some((name, day)) if day.bytes().all(|digit| digit.is_ascii_digit()) => format!("{name}_DAY"),
        _ => table.to_owned(),
    };
    let mut all = COLUMNS.iter().filter(|known| !["channels", "blobs"].contains(&known.file) && known.table == table);
    all.find(|known| known.columns.contains(&column)).map(|known| known.meaning)
}

/// Every column of all files. `docs/threat-model.md` has the same table.
pub const COLUMNS: &[Columns] = &[
    of("accounts", "accounts", &["account"], "id: 16 bytes of a hash over the recovery key and the first identity key"),
    of("accounts", "accounts", &["created", "last_seen"], "days"),
    of(
        "accounts",
        "accounts",
        &["identity_number", "list_counter"],
        "how often the identity and the device list changed",
    ),
    of(
        "accounts",
        "accounts",
        &["device_list"],
        "recovery key, identity keys, device numbers and keys, what each device understands; signed, public to whoever asks \
         for the account",
    ),
    of("accounts", "accounts", &["inbox_week", "inbox_key"], "week and public key of the newest inbox key"),
    of("accounts", "accounts", &["inbox_seq"], "how many letters ever came"),
    of("accounts", "recoveries", &["recovery_key", "account"], "which account a recovery key is of"),
    of(
        "accounts",
        "devices",
        &["account", "device", "key", "read_up_to", "visit"],
        "each listed device, its key, how far it has read the inbox, and 16 random bytes that it said last",
    ),
    of(
        "accounts",
        "key_packages",
        &["account", "device", "number", "hash", "package"],
        "one-time key packages of a device; a handed out one is empty, and its hash stays for a while",
    ),
    of(
        "accounts",
        "last_resorts",
        &["account", "device", "package"],
        "the key package handed out when none of those may be",
    ),
    of(
        "accounts",
        "vaults",
        &["account", "revision", "sealed"],
        "ciphertext for whoever has the recovery words, in one of four sizes, and how often it was replaced",
    ),
    of(
        "accounts",
        "profiles",
        &["account", "revision", "access_hash", "sealed"],
        "ciphertext for those who were told its key, in one of three sizes, how often it was replaced, and SHA-256 of what \
         they show to fetch it",
    ),
    of("accounts", "suspended", &["account"], "an account to which its operator has tokens issued no more"),
    of(
        "accounts",
        "issued",
        &["account", "week", "request"],
        "each batch of blind tokens that an account was issued this week: SHA-256 of random bytes, as which it asked for \
         them",
    ),
    of(
        "accounts",
        "listings",
        &["element", "account", "key"],
        "under what an account is found: an element of each identifier, made by a key, and that key's number. Who has the key \
         can test identifiers; without it they say nothing",
    ),
    of(
        "accounts",
        "claims",
        &["element", "account", "day"],
        "who waits since which day to be listed where somebody else is",
    ),
    of(
        "accounts",
        "listing_changes",
        &["day", "element"],
        "where listings came, went or changed hands in the last days; after an account is deleted, that they went",
    ),
    of("accounts", "listing_days", &["day"], "days of which everybody was told what has changed"),
    of("accounts", "directory_keys", &["number"], "which of its directory keys the service has taken"),
    of(
        "accounts",
        "lookups",
        &["account", "issued", "request", "granted"],
        "how many tokens for lookups an account has had, and of the last time how many, with SHA-256 of the random bytes as \
         which it asked for them",
    ),
    of(
        "accounts",
        "inbox",
        &["account", "seq", "expiry_day", "body_key"],
        "letters that wait; by `body_key`, which is random, their bodies are found",
    ),
    of(
        "accounts",
        "invites",
        &["hash", "uses", "expiry_day"],
        "SHA-256 of each invite code, and how often it still works; not who used it",
    ),
    of("channels", "channels", &["channel"], "id: 16 random bytes"),
    of(
        "channels",
        "channels",
        &["seq", "chain", "incarnation", "epoch"],
        "where the log stands: how many entries, how many of them commits",
    ),
    of("channels", "channels", &["generation", "read_key", "write_key"], "public keys that open it"),
    of("channels", "channels", &["bytes"], "sum of the bodies kept, in buckets"),
    of("channels", "channels", &["unused_since"], "the day it was created, until the first entry"),
    of(
        "channels",
        "generations",
        &["channel", "generation", "read_key", "seq", "chain", "incarnation", "epoch"],
        "of each generation that is over: public key that opens it, and where the log stood at its end",
    ),
    of(
        "channels",
        "entries",
        &["channel", "seq", "kind", "incarnation", "epoch", "expiry_day", "digest", "body_key", "installs"],
        "what stays of an entry for good: message, commit, restart or change, position, day of expiry, SHA-256, the public \
         keys that it installs; by `body_key`, which is random, its body is found until it has expired",
    ),
    of(
        "channels",
        "entries",
        &["countersignature", "slot_hash"],
        "in groups: the service's signature on a change, and SHA-256 of the head slot that came with a commit",
    ),
    of(
        "channels",
        "records",
        &["channel", "revision", "record"],
        "of a group: how many changes it has seen, and its record: member entries (encrypted account ids, the same in no other \
         group) with their roles, invited, requesting, banned and left ones, rules, SHA-256 of its link's secret, and what it \
         says of itself, as ciphertext in one of four sizes",
    ),
    of(
        "channels",
        "head_slots",
        &["channel", "incarnation", "epoch", "sealed"],
        "of a group: ciphertext by which its members come in again, and for which position it is",
    ),
    of(
        "blobs",
        "blobs",
        &["blob", "bytes", "expiry_day"],
        "id: 16 random bytes; padded size; the last day on which it is kept. Nothing here says whose it is, or what; the log of a large group refers to its own",
    ),
    of("blobs", "blob_days", &["day", "blobs", "bytes"], "how many are kept up to a day, and their size"),
    of(
        "blobs",
        "parts_DAY",
        &["key", "blob", "part", "bytes"],
        "ciphertext, under a random key. Dropped whole after its day",
    ),
    of(
        "all",
        "spent",
        &["week", "nullifier", "request"],
        "of each blind token that paid here, until it has expired: its week, its random bytes, and SHA-256 of the request \
         that it paid for; not whom it was issued to",
    ),
    of("both", "partitions", &["day"], "days for which bodies are kept"),
    of(
        "both",
        "ids_DAY",
        &["log", "id", "seq", "digest", "bytes"],
        "of each entry that expires on that day: channel or account, idempotency id (random), place, SHA-256, size. Dropped \
         whole after its day",
    ),
    of(
        "both",
        "bodies_DAY",
        &["key", "body"],
        "ciphertext, under a random key. The body of a letter goes when it is read; the table is dropped whole after its day",
    ),
];

const fn of(
    file: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
    meaning: &'static str,
) -> Columns {
    Columns { file, table, columns, meaning }
}

/// Collects a page of values.
pub(crate) struct Publishing {
    /// Values that are known already and still to be passed over.
    known: u32,
    page: Page,
    published: ValuesPage,
}

impl Publishing {
    /// What comes after `known` values: at most `limit`, and but for the first `bytes_max` bytes of them.
    pub(crate) fn new(known: u32, limit: u32, bytes_max: usize) -> Self {
        Self { known, page: Page::new(limit, bytes_max), published: ValuesPage::default() }
    }

    /// The next value, which is read only if it is wanted.
    pub(crate) fn value<E>(
        &mut self,
        table: &str,
        column: &str,
        read: impl FnOnce() -> Result<Value, E>,
    ) -> Result<(), E> {
        if self.known > 0 {
            self.known -= 1;
        } else if !self.published.more {
            let value = read()?;
            if self.page.take(value.bytes()) {
                self.published.values.push(StoredValue { table: table.to_owned(), column: column.to_owned(), value });
            } else {
                self.published.more = true;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> ValuesPage {
        self.published
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_mean_the_same_on_every_day() {
        assert_eq!(meaning("ids_20800", "seq"), meaning("ids_DAY", "seq"));
        assert!(meaning("bodies_0", "body").is_some_and(|meaning| meaning.starts_with("ciphertext")));
        assert!(meaning("key_packages", "hash").is_some() && meaning("vaults", "sealed").is_some());
        assert!(meaning("entries", "seq").is_none() && meaning("accounts", "name").is_none());
    }
}
