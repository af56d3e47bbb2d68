//! What a circuit asks of a group: to change it, to be known in it, to read of it.
//!
//! Who changes something shows by a presentation that he is the one behind its actor's entry; the record then says whether he
//! may. Nothing tells who he is. One presentation holds for its circuit: whoever made a change speaks as its actor from then on.

use std::sync::Arc;

use bytes::Bytes;
use undertone_credentials::{
    CredentialError, SIGNATURE_LEN,
    group::{Action, Change, Pseudonym, Record, Refused, table::Act},
};
use undertone_store::{AppendOutcome, Channels, StoredChannel};
use undertone_wire::{
    Day, Now,
    channel::{
        Appended, ChangeGroupReply, ChangeGroupRequest, PresentReply, PresentRequest, ReadHeadSlotReply,
        ReadHeadSlotRequest, ReadRecordReply, ReadRecordRequest, Refusal, ReserveCommitReply, ReserveCommitRequest,
        StaleChange, change_group_reply,
    },
    circuit::{Code, Fault},
    limits::CLOCK_SKEW_DAYS,
};

use super::{ChannelSession, hub::Hub, new_entries::NewEntries, speaker::Denial};
use crate::{
    fault,
    request::{ensure, parse},
};

impl<C: Channels> ChannelSession<C> {
    /// Makes a change, and appends it with what must follow.
    pub(super) async fn make_change(&self, now: Now, request: ChangeGroupRequest) -> Result<ChangeGroupReply, Fault> {
        let channel = parse(&request.channel)?;
        let entry = request.change.clone().ok_or(Code::Malformed)?;
        let change = Change::decode(&entry.body).map_err(|error| match error {
            CredentialError::Newer => Code::Unsupported,
            _ => Code::Malformed,
        })?;
        let countersignature: [u8; SIGNATURE_LEN] =
            self.plane.backing.head_key.sign_change(channel, change.revision, &entry.body);
        let (commit, head_slot) = (request.commit.clone(), request.head_slot.clone());
        let entries = NewEntries::check_change(entry, commit, head_slot, countersignature, now.day())?;
        ensure(change.names().all(|whom| whom.entry().is_ok()))?;
        let day = presented_day(request.day, now)?;

        let hub = self.plane.hub(channel).await?.ok_or(Code::NotFound)?;
        let group_public = match (hub.record().await?, change.actions.first()) {
            (Some((record, _)), _) => *record.group_public(),
            (None, Some(Action::Create { group_public, .. })) => *group_public,
            (None, _) => return Err(Code::NotFound.into()),
        };
        self.plane.issuer.verify(&self.circuit, &group_public, &change.actor, day, &request)?;
        self.plane.check_large(now, &entries).await?;

        let by = self.speaker(&channel);
        let ended = hub.change(now, &by, &change, entries, &request.link_secret).await?;
        let result = match ended {
            Ok(AppendOutcome::Appended { first_seq, .. }) => {
                self.speak_as(channel, &hub, change.actor)?;
                let head = Some(hub.head().await?);
                change_group_reply::Result::Appended(Appended { first_seq, head })
            }
            Ok(AppendOutcome::Stale(_)) | Err(Denial::Refused(Refusal::Unspecified)) => {
                let revision = hub.stored().revision;
                change_group_reply::Result::Stale(StaleChange { head: Some(hub.head().await?), revision })
            }
            Ok(AppendOutcome::Conflict) => change_group_reply::Result::Conflict(true),
            Ok(AppendOutcome::NotFound) => return Err(self.gone(&channel, &hub)),
            Ok(AppendOutcome::Full) => return Err(fault::full()),
            Err(Denial::Refused(refusal)) => change_group_reply::Result::Refused(refusal.into()),
            Err(Denial::Fault(code)) => return Err(code.into()),
        };
        Ok(ChangeGroupReply { result: Some(result) })
    }

    /// Lets this circuit speak as somebody who stands in the record.
    pub(super) async fn show(&self, now: Now, request: PresentRequest) -> Result<PresentReply, Fault> {
        let channel = parse(&request.channel)?;
        let whom: Pseudonym = parse(&request.entry)?;
        let day = presented_day(request.day, now)?;
        let hub = self.plane.hub(channel).await?.ok_or(Code::NotFound)?;
        let (record, _) = hub.record().await?.ok_or(Code::NotFound)?;
        self.plane.issuer.verify(&self.circuit, record.group_public(), &whom, day, &request)?;
        let by = super::speaker::Speaker { whom: Some(whom), ..self.speaker(&channel) };
        if !by.allows(&record, Act::ReadRecord) {
            return Err(Code::Forbidden.into());
        }
        self.speak_as(channel, &hub, whom)?;
        Ok(PresentReply { head: Some(hub.head().await?), revision: record.revision() })
    }

    pub(super) async fn record(&self, request: ReadRecordRequest) -> Result<ReadRecordReply, Fault> {
        let (hub, record) = self.readable(&request.channel, &request.link_secret, Act::ReadRecord).await?;
        Ok(ReadRecordReply { record: record.encode(), head: Some(hub.head().await?) })
    }

    pub(super) async fn head_slot(&self, request: ReadHeadSlotRequest) -> Result<ReadHeadSlotReply, Fault> {
        let channel = parse(&request.channel)?;
        let (hub, _) = self.readable(&request.channel, &request.link_secret, Act::ReadHeadSlot).await?;
        let slot = self.plane.backing.store.head_slot(channel).await.map_err(fault::store)?;
        let (position, sealed) = slot.map_or_else(Default::default, |slot| (slot.position, slot.sealed));
        let head = Some(hub.head().await?);
        Ok(ReadHeadSlotReply { incarnation: position.incarnation, epoch: position.epoch, sealed, head })
    }

    pub(super) async fn reserve(&self, now: Now, request: ReserveCommitRequest) -> Result<ReserveCommitReply, Fault> {
        let channel = parse(&request.channel)?;
        let by = self.speaker(&channel);
        if by.whom.is_none() {
            return Err(Code::Unauthenticated.into());
        }
        let hub = self.plane.hub(channel).await?.ok_or(Code::NotFound)?;
        let (record, _) = hub.record().await?.ok_or(Code::NotFound)?;
        if !by.allows(&record, Act::Reserve) {
            return Err(Code::Forbidden.into());
        }
        hub.reserve(now, self.circuit)?;
        Ok(ReserveCommitReply {})
    }

    /// A group's record, for whoever may read this of it.
    async fn readable(
        &self,
        channel: &Bytes,
        link_secret: &[u8],
        act: Act,
    ) -> Result<(Arc<Hub<C>>, Arc<Record>), Fault> {
        let channel = parse(channel)?;
        let hub = self.plane.hub(channel).await?.ok_or(Code::NotFound)?;
        let known: Option<(Arc<Record>, StoredChannel)> = hub.record().await?;
        let (record, stored) = known.ok_or(Code::NotFound)?;
        if !self.speaker(&channel).may_read(&stored, &record, act, link_secret) {
            return Err(Code::Unauthenticated.into());
        }
        Ok((hub, record))
    }
}

/// The day of a credential: today, clocks being what they are.
fn presented_day(day: u32, now: Now) -> Result<Day, Fault> {
    let today = now.day();
    let days = today.0.saturating_sub(CLOCK_SKEW_DAYS)..=(today + CLOCK_SKEW_DAYS).0;
    if days.contains(&day) { Ok(Day(day)) } else { Err(Code::Unauthenticated.into()) }
}

/// As it is told. A change for another revision is no refusal, but late: unspecified.
pub fn refusal(refused: Refused) -> Refusal {
    match refused {
        Refused::Revision => Refusal::Unspecified,
        Refused::NotAllowed => Refusal::NotAllowed,
        Refused::Owed => Refusal::Owed,
        Refused::Full => Refusal::Full,
        Refused::Closed => Refusal::Closed,
        Refused::Follows => Refusal::Follows,
        Refused::Owner => Refusal::Owner,
        _ => Refusal::Target,
    }
}
