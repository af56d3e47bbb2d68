//! What live traffic tells: attacks on circuits, their times, and what is asked on them.

use std::collections::{BTreeMap, BTreeSet};

use undertone_wire::{AccountId, ChannelId};

use super::{
    attack::{Question, Subject, Task},
    model::{Features, Model},
    record::Addresses,
    traffic::{Act, Appended, Line, Traffic, logarithm, since, until},
    truth::Truth,
};

/// Circuits that begin or end within so much of each other may be of one device.
const TOGETHER_MS: u64 = 8_000;
const AT_ONCE_MS: u64 = 20;
/// An append that answers another comes within this time.
const ANSWER_MS: u64 = 10 * 60_000;

/// Somebody who reads records: he knows how accounts and lines look that belong together.
pub struct Analyst {
    addresses: Addresses,
    /// Judges a line and an account.
    presence: Model,
}

/// A record as an analyst looks at it.
pub struct View<'a> {
    analyst: &'a Analyst,
    traffic: &'a Traffic,
    accounts: Vec<Account>,
    /// How much speaks for each line being of each account, in order of accounts.
    ties: Vec<Vec<f64>>,
}

/// The moments of an account.
struct Account {
    id: AccountId,
    visits: Vec<u64>,
    cleared: Vec<u64>,
    deliveries: Vec<u64>,
    issued: Vec<u64>,
    addresses: BTreeSet<u32>,
}

impl Analyst {
    /// Learns from a world in which everything is known.
    pub fn learn(traffic: &Traffic, truth: &Truth, addresses: Addresses) -> Self {
        let accounts = accounts(traffic);
        let mut examples = Vec::new();
        let owners: BTreeMap<usize, AccountId> =
            traffic.line_of.iter().filter_map(|(circuit, line)| Some((*line, truth.of_circuit(*circuit)?))).collect();
        for (number, line) in traffic.lines.iter().enumerate() {
            let owner = owners.get(&number);
            examples.extend(
                accounts.iter().map(|account| (presence(line, account, addresses), owner == Some(&account.id))),
            );
        }
        Self { addresses, presence: Model::learn(&examples) }
    }

    /// Looks at a record.
    pub fn look<'a>(&'a self, traffic: &'a Traffic) -> View<'a> {
        let accounts = accounts(traffic);
        let tie = |line: &Line, account: &Account| self.presence.score(&presence(line, account, self.addresses));
        let ties =
            traffic.lines.iter().map(|line| accounts.iter().map(|account| tie(line, account)).collect()).collect();
        View { analyst: self, traffic, accounts, ties }
    }
}

impl View<'_> {
    /// What is asked of a record for a task, and what speaks for each candidate.
    pub fn questions(&self, task: Task) -> Vec<Question> {
        match task {
            Task::Channels => self.of_chats(|view, channel, place| vec![view.of_channel(channel, place, 0)]),
            Task::FirstContact => self.of_chats(|view, channel, place| {
                let mut features = view.first_contact(channel, place);
                features.push(view.of_channel(channel, place, 1));
                features
            }),
            Task::FirstContactMoment => self.of_chats(|view, channel, place| view.first_contact(channel, place)),
            Task::Senders => self.messages(&self.traffic.appends.iter().collect::<Vec<_>>()),
            Task::Answers => self.messages(&self.answers()),
            Task::Tokens => self.tokens(),
            Task::OneDevice => self.pairs_of_channels(),
            Task::Pairing => self.pairs_of_people(),
        }
    }

    fn of_chats(&self, features: impl Fn(&Self, ChannelId, usize) -> Features) -> Vec<Question> {
        let question = |channel| Question {
            subject: Subject::Channel(channel),
            candidates: self.candidates(|place| features(self, channel, place)),
        };
        self.traffic.chats().into_iter().map(question).collect()
    }

    fn candidates(&self, features: impl Fn(usize) -> Features) -> Vec<(Subject, Features)> {
        let accounts = self.accounts.iter().enumerate();
        accounts.map(|(place, account)| (Subject::Account(account.id), features(place))).collect()
    }

    /// How much speaks for one of a channel's lines being of an account, but for the first so many.
    fn of_channel(&self, channel: ChannelId, account: usize, first: usize) -> f64 {
        let lines = self.traffic.lines_of(channel).iter().skip(first);
        lines.map(|(line, _)| self.tie(*line, account)).fold(-30.0, f64::max)
    }

    fn tie(&self, line: usize, account: usize) -> f64 {
        self.ties.get(line).and_then(|ties| ties.get(account)).copied().unwrap_or(-30.0)
    }

    /// A letter came for somebody, he read it, a channel came to life: what lies between these.
    fn first_contact(&self, channel: ChannelId, account: usize) -> Features {
        let Some(account) = self.accounts.get(account) else { return Vec::new() };
        let lines = self.traffic.lines_of(channel);
        let opened = |place: usize| lines.get(place).map(|(_, at)| *at);
        let written =
            self.traffic.appends.iter().find(|appended| appended.channel == channel).map(|appended| appended.at);
        let after = |moments: &[u64], at: Option<u64>| logarithm(at.and_then(|at| since(moments, at)));
        let before = |moments: &[u64], at: Option<u64>| logarithm(at.and_then(|at| until(moments, at)));
        let created = self.traffic.created.get(&channel).copied();
        vec![
            after(&account.deliveries, opened(0)),
            after(&account.deliveries, opened(1).or(written)),
            after(&account.cleared, opened(1).or(written)),
            before(&account.visits, opened(1).or(written)),
            before(&account.deliveries, created),
        ]
    }

    fn messages(&self, appends: &[&Appended]) -> Vec<Question> {
        let question = |appended: &&Appended| Question {
            subject: Subject::Circuit(appended.circuit),
            candidates: self.candidates(|place| {
                let line = self.traffic.line_of.get(&appended.circuit);
                vec![line.map_or(-30.0, |line| self.tie(*line, place))]
            }),
        };
        appends.iter().map(question).collect()
    }

    /// Whoever spends a token is there, and was issued it before.
    fn tokens(&self) -> Vec<Question> {
        let question = |act: &Act| Question {
            subject: Subject::Circuit(act.circuit),
            candidates: self.candidates(|place| {
                let Some(account) = self.accounts.get(place) else { return Vec::new() };
                let made = act.channel.and_then(|channel| self.traffic.lines_of(channel).first());
                vec![
                    logarithm(since(&account.issued, act.at)),
                    logarithm(since(&account.visits, act.at)),
                    logarithm(until(&account.visits, act.at)),
                    f64::from(u8::from(act.account == Some(account.id))),
                    made.map_or(0.0, |(line, _)| self.tie(*line, place)),
                    f64::from(u8::from(
                        self.analyst.addresses == Addresses::Known && account.addresses.contains(&act.address),
                    )),
                ]
            }),
        };
        self.traffic.acts.iter().map(question).collect()
    }

    /// What follows soon after something from another circuit, in the same channel: answers, and receipts.
    fn answers(&self) -> Vec<&Appended> {
        let mut last: BTreeMap<ChannelId, &Appended> = BTreeMap::new();
        let mut answers = Vec::new();
        for appended in &self.traffic.appends {
            let before = last.insert(appended.channel, appended);
            if before.is_some_and(|one| one.circuit != appended.circuit && appended.at - one.at < ANSWER_MS) {
                answers.push(appended);
            }
        }
        answers
    }

    fn pairs_of_channels(&self) -> Vec<Question> {
        let lines = self.traffic.lines.len();
        let together: Vec<Vec<Features>> =
            (0..lines).map(|one| (0..lines).map(|other| self.together(one, other)).collect()).collect();
        let chats = self.traffic.chats();
        let between = |one: ChannelId, other: ChannelId| {
            let mut best = vec![0.0; 3];
            for (first, _) in self.traffic.lines_of(one) {
                for (second, _) in self.traffic.lines_of(other) {
                    let features = together.get(*first).and_then(|row| row.get(*second));
                    for (best, feature) in best.iter_mut().zip(features.into_iter().flatten()) {
                        *best = f64::max(*best, *feature);
                    }
                }
            }
            best
        };
        let question = |one: &ChannelId| Question {
            subject: Subject::Channel(*one),
            candidates: chats
                .iter()
                .filter(|other| *other != one)
                .map(|other| (Subject::Channel(*other), between(*one, *other)))
                .collect(),
        };
        chats.iter().map(question).collect()
    }

    /// Whether two lines are one, and how many of their circuits begin and end together.
    fn together(&self, one: usize, other: usize) -> Features {
        let (Some(first), Some(second)) = (self.traffic.lines.get(one), self.traffic.lines.get(other)) else {
            return Vec::new();
        };
        let known = self.analyst.addresses == Addresses::Known && first.address == second.address;
        if one == other || known {
            return vec![1.0; 3];
        }
        let near = |moments: &[u64], at: u64, ms| {
            since(moments, at).into_iter().chain(until(moments, at)).any(|gap| gap <= ms)
        };
        let share = |of: fn(&(u64, u64)) -> u64, ms| {
            let [ones, others] = [first, second].map(|line| line.stretches.iter().map(of).collect::<Vec<_>>());
            let met = ones.iter().filter(|at| near(&others, **at, ms)).count();
            met as f64 / ones.len().min(others.len()).max(1) as f64
        };
        vec![0.0, share(|stretch| stretch.0, TOGETHER_MS), share(|stretch| stretch.1, AT_ONCE_MS)]
    }

    /// Two people talk if a channel has one line of each.
    fn pairs_of_people(&self) -> Vec<Question> {
        let count = self.accounts.len();
        let mut best = vec![vec![-60.0; count]; count];
        for channel in self.traffic.chats() {
            let lines = self.traffic.lines_of(channel);
            for (first, _) in lines {
                for (second, _) in lines.iter().filter(|(second, _)| second != first) {
                    for (one, row) in best.iter_mut().enumerate() {
                        let tie = self.tie(*first, one);
                        for (other, best) in row.iter_mut().enumerate() {
                            *best = f64::max(*best, tie.min(self.tie(*second, other)));
                        }
                    }
                }
            }
        }
        let ids: Vec<AccountId> = self.accounts.iter().map(|account| account.id).collect();
        let question = |(id, row): (&AccountId, &Vec<f64>)| Question {
            subject: Subject::Account(*id),
            candidates: ids
                .iter()
                .zip(row)
                .filter(|(other, _)| *other != id)
                .map(|(other, score)| (Subject::Account(*other), vec![*score]))
                .collect(),
        };
        ids.iter().zip(&best).map(question).collect()
    }
}

fn accounts(traffic: &Traffic) -> Vec<Account> {
    let account = |(id, visits): (&AccountId, &Vec<super::traffic::Visit>)| Account {
        id: *id,
        visits: visits.iter().map(|visit| visit.at).collect(),
        cleared: visits.iter().filter(|visit| visit.cleared).map(|visit| visit.at).collect(),
        deliveries: traffic.deliveries.get(id).cloned().unwrap_or_default(),
        issued: traffic.issued.get(id).cloned().unwrap_or_default(),
        addresses: visits.iter().map(|visit| visit.address).collect(),
    };
    traffic.visits.iter().map(account).collect()
}

/// How the circuits of a line and the visits to an account lie to each other.
fn presence(line: &Line, account: &Account, addresses: Addresses) -> Features {
    if addresses == Addresses::Known {
        // Nothing else needs to be asked.
        return vec![f64::from(u8::from(account.addresses.contains(&line.address)))];
    }
    let begin = line.stretches.first().map_or(0, |stretch| stretch.0);
    let end = line.stretches.last().map_or(0, |stretch| stretch.1);
    let within = |at: u64| {
        let place = line.stretches.partition_point(|stretch| stretch.0 <= at);
        place.checked_sub(1).and_then(|place| line.stretches.get(place)).is_some_and(|stretch| at <= stretch.1)
    };
    let of_life = account.visits.iter().filter(|at| (begin..=end).contains(*at));
    let (met, all) = of_life.fold((0_u32, 0_u32), |(met, all), at| (met + u32::from(within(*at)), all + 1));
    let long: Vec<_> = line.stretches.iter().filter(|(from, until)| until - from > ANSWER_MS).collect();
    let visited = long.iter().filter(|(from, to)| until(&account.visits, *from).is_some_and(|gap| from + gap <= *to));
    let followed =
        line.stretches.iter().filter(|(from, _)| until(&account.visits, *from).is_some_and(|gap| gap <= TOGETHER_MS));
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    vec![
        f64::from(met) / f64::from(all.max(1)),
        share(visited.count(), long.len()),
        share(followed.count(), line.stretches.len()),
    ]
}
