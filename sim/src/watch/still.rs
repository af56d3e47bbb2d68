//! What stored data alone tells: attacks on the rows of the files.

use std::collections::BTreeSet;

use super::{
    attack::{Question, Subject, Task},
    model::Features,
    stored::{AccountRows, ChannelRows, Stored},
};

/// Kinds of entries that live as long as a letter does.
const MESSAGE: i64 = 1;
/// Stands for what is not there.
const NEVER: f64 = 99.0;

/// What is asked of the files for a task, and what speaks for each candidate; none where files say nothing of it.
pub fn questions(stored: &Stored, task: Task) -> Vec<Question> {
    let chats = || stored.channels.iter().filter(|(_, rows)| !rows.entries.is_empty());
    match task {
        Task::Channels | Task::FirstContact => {
            let question = |(channel, rows): (&_, &ChannelRows)| {
                let candidates = stored.accounts.iter();
                Question {
                    subject: Subject::Channel(*channel),
                    candidates: candidates
                        .map(|(id, account)| (Subject::Account(*id), of_channel(rows, account)))
                        .collect(),
                }
            };
            chats().map(question).collect()
        }
        Task::OneDevice => {
            let question = |(channel, rows): (&_, &ChannelRows)| Question {
                subject: Subject::Channel(*channel),
                candidates: chats()
                    .filter(|(other, _)| *other != channel)
                    .map(|(other, others)| (Subject::Channel(*other), of_channels(rows, others)))
                    .collect(),
            };
            chats().map(question).collect()
        }
        Task::Pairing => {
            let question = |(account, rows): (&_, &AccountRows)| Question {
                subject: Subject::Account(*account),
                candidates: stored
                    .accounts
                    .iter()
                    .filter(|(other, _)| *other != account)
                    .map(|(other, others)| (Subject::Account(*other), of_accounts(rows, others)))
                    .collect(),
            };
            stored.accounts.iter().map(question).collect()
        }
        Task::Tokens => {
            let question = |(nonce, week): &(_, u32)| Question {
                subject: Subject::Token(*nonce),
                candidates: stored
                    .accounts
                    .iter()
                    .map(|(id, account)| (Subject::Account(*id), of_token(*week, account)))
                    .collect(),
            };
            stored.spent.iter().map(question).collect()
        }
        _ => Vec::new(),
    }
}

/// How many batches an account was issued in a token's week, and in all.
fn of_token(week: u32, account: &AccountRows) -> Features {
    let of_week = account.issued_weeks.iter().filter(|issued| **issued == week).count();
    vec![of_week as f64, of_week as f64 / account.issued_weeks.len().max(1) as f64]
}

/// Days of a channel's life beside those of an account's, and beside the days on which letters came for it.
fn of_channel(channel: &ChannelRows, account: &AccountRows) -> Features {
    let days = days(channel);
    let (Some(first), Some(last)) = (days.first().copied(), days.last().copied()) else { return vec![NEVER; 7] };
    let gap = |day: &u32| f64::from(*day) - f64::from(first);
    let nearest = account.letter_days.iter().map(gap).min_by(|one, other| one.abs().total_cmp(&other.abs()));
    let before = account.letter_days.iter().map(gap).filter(|gap| *gap <= 0.0).max_by(f64::total_cmp);
    let on_days = account.letter_days.iter().filter(|day| days.contains(*day)).count();
    let mut features = vec![
        nearest.unwrap_or(NEVER),
        before.unwrap_or(-NEVER),
        on_days as f64 / account.letter_days.len().max(1) as f64,
    ];
    // Whatever number the account's rows hold may be a day; the first are the days of its creation and last visit.
    features.extend(account.numbers.iter().take(2).flat_map(|day| [f64::from(first) - day, f64::from(last) - day]));
    features
}

/// Whether two channels live on the same days, and how alike they are.
fn of_channels(one: &ChannelRows, other: &ChannelRows) -> Features {
    let (ones, others) = (days(one), days(other));
    let common = ones.intersection(&others).count() as f64;
    let first = |days: &BTreeSet<u32>| days.first().copied().map_or(0.0, f64::from);
    let mean = |rows: &ChannelRows| rows.bytes.iter().sum::<u64>() as f64 / rows.bytes.len().max(1) as f64;
    let mut features = vec![
        common / ones.union(&others).count().max(1) as f64,
        common / ones.len().min(others.len()).max(1) as f64,
        (first(&ones) - first(&others)).abs(),
        (mean(one) - mean(other)).abs(),
    ];
    features.extend(one.numbers.iter().zip(&other.numbers).map(|(one, other)| (one - other).abs()));
    features
}

/// Whether letters came on the same days, and how alike all other numbers are.
fn of_accounts(one: &AccountRows, other: &AccountRows) -> Features {
    let days = |rows: &AccountRows| rows.letter_days.iter().copied().collect::<BTreeSet<_>>();
    let (ones, others) = (days(one), days(other));
    let mut features = vec![ones.intersection(&others).count() as f64 / ones.union(&others).count().max(1) as f64];
    features.extend(one.numbers.iter().zip(&other.numbers).map(|(one, other)| (one - other).abs()));
    features
}

fn days(channel: &ChannelRows) -> BTreeSet<u32> {
    channel.entries.iter().filter(|(kind, _)| *kind == MESSAGE).map(|(_, day)| *day).collect()
}

#[cfg(test)]
mod tests {
    use undertone_wire::{AccountId, ChannelId};

    use super::{
        super::{model::Model, ranking::Success},
        *,
    };

    const PEOPLE: u8 = 40;

    /// Each channel is of one account, lives for three days, and what `letter_day` says of its first.
    fn files(letter_day: fn(u32) -> u32) -> Stored {
        let mut stored = Stored::default();
        for person in 0..PEOPLE {
            let first = 100 + u32::from(person) * 7 % 20;
            let account = AccountRows {
                numbers: vec![90.0, 130.0, 3.0],
                letter_days: vec![letter_day(first)],
                ..AccountRows::default()
            };
            stored.accounts.insert(AccountId::new([person; 16]), account);
            let entries = (first..first + 3).map(|day| (MESSAGE, day)).collect();
            let rows = ChannelRows { entries, numbers: vec![3.0, 1.0], bytes: vec![512; 3] };
            stored.channels.insert(ChannelId::new([person; 16]), rows);
        }
        stored
    }

    fn auc(stored: &Stored) -> f64 {
        let tied = |question: &Question, candidate: &Subject| match (question.subject, candidate) {
            (Subject::Channel(channel), Subject::Account(account)) => channel.as_bytes() == account.as_bytes(),
            _ => false,
        };
        let questions = questions(stored, Task::Channels);
        let examples: Vec<_> = questions
            .iter()
            .flat_map(|one| one.candidates.iter().map(|(candidate, features)| (features.clone(), tied(one, candidate))))
            .collect();
        let model = Model::learn(&examples);
        let rank = |one: &Question| {
            one.candidates.iter().map(|(candidate, features)| (model.score(features), tied(one, candidate))).collect()
        };
        Success::of(&questions.iter().map(rank).collect::<Vec<_>>()).auc.mean
    }

    #[test]
    fn letters_with_their_days_tie_and_letters_of_a_fortnight_do_not() {
        let [by_day, by_fortnight] = [auc(&files(|first| first - 1)), auc(&files(|_| 112))];
        assert!(by_day > 0.9, "{by_day}");
        assert!((by_fortnight - 0.5).abs() < 0.01, "{by_fortnight}");
    }
}
