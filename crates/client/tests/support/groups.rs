//! What people do in groups.

use tokio::time::timeout;
use undertone_client::{ClientError, Engine, GroupAct, GroupChanged, GroupRole, GroupView, NewGroup};

use super::{Home, PATIENCE, Service, befriend};

/// What the one group of a story is called.
pub const TITLE: &str = "Lighthouse";

pub fn titled(members: &[&Home]) -> NewGroup {
    let members = members.iter().map(|home| home.account()).collect();
    NewGroup { title: TITLE.into(), members, ..NewGroup::default() }
}

pub async fn create(home: &Home, new: &NewGroup) -> GroupChanged {
    let made = timeout(PATIENCE, home.engine.group_create(new)).await.expect("hangs").unwrap();
    assert!(!made.queued, "{:?}", made.waits);
    made
}

pub async fn try_act(home: &Home, act: GroupAct) -> Result<GroupChanged, ClientError> {
    timeout(PATIENCE, home.engine.group_act(TITLE, &act)).await.unwrap_or_else(|_| panic!("{act:?} hangs"))
}

pub async fn act(home: &Home, act: GroupAct) {
    let what = format!("{act:?}");
    let done = try_act(home, act).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(!done.queued, "{what}: {:?}", done.waits);
}

/// Revision, hash, epoch, incarnation, and who is in it.
type Seen = (u64, String, u64, u32, Vec<(String, Option<GroupRole>)>);

/// What everybody in a group has to agree on.
pub fn seen(view: &GroupView) -> Seen {
    let members = view.members.iter().map(|member| (member.account.clone().unwrap_or_default(), member.role));
    (view.revision, view.record_hash.clone(), view.epoch, view.incarnation, members.collect())
}

pub fn view(home: &Home) -> GroupView {
    home.engine.group(TITLE).unwrap()
}

/// Waits until all see the same of the group, and that so many are in it.
pub async fn agree(homes: &[&Home], members: usize) {
    let of = |engine: &Engine| engine.group(TITLE).ok().map(|view| seen(&view));
    let same = || {
        let first = of(&homes[0].engine);
        let right = first.as_ref().is_some_and(|first| first.4.len() == members);
        right && homes.iter().all(|home| of(&home.engine) == first)
    };
    while !same() {
        // Whoever is behind comes to where the foremost of them stands now; the first one, if nobody is, comes further.
        let far = |engine: &Engine| {
            of(engine).map_or((0, 0, 0), |(revision, _, epoch, incarnation, _)| (incarnation, epoch, revision))
        };
        let foremost = homes.iter().map(|home| far(&home.engine)).max().unwrap();
        let behind = homes.iter().find(|home| far(&home.engine) < foremost);
        let comes =
            |engine: &Engine| if behind.is_some() { far(engine) >= foremost } else { same() || far(engine) > foremost };
        behind.unwrap_or(&homes[0]).until(&format!("{members} agree"), comes).await;
    }
}

pub async fn says(from: &Home, text: &str, to: &[&Home]) {
    let sent = from.send(TITLE, text).await;
    assert!(!sent.queued, "{:?}", sent.waits);
    for home in to {
        let message = home.next().await;
        assert_eq!((message.body.as_deref(), message.from), (Some(text), from.account()));
        assert_eq!(message.chat, view(home).group);
    }
}

/// Ana, Bo and Cy, who are Ana's friends.
pub async fn three(service: &Service) -> [Home; 3] {
    let [ana, bo, cy] =
        [Home::new(service, "Ana").await, Home::new(service, "Bo").await, Home::new(service, "Cy").await];
    befriend(&ana, &bo).await;
    befriend(&ana, &cy).await;
    [ana, bo, cy]
}
