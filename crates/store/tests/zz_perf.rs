#![allow(clippy::unwrap_used)]
use std::{sync::Arc, time::Instant};
use tokio::task::JoinSet;
use undertone_store::{sqlite::*, *};
use undertone_wire::{channel::EntryKind, *};
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let v: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (v[11].parse::<f64>().unwrap() + v[12].parse::<f64>().unwrap()) / 100.0
}
fn rss() -> String {
    std::fs::read_to_string("/proc/self/status").unwrap().lines().find(|l| l.starts_with("VmRSS")).unwrap().to_owned()
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn perf() {
    let dir = tempfile::Builder::new().tempdir_in("/work").unwrap();
    eprintln!("before {}", rss());
    let a = SqliteAccounts::open(&dir.path().join("a.db")).unwrap();
    let c = Arc::new(SqliteChannels::open(&dir.path().join("c.db")).unwrap());
    eprintln!("open {}", rss());
    for w in 0..64u8 {
        c.create(NewChannel { channel: ChannelId::new([w; 16]), read_key: [0; 32], write_key: [0; 32] }, Day(1))
            .await
            .unwrap();
    }
    for day in [100u32, 101] {
        let t = Instant::now();
        let c0 = cpu();
        let mut set = JoinSet::new();
        let per = if day == 100 { 300u32 } else { 2000 };
        for w in 0..64u8 {
            let c = c.clone();
            set.spawn(async move {
                for n in 0..per {
                    let mut id = [0; 16];
                    id[..4].copy_from_slice(&n.to_be_bytes());
                    let e = NewEntry {
                        kind: EntryKind::Message,
                        position: Position::default(),
                        expiry_day: Day(day),
                        body: vec![w; 1024].into(),
                        id: IdempotencyId::new(id),
                    };
                    assert!(matches!(
                        c.append(Append { channel: ChannelId::new([w; 16]), entries: vec![e], bytes_max: u64::MAX })
                            .await
                            .unwrap(),
                        AppendOutcome::Appended { fresh: true, .. }
                    ));
                }
            });
        }
        while let Some(r) = set.join_next().await {
            r.unwrap();
        }
        let n = 64.0 * per as f64;
        let s = t.elapsed().as_secs_f64();
        eprintln!(
            "{n} appends {s:.2}s {:.0}/s cpu {:.0} us  wal {} db {}",
            n / s,
            (cpu() - c0) / n * 1e6,
            std::fs::metadata(dir.path().join("c.db-wal")).unwrap().len() >> 20,
            std::fs::metadata(dir.path().join("c.db")).unwrap().len() >> 20
        );
        eprintln!("{}", rss());
    }
    let t = Instant::now();
    eprintln!("{:?} {:?}", c.counts().await.unwrap(), t.elapsed());
    let t = Instant::now();
    c.expire(Day(102), 7).await.unwrap();
    eprintln!("expire {:?} wal {}", t.elapsed(), std::fs::metadata(dir.path().join("c.db-wal")).unwrap().len() >> 20);
    let t = Instant::now();
    let r = c.read_after(ChannelId::new([3; 16]), 0, 256, 1 << 20, Day(100)).await.unwrap().unwrap();
    eprintln!("read {} {:?} {}", r.len(), t.elapsed(), rss());
    drop(a);
}
