//! All that is kept of an account in memory, as the rows that a file has of it.

use std::convert::Infallible;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use undertone_wire::{AccountId, Day};

use super::{
    accounts::{Account, Device, Letter},
    directory::{Had, Listings},
};
use crate::{
    Value::{self, Null, Number},
    published::Publishing,
};

/// In the order in which `sqlite` reads its tables.
pub(super) fn publish(account: AccountId, kept: &Account, directory: &Listings, out: &mut Publishing) {
    let id = || data(account.as_bytes());
    let Account { stored, devices, inbox, vault, profile, .. } = kept;
    let mut row = |table: &str, values: &[(&str, Value)]| {
        for (column, value) in values {
            let Ok(()) = out.value(table, column, || Ok::<_, Infallible>(value.clone()));
        }
    };
    row(
        "accounts",
        &[
            ("account", id()),
            ("created", day(stored.created)),
            ("last_seen", day(stored.last_seen)),
            ("identity_number", Number(stored.list_version.identity_number.into())),
            ("list_counter", Number(stored.list_version.counter)),
            ("inbox_week", Number(stored.inbox_week.0.into())),
            ("inbox_seq", Number(stored.inbox_seq)),
            ("device_list", data(&stored.device_list)),
            ("inbox_key", data(&kept.inbox_key)),
        ],
    );
    row("recoveries", &[("recovery_key", data(&kept.recovery_key)), ("account", id())]);
    for (number, Device { key, read_up_to, visit, .. }) in devices {
        let visit = visit.map_or(Null, |visit| data(&visit));
        let device = ("device", Number((*number).into()));
        row(
            "devices",
            &[("account", id()), device, ("key", data(key)), ("read_up_to", Number(*read_up_to)), ("visit", visit)],
        );
    }
    for (number, device) in devices {
        for (place, one) in &device.packages.one_time {
            let device = ("device", Number((*number).into()));
            let package = one.package.as_deref().map_or(Null, data);
            let place = ("number", Number(*place));
            row("key_packages", &[("account", id()), device, place, ("hash", data(&one.hash)), ("package", package)]);
        }
    }
    for (number, device) in devices {
        if let Some(package) = &device.packages.last_resort {
            let number = ("device", Number((*number).into()));
            row("last_resorts", &[("account", id()), number, ("package", data(package))]);
        }
    }
    if vault.revision > 0 {
        let revision = ("revision", Number(vault.revision));
        row("vaults", &[("account", id()), revision, ("sealed", data(&vault.sealed))]);
    }
    if profile.revision > 0 {
        let revision = ("revision", Number(profile.revision));
        let access_hash = profile.access_hash.map_or(Null, |hash| data(&hash));
        let sealed = ("sealed", data(&profile.sealed));
        row("profiles", &[("account", id()), revision, ("access_hash", access_hash), sealed]);
    }
    if kept.suspended {
        row("suspended", &[("account", id())]);
    }
    for (week, request) in &kept.issued {
        row("issued", &[("account", id()), ("week", Number(week.0.into())), ("request", data(request))]);
    }
    for (element, (_, key)) in directory.listings.iter().filter(|(_, (of, _))| *of == account) {
        let key = ("key", Number((*key).into()));
        row("listings", &[("element", data(&element.0)), ("account", id()), key]);
    }
    for (element, (_, since)) in directory.claims.iter().filter(|(_, (of, _))| *of == account) {
        row("claims", &[("element", data(&element.0)), ("account", id()), ("day", day(*since))]);
    }
    if let Some(Had { issued, request, granted }) = directory.lookups.get(&account) {
        let [issued, granted] = [*issued, *granted].map(|count| Number(count.into()));
        row("lookups", &[("account", id()), ("issued", issued), ("request", data(request)), ("granted", granted)]);
    }
    for letter in inbox.iter().filter(|letter| !letter.cleared) {
        let (seq, body_key) = (("seq", Number(letter.seq)), ("body_key", Number(letter.seq)));
        row("inbox", &[("account", id()), seq, ("expiry_day", day(letter.expiry_day)), body_key]);
    }
    let mut days: Vec<_> = inbox.iter().map(|letter| letter.expiry_day).collect();
    days.sort_unstable();
    days.dedup();
    for Day(number) in days {
        let mut letters: Vec<&Letter> = inbox.iter().filter(|letter| letter.expiry_day == Day(number)).collect();
        letters.sort_by_key(|letter| *letter.id.as_bytes());
        for letter in &letters {
            let digest: [u8; 32] = Sha256::digest(&letter.sealed).into();
            row(
                &format!("ids_{number}"),
                &[
                    ("log", id()),
                    ("id", data(letter.id.as_bytes())),
                    ("seq", Number(letter.seq)),
                    ("digest", data(&digest)),
                    ("bytes", Number(letter.sealed.len() as u64)),
                ],
            );
        }
        letters.sort_by_key(|letter| letter.seq);
        for letter in letters.into_iter().filter(|letter| !letter.cleared) {
            let body = ("body", data(&letter.sealed));
            row(&format!("bodies_{number}"), &[("key", Number(letter.seq)), body]);
        }
    }
}

fn data(bytes: &[u8]) -> Value {
    Value::Data(Bytes::copy_from_slice(bytes))
}

fn day(Day(number): Day) -> Value {
    Number(number.into())
}
