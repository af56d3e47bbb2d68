//! What the analysis is asked, and how an answer is judged. A question is made of a record alone; only its judge knows the
//! truth.

use serde::Serialize;
use undertone_wire::{AccountId, ChannelId};

use super::{
    model::{Features, Model},
    ranking::{Ranked, Success},
    stored::Nonce,
    truth::Truth,
};

/// What is to be tied to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Channels to accounts.
    Channels,
    /// A channel to whoever was written to.
    FirstContact,
    /// The same by what happens at that moment alone, without weeks of presence.
    FirstContactMoment,
    /// Messages to whoever wrote them.
    Senders,
    /// What answers soon, as receipts do, to whoever wrote it.
    Answers,
    /// What visitors pay for by tokens to the accounts to which these were issued.
    Tokens,
    /// Two channels to one device.
    OneDevice,
    /// People to those with whom they talk.
    Pairing,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Channels,
        Self::FirstContact,
        Self::FirstContactMoment,
        Self::Senders,
        Self::Answers,
        Self::Tokens,
        Self::OneDevice,
        Self::Pairing,
    ];

    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Channels => "channel to its accounts",
            Self::FirstContact => "first contact: channel to who was written to",
            Self::FirstContactMoment => "the same by that moment alone",
            Self::Senders => "message to its sender's account",
            Self::Answers => "quick answer or receipt to its sender's account",
            Self::Tokens => "token that is spent to its account",
            Self::OneDevice => "channel to others of one device",
            Self::Pairing => "account to those it talks with",
        }
    }

    fn holds(self, truth: &Truth, of: Subject, candidate: Subject) -> bool {
        match (self, of, candidate) {
            (Self::FirstContact | Self::FirstContactMoment, Subject::Channel(channel), Subject::Account(account)) => {
                truth.was_invited(channel, account)
            }
            (_, Subject::Channel(channel), Subject::Account(account)) => truth.is_in(channel, account),
            (_, Subject::Channel(one), Subject::Channel(other)) => truth.are_of_one(one, other),
            (_, Subject::Circuit(circuit), Subject::Account(account)) => truth.of_circuit(circuit) == Some(account),
            (_, Subject::Token(nonce), Subject::Account(account)) => truth.has_spent(&nonce, account),
            (_, Subject::Account(one), Subject::Account(other)) => truth.talk(one, other),
            _ => false,
        }
    }
}

/// What a question is about, or a candidate for its answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// An account.
    Account(AccountId),
    /// A channel.
    Channel(ChannelId),
    /// Whoever is behind a circuit, by its place in the record.
    Circuit(usize),
    /// A token that was spent.
    Token(Nonce),
}

/// Who of these?
pub struct Question {
    /// What is asked about.
    pub subject: Subject,
    /// Who comes into question, and what speaks for it.
    pub candidates: Vec<(Subject, Features)>,
}

/// Learns from the questions of one world, whose answers are known, and answers those of another.
pub fn judge(task: Task, learnt: (&[Question], &Truth), asked: (&[Question], &Truth)) -> Vec<Ranked> {
    let known = learnt.0.iter().flat_map(|question| {
        let tied = |candidate: &Subject| task.holds(learnt.1, question.subject, *candidate);
        question.candidates.iter().map(move |(candidate, features)| (features.clone(), tied(candidate)))
    });
    let model = Model::learn(&known.collect::<Vec<_>>());
    let answer = |question: &Question| {
        let candidates = question.candidates.iter();
        let ranked = candidates.map(|(candidate, features)| {
            // What is one number already needs no weighing.
            let score = if let [one] = features[..] { one } else { model.score(features) };
            (score, task.holds(asked.1, question.subject, *candidate))
        });
        ranked.collect()
    };
    asked.0.iter().map(answer).collect()
}

/// How good all these answers are.
pub fn success(ranked: &[Ranked]) -> Success {
    Success::of(ranked)
}
