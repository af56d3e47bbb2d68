//! What a connected person with many chats keeps of the service's memory: all of her circuits, and what they have open.

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Bench, Section, Unit, circuits::fill, filling, settle};
use crate::{
    client::{Keys, Line, Service, idempotency_id},
    pairs::BODY_BYTES,
    usage,
};

/// Circuits over which a client spreads its channels (`Pace::normal`). Account circuits last seconds.
const LINES: usize = 3;

/// People who follow all their chats. Each chat is between two of them, so its channel stands in memory once for both.
pub async fn measure(bench: &mut Bench) -> anyhow::Result<Section> {
    let rng = &mut bench.rng;
    let (people, chats) = (bench.sizes.people as usize, bench.sizes.chats as usize);
    let data = bench.program.data()?;
    let channels = (people * chats / 2) as u32;
    let channels = filling::channels(&bench.program, data.path(), channels, rng).await?;
    let process = bench.program.serve(data.path()).await?;
    let service = Service::at(&process, rng).await?;
    fill(&service, rng).await?;
    settle().await;
    let before = usage::rss_kib(process.pid())? as f64;

    let mut lines = JoinSet::new();
    for person in 0..people {
        // Half of her chats with the one before, half with the one after.
        let hers: Vec<&Keys> =
            (0..chats).filter_map(|chat| channels.get(chat_place(person, chat, chats, channels.len()))).collect();
        for share in hers.chunks(chats.div_ceil(LINES)) {
            let mut line = Line::open(&service, share, rng).await?;
            line.follow(share).await?;
            lines.spawn(line.listen());
        }
    }
    settle().await;
    let open = usage::rss_kib(process.pid())? as f64;
    // One message in each chat, which both have pushed.
    for keys in channels.iter() {
        keys.open(&service, rng).await?.append(Bytes::from_static(&[0; BODY_BYTES]), idempotency_id(rng)).await?;
    }
    settle().await;
    let used = usage::rss_kib(process.pid())? as f64;
    lines.shutdown().await;
    process.end().await?;

    let each = |kib: f64| (kib - before) / people as f64;
    let mut section = Section::new("people");
    let what = format!("memory of a connected person with {chats} chats on {LINES} circuits");
    section.add("new_kib", format!("{what}, new"), each(open), Unit::Kib);
    section.add("used_kib", format!("{what}, after a message in each"), each(used), Unit::Kib).target(64.0);
    Ok(section)
}

/// The channel of a person's chat: of those in a ring, the second half of hers is the first half of the next one's.
fn chat_place(person: usize, chat: usize, chats: usize, channels: usize) -> usize {
    (person * chats / 2 + chat) % channels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_chat_has_two_people() {
        let (people, chats) = (4, 6);
        let channels = people * chats / 2;
        let mut members = vec![0; channels];
        for person in 0..people {
            for chat in 0..chats {
                members[chat_place(person, chat, chats, channels)] += 1;
            }
        }
        assert!(members.iter().all(|members| *members == 2));
    }
}
