//! Two people with three devices each, of whom nobody is spared anything: one device comes late, one is away for two
//! months, one is removed, one is lost and comes back by the words, and the service is killed all along.
//!
//! All that are there in the end have the same histories, with all that was ever said, each message once.

use crate::{
    devices::{link, recover, with_words},
    support::{Device, Fleet, Home, Service},
};

/// More than devices tell each other at once.
const MANY: usize = 250;

/// Longer than the service keeps messages, shorter than it keeps commits.
const AWAY: u32 = 60;

/// Links a new device of the person whose this one is.
fn linked(old: &Device) -> Device {
    let home = Home::new();
    link(&old.home, &home);
    Device::of(old.owner, old.other, home)
}

#[test]
fn two_people_with_three_devices_each_end_with_one_history() {
    let mut fleet = Fleet::new(Service::open());
    let (ana, ana_words) = with_words("Ana", &fleet.service);
    let (bo, bo_words) = with_words("Bo", &fleet.service);
    let link_of_bo = bo.link();
    fleet.join(Device::of("Ana", "Bo", ana));
    fleet.join(Device::of("Bo", "Ana", bo));
    let seconds = [0, 1].map(|first| linked(&fleet.devices[first]));
    seconds.into_iter().for_each(|device| fleet.join(device));
    let hello = fleet.devices[0].home.send(&link_of_bo, "hello");
    fleet.note_said(&hello);
    fleet.devices[1].accept();
    fleet.say(1, "Ana");
    fleet.agree();

    // Bo's third device has seen the chat, and then nobody opens it for long.
    let mut away = linked(&fleet.devices[1]);
    away.open();
    fleet.devices.push(away);
    fleet.agree();
    let away = fleet.leave(4);
    fleet.say_many(0, "Bo", MANY);
    fleet.talk(2);
    // Ana's third device comes late, and has everything.
    let late = linked(&fleet.devices[0]);
    fleet.join(late);
    fleet.agree();
    fleet.talk(1);
    fleet.agree();

    fleet.pass(AWAY);
    fleet.talk(2);
    fleet.join(away.ahead(AWAY));
    fleet.talk(1);
    fleet.agree();

    // Ana's second device is removed while it listens; what is said from then on is not for it.
    let [before, notes_before] = fleet.devices[2].views();
    let removed = fleet.devices.remove(2);
    let removal = fleet.devices[0].home.run_with(&["device", "remove", "2"], ana_words.as_bytes());
    assert_eq!(removal.one()["removed"], 2);
    fleet.say(0, "Bo");
    fleet.agree();
    fleet.talk(1);

    // Bo's first home is lost.
    fleet.agree();
    drop(fleet.leave(1));
    let home = Home::new().with("UNDERTONE_CLOCK_AHEAD", &AWAY.to_string());
    recover(&home, &fleet.service, &bo_words).one();
    fleet.join(Device::of("Bo", "Ana", home));
    fleet.talk(2);
    fleet.agree();

    assert!(removed.views() == [before, notes_before], "it has what it had");
    for command in [&["receive"][..], &["send", "Bo", "let me in"]] {
        removed.home.run(command).fails(4, "this device was removed");
    }
    assert_eq!(fleet.devices.len(), 5);
    fleet.devices.push(removed);
    fleet.end();
}
