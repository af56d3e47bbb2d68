//! Signed objects, checked before they are stored.

use undertone_credentials::{DeviceList, InboxKey, KeyPackage};
use undertone_store::{ListVersion, ListedDevice, NewKeyPackages, NewList};
use undertone_wire::{
    Day,
    account::PutKeyPackagesRequest,
    circuit::Fault,
    limits::{CLOCK_SKEW_DAYS, KEY_PACKAGES_MAX},
};

use crate::{fault, request::ensure};

/// A list as the store takes it.
pub fn list(list: &DeviceList) -> NewList {
    NewList {
        version: list_version(list),
        encoded: list.encoded().clone(),
        devices: list
            .devices()
            .iter()
            .map(|device| ListedDevice { number: device.number, key: *device.key.as_bytes() })
            .collect(),
    }
}

/// A list's place among those of its account, as the store takes it.
pub fn list_version(list: &DeviceList) -> ListVersion {
    let order = list.order();
    ListVersion { identity_number: order.identity_number, counter: order.counter }
}

/// An inbox key for this week, clocks being what they are: one for a week far ahead could never be replaced.
pub fn inbox_key(list: &DeviceList, bytes: &[u8], today: Day) -> Result<InboxKey, Fault> {
    let key = InboxKey::verify(list, bytes).map_err(fault::object)?;
    let earliest = Day(today.0.saturating_sub(CLOCK_SKEW_DAYS)).week();
    let latest = (today + CLOCK_SKEW_DAYS).week();
    ensure((earliest..=latest).contains(&key.week()))?;
    Ok(key)
}

/// Key packages of one device, each in its place: what is handed out once is no last resort, and the other way round.
pub fn key_packages(list: &DeviceList, device: u32, request: PutKeyPackagesRequest) -> Result<NewKeyPackages, Fault> {
    ensure(request.one_time.len() <= KEY_PACKAGES_MAX as usize)?;
    for bytes in &request.one_time {
        check(list, device, bytes, false)?;
    }
    let last_resort = (!request.last_resort.is_empty()).then_some(request.last_resort);
    if let Some(bytes) = &last_resort {
        check(list, device, bytes, true)?;
    }
    Ok(NewKeyPackages { one_time: request.one_time, last_resort, replace: request.replace })
}

fn check(list: &DeviceList, device: u32, bytes: &[u8], last_resort: bool) -> Result<(), Fault> {
    let package = KeyPackage::verify(list, bytes).map_err(fault::object)?;
    ensure(package.device() == device && package.last_resort() == last_resort)
}
