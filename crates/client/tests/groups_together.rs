//! Many in one group at the same time, in a bad network, with processes that are killed: in the end all see the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};
use support::{
    Home, Service, befriend,
    groups::{TITLE, act, agree, create, titled, view},
};
use tokio::time::{Duration, timeout};
use undertone_client::{ClientError, Engine, GroupAct, GroupRole, GroupRules, GroupText, LinkMode};

const NAMES: [&str; 6] = ["Ana", "Bo", "Cy", "Dan", "Eve", "Flo"];
const ROUNDS: usize = 8;
/// So long somebody waits for what he wants.
const A_WHILE: Duration = Duration::from_secs(20);

/// Something that somebody may want, whether he may or not.
fn wish(rng: &mut StdRng) -> GroupAct {
    let who = (*NAMES[1..].choose(rng).unwrap()).to_owned();
    let role = *[GroupRole::Member, GroupRole::Member, GroupRole::Admin, GroupRole::Reader].choose(rng).unwrap();
    match rng.random_range(0..12) {
        0 | 1 => GroupAct::Set(GroupText::Description, format!("said by chance: {}", rng.random::<u32>())),
        2 => {
            GroupAct::SetRules(GroupRules { members_edit: rng.random(), members_add: rng.random(), members_post: true })
        }
        3 => GroupAct::SetRole(who, role),
        4 => GroupAct::Remove(who),
        5 | 6 => GroupAct::Add(vec![who], GroupRole::Member),
        7 => GroupAct::Invite(vec![who], GroupRole::Member),
        8 => GroupAct::Ban(who),
        9 => GroupAct::Unban(who),
        10 => GroupAct::SetLink(LinkMode::Join),
        _ => GroupAct::Set(GroupText::Pinned, format!("{}", rng.random::<u32>())),
    }
}

/// What somebody does in one round. Much of it is refused, or late; nothing of it is a fault.
async fn wanting(home: &Home, wishes: Vec<GroupAct>, texts: Vec<String>) {
    for wish in wishes {
        if let Ok(Err(error)) = timeout(A_WHILE, home.engine.group_act(TITLE, &wish)).await {
            assert!(!is_fault(&error), "{wish:?}: {error}");
        }
    }
    for text in texts {
        if let Ok(Err(error)) = timeout(A_WHILE, home.engine.send(TITLE, &text)).await {
            assert!(!is_fault(&error), "{text}: {error}");
        }
    }
}

fn is_fault(error: &ClientError) -> bool {
    matches!(error, ClientError::Bug(_) | ClientError::E2ee(_) | ClientError::Db(_) | ClientError::BadHead)
}

/// All of them at the same time.
async fn together(mut all: Vec<Pin<Box<impl Future<Output = ()>>>>) {
    poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if all.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

async fn live(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut service = Service::start();
    let mut homes = Vec::new();
    for name in NAMES {
        homes.push(Home::new(&service, name).await);
    }
    for other in &homes[1..] {
        befriend(&homes[0], other).await;
    }
    let others: Vec<&Home> = homes[1..].iter().collect();
    create(&homes[0], &titled(&others)).await;
    agree(&homes.iter().collect::<Vec<_>>(), NAMES.len()).await;
    for round in 0..ROUNDS {
        let plans: Vec<(Vec<GroupAct>, Vec<String>)> = homes
            .iter()
            .map(|_| {
                let wishes = (0..rng.random_range(0..2)).map(|_| wish(&mut rng)).collect();
                let texts = (0..rng.random_range(0..3)).map(|n| format!("{seed} {round} {n}")).collect();
                (wishes, texts)
            })
            .collect();
        let all = homes.iter().zip(plans).map(|(home, (wishes, texts))| wanting(home, wishes, texts));
        let all = together(all.map(Box::pin).collect());
        match rng.random_range(0..4) {
            0 => {
                // The service goes away in the middle, and with it all that it had in memory.
                let cut = Duration::from_millis(rng.random_range(50..600));
                let _ = timeout(cut, all).await;
                service.restart().await;
            }
            1 => {
                let cut = Duration::from_millis(rng.random_range(50..600));
                let _ = timeout(cut, all).await;
                let which = rng.random_range(0..homes.len());
                let home = homes.remove(which);
                homes.insert(which, home.reopen().await);
            }
            _ => all.await,
        }
    }
    // Whoever is still in it sees the same as all the others who are.
    let owner = &homes[0];
    for home in &homes {
        let _ = home.engine.group_accept(TITLE).await;
    }
    act(owner, GroupAct::Set(GroupText::Pinned, "the end".into())).await;
    let inside: Vec<&Home> = {
        let members: Vec<_> = view(owner).members.into_iter().filter_map(|member| member.account).collect();
        homes.iter().filter(|home| members.contains(&home.account())).collect()
    };
    let count = inside.len();
    agree(&inside, count).await;
    // Who may not post any more keeps what he could not say.
    let may_post = |engine: &Engine| engine.group(TITLE).unwrap().role != Some(GroupRole::Reader);
    let said = |engine: &Engine| engine.history(TITLE).unwrap().iter().all(|message| !message.queued);
    for home in &inside {
        home.until("everything is said", |engine| !may_post(engine) || said(engine)).await;
    }
}

/// As long as one likes, by `SEEDS=FIRST..LAST`.
#[tokio::test]
async fn whatever_they_all_want_at_once_they_agree_in_the_end() {
    let seeds = std::env::var("SEEDS").unwrap_or_else(|_| "1..3".into());
    let (first, last) = seeds.split_once("..").unwrap();
    for seed in first.parse::<u64>().unwrap()..last.parse().unwrap() {
        live(seed).await;
    }
}
