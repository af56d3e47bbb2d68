//! What can go wrong for a person, and what to do next.

use undertone_circuit::{CallError, ConnectError};
use undertone_credentials::CredentialError;
use undertone_e2ee::E2eeError;
use undertone_wire::{circuit::Code, limits, link::LinkError};

use crate::db::DbError;

/// The kinds that a program can act upon. The command line turns each into an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something failed here.
    Failed,
    /// What was asked makes no sense as it was asked.
    Usage,
    /// The service cannot be reached now.
    Network,
    /// The service, or the other person, says no.
    Refused,
    /// There is no such person, chat or request.
    NotFound,
}

/// An error with the words to show for it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The database of this home.
    #[error(transparent)]
    Db(#[from] DbError),
    /// This home has no account yet.
    #[error("this home has no account yet; run `register --service LINK --name NAME` first")]
    NotRegistered,
    /// This home has one already.
    #[error("this home has an account already; use another --home for a second one")]
    AlreadyRegistered,
    /// A link does not parse.
    #[error("{0}")]
    Link(#[from] LinkError),
    /// The link is of the wrong kind.
    #[error("this is the link of a {found}; a link of a {expected} is needed")]
    WrongLink {
        /// What was given.
        found: &'static str,
        /// What is needed.
        expected: &'static str,
    },
    /// A contact of another service.
    #[error("this person is at another service; people can only write to each other at the same one")]
    OtherService,
    /// No chat or contact of that name.
    #[error("nobody here is called \"{0}\"; `chats` lists whom you know, and a new person is named by link")]
    UnknownName(String),
    /// Several contacts of that name.
    #[error("\"{0}\" is the name of several people; name one by account id, as `chats` shows it")]
    AmbiguousName(String),
    /// No such account.
    #[error("the service knows no such account; ask for the link again")]
    NoSuchAccount,
    /// No group of that title.
    #[error("there is no group called \"{0}\" here; `group list` shows those that there are")]
    UnknownGroup(String),
    /// Nothing of that group waits for our word.
    #[error("nothing of that group waits for your word; `group show` tells how you stand")]
    NoInvitation,
    /// An invitation must be answered first.
    #[error("answer this invitation first: `group accept GROUP` or `group decline GROUP`")]
    GroupWaits,
    /// Out of a group.
    #[error("you are not in this group any more; somebody in it has to add or invite you, or its link lets you in")]
    NotInGroup,
    /// In a group already.
    #[error("you are in this group already")]
    InGroup,
    /// Nothing happens there any more.
    #[error("this group was closed; what was said in it stays")]
    GroupClosed,
    /// The role does not let one say anything.
    #[error("you read in this group and say nothing; an admin can give you another role, or change the rules")]
    OnlyReads,
    /// The role does not let one do this.
    #[error("your role in this group does not let you do that; `group show` tells who its admins are")]
    NotAllowed,
    /// It cannot be done to somebody who stands so.
    #[error("that cannot be done to somebody who stands so in this group; `group show` tells how people stand")]
    WrongTarget,
    /// As many as there may be.
    #[error("this group holds as many people as it may")]
    GroupFull,
    /// More devices than this release can lead into a group.
    #[error("with this there would be more devices in the group than this version can lead in: about twenty")]
    GroupTooLarge,
    /// A group has one owner.
    #[error("a group has exactly one owner; `group hand-over GROUP WHO` makes somebody else the owner")]
    OneOwner,
    /// A link of a group that was closed or reset.
    #[error("this link lets nobody in any more; ask an admin of the group for the new one")]
    GroupLinkOver,
    /// There is no link, or somebody else has set it.
    #[error(
        "the link of this group is off, or another admin has set it; `group invite-link GROUP --join` makes a new one"
    )]
    NoGroupLink,
    /// A device of an older release.
    #[error("a device of this person runs a version that knows of no groups; he has to update it first")]
    TooOldForGroups,
    /// More than fits one change.
    #[error("this is too much to be done at once; do it in parts")]
    TooMuchAtOnce,
    /// Nothing leads in now.
    #[error("there is no way into this group just now; it is tried again")]
    NoWayIn,
    /// Nothing to show oneself by.
    #[error("there is nothing yet to show yourself by in groups; it comes with the next visit to your account")]
    NoCredential,
    /// The person has no request waiting.
    #[error("there is no request of that person")]
    NoRequest,
    /// A request must be answered first.
    #[error("answer this request first: `request accept WHO` or `request block WHO`")]
    RequestWaits,
    /// We have blocked this person.
    #[error("you have blocked this person; `request accept WHO` takes that back")]
    Blocked,
    /// Nothing to send.
    #[error("a message needs at least one character")]
    EmptyText,
    /// Too much to send at once.
    #[error("this message has {0} bytes, and one can have {max}; send it in parts", max = limits::TEXT_BYTES_MAX)]
    TextTooLong(usize),
    /// A name that cannot be.
    #[error("a name has 1 to {max} bytes, and no control characters", max = limits::NAME_BYTES_MAX)]
    BadName,
    /// Part of a profile that is too long.
    #[error("this has {length} bytes, and can have {max}")]
    ProfileTooLong {
        /// So many.
        length: usize,
        /// At most so many.
        max: usize,
    },
    /// One tells nobody that one writes.
    #[error("that you write is told to nobody; `settings typing on` changes that")]
    TypingOff,
    /// There is no letter to be shown.
    #[error(
        "no letter of this person is kept: only what a stranger wrote can be shown to others, for 30 days, and as long \
         as he was not accepted"
    )]
    NothingToReport,
    /// The service cannot be reached.
    #[error("the service cannot be reached: {0}")]
    Offline(&'static str),
    /// The service at this address is not the one of the link.
    #[error("what answers at this address is not the service that the link names; do not go on, ask for a new link")]
    WrongService,
    /// The service shows us other parameters than before.
    #[error("the service shows other keys than before; it may be cheating, so nothing was sent")]
    ParametersChanged,
    /// The service's signature under the state of a chat does not check, or the state is not what it served.
    #[error("the service shows a chat that it did not sign; it may be cheating, so nothing of it was taken")]
    BadHead,
    /// Nothing is left that pays for acts of nobody, and there is no more of it for a while.
    #[error(
        "what pays the service for new channels and letters is used up; there is more of it next week at the latest"
    )]
    NoTokens,
    /// Tokens that were not issued as everybody's are.
    #[error("the service gave tokens by which it could tell you apart; it may be cheating, so none of them is used")]
    Marked,
    /// There is nothing to be looked up in.
    #[error("this service has no directory, so nobody can be looked up there")]
    NoDirectory,
    /// No more lookups today.
    #[error(
        "not all could be looked up: an account looks up {once} identifiers at first and {daily} more each day, in batches; \
         what was found is kept, so ask for the same again tomorrow",
        once = limits::LOOKUPS_ONCE as usize * limits::EVALUATIONS_A_TOKEN,
        daily = limits::LOOKUPS_A_DAY as usize * limits::EVALUATIONS_A_TOKEN
    )]
    LookupsUsedUp,
    /// What the directory says cannot be.
    #[error("the service's directory cannot be believed, so nothing of it was taken: {0}")]
    Directory(&'static str),
    /// The service sends no codes.
    #[error("this service sends no codes, so it lists nobody by phone number or mail address; a @username needs none")]
    NoCodes,
    /// More codes than one may have.
    #[error("no more codes are sent to this identifier, or for this account, today; try again tomorrow")]
    TooManyCodes,
    /// A code for an identifier that none was sent to.
    #[error("no code waits for this identifier, or its ten minutes are over; have another one sent with `listing add`")]
    NoCodeSent,
    /// The same, or nobody is listed there.
    #[error("no code waits for this identifier, or nobody is listed there whose words these could be")]
    NoCodeOrListing,
    /// Another code than was sent.
    #[error("this is not the code that was sent; after five wrong ones another is needed")]
    WrongCode,
    /// As many listings as there may be.
    #[error("an account is listed under {max} identifiers at most; remove one first", max = limits::LISTINGS_MAX)]
    TooManyListings,
    /// Others are faster, again and again.
    #[error("this chat is too busy; try again")]
    Busy,
    /// One side is too old.
    #[error("this program and the service have no version in common; update this program")]
    UpdateNeeded,
    /// The invite does not do.
    #[error("the invite is wrong, used up or expired; ask the operator for a new one (`--invite CODE`)")]
    Invite,
    /// The service does not know our device (any more).
    #[error("the service does not accept this device")]
    NotAccepted,
    /// Another home speaks as this device.
    #[error(
        "another home speaks as this device: this one is a copy, or was copied; \
         remove the device on another one and link this one anew, in an empty home"
    )]
    Copied,
    /// This device is on its account's list no more.
    #[error("this device was removed from its account; what it has stays readable here")]
    Removed,
    /// As many devices as there may be.
    #[error("an account has at most {max} devices; remove one first", max = limits::DEVICES_MAX)]
    TooManyDevices,
    /// After a removal, before the other devices have told the new keys.
    #[error("this device has not heard yet what another one has changed; try again when it is in step")]
    StaleIdentity,
    /// What a new device is given cannot be used.
    #[error("what the other device gave makes no sense; begin again on both")]
    BadHandover,
    /// The words of another account.
    #[error("these are the recovery words of another account")]
    WrongWords,
    /// One does not remove the device that one sits at.
    #[error("this is the device that you are using; remove it from another one")]
    ThisDevice,
    /// A link for a device that is used up, or that somebody else uses too.
    #[error(
        "this link was used already, or somebody else has it too; nothing was linked: make a new one, and show it to nobody"
    )]
    LinkUsed,
    /// What came over a link is not what the other device has said.
    #[error(
        "what came over this link was not said by the other device; nothing was linked: make a new one, and show it to nobody"
    )]
    LinkForged,
    /// One of the two people said no.
    #[error("the linking was ended on the other device; nothing was linked")]
    LinkCancelled,
    /// The time of a link is over.
    #[error("this link was good for ten minutes, and they are over; make a new one")]
    LinkTimedOut,
    /// The device that shows a link does not answer.
    #[error("the other device does not answer; does `device link` still run there?")]
    LinkSilent,
    /// There is nothing where a link leads.
    #[error("there is nothing where this link leads; make a new one, and copy the whole of it")]
    LinkUnknown,
    /// Recovery words that are none.
    #[error("{0}")]
    Words(CredentialError),
    /// Recovery words of nobody.
    #[error("this service knows no account of these words; are they of another service?")]
    NoSuchWords,
    /// No device of this number.
    #[error("there is no device {0}; `device list` shows which there are")]
    NoSuchDevice(u32),
    /// The service refused for another reason.
    #[error("the service refused: {0}")]
    Refused(&'static str),
    /// A chat cannot go on.
    #[error("this chat cannot go on: {0}")]
    Trouble(&'static str),
    /// A chat does not go on for now.
    #[error("this chat is being mended: {0}")]
    Mending(&'static str),
    /// A letter makes no sense; it is passed over.
    #[error("a letter cannot be used")]
    Letter,
    /// The encryption failed.
    #[error("encryption failed: {0}")]
    E2ee(#[from] E2eeError),
    /// Our own fault.
    #[error("this should not happen ({0}); please report it")]
    Bug(&'static str),
}

impl ClientError {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Link(_)
            | Self::WrongLink { .. }
            | Self::EmptyText
            | Self::TextTooLong(_)
            | Self::BadName
            | Self::ProfileTooLong { .. }
            | Self::TypingOff
            | Self::TooMuchAtOnce
            | Self::Words(_)
            | Self::ThisDevice => Kind::Usage,
            Self::Offline(_) | Self::Busy | Self::NoTokens | Self::NoCredential | Self::NoWayIn | Self::LinkSilent => {
                Kind::Network
            }
            Self::WrongService
            | Self::ParametersChanged
            | Self::BadHead
            | Self::Marked
            | Self::NoDirectory
            | Self::LookupsUsedUp
            | Self::Directory(_)
            | Self::NoCodes
            | Self::TooManyCodes
            | Self::WrongCode
            | Self::TooManyListings
            | Self::UpdateNeeded
            | Self::Invite
            | Self::NotAccepted
            | Self::Refused(_)
            | Self::Removed
            | Self::TooManyDevices
            | Self::WrongWords
            | Self::LinkUsed
            | Self::LinkForged
            | Self::LinkCancelled
            | Self::LinkTimedOut
            | Self::OtherService
            | Self::Blocked
            | Self::GroupWaits
            | Self::NotInGroup
            | Self::InGroup
            | Self::GroupClosed
            | Self::OnlyReads
            | Self::NotAllowed
            | Self::WrongTarget
            | Self::GroupFull
            | Self::GroupTooLarge
            | Self::OneOwner
            | Self::GroupLinkOver
            | Self::TooOldForGroups
            | Self::RequestWaits => Kind::Refused,
            Self::UnknownName(_)
            | Self::UnknownGroup(_)
            | Self::NoInvitation
            | Self::NoGroupLink
            | Self::AmbiguousName(_)
            | Self::NoSuchAccount
            | Self::NoSuchDevice(_)
            | Self::LinkUnknown
            | Self::NoSuchWords
            | Self::NoCodeSent
            | Self::NoCodeOrListing
            | Self::NothingToReport
            | Self::NoRequest => Kind::NotFound,
            Self::Db(_)
            | Self::NotRegistered
            | Self::AlreadyRegistered
            | Self::Trouble(_)
            | Self::Mending(_)
            | Self::Letter
            | Self::Copied
            | Self::StaleIdentity
            | Self::BadHandover
            | Self::E2ee(_)
            | Self::Bug(_) => Kind::Failed,
        }
    }

    /// Whether it concerns the one chat in which it happened; else it is about the way to the service, or about us.
    pub(crate) const fn is_of_one_chat(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::NoSuchAccount
            | Self::NotAccepted
            | Self::Busy
            | Self::BadHead
            | Self::NoWayIn
            | Self::NoCredential
            | Self::NotInGroup
            | Self::GroupTooLarge
            | Self::GroupLinkOver => true,
            Self::E2ee(error) => !matches!(error, E2eeError::Storage),
            _ => false,
        }
    }

    /// For a refusal that the service gave.
    pub(crate) fn refused(code: Code) -> Self {
        match code {
            Code::Invite => Self::Invite,
            Code::Unsupported => Self::UpdateNeeded,
            Code::Unauthenticated => Self::NotAccepted,
            Code::NotFound => Self::Refused("it has no such thing"),
            Code::Forbidden => Self::Refused("not allowed"),
            Code::Conflict => Self::Refused("something else stands there already"),
            Code::Token => Self::Refused("what was paid with is no good"),
            Code::Exhausted => Self::Refused("an allowance is used up; try again later"),
            Code::Malformed => Self::Refused(
                "it could not use what was sent; is this device's clock right, and this program up to date?",
            ),
            Code::Unavailable | Code::Unknown | Code::Unspecified => Self::Offline("it is busy; try again"),
        }
    }
}

impl From<ConnectError> for ClientError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::WrongKey => Self::WrongService,
            ConnectError::UpdateNeeded => Self::UpdateNeeded,
            ConnectError::Refused => Self::Offline("it takes no connections now"),
            ConnectError::TimedOut => Self::Offline("it did not answer in time"),
            ConnectError::Protocol => Self::Offline("what answers at its address does not speak as it should"),
            _ => Self::Offline("nothing answers at its address; is the network up?"),
        }
    }
}

impl From<CallError> for ClientError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(fault) => Self::refused(fault.code()),
            CallError::NotSent | CallError::Unknown => Self::Offline("the connection broke"),
            CallError::Malformed => Self::Refused("its answer makes no sense"),
            _ => Self::Bug("a request that cannot be sent"),
        }
    }
}

impl From<rusqlite::Error> for ClientError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Db(error.into())
    }
}
