//! Who may do what: the one table. `docs/protocol.md` has the same, and a test holds them together.

use super::{Follows, Standing};

/// What can be asked of a group: an action on its record, or something that changes nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "those that are an `Action` are described there")]
pub enum Act {
    Add,
    Invite,
    Accept,
    Decline,
    Revoke,
    Request,
    Join,
    Approve,
    Deny,
    Remove,
    Leave,
    Settle,
    Ban,
    Unban,
    SetRole,
    /// Whatever makes or unmakes an admin needs this besides: to add, invite or approve one, to make a member one, or to
    /// take one out, ban him or give him another role.
    Admins,
    SetAttribute,
    SetRules,
    SetLink,
    HandOver,
    Restart,
    Close,
    /// To append messages.
    Post,
    /// To append commits that are no part of a change.
    Commit,
    /// To begin a generation with them.
    Begin,
    /// To hold the next commit for a while.
    Reserve,
    /// To read the record.
    ReadRecord,
    /// To read the head slot, and so to come in.
    ReadHeadSlot,
}

/// Upon what somebody of a standing may do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum May {
    /// Never.
    No,
    /// Always.
    Yes,
    /// If members may add.
    Add,
    /// If members may edit.
    Edit,
    /// If members may post.
    Post,
    /// If the link lets people join, and its secret is shown.
    Join,
    /// If the link lets people ask, and its secret is shown.
    Ask,
    /// If there is a link, and its secret is shown.
    Link,
    /// If it is his own invitation that he takes back.
    Own,
    /// If nobody else is there.
    Last,
}

/// One line of the table.
pub struct Row {
    /// What is done.
    pub act: Act,
    /// To whom; to somebody of another standing it cannot be done. Empty: to nobody, or to oneself.
    pub on: &'static [Standing],
    /// Whether somebody may, by his standing, in the order of [`Standing::ALL`].
    pub by: [May; 8],
    /// What must follow in the log at least.
    pub follows: Follows,
}

const fn row(act: Act, on: &'static [Standing], by: [May; 8], follows: Follows) -> Row {
    Row { act, on, by, follows }
}

/// The table. An act has several lines where what must follow depends on whom it is done to.
#[rustfmt::skip]
pub const TABLE: &[Row] = {
    use Follows::{Commit, Entrance, Generation, Nothing};
    use May::{Add, Ask, Edit, Join, Last, Link, No, Own, Post, Yes};
    use Standing::{Admin, Banned, Invited, Member, Nobody, Reader, Requesting};
    &[
    //  what is done        to whom                          owner admin member reader invited requesting banned nobody  follows
    row(Act::Add,          &[Nobody, Invited, Requesting],  [Yes,  Yes,  Add,   No,    No,     No,        No,    No],   Commit),
    row(Act::Invite,       &[Nobody],                       [Yes,  Yes,  Add,   No,    No,     No,        No,    No],   Nothing),
    row(Act::Accept,       &[],                             [No,   No,   No,    No,    Yes,    No,        No,    No],   Entrance),
    row(Act::Decline,      &[],                             [No,   No,   No,    No,    Yes,    Yes,       No,    No],   Nothing),
    row(Act::Revoke,       &[Invited],                      [Yes,  Yes,  Own,   No,    No,     No,        No,    No],   Nothing),
    row(Act::Request,      &[],                             [No,   No,   No,    No,    No,     No,        No,    Ask],  Nothing),
    row(Act::Join,         &[],                             [No,   No,   No,    No,    No,     Join,      No,    Join], Entrance),
    row(Act::Approve,      &[Requesting],                   [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::Deny,         &[Requesting],                   [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::Remove,       &[Admin, Member, Reader],        [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Generation),
    row(Act::Leave,        &[],                             [Last, Yes,  Yes,   Yes,   No,     No,        No,    No],   Nothing),
    row(Act::Settle,       &[],                             [Yes,  Yes,  Yes,   Yes,   No,     No,        No,    No],   Generation),
    row(Act::Ban,          &[Admin, Member, Reader],        [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Generation),
    row(Act::Ban,          &[Invited, Requesting, Nobody],  [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::Unban,        &[Banned],                       [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::SetRole,      &[Admin, Member, Reader],        [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::Admins,       &[],                             [Yes,  No,   No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::SetAttribute, &[],                             [Yes,  Yes,  Edit,  No,    No,     No,        No,    No],   Nothing),
    row(Act::SetRules,     &[],                             [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::SetLink,      &[],                             [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::HandOver,     &[Admin, Member],                [Yes,  No,   No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::Restart,      &[],                             [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Follows::Restart),
    row(Act::Close,        &[],                             [Yes,  No,   No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::Post,         &[],                             [Yes,  Yes,  Post,  No,    No,     No,        No,    No],   Nothing),
    row(Act::Commit,       &[],                             [Yes,  Yes,  Yes,   Yes,   No,     No,        No,    No],   Nothing),
    row(Act::Begin,        &[],                             [Yes,  Yes,  Yes,   Yes,   No,     No,        No,    No],   Nothing),
    row(Act::Reserve,      &[],                             [Yes,  Yes,  No,    No,    No,     No,        No,    No],   Nothing),
    row(Act::ReadRecord,   &[],                             [Yes,  Yes,  Yes,   Yes,   Yes,    Yes,       Link,  Link], Nothing),
    row(Act::ReadHeadSlot, &[],                             [Yes,  Yes,  Yes,   Yes,   Yes,    Join,      No,    Join], Nothing),
    ]
};

/// The line of an act done to somebody of this standing, or to nobody. None: it cannot be done.
pub(super) fn line(act: Act, on: Option<Standing>) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.act == act && (row.on.is_empty() || on.is_some_and(|on| row.on.contains(&on))))
}

impl Row {
    /// What the line says of somebody of this standing.
    pub(super) fn of(&self, actor: Standing) -> May {
        let cells = Standing::ALL.iter().zip(self.by);
        cells.into_iter().find(|(standing, _)| **standing == actor).map_or(May::No, |(_, may)| may)
    }
}
