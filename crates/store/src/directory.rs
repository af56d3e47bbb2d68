//! The directory: which accounts are listed under which identifiers, of which it keeps opaque elements alone.

use undertone_wire::{
    AccountId, Day,
    limits::{LISTING_WAIT_DAYS, LISTINGS_MAX, LOOKUPS_A_DAY, LOOKUPS_ONCE},
};

use crate::StoreError;

/// An identifier as it is kept: a ristretto255 element, which says nothing without the key that made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedElement(pub [u8; 32]);

/// Who is listed under an element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// Under what.
    pub element: ListedElement,
    /// Who.
    pub account: AccountId,
}

/// How it ended that somebody wanted to be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// He is. Also if he was before: then nobody else waits for it any more.
    Listed,
    /// Somebody else is, and has this long to keep it: from that day on the same wish is granted, for as many days as he had.
    Waits(Day),
    /// He is listed under as many as one may be.
    Full,
    /// There is no such account.
    NotFound,
}

/// What has changed under an element.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ListingChange {
    /// Under which.
    pub element: ListedElement,
    /// Who is listed there now; none if nobody is.
    pub account: Option<AccountId>,
}

/// How it ended that an account asked for lookups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookups {
    /// It may have so many of those that it asked for, one at least. Also for the same request again, which counts once.
    Granted(u32),
    /// It has had as many as it may today, or there is no such account.
    Over,
    /// Its operator has suspended it.
    Suspended,
}

impl Lookups {
    /// What is still granted to an account of this day that has had so many.
    pub(crate) fn of(created: Day, had: u32, today: Day) -> Self {
        let days = today.0.saturating_sub(created.0);
        let allowed = LOOKUPS_ONCE.saturating_add(days.saturating_mul(LOOKUPS_A_DAY));
        match allowed.saturating_sub(had).min(LOOKUPS_ONCE) {
            0 => Self::Over,
            granted => Self::Granted(granted),
        }
    }
}

/// What a wish for an element finds.
pub(crate) struct Claiming {
    /// Who is listed there.
    pub(crate) held_by: Option<AccountId>,
    /// Who waits for it, since when.
    pub(crate) claimed: Option<(AccountId, Day)>,
    /// How many listings the one who wishes has.
    pub(crate) has: u32,
}

/// What comes of it.
pub(crate) enum Claim {
    /// He is listed, and nobody waits.
    List,
    /// He waits, from this day on.
    Wait(Day),
    /// Nothing changes.
    Answer(Listed),
}

impl Claiming {
    /// Judges the wish of an account, of which `over` says whom it may take the place of at once.
    pub(crate) fn judge(&self, account: AccountId, over: Option<AccountId>, today: Day) -> Claim {
        let Some(holder) = self.held_by.filter(|holder| *holder != account) else {
            let full = self.held_by.is_none() && self.has >= LISTINGS_MAX;
            return if full { Claim::Answer(Listed::Full) } else { Claim::List };
        };
        if self.has >= LISTINGS_MAX {
            return Claim::Answer(Listed::Full);
        }
        if over == Some(holder) {
            return Claim::List;
        }
        match self.claimed {
            // Whoever claimed it and did not come back in time is as good as nobody.
            Some((_, since)) if today > since + 2 * LISTING_WAIT_DAYS => Claim::Wait(today),
            Some((claimant, since)) if claimant == account && today >= since + LISTING_WAIT_DAYS => Claim::List,
            Some((claimant, since)) if claimant == account => Claim::Answer(Listed::Waits(since + LISTING_WAIT_DAYS)),
            // One waits at a time: who comes second begins when the first has had his time.
            Some((_, since)) => Claim::Answer(Listed::Waits(since + 3 * LISTING_WAIT_DAYS)),
            None => Claim::Wait(today),
        }
    }
}

/// Storage of the directory, in the account plane. Partition key: the element; of `issue_lookups` the account.
///
/// What changes is *untold* until [`tell`](Self::tell) gives it a day, so that nothing kept says when it was within one.
pub trait Directory: Send + Sync + 'static {
    /// Lists an account under an element, made by the key of this number, unless another is: that one may keep it for
    /// [`LISTING_WAIT_DAYS`]. `over` names an account that has given its place up.
    fn list(
        &self,
        listing: Listing,
        key: u32,
        over: Option<AccountId>,
        today: Day,
    ) -> impl Future<Output = Result<Listed, StoreError>> + Send;

    /// Takes an account from under an element. What is not there is gone already.
    fn unlist(&self, listing: Listing) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Who is listed under an element, with his recovery key.
    fn listed(
        &self,
        element: ListedElement,
    ) -> impl Future<Output = Result<Option<(AccountId, [u8; 32])>, StoreError>> + Send;

    /// Whether somebody else waits for an element under which this account is listed.
    fn is_claimed(&self, account: AccountId) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Who is listed, in the order of elements: at most `limit` after this one.
    fn listings(
        &self,
        after: Option<ListedElement>,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<Listing>, StoreError>> + Send;

    /// Gives this day to all that is untold. A day that was told stays as it was told.
    fn tell(&self, day: Day) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Days that were told, oldest first.
    fn told_days(&self) -> impl Future<Output = Result<Vec<Day>, StoreError>> + Send;

    /// What was told of a day, in the order of elements, and as it is now.
    fn told(&self, day: Day) -> impl Future<Output = Result<Vec<ListingChange>, StoreError>> + Send;

    /// Forgets the days before, with what was told of them.
    fn forget_told(&self, before: Day) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Number of the directory key in use: 1 until another is taken.
    fn directory_key(&self) -> impl Future<Output = Result<u32, StoreError>> + Send;

    /// Takes the directory key of this number from now on, unless one of a higher number is.
    fn take_directory_key(&self, number: u32) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Elements that another key than that of this number has made: at most so many.
    fn made_by_others(
        &self,
        key: u32,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<(ListedElement, u32)>, StoreError>> + Send;

    /// Replaces elements by those that the key of this number makes of the same identifiers. Claims go along; what was told
    /// of elements before is forgotten, and lookups are counted anew, since everybody needs them anew.
    fn rekey(
        &self,
        key: u32,
        replaced: Vec<(ListedElement, ListedElement)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Counts lookups of an account: as many as it may still have, but not more than [`LOOKUPS_ONCE`] at once. Requests are
    /// known again by their hash, the last one of each account.
    fn issue_lookups(
        &self,
        account: AccountId,
        request: [u8; 32],
        today: Day,
    ) -> impl Future<Output = Result<Lookups, StoreError>> + Send;

    /// How many listings there are.
    fn listings_count(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_grow_by_the_day() {
        let of = |had, today| Lookups::of(Day(100), had, Day(today));
        assert_eq!(of(0, 100), Lookups::Granted(LOOKUPS_ONCE));
        assert_eq!(of(LOOKUPS_ONCE, 100), Lookups::Over);
        assert_eq!(of(LOOKUPS_ONCE, 101), Lookups::Granted(LOOKUPS_A_DAY));
        assert_eq!(of(3, 100), Lookups::Granted(LOOKUPS_ONCE - 3));
        // However long somebody waited, they come in batches; and a clock that went back takes none away.
        assert_eq!(of(3, 1_000), Lookups::Granted(LOOKUPS_ONCE));
        assert_eq!(of(3, 0), Lookups::Granted(LOOKUPS_ONCE - 3));
        assert_eq!(of(u32::MAX, u32::MAX), Lookups::Over);
    }
}
