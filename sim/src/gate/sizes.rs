//! What goes over a line, and what stays on disks, to the byte: a change that makes either larger is seen here. Messages and
//! commits before they are wrapped, letters and presentations have their tests where they are made (`e2ee`, `credentials`).

use std::sync::Arc;

use bytes::Bytes;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use tempfile::TempDir;
use tokio::runtime::Builder;
use undertone_store::{memory::MemoryChannels, sqlite::SqliteChannels};

use crate::{
    away::town::{By, Town},
    client::{Keys, Line, Service, idempotency_id},
    house,
    meter::{Meter, Traffic},
};

/// Bytes up and down since the last look.
struct Look {
    meter: Arc<Meter>,
    before: Traffic,
}

impl Look {
    async fn at(rng: &mut ChaCha20Rng) -> (Service, Self) {
        let meter = Arc::new(Meter::default());
        let service = house::open(MemoryChannels::default(), rng).await.unwrap().metered(&meter);
        let before = meter.read();
        (service, Self { meter, before })
    }

    fn bytes(&mut self) -> [u64; 2] {
        let now = self.meter.read();
        let Traffic { up_bytes, down_bytes, .. } = now.with(self.before, u64::saturating_sub);
        self.before = now;
        [up_bytes, down_bytes]
    }
}

fn one_thread<T>(future: impl Future<Output = T>) -> T {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn what_goes_over_the_line_of_a_bare_client() {
    one_thread(async {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let (service, mut look) = Look::at(rng).await;
        let connected = Line::open(&service, &[], rng).await.unwrap();
        let connect = look.bytes();
        drop(connected);
        let keys = Keys::create(&service, rng).await.unwrap();
        let visit = look.bytes();
        let writer = keys.open(&service, rng).await.unwrap();
        let open = look.bytes();
        let mut reader = keys.open(&service, rng).await.unwrap().follow().await.unwrap();
        look.bytes();
        let mut messages = Vec::new();
        for bytes in [256, 1_024] {
            writer.append(Bytes::from(vec![0; bytes]), idempotency_id(rng)).await.unwrap();
            reader.next().await.unwrap();
            messages.push(look.bytes());
        }
        let mut channels = Vec::new();
        for _ in 0..100 {
            let keys = Keys::create(&service, rng).await.unwrap();
            let opened = keys.open(&service, rng).await.unwrap();
            opened.append(Bytes::from_static(&[0; 256]), idempotency_id(rng)).await.unwrap();
            channels.push(keys);
        }
        look.bytes();
        let channels: Vec<_> = channels.iter().collect();
        let line = Line::open(&service, &channels, rng).await.unwrap();
        let open_100 = look.bytes();
        Line::resume(&service, &line.tickets, &channels, rng).await.unwrap();
        let resume_100 = look.bytes();
        println!("{connect:?} {visit:?} {open:?} {messages:?} {open_100:?} {resume_100:?}");
        assert_eq!([connect, visit, open], [[2_892, 2_186], [3_087, 2_306], [3_049, 2_373]]);
        assert_eq!(messages, [[339, 589], [1_107, 1_357]], "up once; down with the acknowledgement and the push");
        assert_eq!([open_100, resume_100], [[18_196, 20_988], [11_235, 2_413]]);
    });
}

#[test]
fn what_the_service_keeps_of_a_message() {
    const MESSAGES: u64 = 512;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("channels.db");
    let length = || file.metadata().unwrap().len();
    let mut lengths = Vec::new();
    for _ in 0..2 {
        one_thread(async {
            let rng = &mut ChaCha20Rng::seed_from_u64(lengths.len() as u64);
            let service = house::open(SqliteChannels::open(&file).unwrap(), rng).await.unwrap();
            let opened = Keys::create(&service, rng).await.unwrap().open(&service, rng).await.unwrap();
            for _ in 0..MESSAGES {
                opened.append(Bytes::from_static(&[0; 256]), idempotency_id(rng)).await.unwrap();
            }
        });
        lengths.push(length());
    }
    let each = (lengths[1] - lengths[0]) / MESSAGES;
    println!("{each} bytes");
    assert!((450..=560).contains(&each), "{each} bytes for a message of 256: pages are split by random keys");
}

#[test]
fn what_a_message_costs_a_real_client() {
    const MESSAGES: u32 = 64;
    let folder = TempDir::new().unwrap();
    let simulated = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    simulated.block_on(async {
        let mut town = Town::new(1, 1, folder.path(), true).await.unwrap();
        town.meet().await.unwrap();
        for _ in 0..MESSAGES {
            town.write(0, By::Phone).await.unwrap();
        }
        town.phone.stop().await;
        let (before, line) = (town.phone.disk_bytes().unwrap(), town.phone.meter.read());
        town.phone.home.start().unwrap();
        town.phone.engine().unwrap().sync().await.unwrap();
        let connected = town.phone.meter.read();
        for _ in 0..MESSAGES {
            town.write(0, By::Phone).await.unwrap();
        }
        let Traffic { up_bytes, down_bytes, .. } = town.phone.meter.read().with(connected, u64::saturating_sub);
        town.phone.stop().await;
        let kept = (town.phone.disk_bytes().unwrap() - before) / u64::from(MESSAGES);
        let [up, down] = [up_bytes, down_bytes].map(|bytes| bytes / u64::from(MESSAGES));
        println!("{kept} bytes kept, {up} up, {down} down; {} to connect", connected.up_bytes - line.up_bytes);
        assert!(kept <= 64 + 400, "{kept} bytes for a text of 64");
        assert!(up <= 700 && down <= 900, "{up} up, {down} down");
    });
}
