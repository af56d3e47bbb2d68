//! Blobs.

use bytes::Bytes;
use undertone_wire::{BlobId, Day};

use super::{Engine, TODAY, at_once};
use crate::{Beginning, BlobCounts, Blobs, NewBlob, Putting};

const ROOM: u64 = 1 << 20;

fn blob(id: u8) -> NewBlob {
    NewBlob { blob: BlobId::new([id; 16]), bytes: 3_000, expiry_day: TODAY + 30 }
}

async fn begin<B: Blobs>(store: &Engine<B>, new: NewBlob) -> Beginning {
    store.begin(new, ROOM).await.unwrap()
}

async fn put<B: Blobs>(store: &Engine<B>, new: NewBlob, part: u32, byte: u8) -> Putting {
    store.put_part(new.blob, part, vec![byte; 1_000].into(), TODAY).await.unwrap()
}

async fn part<B: Blobs>(store: &Engine<B>, new: NewBlob, part: u32, today: Day) -> Option<Bytes> {
    store.part(new.blob, part, today).await.unwrap()
}

pub async fn parts_are_put_in_order_and_read_back<B: Blobs>(store: Engine<B>) {
    assert_eq!(begin(&store, blob(1)).await, Beginning::Begun { parts: 0 });
    assert_eq!(begin(&store, blob(2)).await, Beginning::Begun { parts: 0 });
    assert_eq!(put(&store, blob(1), 1, 7).await, Putting::Early);
    for (number, byte) in [(0, 7), (1, 8), (2, 9)] {
        assert_eq!(put(&store, blob(1), number, byte).await, Putting::Kept);
    }
    for (number, byte) in [(0, 7), (1, 8), (2, 9)] {
        assert!(part(&store, blob(1), number, TODAY).await == Some(vec![byte; 1_000].into()));
    }
    assert!(part(&store, blob(1), 3, TODAY).await.is_none());
    assert!(part(&store, blob(2), 0, TODAY).await.is_none());
    assert!(store.blob(blob(1).blob, TODAY).await.unwrap() == Some(blob(1)));
}

pub async fn what_is_begun_again_says_how_far_it_has_come<B: Blobs>(store: Engine<B>) {
    for parts in 0..3 {
        assert_eq!(begin(&store, blob(1)).await, Beginning::Begun { parts });
        assert_eq!(put(&store, blob(1), parts, 7).await, Putting::Kept);
    }
    assert_eq!(begin(&store, NewBlob { bytes: 3_001, ..blob(1) }).await, Beginning::Taken);
    assert_eq!(begin(&store, NewBlob { expiry_day: TODAY + 31, ..blob(1) }).await, Beginning::Taken);
}

pub async fn a_part_never_changes<B: Blobs>(store: Engine<B>) {
    begin(&store, blob(1)).await;
    assert_eq!(put(&store, blob(1), 0, 7).await, Putting::Kept);
    assert_eq!(put(&store, blob(1), 0, 7).await, Putting::Kept);
    assert_eq!(put(&store, blob(1), 0, 8).await, Putting::Conflict);
    assert!(part(&store, blob(1), 0, TODAY).await == Some(vec![7; 1_000].into()));
}

pub async fn what_was_not_begun_has_no_parts<B: Blobs>(store: Engine<B>) {
    assert_eq!(put(&store, blob(1), 0, 7).await, Putting::NotFound);
    assert!(part(&store, blob(1), 0, TODAY).await.is_none());
    assert!(store.blob(blob(1).blob, TODAY).await.unwrap().is_none());
}

pub async fn blobs_expire_with_their_day<B: Blobs>(store: Engine<B>) {
    let later = NewBlob { expiry_day: TODAY + 31, ..blob(2) };
    for new in [blob(1), later] {
        begin(&store, new).await;
        put(&store, new, 0, 7).await;
    }
    let next = TODAY + 31;
    for dropped in [false, true] {
        if dropped {
            store.expire(next).await.unwrap();
            assert_eq!(store.counts().await.unwrap(), BlobCounts { blobs: 1, bytes: 3_000 });
        }
        assert!(part(&store, blob(1), 0, next).await.is_none());
        assert!(store.blob(blob(1).blob, next).await.unwrap().is_none());
        assert_eq!(store.put_part(blob(1).blob, 1, vec![1].into(), next).await.unwrap(), Putting::NotFound);
        assert!(part(&store, later, 0, next).await.is_some());
    }
    assert_eq!(begin(&store, blob(1)).await, Beginning::Begun { parts: 0 }, "its id may be used anew");
}

pub async fn all_together_take_up_so_many_bytes<B: Blobs>(store: Engine<B>) {
    let other = NewBlob { expiry_day: TODAY + 7, ..blob(2) };
    for new in [blob(1), other] {
        assert_eq!(store.begin(new, 6_000).await.unwrap(), Beginning::Begun { parts: 0 });
    }
    assert_eq!(store.counts().await.unwrap(), BlobCounts { blobs: 2, bytes: 6_000 });
    assert_eq!(store.begin(blob(3), 8_999).await.unwrap(), Beginning::Full);
    assert_eq!(store.begin(blob(1), 0).await.unwrap(), Beginning::Begun { parts: 0 }, "it has its room already");
    store.expire(TODAY + 8).await.unwrap();
    assert_eq!(store.begin(blob(3), 6_000).await.unwrap(), Beginning::Begun { parts: 0 });
}

pub async fn one_of_many_parts_wins<B: Blobs>(store: Engine<B>) {
    begin(&store, blob(1)).await;
    let puts = at_once(16, |byte| {
        let store = store.clone();
        async move { put(&store, blob(1), 0, byte).await }
    });
    let puts = puts.await;
    assert_eq!(puts.iter().filter(|putting| **putting == Putting::Kept).count(), 1);
    assert_eq!(puts.iter().filter(|putting| **putting == Putting::Conflict).count(), 15);
}
