//! The link by which a new device finds the old one.

use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{Link, LinkError};
use crate::ChannelId;

const SECRET_LEN: usize = 32;
/// What stands behind the pin.
pub(super) const REST_LEN: usize = ChannelId::LEN + SECRET_LEN;

/// A service, and the channel there in which two devices meet once. Who has seen it can listen and disturb; what keeps
/// him from more is the code that both devices show (`e2ee`).
#[derive(ZeroizeOnDrop)]
pub struct DeviceLink {
    /// The service of the account.
    #[zeroize(skip)]
    pub service: Link,
    /// The channel.
    #[zeroize(skip)]
    pub channel: ChannelId,
    /// Secret of the channel's generation 0.
    pub secret: [u8; SECRET_LEN],
}

impl DeviceLink {
    /// Its text.
    pub fn to_text(&self) -> Zeroizing<String> {
        let rest = Zeroizing::new([&self.channel.as_bytes()[..], &self.secret].concat());
        self.service.text_with(&rest)
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, in words for the person who typed it; [`LinkError::NoDevice`] for the link of a service or a
    /// person.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let (service, rest) = Link::split(text)?;
        let (channel, secret) = match rest.len() {
            REST_LEN => rest.split_first_chunk().ok_or(LinkError::Damaged)?,
            0 | crate::AccountId::LEN => return Err(LinkError::NoDevice),
            _ => return Err(LinkError::Damaged),
        };
        let secret = secret.try_into().map_err(|_| LinkError::Damaged)?;
        Ok(Self { service, channel: ChannelId::new(*channel), secret })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        AccountId,
        link::{Pin, Scheme},
    };

    fn service(account: Option<AccountId>) -> Link {
        Link { scheme: Scheme::Tcp, endpoint: "127.0.0.1:4433".into(), pin: Pin::new([7; 32]), account }
    }

    fn link() -> DeviceLink {
        DeviceLink { service: service(None), channel: ChannelId::new([8; 16]), secret: [9; 32] }
    }

    #[test]
    fn links_round_trip() {
        let text = link().to_text();
        let again = DeviceLink::parse(&text).ok().unwrap();
        assert!(again.service == service(None) && again.channel == link().channel && again.secret == link().secret);
        // Links of one release may be shown to another.
        assert_eq!(
            text.split_once('#').unwrap(),
            (
                "undertone:127.0.0.1:4433",
                "AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHCAgICAgICAgICAgICAgICAkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ"
            )
        );
    }

    #[test]
    fn links_of_other_kinds_are_told_apart() {
        assert_eq!(Link::parse(&link().to_text()).err(), Some(LinkError::Device));
        for other in [service(None), service(Some(AccountId::new([1; 16])))] {
            assert_eq!(DeviceLink::parse(&other.to_text()).err(), Some(LinkError::NoDevice));
        }
    }

    #[test]
    fn half_a_link_is_none() {
        let text = link().to_text();
        for length in 0..text.len() {
            assert!(DeviceLink::parse(text.get(..length).unwrap()).is_err());
        }
        assert_eq!(DeviceLink::parse(text.get(..text.len() - 7).unwrap()).err(), Some(LinkError::Damaged));
    }

    proptest! {
        #[test]
        fn any_text_parses_or_fails(text in "(undertone:|https://)?.{0,80}") {
            let _ = DeviceLink::parse(&text);
        }
    }
}
