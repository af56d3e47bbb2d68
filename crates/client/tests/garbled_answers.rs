//! Stories of a service whose answers are garbled on their way: nobody's engine ends, nothing is shown that was not
//! written, and a chat that does not go on says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::sync::Mutex;

use bytes::Bytes;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use support::{Home, Service, acquainted, befriend};

const STORIES: u64 = 6;
const ROUNDS: usize = 6;

#[tokio::test(start_paused = true)]
async fn garbled_answers_end_no_engine() {
    for seed in 0..STORIES {
        story(seed).await;
    }
}

async fn story(seed: u64) {
    let service = Service::start();
    let (mut ana, mut bo) = acquainted(&service).await;
    let rng = Mutex::new(StdRng::seed_from_u64(seed));
    service.lies.garble(move |reply| garbled(&reply, &mut rng.lock().unwrap()));
    for round in 0..ROUNDS {
        for (from, to) in [(&ana, &bo), (&bo, &ana)] {
            // What becomes of it is another matter.
            let _ = from.try_send(&to.account(), &format!("{round}")).await;
            let _ = to.sync().await;
        }
    }
    service.lies.stop();

    let well = |home: &Home| home.engine.chats().unwrap().iter().all(|chat| chat.trouble.is_none());
    for home in [&ana, &bo] {
        let _ = home.sync().await;
    }
    if well(&ana) && well(&bo) {
        for (from, to) in [(&ana, &bo), (&bo, &ana)] {
            let sent = from.send(&to.account(), "and now?").await;
            assert!(sent.seq.is_some(), "seed {seed}");
            let arrived = |to: &Home| to.texts(&from.account()).contains(&"and now?".to_owned());
            to.until(&format!("seed {seed}: it arrives"), |_| arrived(to)).await;
        }
    }
    for (home, other) in [(&ana, &bo), (&bo, &ana)] {
        let history = home.history(&other.account());
        for (at, (id, sender, body, _)) in history.iter().enumerate() {
            assert!(history[..at].iter().all(|(earlier, ..)| earlier != id), "seed {seed}: shown twice");
            let written = other.history(&home.account());
            let known = *sender == home.account() || written.iter().any(|(of, _, text, _)| of == id && text == body);
            assert!(known, "seed {seed}: nobody has written this");
        }
        // Whatever has become of that chat, there are others.
        while home.take_new().is_some() {}
        let zoe = Home::new(&service, "Zoe").await;
        befriend(&zoe, home).await;
    }
    // A driver that has ended by itself fails here.
    ana.offline().await;
    bo.offline().await;
}

/// Most often as it was, or changed in a few places.
fn garbled(reply: &Bytes, rng: &mut StdRng) -> Bytes {
    let mut reply = reply.to_vec();
    if rng.random_range(0..3) > 0 {
        return reply.into();
    }
    for _ in 0..rng.random_range(1..4) {
        // Most is decided by the first bytes.
        let bound = if rng.random_bool(0.5) { reply.len().min(80) } else { reply.len() };
        let at = rng.random_range(0..=bound);
        match rng.random_range(0..5) {
            0 => reply.truncate(at),
            1 => reply.insert(at, rng.random()),
            2 => drop(reply.drain(at..reply.len().min(at + 8))),
            3 => reply.extend(reply[..at].to_vec()),
            _ => reply.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << rng.random_range(0..8)),
        }
    }
    reply.into()
}
