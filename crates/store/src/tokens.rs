//! What blind tokens were spent on. Each plane keeps those that pay for its own acts.

use undertone_wire::Week;

use crate::StoreError;

/// A token that was judged good: what it leaves when it is spent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SpentToken {
    /// The week that it was issued for.
    pub week: Week,
    /// By this it is known again: its nonce.
    pub nullifier: [u8; 32],
}

/// How spending ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spending {
    /// All are spent on this request, and at least one of them only now.
    First,
    /// All were spent on this very request before.
    Again,
    /// One was spent on another request, and nothing has changed.
    Otherwise,
}

/// Storage of spent tokens: nullifier to the hash of the request. Partition key: the nullifier.
///
/// **Spend, then act.** A token is spent in a transaction of its own, before the act that it pays for. If the service dies
/// in between, or the answer is lost, the same request comes again: its tokens were spent on it, so it is let through, and
/// the act, which is idempotent under its request, is done once. So nothing is paid for twice, nothing is lost that was
/// paid for, and the tokens need not stand where the act's own data stands: with many stores, each token is looked for in
/// the one that its nullifier names, whatever it pays for.
///
/// What is not idempotent by itself must not be done again for the same tokens: whoever asks for an account's key packages
/// twice with them gets those of last resort ([`Accounts::take_contact`](crate::Accounts::take_contact)).
pub trait Tokens: Send + Sync + 'static {
    /// Spends all of these tokens on a request, or none.
    fn spend(
        &self,
        tokens: Vec<SpentToken>,
        request: [u8; 32],
    ) -> impl Future<Output = Result<Spending, StoreError>> + Send;

    /// How many tokens of a week are spent.
    fn spent(&self, week: Week) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Forgets tokens of the weeks before `oldest`, with which nobody can pay any more.
    fn forget_spent(&self, oldest: Week) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl Spending {
    /// From what each token was spent on so far; none: on nothing.
    pub(crate) fn judge(spent_on: &[Option<[u8; 32]>], request: &[u8; 32]) -> Self {
        if spent_on.iter().flatten().any(|other| other != request) {
            return Self::Otherwise;
        }
        if spent_on.iter().all(Option::is_some) { Self::Again } else { Self::First }
    }
}
