//! The channel plane.

use proptest::{collection::vec, prelude::*, sample::select};
use undertone_store::{
    Append, AppendOutcome, ChannelCounts, Channels, EndedGeneration, GenerationKeys, HeadSlot, NewChannel, NewEntry,
    StoredChannel, StoredRecord, memory::MemoryChannels, sqlite::SqliteChannels,
};
use undertone_wire::{
    ChannelId, Day, IdempotencyId, Position,
    channel::{Entry, EntryKind},
};

use super::{CASES, Reopened, bytes, day, runtime};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn channels_answer_alike(ops in vec(op(), 1..60)) {
        let memory = MemoryChannels::default();
        let mut sqlite = Reopened::new(|path| SqliteChannels::open(path).unwrap());
        runtime().block_on(async {
            for (step, op) in ops.into_iter().enumerate() {
                if matches!(op, Op::Reopen) {
                    sqlite.reopen();
                }
                let at = standing(&memory, &op).await;
                let expected = ask(&memory, op.clone(), at).await;
                prop_assert!(ask(sqlite.engine(), op.clone(), at).await == expected, "step {step}: {op:?}");
            }
            Ok(())
        })?;
    }
}

#[derive(Clone, Debug)]
enum Op {
    Create {
        channel: u8,
        key: u8,
        today: u32,
    },
    Look {
        channel: u8,
    },
    LookBack {
        channel: u8,
        generation: u32,
    },
    Append {
        channel: u8,
        generations_ahead: u32,
        entries: Vec<DraftEntry>,
        record: Option<u64>,
        slot: bool,
        bytes_max: u64,
    },
    Group {
        channel: u8,
    },
    Read {
        channel: u8,
        after: u64,
        limit: u32,
        bytes_max: usize,
        today: u32,
    },
    Expire {
        today: u32,
        unused_days: u32,
    },
    Count,
    Reopen,
}

#[derive(Clone, Debug)]
struct DraftEntry {
    /// `EntryKind`, as its number.
    kind: i32,
    /// From where the channel stands; mostly 0, or nothing would ever be taken.
    epochs_ahead: u64,
    expiry_day: u32,
    id: u8,
    body: u8,
    installs: Option<u8>,
}

fn op() -> impl Strategy<Value = Op> {
    let [message, commit, change, restart] =
        [EntryKind::Message, EntryKind::Commit, EntryKind::Change, EntryKind::Restart].map(i32::from);
    let kind = select(vec![message, message, commit, change, restart]);
    let installs = proptest::option::weighted(0.2, 0u8..3);
    let entry = (kind, select(vec![0, 0, 0, 0, 1]), day(), 0u8..12, 0u8..3, installs).prop_map(
        |(kind, epochs_ahead, expiry_day, id, body, installs)| DraftEntry {
            kind,
            epochs_ahead,
            expiry_day,
            id,
            body,
            installs,
        },
    );
    let channel = || 0u8..3;
    // From the revision that the channel has; mostly the next.
    let record = proptest::option::weighted(0.3, select(vec![1, 1, 1, 0, 2]));
    let bytes_max = select(vec![500, 1_000, u64::MAX]);
    prop_oneof![
        2 => (channel(), 0u8..2, day()).prop_map(|(channel, key, today)| Op::Create { channel, key, today }),
        1 => channel().prop_map(|channel| Op::Look { channel }),
        1 => (channel(), 0u32..4).prop_map(|(channel, generation)| Op::LookBack { channel, generation }),
        12 => (channel(), select(vec![0, 0, 0, 0, 1]), vec(entry, 0..4), record, any::<bool>(), bytes_max).prop_map(
            |(channel, generations_ahead, entries, record, slot, bytes_max)| {
                Op::Append { channel, generations_ahead, entries, record, slot, bytes_max }
            }
        ),
        2 => channel().prop_map(|channel| Op::Group { channel }),
        4 => (channel(), 0u64..8, 0u32..6, 0usize..700, day()).prop_map(|(channel, after, limit, bytes_max, today)| {
            Op::Read { channel, after, limit, bytes_max, today }
        }),
        1 => (day(), 0u32..3).prop_map(|(today, unused_days)| Op::Expire { today, unused_days }),
        1 => Just(Op::Count),
        1 => Just(Op::Reopen),
    ]
}

#[derive(PartialEq)]
enum Answer {
    Created(bool),
    Channel(Option<StoredChannel>),
    Ended(Option<EndedGeneration>),
    Append(AppendOutcome),
    Group(Option<StoredRecord>, Option<HeadSlot>),
    Read(Option<Vec<Entry>>),
    Counts(ChannelCounts),
    Nothing,
}

async fn ask(channels: &impl Channels, op: Op, (position, generation, revision): (Position, u32, u64)) -> Answer {
    let id = |channel| ChannelId::new([channel; 16]);
    match op {
        Op::Create { channel, key, today } => {
            let new = NewChannel { channel: id(channel), read_key: [key; 32], write_key: [key; 32] };
            Answer::Created(channels.create(new, Day(today)).await.unwrap())
        }
        Op::Look { channel } => Answer::Channel(channels.channel(id(channel)).await.unwrap()),
        Op::LookBack { channel, generation } => {
            Answer::Ended(channels.ended_generation(id(channel), generation).await.unwrap())
        }
        Op::Append { channel, generations_ahead, entries, record, slot, bytes_max } => {
            let mut next = position;
            let new_entry = |draft: DraftEntry| {
                let kind = EntryKind::try_from(draft.kind).unwrap();
                let position = Position { epoch: next.epoch + draft.epochs_ahead, ..next };
                next = next.after(kind);
                NewEntry {
                    kind,
                    position,
                    expiry_day: Day(draft.expiry_day),
                    body: bytes(draft.body),
                    installs: draft.installs.map(|key| GenerationKeys { read: [key; 32], write: [key; 32] }),
                    countersignature: (kind == EntryKind::Change).then_some([draft.body; 64]),
                    slot_hash: (kind == EntryKind::Commit).then_some([draft.body; 32]),
                    id: IdempotencyId::new([draft.id; 16]),
                }
            };
            let entries = entries.into_iter().map(new_entry).collect();
            let generation = generation + generations_ahead;
            let record = record.map(|ahead| StoredRecord { revision: revision + ahead, encoded: bytes(ahead as u8) });
            let slot = slot.then(|| bytes(1));
            let append = Append { channel: id(channel), generation, entries, record, slot, bytes_max };
            Answer::Append(channels.append(append).await.unwrap())
        }
        Op::Read { channel, after, limit, bytes_max, today } => {
            Answer::Read(channels.read_after(id(channel), after, limit, bytes_max, Day(today)).await.unwrap())
        }
        Op::Expire { today, unused_days } => {
            channels.expire(Day(today), unused_days).await.unwrap();
            Answer::Nothing
        }
        Op::Group { channel } => {
            let channel = id(channel);
            Answer::Group(channels.record(channel).await.unwrap(), channels.head_slot(channel).await.unwrap())
        }
        Op::Count => Answer::Counts(channels.counts().await.unwrap()),
        Op::Reopen => Answer::Nothing,
    }
}

/// Where the channel of an append stands.
async fn standing(channels: &impl Channels, op: &Op) -> (Position, u32, u64) {
    match op {
        Op::Append { channel, .. } => {
            let channel = channels.channel(ChannelId::new([*channel; 16])).await.unwrap();
            channel.map(|channel| (channel.position, channel.generation, channel.revision)).unwrap_or_default()
        }
        _ => Default::default(),
    }
}
