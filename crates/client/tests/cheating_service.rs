//! Stories of a service that cheats. It may keep a chat from going on: it can always do that. It may not show what was never
//! written, nor show two people two histories and stay unnoticed, nor disturb the chats that it leaves alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a story that cannot go on has failed"
)]

mod support;

use bytes::Bytes;
use support::{Home, Service, acquainted, befriend, database, they_talk};
use undertone_client::{Kind, Pace};
use undertone_credentials::{HeadKey, verify_seen};
use undertone_store::Channels as _;
use undertone_wire::{
    ChannelId, Message as _,
    account::{InboxEntry, ReadInboxReply, ReadInboxRequest},
    chain::Chain,
    channel::{
        AppendReply, AppendRequest, Appended, Entry, EntryKind, Head, LogPush, OpenReply, OpenRequest, ReadReply,
        ReadRequest, append_reply, opened,
    },
    circuit::Code,
    content::Seen,
    visitor::{CreateChannelReply, CreateChannelRequest, FetchContactReply, FetchContactRequest},
};

const FORKED: &str = "the service showed different histories; there is proof";
const INCONSISTENT: &str = "what the service shows of it is not what it signed; it may be cheating";

/// Without self-updates: what is told of positions is then about messages alone.
fn calm() -> Pace {
    Pace { self_update_ms: u64::MAX, ..Pace::eager() }
}

/// Ana, who talks with Bo and with Zoe, and the channel of the first chat. She alone comes by `door`.
async fn three(service: &Service, door: &Service) -> (Home, Home, Home, ChannelId) {
    let ana = Home::with_pace(door, "Ana", calm()).await;
    let bo = Home::with_pace(service, "Bo", calm()).await;
    let zoe = Home::with_pace(service, "Zoe", calm()).await;
    befriend(&ana, &bo).await;
    let channel = service.store().appended().last().unwrap().channel;
    befriend(&ana, &zoe).await;
    (ana, bo, zoe, channel)
}

/// The heads that a home keeps as evidence against the service.
async fn evidence(home: Home) -> Vec<Seen> {
    let folder = home.close().await;
    let query = "SELECT evidence FROM chats WHERE evidence IS NOT NULL";
    let bytes: Vec<u8> = database(&folder).query_row(query, (), |row| row.get(0)).unwrap();
    let mut rest = Bytes::from(bytes);
    vec![Seen::decode_length_delimited(&mut rest).unwrap(), Seen::decode_length_delimited(&mut rest).unwrap()]
}

fn both_signed(service: &Service, channel: ChannelId, heads: &[Seen]) -> bool {
    heads.iter().all(|head| verify_seen(&service.head_key().public(), channel, head).is_ok())
}

#[tokio::test(start_paused = true)]
async fn two_histories_are_found_out() {
    let mut service = Service::start();
    let (ana, bo, zoe, channel) = three(&service, &service).await;
    let bo_account = bo.account();
    let mut bo = bo;
    bo.offline().await;
    let twin = service.twin(service.store().copy().await);
    ana.send("Bo", "in the one history").await;
    let bo = bo.reopen_at(&twin).await;
    bo.send("Ana", "in the other").await;
    bo.send("Ana", "and more there").await;

    // What Bo wrote second is shown to Ana as well, as if nothing else had been before it.
    service.go_away().await;
    let second = twin.store().appended().pop().unwrap();
    service.store().append(second).await.unwrap();
    service.restart().await;

    assert_eq!(ana.trouble(&bo_account).await, FORKED);
    // These are his words all the same.
    ana.expect_from(&bo_account, "and more there").await;
    assert_eq!(ana.try_send("Bo", "?").await.err().unwrap().kind(), Kind::Failed);
    they_talk(&ana, &zoe).await;
    let ana = ana.reopen().await;
    assert_eq!(ana.chat(&bo_account).unwrap().trouble, Some(FORKED), "this stays");
    they_talk(&zoe, &ana).await;

    let heads = evidence(ana).await;
    assert!(both_signed(&service, channel, &heads));
    assert!(heads[0].seq == heads[1].seq && heads[0].chain != heads[1].chain, "two heads of one place");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_goes_back_is_found_out() {
    let mut service = Service::start();
    let (ana, bo, zoe, _) = three(&service, &service).await;
    let before = service.store().copy().await;
    ana.send("Bo", "seen by both").await;
    bo.expect(&ana, "seen by both").await;
    service.restart_over(before).await;
    assert_eq!(ana.trouble(&bo.account()).await, INCONSISTENT);
    assert_eq!(bo.trouble(&ana.account()).await, INCONSISTENT);
    they_talk(&ana, &zoe).await;
}

#[tokio::test(start_paused = true)]
async fn a_service_that_goes_back_and_then_on_is_found_out() {
    let mut service = Service::start();
    let (mut ana, mut bo, zoe, channel) = three(&service, &service).await;
    bo.offline().await;
    let before = service.store().copy().await;
    ana.send("Bo", "one").await;
    ana.send("Bo", "two").await;
    ana.offline().await;
    service.restart_over(before).await;
    bo.online();
    bo.send("Ana", "instead of one").await;
    ana.online();
    assert_eq!(ana.trouble(&bo.account()).await, FORKED);
    assert!(ana.take_new().is_none());
    they_talk(&ana, &zoe).await;
    assert!(both_signed(&service, channel, &evidence(ana).await));
}

/// What is done to every page from the entry on whose number is given.
type ReadLie = fn(&mut ReadReply, u64, &HeadKey);

#[tokio::test(start_paused = true)]
async fn a_log_that_was_not_written_so_is_not_taken() {
    fn whole(reply: &mut ReadReply) -> Option<&mut [Entry; 3]> {
        reply.entries.as_mut_slice().try_into().ok()
    }
    fn head(reply: &mut ReadReply) -> &mut Head {
        reply.head.as_mut().unwrap()
    }
    let lies: &[(&str, ReadLie)] = &[
        ("a body altered", |reply, _, _| {
            if let Some([_, two, _]) = whole(reply) {
                let mut body = two.body.to_vec();
                body[100] ^= 1;
                two.body = body.into();
            }
        }),
        ("a body cut", |reply, _, _| reply.entries.iter_mut().for_each(|entry| entry.body.truncate(255))),
        ("an entry dropped", |reply, first, _| reply.entries.retain(|entry| entry.seq != first + 1)),
        ("an entry dropped, and the rest moved up", |reply, first, key| {
            move_up(reply, first + 1);
            sign(reply, key, |head| head.seq -= 1);
        }),
        ("entries in another order", |reply, _, _| {
            if let Some([one, two, _]) = whole(reply) {
                std::mem::swap(one, two);
                std::mem::swap(&mut one.seq, &mut two.seq);
            }
        }),
        ("an entry twice", |reply, _, _| {
            let again = reply.entries.last().map(|last| Entry { seq: last.seq + 1, ..last.clone() });
            reply.entries.extend(again);
        }),
        ("an entry twice, and counted", |reply, _, key| {
            let again = reply.entries.last().map(|last| Entry { seq: last.seq + 1, ..last.clone() });
            reply.entries.extend(again);
            sign(reply, key, |head| head.seq += 1);
        }),
        ("entries for another position", |reply, _, _| reply.entries.iter_mut().for_each(|entry| entry.epoch += 1)),
        ("an entry of another incarnation", |reply, _, _| {
            reply.entries.iter_mut().skip(2).for_each(|entry| entry.incarnation = 1);
        }),
        ("an entry of another kind", |reply, _, _| {
            reply.entries.iter_mut().skip(1).for_each(|entry| entry.kind = EntryKind::Commit.into());
        }),
        ("an entry of no kind", |reply, _, _| reply.entries.iter_mut().for_each(|entry| entry.kind = 77)),
        ("another last day", |reply, _, _| reply.entries.iter_mut().for_each(|entry| entry.expiry_day += 1)),
        ("an entry that installs keys", |reply, _, _| {
            reply.entries.iter_mut().for_each(|entry| entry.installs = Bytes::from_static(&[1; 64]));
        }),
        ("an expired entry without a digest", |reply, _, _| {
            reply.entries.iter_mut().for_each(|entry| entry.body.clear());
        }),
        ("no entries", |reply, _, _| reply.entries.clear()),
        ("entries from the far future", |reply, _, _| {
            reply.entries.iter_mut().for_each(|entry| entry.seq = u64::MAX);
        }),
        ("no head", |reply, _, _| reply.head = None),
        ("a head that nobody signed", |reply, _, _| head(reply).signature = Bytes::from_static(&[0; 64])),
        ("a head without a signature", |reply, _, _| head(reply).signature.clear()),
        ("a head of another chain", |reply, _, key| sign(reply, key, |head| head.chain = Bytes::from_static(&[7; 32]))),
        ("a head without a chain", |reply, _, _| head(reply).chain.clear()),
        ("a head of another channel", |reply, _, key| {
            sign(reply, key, |head| head.channel = Bytes::from_static(&[7; 16]));
        }),
        ("a head of no channel", |reply, _, _| head(reply).channel.clear()),
        ("a head further than there is anything", |reply, _, key| sign(reply, key, |head| head.seq += 1)),
        ("a head further than anybody counts", |reply, _, key| sign(reply, key, |head| head.seq = u64::MAX)),
        ("a head by another key", |reply, _, _| sign(reply, &HeadKey::from_seed(&[9; 32]), |_| ())),
    ];
    let service = Service::start();
    let door = service.door();
    let (mut ana, bo, zoe, channel) = three(&service, &door).await;
    let written = ["one", "two", "three"].map(String::from);
    for (what, lie) in lies {
        ana.offline().await;
        let first = bo.send("Ana", "one").await.seq.unwrap();
        bo.send("Ana", "two").await;
        bo.send("Ana", "three").await;
        let (key, lie) = (service.head_key(), *lie);
        door.lies.tell::<ReadRequest>(move |request, reply| {
            if request.channel[..] == channel.as_bytes()[..] {
                lie(reply, first, &key);
            }
        });
        ana.online();
        let trouble = ana.trouble(&bo.account()).await;
        assert!([INCONSISTENT, FORKED].contains(&trouble), "{what}: {trouble}");
        let shown: Vec<_> = std::iter::from_fn(|| ana.take_new()).filter_map(|message| message.body).collect();
        assert!(written.starts_with(&shown), "{what}: {shown:?}");
        they_talk(&ana, &zoe).await;

        // A service that mends itself is forgiven: nothing of its lies was kept.
        door.lies.stop();
        ana = ana.reopen().await;
        for text in &written[shown.len()..] {
            ana.expect(&bo, text).await;
        }
        they_talk(&bo, &ana).await;
    }
    assert_eq!(ana.history(&bo.account()), bo.history(&ana.account()));
}

/// Takes one entry out, and numbers those after it as if it had never been.
fn move_up(reply: &mut ReadReply, dropped: u64) {
    reply.entries.retain(|entry| entry.seq != dropped);
    reply.entries.iter_mut().filter(|entry| entry.seq > dropped).for_each(|entry| entry.seq -= 1);
}

/// It is no lie, but what a service says while somebody appends: nothing beyond the cursor yet, and a head that is.
#[tokio::test(start_paused = true)]
async fn a_page_that_is_short_of_its_head_is_read_again() {
    let service = Service::start();
    let door = service.door();
    let (mut ana, bo, _zoe, channel) = three(&service, &door).await;
    ana.offline().await;
    bo.send("Ana", "one").await;
    let short = std::sync::atomic::AtomicBool::new(true);
    door.lies.tell::<ReadRequest>(move |request, reply| {
        let ours = request.channel[..] == channel.as_bytes()[..];
        if ours && short.swap(false, std::sync::atomic::Ordering::Relaxed) {
            reply.entries.clear();
        }
    });
    ana.online();
    ana.expect(&bo, "one").await;
    assert!(ana.chat(&bo.account()).unwrap().trouble.is_none());
}

/// The one lie that is found out only after something of it was taken: what the head says is still to come never comes.
#[tokio::test(start_paused = true)]
async fn a_gap_that_is_painted_over_is_found_out_at_the_head() {
    let service = Service::start();
    let door = service.door();
    let (mut ana, bo, zoe, channel) = three(&service, &door).await;
    ana.offline().await;
    let first = bo.send("Ana", "one").await.seq.unwrap();
    bo.send("Ana", "two").await;
    bo.send("Ana", "three").await;
    door.lies.tell::<ReadRequest>(move |request, reply| {
        if request.channel[..] == channel.as_bytes()[..] {
            move_up(reply, first + 1);
        }
    });
    ana.online();
    assert_eq!(ana.trouble(&bo.account()).await, INCONSISTENT);
    ana.expect(&bo, "one").await;
    assert!(ana.take_new().is_none(), "what was written third says that there was something before it");
    door.lies.stop();
    let ana = ana.reopen().await;
    assert_eq!(ana.trouble(&bo.account()).await, INCONSISTENT, "the gap stays");
    they_talk(&ana, &zoe).await;
}

/// Changes a head and signs it: the service lies with its own key.
fn sign(reply: &mut ReadReply, key: &HeadKey, change: impl FnOnce(&mut Head)) {
    let head = reply.head.as_mut().unwrap();
    change(head);
    let (channel, chain) = (ChannelId::try_from(&head.channel[..]).unwrap(), Chain::try_from(&head.chain[..]).unwrap());
    head.signature = Bytes::copy_from_slice(&key.sign_head(channel, head.seq, &chain));
}

type AppendLie = fn(&mut append_reply::Result, &HeadKey);

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_has_to_be_true() {
    fn appended(result: &mut append_reply::Result) -> &mut Appended {
        match result {
            append_reply::Result::Appended(appended) => appended,
            _ => panic!("not appended"),
        }
    }
    let lies: &[(&str, AppendLie)] = &[
        ("at the beginning", |result, _| appended(result).first_seq = 1),
        ("nowhere", |result, _| appended(result).first_seq = 0),
        ("beyond everything", |result, _| appended(result).first_seq = u64::MAX),
        ("beyond the head", |result, _| appended(result).first_seq += 1),
        ("without a head", |result, _| appended(result).head = None),
        ("with a head that nobody signed", |result, _| {
            appended(result).head.as_mut().unwrap().signature = Bytes::from_static(&[0; 64]);
        }),
        ("with a head of another chain", |result, key| {
            let head = appended(result).head.as_mut().unwrap();
            let (channel, chain) =
                (ChannelId::try_from(&head.channel[..]).unwrap(), Chain::start(ChannelId::new([1; 16])));
            head.chain = Bytes::copy_from_slice(chain.as_bytes());
            head.signature = Bytes::copy_from_slice(&key.sign_head(channel, head.seq, &chain));
        }),
        ("as stale", |result, _| *result = append_reply::Result::Stale(Head::default())),
        ("as a conflict", |result, _| *result = append_reply::Result::Conflict(true)),
    ];
    let service = Service::start();
    let door = service.door();
    let (mut ana, bo, zoe, channel) = three(&service, &door).await;
    // What she has not asked for she does not hear of either.
    let own = move |push: &mut LogPush| push.channel[..] != channel.as_bytes()[..];
    for (what, lie) in lies {
        let (key, lie) = (service.head_key(), *lie);
        door.lies.tell::<AppendRequest>(move |request, reply: &mut AppendReply| {
            if request.channel[..] == channel.as_bytes()[..] {
                lie(reply.result.as_mut().unwrap(), &key);
            }
        });
        door.lies.push(own);
        let sent = ana.try_send("Bo", what).await;
        assert!(sent.is_ok(), "{what}: what is under way is not taken back");
        they_talk(&ana, &zoe).await;
        door.lies.stop();
        ana = ana.reopen().await;
        ana.until("acknowledged", |engine| engine.history("Bo").unwrap().iter().all(|message| !message.queued)).await;
        bo.send("Ana", "got it?").await;
        bo.expect(&ana, what).await;
        ana.expect(&bo, "got it?").await;
    }
    assert_eq!(ana.history(&bo.account()), bo.history(&ana.account()), "each once");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_one_chats_alone() {
    let service = Service::start();
    let door = service.door();
    let (ana, bo, zoe, channel) = three(&service, &door).await;
    let codes =
        [Code::Malformed, Code::Unsupported, Code::Forbidden, Code::Exhausted, Code::NotFound, Code::Unauthenticated];
    for code in codes {
        // It was appended all the same: so nothing may be sent anew.
        door.lies.refuse::<AppendRequest>(code);
        let text = code.as_str_name();
        assert!(ana.try_send("Bo", text).await.is_ok(), "{text}");
        bo.expect(&ana, text).await;
        door.lies.stop();
        they_talk(&ana, &bo).await;
        they_talk(&ana, &zoe).await;
    }
    assert_eq!(ana.history(&bo.account()), bo.history(&ana.account()));

    // Readings that are refused do not keep others from theirs.
    door.lies.tell::<ReadRequest>(move |request, reply| {
        if request.channel[..] == channel.as_bytes()[..] {
            *reply = ReadReply::default();
        }
    });
    let mut ana = ana;
    ana.offline().await;
    bo.send("Ana", "never to be read").await;
    let ana = ana.reopen().await;
    assert_eq!(ana.trouble(&bo.account()).await, INCONSISTENT);
    they_talk(&zoe, &ana).await;
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_not_opened_is_opened_later() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let lies: &[fn(&mut OpenReply)] = &[
        |reply| reply.opened.clear(),
        |reply| reply.opened.iter_mut().for_each(|opened| opened.result = Some(opened::Result::Refused(0))),
        |reply| {
            let exhausted = || Some(opened::Result::Refused(Code::Exhausted as u32));
            reply.opened.iter_mut().for_each(|opened| opened.result = exhausted());
        },
    ];
    let mut ana = ana;
    for lie in lies {
        let lie = *lie;
        ana.offline().await;
        bo.send("Ana", "hello?").await;
        service.lies.tell::<OpenRequest>(move |_, reply| lie(reply));
        ana.online();
        ana.sync().await.unwrap();
        assert!(ana.take_new().is_none() && ana.chat(&bo.account()).unwrap().trouble.is_none());
        service.lies.stop();
        ana.expect(&bo, "hello?").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_inbox_without_end_is_left_some_time() {
    let service = Service::start();
    let (ana, bo) = acquainted(&service).await;
    let lies: &[fn(&ReadInboxRequest, &mut ReadInboxReply)] = &[
        |_, reply| reply.more = true,
        |request, reply| {
            let seq = request.after;
            reply.entries = vec![InboxEntry { seq, sealed: Bytes::from_static(&[1; 99]) }];
            reply.more = true;
        },
        |_, reply| {
            let seq = u64::MAX;
            reply.entries = vec![InboxEntry { seq, sealed: Bytes::from_static(&[1; 99]) }];
            reply.more = true;
        },
        |request, reply| {
            let seq = request.after + 1;
            reply.entries = vec![InboxEntry { seq, sealed: Bytes::from_static(&[1; 99]) }];
            reply.more = true;
        },
    ];
    for lie in lies {
        service.lies.tell::<ReadInboxRequest>(lie);
        let _ = ana.sync().await;
        they_talk(&bo, &ana).await;
    }
    service.lies.stop();
    ana.sync().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_log_without_end_keeps_no_other_waiting() {
    let service = Service::start();
    let door = service.door();
    let (mut ana, bo, zoe, channel) = three(&service, &door).await;
    ana.offline().await;
    bo.send("Ana", "never to be reached").await;
    let key = service.head_key();
    door.lies.tell::<ReadRequest>(move |request, reply| {
        if request.channel[..] == channel.as_bytes()[..] {
            let head = reply.head.clone().unwrap();
            let noise = Entry {
                seq: request.after + 1,
                kind: EntryKind::Message.into(),
                epoch: head.epoch,
                body: Bytes::from_static(&[5; 256]),
                ..Entry::default()
            };
            reply.entries = vec![noise];
            sign(reply, &key, |head| head.seq = 1 << 40);
        }
    });
    ana.online();
    they_talk(&ana, &zoe).await;
    ana.sync().await.unwrap();
    they_talk(&zoe, &ana).await;
    assert!(ana.take_new().is_none());
    door.lies.stop();
    assert_eq!(ana.trouble(&bo.account()).await, INCONSISTENT);
    they_talk(&ana, &zoe).await;
}

#[tokio::test(start_paused = true)]
async fn a_push_is_believed_no_more_than_a_page() {
    let service = Service::start();
    let door = service.door();
    let (mut ana, bo, zoe, channel) = three(&service, &door).await;
    let lies: &[fn(&mut LogPush)] = &[
        |push| push.head = None,
        |push| push.entries[0].body = Bytes::from_static(&[3; 256]),
        |push| push.entries[0].epoch += 1,
        |push| push.head.as_mut().unwrap().signature.clear(),
    ];
    for lie in lies {
        let lie = *lie;
        door.lies.push(move |push| {
            if push.channel[..] == channel.as_bytes()[..] {
                lie(push);
            }
            true
        });
        bo.send("Ana", "pushed").await;
        assert_eq!(ana.trouble(&bo.account()).await, INCONSISTENT);
        they_talk(&ana, &zoe).await;
        door.lies.stop();
        ana = ana.reopen().await;
        ana.expect(&bo, "pushed").await;
    }
    // Of a channel that is not hers, or of none: nothing comes of it.
    let elsewhere: &[&[u8]] = &[&[8; 16], &[8; 15], &[]];
    for name in elsewhere {
        let name = Bytes::from_static(name);
        door.lies.push(move |push| {
            push.channel = name.clone();
            true
        });
        bo.send("Ana", "pushed elsewhere").await;
        door.lies.stop();
        bo.send("Ana", "and here").await;
        ana.expect(&bo, "pushed elsewhere").await;
        ana.expect(&bo, "and here").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_chat_does_not_begin_with_a_lie() {
    let service = Service::start();
    let pace = Pace { stock: 0, ..calm() };
    let ana = Home::with_pace(&service, "Ana", pace.clone()).await;
    let bo = Home::new(&service, "Bo").await;
    let zoe = Home::new(&service, "Zoe").await;
    befriend(&ana, &zoe).await;
    let heads: &[fn(&mut CreateChannelReply)] = &[
        |reply| reply.head = None,
        |reply| reply.head.as_mut().unwrap().seq = u64::MAX,
        |reply| reply.head.as_mut().unwrap().signature.clear(),
        |reply| reply.head.as_mut().unwrap().channel = Bytes::from_static(&[1; 16]),
    ];
    for lie in heads {
        let lie = *lie;
        service.lies.tell::<CreateChannelRequest>(move |_, reply| lie(reply));
        assert!(ana.try_send(&bo.link(), "hello").await.is_err());
        they_talk(&ana, &zoe).await;
    }
    service.lies.stop();
    service.lies.refuse::<CreateChannelRequest>(Code::Conflict);
    let sent = ana.send(&bo.link(), "hello").await;
    assert!(sent.queued, "every id is taken: that is strange, but may pass");
    they_talk(&ana, &zoe).await;
    service.lies.stop();
    bo.expect(&ana, "hello").await;

    // Keys that the person did not sign, or none.
    let cy = Home::new(&service, "Cy").await;
    let contacts: &[fn(&mut FetchContactReply)] = &[
        |reply| reply.device_list.clear(),
        |reply| reply.inbox_key = reply.device_list.clone(),
        |reply| reply.key_packages.clear(),
        |reply| reply.key_packages.iter_mut().for_each(|package| package.truncate(100)),
    ];
    for lie in contacts {
        let lie = *lie;
        service.lies.tell::<FetchContactRequest>(move |_, reply| lie(reply));
        let error = ana.try_send(&cy.link(), "hello").await.err().unwrap();
        assert_eq!(error.kind(), Kind::Refused);
        they_talk(&ana, &zoe).await;
    }
    service.lies.stop();
    assert!(!ana.send(&cy.link(), "hello").await.queued);
    cy.expect(&ana, "hello").await;
}
