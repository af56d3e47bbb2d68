//! Who lives in a watched world, when they are there, who talks to whom, and from when on: all of it drawn before the world
//! begins. Days have their nights and evenings, people their habits.

use std::collections::BTreeSet;

use rand::{RngExt as _, seq::SliceRandom as _};
use rand_chacha::ChaCha20Rng;

/// Milliseconds.
pub const SECOND: u64 = 1_000;
/// Milliseconds.
pub const MINUTE: u64 = 60 * SECOND;
/// Milliseconds.
pub const HOUR: u64 = 60 * MINUTE;
/// Milliseconds.
pub const DAY: u64 = 24 * HOUR;

/// How many of everything.
#[derive(Clone, Copy, serde::Serialize)]
pub struct Scale {
    /// People, each with one device.
    pub people: usize,
    /// Chats of each.
    pub chats: usize,
    /// Messages of all.
    pub messages: usize,
    /// Days that the world lasts.
    pub days: u64,
    /// Everybody joins within so many of them.
    pub joining_days: u64,
    /// Whether devices stay connected when nobody looks at them.
    pub always_on: bool,
}

/// Some time at a stretch, in milliseconds since the world began.
#[derive(Clone, Copy)]
pub struct Stretch {
    /// Its begin.
    pub from: u64,
    /// Its end.
    pub until: u64,
}

/// Somebody.
pub struct Person {
    /// When he makes his account.
    pub joins: u64,
    /// When he looks at his device, in order.
    pub present: Vec<Stretch>,
    /// When his device is connected, in order.
    pub connected: Vec<Stretch>,
}

/// Two people who talk.
#[derive(Clone, Copy)]
pub struct Tie {
    /// Who writes first.
    pub one: usize,
    /// To whom.
    pub other: usize,
    /// When.
    pub begins: u64,
    /// How much they have to say.
    pub messages: usize,
}

/// Draws everybody.
pub fn people(scale: &Scale, rng: &mut ChaCha20Rng) -> Vec<Person> {
    (0..scale.people).map(|_| Person::draw(scale, rng)).collect()
}

/// Draws who talks to whom: everybody with as many others.
pub fn ties(scale: &Scale, people: &[Person], rng: &mut ChaCha20Rng) -> Vec<Tie> {
    let pairs = pairs(scale, rng);
    let each = scale.messages / pairs.len().max(1);
    let last = scale.days * DAY * 7 / 10;
    let tie = |(one, other): (usize, usize)| {
        let joined = |person: usize| people.get(person).map_or(0, |person| person.joins);
        let from = joined(one).max(joined(other)) + HOUR;
        let begins = rng.random_range(from.min(last)..=last);
        // Some have much to say to each other, most little; the mean is what was asked for.
        let messages = (each as f64 * exponential(rng)).ceil() as usize;
        Tie { one, other, begins, messages: messages.clamp(2, each * 5) }
    };
    pairs.into_iter().map(tie).collect()
}

impl Person {
    fn draw(scale: &Scale, rng: &mut ChaCha20Rng) -> Self {
        let joins = rng.random_range(0..scale.joining_days.max(1) * DAY);
        let wakes = rng.random_range(330..540) * MINUTE;
        let sleeps = rng.random_range(21 * 60..25 * 60) * MINUTE;
        let often = rng.random_range(2..6);
        let mut drawn = vec![Stretch { from: joins, until: joins + 20 * MINUTE }];
        for day in joins / DAY..scale.days {
            // Some days have no time for it.
            let times = if rng.random_bool(0.05) { 0 } else { rng.random_range(often..=often + 2) };
            for _ in 0..times {
                let of_day = match rng.random_range(0..10) {
                    0..=1 => rng.random_range(wakes..wakes + 2 * HOUR),
                    2..=4 => rng.random_range(wakes..sleeps),
                    _ => rng.random_range(17 * HOUR..sleeps),
                };
                let length = (12.0 * MINUTE as f64 * exponential(rng)) as u64;
                let from = day * DAY + of_day;
                drawn.push(Stretch { from, until: from + length.clamp(2 * MINUTE, 3 * HOUR) });
            }
        }
        let end = scale.days * DAY;
        let present = in_order(drawn, joins, end);
        let connected = if scale.always_on { all_day(joins, end, rng) } else { present.clone() };
        Self { joins, present, connected }
    }

    /// The next moment from `at` on at which he looks at his device.
    pub fn next_present(&self, at: u64) -> Option<u64> {
        let next = self.present.iter().find(|stretch| stretch.until > at)?;
        Some(next.from.max(at))
    }
}

/// From everybody's joining on, with a break now and then: another network, an empty battery.
fn all_day(joins: u64, end: u64, rng: &mut ChaCha20Rng) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut from = joins;
    while from < end {
        let until = from + (18.0 * HOUR as f64 * exponential(rng)) as u64 + 10 * MINUTE;
        stretches.push(Stretch { from, until: until.min(end) });
        from = until + rng.random_range(5 * SECOND..40 * MINUTE);
    }
    stretches
}

fn in_order(mut drawn: Vec<Stretch>, joins: u64, end: u64) -> Vec<Stretch> {
    drawn.sort_by_key(|stretch| stretch.from);
    let mut stretches: Vec<Stretch> = Vec::new();
    for Stretch { from, until } in drawn {
        match stretches.last_mut() {
            _ if from < joins || from >= end => {}
            Some(last) if from < last.until + 5 * MINUTE => last.until = last.until.max(until).min(end),
            _ => stretches.push(Stretch { from, until: until.min(end) }),
        }
    }
    stretches
}

/// A ring in which everybody knows his neighbours, whose ties are then exchanged until nothing is left of the ring.
fn pairs(scale: &Scale, rng: &mut ChaCha20Rng) -> Vec<(usize, usize)> {
    let mut order: Vec<usize> = (0..scale.people).collect();
    order.shuffle(rng);
    let at = |place: usize| order.get(place % scale.people.max(1)).copied().unwrap_or_default();
    let ring = (0..scale.people).flat_map(|place| (1..=scale.chats / 2).map(move |step| (place, place + step)));
    let mut pairs: Vec<(usize, usize)> = ring.map(|(one, other)| (at(one), at(other))).collect();
    let mut known: BTreeSet<_> = pairs.iter().map(|(one, other)| (*one.min(other), *one.max(other))).collect();
    for _ in 0..pairs.len() * 20 {
        let [first, second] = [(); 2].map(|()| rng.random_range(0..pairs.len().max(1)));
        let (Some((a, b)), Some((c, d))) = (pairs.get(first).copied(), pairs.get(second).copied()) else { break };
        let [ad, cb] = [(a.min(d), a.max(d)), (c.min(b), c.max(b))];
        if a == d || c == b || ad == cb || known.contains(&ad) || known.contains(&cb) {
            continue;
        }
        known.remove(&(a.min(b), a.max(b)));
        known.remove(&(c.min(d), c.max(d)));
        known.extend([ad, cb]);
        for (place, pair) in [(first, (a, d)), (second, (c, b))] {
            if let Some(slot) = pairs.get_mut(place) {
                *slot = pair;
            }
        }
    }
    pairs
}

/// From the exponential distribution with mean 1.
pub fn exponential(rng: &mut ChaCha20Rng) -> f64 {
    -(1.0 - rng.random_range(0.0..1.0_f64)).ln()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    const SCALE: Scale = Scale { people: 50, chats: 10, messages: 5_000, days: 14, joining_days: 1, always_on: false };

    #[test]
    fn everybody_has_as_many_chats_and_none_with_himself() {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let people = people(&SCALE, rng);
        let ties = ties(&SCALE, &people, rng);
        for person in 0..SCALE.people {
            assert_eq!(ties.iter().filter(|tie| tie.one == person || tie.other == person).count(), SCALE.chats);
        }
        assert!(ties.iter().all(|tie| tie.one != tie.other));
        let messages: usize = ties.iter().map(|tie| tie.messages).sum();
        assert!((4_000..6_500).contains(&messages), "{messages}");
    }

    #[test]
    fn stretches_are_in_order_and_apart() {
        let rng = &mut ChaCha20Rng::seed_from_u64(2);
        for person in people(&SCALE, rng) {
            assert!(person.present.windows(2).all(|two| two[0].until < two[1].from));
            assert!(person.present.iter().all(|one| one.from < one.until && one.from >= person.joins));
        }
    }
}
