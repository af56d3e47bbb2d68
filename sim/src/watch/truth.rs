//! Who was who: kept apart from the record, for judging guesses alone. It comes from what the world knows and its service
//! is not told: whose device stands at each address.

use std::collections::{BTreeMap, BTreeSet};

use undertone_wire::{
    AccountId, ChannelId, Message as _,
    circuit::Kind,
    rpc::Method as _,
    visitor::{CreateChannelRequest, DeliverRequest, FetchContactRequest},
};

use super::{
    record::{Frame, Record},
    stored::Nonce,
};

/// What the analysis is to find out.
#[derive(Default)]
pub struct Truth {
    /// Whose device each circuit was of.
    circuits: Vec<Option<AccountId>>,
    creators: BTreeMap<ChannelId, AccountId>,
    members: BTreeMap<ChannelId, BTreeSet<AccountId>>,
    /// Who has spent each token.
    spenders: BTreeMap<Nonce, AccountId>,
}

impl Truth {
    /// From a record whose addresses are those of devices, and the account of each device.
    pub fn of(record: &Record, accounts: &[Option<AccountId>]) -> Self {
        let at = |address: u32| accounts.get(usize::try_from(address).ok()?).copied().flatten();
        let mut truth =
            Self { circuits: record.circuits.iter().map(|one| at(one.address)).collect(), ..Self::default() };
        for frame in &record.frames {
            let Some(account) = truth.of_circuit(frame.circuit) else { continue };
            match record.circuits.get(frame.circuit).map(|circuit| circuit.kind) {
                Some(Kind::Visitor) => truth.visit(frame, account),
                Some(Kind::Channel) => {
                    for channel in frame.opens() {
                        truth.members.entry(channel).or_default().insert(account);
                    }
                }
                _ => {}
            }
        }
        truth
    }

    fn visit(&mut self, frame: &Frame, account: AccountId) {
        let body = frame.body.clone();
        let tokens = match frame.method {
            FetchContactRequest::NUMBER => FetchContactRequest::decode(body).unwrap_or_default().tokens,
            DeliverRequest::NUMBER => DeliverRequest::decode(body).unwrap_or_default().tokens,
            CreateChannelRequest::NUMBER => {
                let request = CreateChannelRequest::decode(body).unwrap_or_default();
                if let Ok(channel) = ChannelId::try_from(&request.channel[..]) {
                    self.creators.insert(channel, account);
                }
                request.tokens
            }
            _ => Vec::new(),
        };
        let nonces = tokens.iter().filter_map(|token| Nonce::try_from(&token.nonce[..]).ok());
        self.spenders.extend(nonces.map(|nonce| (nonce, account)));
    }

    /// Whether somebody has spent a token.
    pub fn has_spent(&self, nonce: &Nonce, account: AccountId) -> bool {
        self.spenders.get(nonce) == Some(&account)
    }

    /// Whose device a circuit was of.
    pub fn of_circuit(&self, circuit: usize) -> Option<AccountId> {
        self.circuits.get(circuit).copied().flatten()
    }

    /// Whether somebody is in the chat of a channel.
    pub fn is_in(&self, channel: ChannelId, account: AccountId) -> bool {
        self.members.get(&channel).is_some_and(|members| members.contains(&account))
    }

    /// Whether somebody was the one who was written to.
    pub fn was_invited(&self, channel: ChannelId, account: AccountId) -> bool {
        self.is_in(channel, account) && self.creators.get(&channel) != Some(&account)
    }

    /// Whether one person is in both.
    pub fn are_of_one(&self, one: ChannelId, other: ChannelId) -> bool {
        let (Some(one), Some(other)) = (self.members.get(&one), self.members.get(&other)) else { return false };
        !one.is_disjoint(other)
    }

    /// Whether two talk to each other.
    pub fn talk(&self, one: AccountId, other: AccountId) -> bool {
        one != other && self.members.values().any(|members| members.contains(&one) && members.contains(&other))
    }
}
