//! Entries that somebody wants to append: everything that can be judged without the log.

use std::collections::HashSet;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_credentials::{PublicKey, SIGNATURE_LEN, group::Follows};
use undertone_store::{GenerationKeys, NewEntry};
use undertone_wire::{
    Day, IdempotencyId, Position, channel,
    channel::EntryKind,
    circuit::{Code, Fault},
    large::Large,
    limits::{APPEND_ENTRIES_MAX, COMMIT_BURST, COMMIT_DAYS, MESSAGE_DAYS_MAX, PAGE_BYTES_MAX},
    padding,
};

use crate::request::{ensure, expiry_day, parse};

/// Entries whose form is right, and the head slot that comes with them.
#[derive(Clone)]
pub struct NewEntries {
    entries: Vec<NewEntry>,
    slot: Option<Bytes>,
}

impl NewEntries {
    /// Checks all entries of one append.
    pub fn check(entries: Vec<channel::NewEntry>, head_slot: Bytes, today: Day) -> Result<Self, Fault> {
        ensure((1..=APPEND_ENTRIES_MAX).contains(&entries.len()))?;
        ensure(entries.iter().all(|entry| entry.kind() != EntryKind::Change)).map_err(|_| Code::Unsupported)?;
        Self::all(entries, head_slot, today)
    }

    /// Checks a change and what follows it; the change gets this countersignature.
    pub fn check_change(
        change: channel::NewEntry,
        commit: Option<channel::NewEntry>,
        head_slot: Bytes,
        countersignature: [u8; SIGNATURE_LEN],
        today: Day,
    ) -> Result<Self, Fault> {
        ensure(change.kind() == EntryKind::Change)?;
        ensure(commit.as_ref().is_none_or(|commit| is_commit(commit.kind())))?;
        let mut checked = Self::all([change].into_iter().chain(commit).collect(), head_slot, today)?;
        if let Some(change) = checked.entries.first_mut() {
            change.countersignature = Some(countersignature);
        }
        Ok(checked)
    }

    fn all(entries: Vec<channel::NewEntry>, head_slot: Bytes, today: Day) -> Result<Self, Fault> {
        ensure(entries.iter().map(|entry| entry.body.len()).sum::<usize>() <= PAGE_BYTES_MAX)?;
        let entries: Vec<_> = entries.into_iter().map(|entry| check(entry, today)).collect::<Result<_, _>>()?;
        let ids: HashSet<_> = entries.iter().map(|entry| entry.id).collect();
        ensure(ids.len() == entries.len())?;
        let before_last = || entries.iter().rev().skip(1);
        // What follows belongs to the next generation, whose write key nobody has proven yet.
        ensure(before_last().all(|entry| entry.installs.is_none() && entry.slot_hash.is_none()))?;
        let named = entries.last().and_then(|last| last.slot_hash);
        let slot = Some(head_slot).filter(|slot| !slot.is_empty());
        ensure(slot.as_ref().is_none_or(|slot| is_body(slot, true)))?;
        ensure(named == slot.as_ref().map(|slot| Sha256::digest(slot).into()))?;
        let checked = Self { entries, slot };
        // More commits than a burst would wait for ever.
        ensure(checked.paced() <= COMMIT_BURST)?;
        Ok(checked)
    }

    /// How many of them are taken at their pace: those that move the position; and a change, which stays for good.
    pub fn paced(&self) -> u32 {
        let count = |of: fn(EntryKind) -> bool| self.entries.iter().filter(|entry| of(entry.kind)).map(|_| 1).sum();
        let (commits, changes): (u32, u32) = (count(is_commit), count(|kind| kind == EntryKind::Change));
        commits.max(changes)
    }

    /// Whether one of them moves the position.
    pub fn commits(&self) -> bool {
        self.entries.iter().any(|entry| is_commit(entry.kind))
    }

    /// What stands behind a change.
    pub fn follows(&self) -> Follows {
        match self.entries.get(1) {
            None => Follows::Nothing,
            Some(entry) if entry.kind == EntryKind::Restart => Follows::Restart,
            Some(entry) if entry.installs.is_some() => Follows::Generation,
            Some(_) => Follows::Commit,
        }
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[NewEntry] {
        &self.entries
    }

    /// The head slot.
    pub fn slot(&self) -> Option<&Bytes> {
        self.slot.as_ref()
    }

    /// References among them, each with the day until which it must be there.
    pub fn large(&self) -> Vec<(Large, Day)> {
        let of_slot = self.slot.as_ref().zip(self.entries.last()).map(|(slot, last)| (slot, last.expiry_day));
        let bodies = self.entries.iter().map(|entry| (&entry.body, entry.expiry_day)).chain(of_slot);
        bodies.filter_map(|(body, until)| Some((Large::parse(body)?, until))).collect()
    }

    /// As readers see them once they stand from `first_seq` on.
    pub fn into_log(self, first_seq: u64) -> Vec<channel::Entry> {
        (first_seq..)
            .zip(self.entries)
            .map(|(seq, entry)| channel::Entry {
                seq,
                kind: entry.kind.into(),
                incarnation: entry.position.incarnation,
                epoch: entry.position.epoch,
                expiry_day: entry.expiry_day.0,
                body: entry.body,
                installs: entry.installs.as_ref().map(GenerationKeys::to_bytes).unwrap_or_default(),
                countersignature: field(entry.countersignature.as_ref()),
                slot_hash: field(entry.slot_hash.as_ref()),
                ..channel::Entry::default()
            })
            .collect()
    }
}

fn check(entry: channel::NewEntry, today: Day) -> Result<NewEntry, Fault> {
    let kind = EntryKind::try_from(entry.kind).map_err(|_| Code::Unsupported)?;
    let expires = |days_max| expiry_day(entry.expiry_day, today, days_max);
    let expiry_day = match kind {
        EntryKind::Message => expires(MESSAGE_DAYS_MAX)?,
        EntryKind::Commit | EntryKind::Restart => expires(COMMIT_DAYS)?,
        // For good.
        EntryKind::Change => ensure(entry.expiry_day == 0).map(|()| Day(0))?,
        EntryKind::Unspecified => return Err(Code::Unsupported.into()),
    };
    ensure(is_body(&entry.body, is_commit(kind)))?;
    ensure(entry.slot_hash.is_empty() || is_commit(kind))?;
    Ok(NewEntry {
        kind,
        position: Position { incarnation: entry.incarnation, epoch: entry.epoch },
        expiry_day,
        body: entry.body,
        installs: installs(kind, &entry.installs)?,
        countersignature: None,
        slot_hash: Some(&entry.slot_hash[..])
            .filter(|hash| !hash.is_empty())
            .map(|hash| hash.try_into().map_err(|_| Code::Malformed))
            .transpose()?,
        id: parse::<IdempotencyId>(&entry.idempotency_id)?,
    })
}

/// Whether something may stand in a log, or as a head slot: one bucket, or where it may be too large for that a reference.
fn is_body(bytes: &[u8], may_be_large: bool) -> bool {
    padding::ENTRY.contains(&bytes.len()) || (may_be_large && Large::parse(bytes).is_some())
}

/// As an entry carries what it has or has not.
fn field<const LENGTH: usize>(bytes: Option<&[u8; LENGTH]>) -> Bytes {
    bytes.map_or_else(Bytes::new, |bytes| Bytes::copy_from_slice(bytes))
}

/// Restarts are commits of another group.
fn is_commit(kind: EntryKind) -> bool {
    matches!(kind, EntryKind::Commit | EntryKind::Restart)
}

/// Keys that nobody could hold would close the channel for good.
fn installs(kind: EntryKind, bytes: &[u8]) -> Result<Option<GenerationKeys>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    ensure(is_commit(kind))?;
    let keys: GenerationKeys = parse(bytes)?;
    for key in [&keys.read, &keys.write] {
        parse::<PublicKey>(key)?;
    }
    Ok(Some(keys))
}

#[cfg(test)]
mod tests {
    use undertone_credentials::ReadKey;

    use super::*;

    const TODAY: Day = Day(20_779);

    fn entry(id: u8) -> channel::NewEntry {
        channel::NewEntry {
            kind: EntryKind::Message.into(),
            incarnation: 0,
            epoch: 3,
            expiry_day: TODAY.0 + MESSAGE_DAYS_MAX,
            body: vec![id; 256].into(),
            idempotency_id: vec![id; 16].into(),
            ..channel::NewEntry::default()
        }
    }

    fn refused(change: impl Fn(&mut channel::NewEntry)) -> Option<&'static str> {
        let mut changed = entry(1);
        change(&mut changed);
        NewEntries::check(vec![changed], Bytes::new(), TODAY).err().map(|fault| fault.code().as_str_name())
    }

    #[test]
    fn each_field_has_its_limit() {
        assert_eq!(refused(|_| ()), None);
        assert_eq!(refused(|entry| entry.body = vec![0; 65_536].into()), None);
        assert_eq!(refused(|entry| entry.kind = EntryKind::Commit.into()), None);
        assert_eq!(refused(|entry| entry.kind = EntryKind::Restart.into()), None);
        for kind in [0, 3, 5, -1, i32::MAX] {
            assert_eq!(refused(|entry| entry.kind = kind), Some("UNSUPPORTED"));
        }
        for length in [0, 255, 257, 65_535, 65_537, 131_072] {
            assert_eq!(refused(|entry| entry.body = vec![0; length].into()), Some("MALFORMED"));
        }
        for length in [0, 15, 17] {
            assert_eq!(refused(|entry| entry.idempotency_id = vec![0; length].into()), Some("MALFORMED"));
        }
    }

    #[test]
    fn keys_come_with_commits_and_are_keys() {
        let key = |seed| *ReadKey::from_seed(&[seed; 32]).public().as_bytes();
        let good = [key(1), key(2)].concat();
        let installing = |kind: EntryKind, installs: &[u8]| {
            refused(|entry| {
                entry.kind = kind.into();
                entry.installs = Bytes::copy_from_slice(installs);
            })
        };
        assert_eq!(installing(EntryKind::Commit, &good), None);
        assert_eq!(installing(EntryKind::Restart, &good), None);
        assert_eq!(installing(EntryKind::Message, &good), Some("MALFORMED"));
        let not_keys = [&good[..63], &good[..32], &[&good[..], &[0]].concat(), &[0; 64], &[key(1), [0; 32]].concat()];
        for wrong in not_keys {
            assert_eq!(installing(EntryKind::Commit, wrong), Some("MALFORMED"));
        }
    }

    #[test]
    fn messages_and_commits_live_for_their_own_times() {
        let lives = |kind: EntryKind, days: u32| {
            refused(|entry| {
                entry.kind = kind.into();
                entry.expiry_day = TODAY.0 + days;
            })
            .is_none()
        };
        assert!(lives(EntryKind::Message, 31) && !lives(EntryKind::Message, 32));
        assert!(lives(EntryKind::Commit, 91) && !lives(EntryKind::Commit, 92));
        assert!(lives(EntryKind::Restart, 91) && !lives(EntryKind::Restart, 92));
        assert_eq!(refused(|entry| entry.expiry_day = TODAY.0 - 1), None);
        assert_eq!(refused(|entry| entry.expiry_day = TODAY.0 - 2), Some("MALFORMED"));
    }

    #[test]
    fn a_batch_has_its_limits_too() {
        let check =
            |entries| NewEntries::check(entries, Bytes::new(), TODAY).err().map(|fault| fault.code().as_str_name());
        let malformed = Some("MALFORMED");
        assert_eq!(check(vec![]), malformed);
        assert_eq!(check((0..64).map(entry).collect()), None);
        assert_eq!(check((0..65).map(entry).collect()), malformed);
        assert_eq!(check(vec![entry(1), entry(1)]), malformed);
        let large = |id| channel::NewEntry { body: Bytes::from_static(&[0; 65_536]), ..entry(id) };
        assert_eq!(check((0..3).map(large).collect()), None);
        assert_eq!(check((0..4).map(large).collect()), malformed);
        let commit = |id| channel::NewEntry { kind: EntryKind::Commit.into(), ..entry(id) };
        assert_eq!(check((0..32).map(commit).collect()), None);
        assert_eq!(check((0..33).map(commit).collect()), malformed);
        let installing = |id| channel::NewEntry {
            installs: [*ReadKey::from_seed(&[1; 32]).public().as_bytes(); 2].concat().into(),
            ..commit(id)
        };
        assert_eq!(check(vec![entry(1), commit(2), installing(3)]), None);
        assert_eq!(check(vec![installing(1), entry(2)]), malformed);
        assert_eq!(check(vec![installing(1), installing(2)]), malformed);
        let restart = |id| channel::NewEntry { kind: EntryKind::Restart.into(), ..entry(id) };
        assert_eq!(check((0..32).map(commit).chain([restart(32)]).collect()), malformed);
    }
}
