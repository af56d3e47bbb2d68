//! A record, read: which account circuit named which account, what was asked of whom, and which channels each circuit had.
//! And the first thing that can be seen in it: circuits that follow each other and have the same channels are one *line*, a
//! device's way to some of its chats.

use std::collections::{BTreeMap, BTreeSet};

use undertone_credentials::DeviceList;
use undertone_wire::{
    AccountId, ChannelId, Message as _,
    account::{AuthenticateRequest, ClearInboxRequest, IssueTokensRequest, RegisterRequest},
    channel::{AppendReply, AppendRequest, OpenRequest, ResumeRequest, append_reply},
    circuit::Kind,
    rpc::Method as _,
    visitor::{CreateChannelRequest, DeliverRequest, FetchContactRequest},
};

use super::record::{Addresses, Frame, Record};

/// What can be read from a record without any guessing.
pub struct Traffic {
    /// By account, when it was visited, and whether letters were taken then.
    pub visits: BTreeMap<AccountId, Vec<Visit>>,
    /// By account, when letters came for it.
    pub deliveries: BTreeMap<AccountId, Vec<u64>>,
    /// When each channel was made.
    pub created: BTreeMap<ChannelId, u64>,
    /// What was appended, in order.
    pub appends: Vec<Appended>,
    /// What visitors asked for, in order.
    pub acts: Vec<Act>,
    /// By account, when blind tokens were issued to it.
    pub issued: BTreeMap<AccountId, Vec<u64>>,
    /// Lines, each of several circuits.
    pub lines: Vec<Line>,
    /// The line of each circuit.
    pub line_of: BTreeMap<usize, usize>,
    /// By channel, the lines that had it open, in the order of their first opening, and when that was.
    pub opened: BTreeMap<ChannelId, Vec<(usize, u64)>>,
}

/// An account circuit.
#[derive(Clone, Copy)]
pub struct Visit {
    /// Its begin.
    pub at: u64,
    /// Whether letters were taken and cleared.
    pub cleared: bool,
    /// The address that it came from.
    pub address: u32,
}

/// Entries that were appended.
#[derive(Clone, Copy)]
pub struct Appended {
    /// When.
    pub at: u64,
    /// On which circuit.
    pub circuit: usize,
    /// Where.
    pub channel: ChannelId,
}

/// What a visitor asked for, and paid for by tokens.
#[derive(Clone, Copy)]
pub struct Act {
    /// When.
    pub at: u64,
    /// On which circuit.
    pub circuit: usize,
    /// The address that it came from.
    pub address: u32,
    /// To which account, if to one.
    pub account: Option<AccountId>,
    /// The channel that it made, if it made one.
    pub channel: Option<ChannelId>,
}

/// Circuits of which each follows the one before.
pub struct Line {
    /// When there was one, in order.
    pub stretches: Vec<(u64, u64)>,
    /// The channels of the newest.
    pub channels: BTreeSet<ChannelId>,
    /// The address of its first.
    pub address: u32,
}

impl Traffic {
    /// Reads a record. Where addresses are known, circuits of one address are one line.
    pub fn of(record: &Record, addresses: Addresses) -> Self {
        let mut traffic = Self {
            visits: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            created: BTreeMap::new(),
            appends: Vec::new(),
            acts: Vec::new(),
            issued: BTreeMap::new(),
            lines: Vec::new(),
            line_of: BTreeMap::new(),
            opened: BTreeMap::new(),
        };
        let mut visited = BTreeMap::new();
        let mut openings: BTreeMap<usize, Vec<(ChannelId, u64)>> = BTreeMap::new();
        for frame in &record.frames {
            let Some(circuit) = record.circuits.get(frame.circuit) else { continue };
            match circuit.kind {
                Kind::Account => traffic.account(record, frame, &mut visited),
                Kind::Visitor => traffic.visitor(frame, circuit.address),
                _ => traffic.channel(frame, &mut openings),
            }
        }
        for (number, circuit) in record.circuits.iter().enumerate() {
            if let Some(openings) = openings.get(&number) {
                traffic.follow(number, (circuit.from, circuit.until), circuit.address, openings, addresses);
            }
        }
        for lines in traffic.opened.values_mut() {
            lines.sort_by_key(|(_, at)| *at);
        }
        traffic
    }

    fn account(&mut self, record: &Record, frame: &Frame, visited: &mut BTreeMap<usize, AccountId>) {
        let named = match frame.method {
            AuthenticateRequest::NUMBER => read::<AuthenticateRequest>(frame).and_then(|asked| id(&asked.account)),
            RegisterRequest::NUMBER => read::<RegisterRequest>(frame)
                .and_then(|asked| Some(DeviceList::verify(&asked.device_list).ok()?.account())),
            _ => None,
        };
        if let (Some(account), Some(circuit)) = (named, record.circuits.get(frame.circuit)) {
            visited.insert(frame.circuit, account);
            let visit = Visit { at: circuit.from, cleared: false, address: circuit.address };
            self.visits.entry(account).or_default().push(visit);
        }
        let Some(account) = visited.get(&frame.circuit) else { return };
        match frame.method {
            ClearInboxRequest::NUMBER => {
                if let Some(visit) = self.visits.get_mut(account).and_then(|visits| visits.last_mut()) {
                    visit.cleared = true;
                }
            }
            IssueTokensRequest::NUMBER => self.issued.entry(*account).or_default().push(frame.at),
            _ => {}
        }
    }

    fn visitor(&mut self, frame: &Frame, address: u32) {
        let (mut account, mut channel) = (None, None);
        match frame.method {
            FetchContactRequest::NUMBER => {
                account = read::<FetchContactRequest>(frame).and_then(|asked| id(&asked.account));
            }
            DeliverRequest::NUMBER => {
                account = read::<DeliverRequest>(frame).and_then(|asked| id(&asked.account));
                if let Some(account) = account {
                    self.deliveries.entry(account).or_default().push(frame.at);
                }
            }
            CreateChannelRequest::NUMBER => {
                channel = read::<CreateChannelRequest>(frame).and_then(|asked| id(&asked.channel));
                if let Some(channel) = channel {
                    self.created.entry(channel).or_insert(frame.at);
                }
            }
            _ => return,
        }
        self.acts.push(Act { at: frame.at, circuit: frame.circuit, address, account, channel });
    }

    fn channel(&mut self, frame: &Frame, openings: &mut BTreeMap<usize, Vec<(ChannelId, u64)>>) {
        match frame.method {
            OpenRequest::NUMBER | ResumeRequest::NUMBER => {
                let channels = frame.opens().into_iter().map(|channel| (channel, frame.at));
                openings.entry(frame.circuit).or_default().extend(channels);
            }
            AppendRequest::NUMBER => {
                let answer = frame.reply.clone().and_then(|reply| AppendReply::decode(reply).ok());
                let taken = matches!(answer.and_then(|answer| answer.result), Some(append_reply::Result::Appended(_)));
                let asked = read::<AppendRequest>(frame).filter(|_| taken);
                if let Some(channel) = asked.and_then(|asked| id(&asked.channel)) {
                    self.appends.push(Appended { at: frame.at, circuit: frame.circuit, channel });
                }
            }
            _ => {}
        }
    }

    /// Takes a circuit for the next one of the line that is most alike, if any is alike.
    fn follow(
        &mut self,
        circuit: usize,
        (from, until): (u64, u64),
        address: u32,
        openings: &[(ChannelId, u64)],
        addresses: Addresses,
    ) {
        let channels: BTreeSet<ChannelId> = openings.iter().map(|(channel, _)| *channel).collect();
        let alike = |line: &Line| {
            let common = line.channels.intersection(&channels).count() as f64;
            let free = line.stretches.last().is_none_or(|(_, ended)| *ended <= from);
            match addresses {
                Addresses::Known => (line.address == address && (free || common > 0.0)).then_some(1.0 + common),
                // Half of what the smaller of the two has; the whole of both if that is one channel alone.
                Addresses::Doors => {
                    let likeness = common / line.channels.len().min(channels.len()).max(1) as f64;
                    (free && likeness > 0.5).then_some(common + likeness)
                }
            }
        };
        let best = self.lines.iter().enumerate().filter_map(|(number, line)| Some((number, alike(line)?)));
        let best = best.max_by(|one, other| one.1.total_cmp(&other.1)).map(|(number, _)| number);
        let number = best.unwrap_or_else(|| {
            self.lines.push(Line { stretches: Vec::new(), channels: BTreeSet::new(), address });
            self.lines.len() - 1
        });
        if let Some(line) = self.lines.get_mut(number) {
            line.stretches.push((from, until));
            line.channels = channels;
        }
        self.line_of.insert(circuit, number);
        for (channel, at) in openings {
            let lines = self.opened.entry(*channel).or_default();
            if !lines.iter().any(|(line, _)| *line == number) {
                lines.push((number, *at));
            }
        }
    }

    /// The channels in which anything was written.
    pub fn chats(&self) -> Vec<ChannelId> {
        let written: BTreeSet<_> = self.appends.iter().map(|appended| appended.channel).collect();
        written.into_iter().collect()
    }

    /// The lines of a channel, in the order in which they first had it.
    pub fn lines_of(&self, channel: ChannelId) -> &[(usize, u64)] {
        self.opened.get(&channel).map_or(&[], Vec::as_slice)
    }
}

/// The time since the last of these moments before `at`, in milliseconds.
pub fn since(moments: &[u64], at: u64) -> Option<u64> {
    let place = moments.partition_point(|moment| *moment <= at);
    place.checked_sub(1).and_then(|place| moments.get(place)).map(|moment| at - moment)
}

/// The time until the first of these moments from `at` on, in milliseconds.
pub fn until(moments: &[u64], at: u64) -> Option<u64> {
    moments.get(moments.partition_point(|moment| *moment < at)).map(|moment| moment - at)
}

/// As a feature: times differ by factors.
pub fn logarithm(ms: Option<u64>) -> f64 {
    ms.map_or(30.0, |ms| (ms as f64 + 1.0).ln())
}

fn read<M: undertone_wire::Message + Default>(frame: &Frame) -> Option<M> {
    M::decode(frame.body.clone()).ok()
}

fn id<'a, T: TryFrom<&'a [u8]>>(bytes: &'a [u8]) -> Option<T> {
    T::try_from(bytes).ok()
}
