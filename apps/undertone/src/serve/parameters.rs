//! The public parameters that this service shows: which list it showed last, and when the next one is due.
//!
//! `magic (8) || version (1) || revision (8, big-endian) || SHA-256 of the list (32)`
//!
//! Two lists of one revision would be taken for a fraud. So a list is noted before anybody sees it, and a revision is never
//! below the seconds since 1970: should the file be lost, or an old one be restored, it still has never been used before.

use std::{fs, io, time::Duration};

use sha2::{Digest as _, Sha256};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use undertone_circuit::ServerHello;
use undertone_wire::Now;

use super::{Circuits, DataFolder, Planes, going_away};
use crate::{
    clock::now,
    failure::{Failure, Kind},
};

const MAGIC: [u8; 8] = *b"UnSvPara";
const VERSION: u8 = 1;
/// How long after the week's beginning the next list may be shown: its keys stand in the one before.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// A list that was shown.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Shown {
    revision: u64,
    hash: [u8; 32],
}

/// What is to be shown now: the list that was shown last, or, if something of it has changed, the next.
pub fn hello(folder: &DataFolder, planes: &Planes, now: Now) -> Result<ServerHello, Failure> {
    let last = load(folder)?;
    let mut revision = last.map_or(0, |last| last.revision);
    let mut signed_parameters = planes.channels.signed_parameters(now, revision);
    if last.is_none_or(|last| last.hash != hash(&signed_parameters.body)) {
        revision = revision.saturating_add(1).max(now.0 / 1_000);
        signed_parameters = planes.channels.signed_parameters(now, revision);
        let next = Shown { revision, hash: hash(&signed_parameters.body) };
        let failed = |error| Failure::io("the service's parameters cannot be written", &error);
        folder.replace(&folder.parameters(), &next.to_bytes()).map_err(failed)?;
    }
    Ok(ServerHello { signed_parameters, parameters: planes.channels.parameters(), ..ServerHello::default() })
}

/// Shows the next list when it is due, until the service goes away. Circuits that are open keep the one they were shown.
pub async fn run(folder: &DataFolder, planes: &Planes, circuits: &Circuits, draining: watch::Receiver<bool>) {
    let mut hours = interval(EVERY);
    hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let renewing = async {
        loop {
            hours.tick().await;
            match hello(folder, planes, now()) {
                Ok(hello) => circuits.show(hello),
                Err(error) => tracing::error!(%error, "the parameters of last week are still shown"),
            }
        }
    };
    tokio::select! {
        () = going_away(draining) => {}
        () = renewing => {}
    }
}

fn load(folder: &DataFolder) -> Result<Option<Shown>, Failure> {
    let path = folder.parameters();
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::io(&format!("{} cannot be read", path.display()), &error)),
    };
    let damaged = || {
        let message = format!("{} is damaged, or of a later release: update, or delete it", path.display());
        Failure::new(Kind::Failed, message)
    };
    Shown::from_bytes(&bytes).map(Some).ok_or_else(damaged)
}

impl Shown {
    fn to_bytes(self) -> Vec<u8> {
        [&MAGIC[..], &[VERSION], &self.revision.to_be_bytes(), &self.hash].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&MAGIC)?.strip_prefix(&[VERSION])?;
        let (revision, hash) = rest.split_first_chunk()?;
        Some(Self { revision: u64::from_be_bytes(*revision), hash: hash.try_into().ok()? })
    }
}

fn hash(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use undertone_credentials::{HeadKey, IssuingKey, VerifiedParameters};
    use undertone_service::{Issuer, Registration};
    use undertone_wire::{Week, objects::Purpose};

    use super::*;
    use crate::serve::Rules;

    /// A Sunday.
    const NOW: Now = Now(1_795_341_522_000);
    const WEEK_MS: u64 = 7 * 86_400_000;

    async fn planes(folder: &DataFolder, issuing: u8) -> Planes {
        let issuer = Issuer::new(IssuingKey::from_seed(&[issuing; 32]), rand::make_rng::<StdRng>());
        let rules = Rules { registration: Registration::Open, codes: None, blob_bytes: 1 << 30 };
        Planes::open(folder, rules, HeadKey::from_seed(&[1; 32]), issuer).await.unwrap()
    }

    fn shown(folder: &DataFolder, planes: &Planes, now: Now) -> VerifiedParameters {
        let hello = hello(folder, planes, now).ok().unwrap();
        VerifiedParameters::verify(&hello.signed_parameters).ok().unwrap()
    }

    #[tokio::test]
    async fn a_list_has_one_revision_and_the_next_a_higher_one() {
        let data = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(data.path().to_owned());
        let planes = planes(&folder, 1).await;
        let first = shown(&folder, &planes, NOW);
        assert!(first == shown(&folder, &planes, NOW.plus_ms(1)), "the same at the next start");
        let Week(week) = NOW.day().week();
        for purpose in [Purpose::Channel, Purpose::Inbox, Purpose::Contact] {
            assert!([week - 1, week, week + 1].iter().all(|week| first.token_key(purpose, Week(*week)).is_some()));
            assert!(first.token_key(purpose, Week(week + 2)).is_none());
        }
        let next = shown(&folder, &planes, NOW.plus_ms(WEEK_MS));
        assert!(next.revision() > first.revision() && next.token_key(Purpose::Inbox, Week(week + 2)).is_some());
        // Keys of a week stay the same from list to list.
        assert!(next.token_key(Purpose::Inbox, Week(week)) == first.token_key(Purpose::Inbox, Week(week)));
        let again = shown(&folder, &planes, NOW);
        assert!(again.revision() > next.revision(), "a clock set back makes no second list of one revision");
    }

    #[tokio::test]
    async fn without_its_file_no_revision_comes_twice() {
        let data = tempfile::tempdir().unwrap();
        let folder = DataFolder::new(data.path().to_owned());
        let first = shown(&folder, &planes(&folder, 1).await, NOW);
        fs::remove_file(folder.parameters()).unwrap();
        let other = shown(&folder, &planes(&folder, 2).await, NOW.plus_ms(1_000));
        assert!(other.hash() != first.hash() && other.revision() > first.revision());
        fs::write(folder.parameters(), "damaged").unwrap();
        assert!(hello(&folder, &planes(&folder, 2).await, NOW).is_err());
    }
}
