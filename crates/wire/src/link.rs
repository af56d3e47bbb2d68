//! Links: how a service or a person is named to a friend.
//!
//! `undertone:HOST:PORT#FRAGMENT`, or `https://HOST[:PORT]/#FRAGMENT` where the service has a web address. What matters
//! is in the fragment, which no web server is ever sent: base64url of `version (1) || pin (32)` and, behind it, nothing for
//! a service, the account id (16) of a person, the channel (16) and secret (32) in which a device is linked, or the channel
//! (16), master key (32) and secret (32) of a group.

mod device;
mod group;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

pub use self::{device::DeviceLink, group::GroupLink};
use crate::{AccountId, WrongLength};

/// SHA-256 over a service's two static keys: whoever holds a link can only reach that service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    /// From its bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Pin {
    type Error = WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
        bytes.try_into().map(Self).map_err(|_| WrongLength { expected: 32 })
    }
}

/// How to reach the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `undertone:` a bare tunnel over TCP.
    Tcp,
    /// `https://` behind a web address.
    Https,
}

/// A service, or a person there.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    /// How to reach the service.
    pub scheme: Scheme,
    /// `HOST:PORT` (IPv6 addresses in brackets).
    pub endpoint: String,
    /// Which service it must be.
    pub pin: Pin,
    /// Who, in a contact link.
    pub account: Option<AccountId>,
}

/// Text that is no link, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No known scheme.
    #[error("a link begins with `undertone:` or `https://`")]
    Scheme,
    /// No part after `#`.
    #[error("the part after `#` is missing: was the link cut off, or not in quotes?")]
    NoFragment,
    /// No `HOST:PORT`.
    #[error("the link names no host and port")]
    Endpoint,
    /// The fragment has another length than it must.
    #[error("the part after `#` is damaged: copy the whole link again")]
    Damaged,
    /// Meant for linking a device.
    #[error("this link is for a new device of somebody: only `device link LINK` takes it")]
    Device,
    /// Of a group.
    #[error("this link is of a group: `group join LINK` takes it")]
    Group,
    /// Of something else, where that of a group is needed.
    #[error("this is no link of a group: copy the whole one that `group invite-link` shows to its admins")]
    NoGroup,
    /// Of a service or a person, where one for linking a device is needed.
    #[error("this is no link for a new device: copy the whole one that `device link` shows on the other")]
    NoDevice,
    /// Of a later version.
    #[error("this link was made by a newer version: update first")]
    Newer,
}

const VERSION: u8 = 1;
const TCP: &str = "undertone:";
const HTTPS: &str = "https://";
const HTTPS_PORT: &str = "443";

impl Link {
    /// Its text.
    pub fn to_text(&self) -> String {
        let account = self.account.as_ref().map_or(&[][..], |account| account.as_bytes());
        self.text_with(account).to_string()
    }

    /// Reads a link.
    ///
    /// # Errors
    /// What is wrong with it, in words for the person who typed it.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let (service, rest) = Self::split(text)?;
        let account = match rest.len() {
            0 => None,
            AccountId::LEN => Some(AccountId::try_from(&rest[..]).map_err(|_| LinkError::Damaged)?),
            device::REST_LEN => return Err(LinkError::Device),
            group::REST_LEN => return Err(LinkError::Group),
            _ => return Err(LinkError::Damaged),
        };
        Ok(Self { account, ..service })
    }

    /// The text of a link to this service with `rest` behind the pin.
    fn text_with(&self, rest: &[u8]) -> Zeroizing<String> {
        let fragment = Zeroizing::new([&[VERSION][..], self.pin.as_bytes(), rest].concat());
        let fragment = Zeroizing::new(BASE64URL_NOPAD.encode(&fragment));
        let (scheme, slash) = match self.scheme {
            Scheme::Tcp => (TCP, ""),
            Scheme::Https => (HTTPS, "/"),
        };
        Zeroizing::new(format!("{scheme}{}{slash}#{}", self.endpoint, *fragment))
    }

    /// The service that a link names, and what stands behind the pin.
    fn split(text: &str) -> Result<(Self, Zeroizing<Vec<u8>>), LinkError> {
        let text = text.trim();
        let (scheme, rest) = if let Some(rest) = text.strip_prefix(TCP) {
            (Scheme::Tcp, rest)
        } else if let Some(rest) = text.strip_prefix(HTTPS) {
            (Scheme::Https, rest)
        } else {
            return Err(LinkError::Scheme);
        };
        let (place, fragment) = rest.split_once('#').ok_or(LinkError::NoFragment)?;
        let endpoint = endpoint(scheme, place.trim_end_matches('/')).ok_or(LinkError::Endpoint)?;
        let bytes = BASE64URL_NOPAD.decode(fragment.as_bytes()).map(Zeroizing::new).map_err(|_| LinkError::Damaged)?;
        let (version, bytes) = bytes.split_first().ok_or(LinkError::Damaged)?;
        match *version {
            VERSION => {}
            0 => return Err(LinkError::Damaged),
            _ => return Err(LinkError::Newer),
        }
        let (pin, rest) = bytes.split_first_chunk::<32>().ok_or(LinkError::Damaged)?;
        Ok((Self { scheme, endpoint, pin: Pin(*pin), account: None }, Zeroizing::new(rest.to_vec())))
    }
}

fn endpoint(scheme: Scheme, place: &str) -> Option<String> {
    let plain = |host: &str| !host.is_empty() && !host.contains(['/', '@', ' ', '?']);
    match place.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port != 0) => {
            plain(host).then(|| place.to_owned())
        }
        None if scheme == Scheme::Https && plain(place) => Some(format!("{place}:{HTTPS_PORT}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link(account: Option<AccountId>) -> Link {
        Link { scheme: Scheme::Tcp, endpoint: "127.0.0.1:4433".into(), pin: Pin([7; 32]), account }
    }

    #[test]
    fn links_round_trip() {
        for link in [
            link(None),
            link(Some(AccountId::new([9; 16]))),
            Link { scheme: Scheme::Https, endpoint: "[::1]:443".into(), ..link(None) },
        ] {
            assert!(Link::parse(&link.to_text()) == Ok(link));
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let good = link(None).to_text();
        let error = |text: &str| Link::parse(text).err();
        assert_eq!(error("bo"), Some(LinkError::Scheme));
        assert_eq!(error(good.split('#').next().unwrap()), Some(LinkError::NoFragment));
        assert_eq!(error(&good.replace("127.0.0.1:4433", "")), Some(LinkError::Endpoint));
        assert_eq!(error(&good.replace("4433", "0")), Some(LinkError::Endpoint));
        assert_eq!(error(good.get(..good.len() - 4).unwrap()), Some(LinkError::Damaged));
        assert_eq!(error(&format!("{good}A")), Some(LinkError::Damaged));
        assert!(Link::parse(&format!(" {good}\n")).is_ok());
    }

    #[test]
    fn only_a_host_and_a_port_are_a_place() {
        let fragment = link(None).to_text().split('#').nth(1).unwrap().to_owned();
        let endpoint = |place: &str| Link::parse(&format!("{place}#{fragment}")).map(|link| link.endpoint);
        for (place, expected) in [
            ("undertone:a:1", "a:1"),
            ("undertone:[::1]:65535", "[::1]:65535"),
            ("https://a.example/", "a.example:443"),
            ("https://a.example", "a.example:443"),
            ("https://a.example:8443/", "a.example:8443"),
        ] {
            assert!(endpoint(place).is_ok_and(|endpoint| endpoint == expected), "{place}");
        }
        for place in [
            "undertone:",
            "undertone:a",
            "undertone::1",
            "undertone:a:",
            "undertone:a:0",
            "undertone:a:65536",
            "undertone:a/b:1",
            "undertone:a@b:1",
            "undertone:a b:1",
            "https://",
            "https:///",
            "https://:443/",
            "https://a/b",
            "https://a?b",
        ] {
            assert!(endpoint(place) == Err(LinkError::Endpoint), "{place}");
        }
    }

    #[test]
    fn other_versions_are_told_apart() {
        let versioned = |version: u8| {
            let fragment = BASE64URL_NOPAD.encode(&[&[version][..], &[7; 32]].concat());
            Link::parse(&format!("undertone:a:1#{fragment}")).err()
        };
        assert_eq!(versioned(0), Some(LinkError::Damaged));
        assert_eq!(versioned(1), None);
        assert_eq!(versioned(2), Some(LinkError::Newer));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_fails(text in "(undertone:|https://)?.{0,80}") {
            let _ = Link::parse(&text);
        }
    }
}
