//! The link by which one comes into a group.

use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{Link, LinkError};
use crate::ChannelId;

const KEY_LEN: usize = 32;
/// What stands behind the pin.
pub(super) const REST_LEN: usize = ChannelId::LEN + 2 * KEY_LEN;

/// A group at a service, and what lets one in. Who has the link knows the group's master key, by which he reads who is in
/// it and what it is called, as long as the service shows him its record; and with the secret he joins it or asks to, as the
/// group's rules say. When it is reset, only the secret changes.
#[derive(ZeroizeOnDrop)]
pub struct GroupLink {
    /// The service.
    #[zeroize(skip)]
    pub service: Link,
    /// The group's channel.
    #[zeroize(skip)]
    pub channel: ChannelId,
    /// The group's master key.
    pub master_key: [u8; KEY_LEN],
    /// The link's secret.
    pub secret: [u8; KEY_LEN],
}

impl GroupLink {
    /// Its text.
    pub fn to_text(&self) -> Zeroizing<String> {
        let rest = Zeroizing::new([&self.channel.as_bytes()[..], &self.master_key, &self.secret].concat());
        self.service.text_with(&rest)
    }

    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, in words for the person who typed it; [`LinkError::NoGroup`] for that of something else.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        let (service, rest) = Link::split(text)?;
        if [0, crate::AccountId::LEN, super::device::REST_LEN].contains(&rest.len()) {
            return Err(LinkError::NoGroup);
        }
        let (channel, keys) = rest.split_first_chunk().ok_or(LinkError::Damaged)?;
        let (master_key, secret) = keys.split_first_chunk().ok_or(LinkError::Damaged)?;
        let secret = secret.try_into().map_err(|_| LinkError::Damaged)?;
        Ok(Self { service, channel: ChannelId::new(*channel), master_key: *master_key, secret })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        AccountId,
        link::{DeviceLink, Pin, Scheme},
    };

    fn service(account: Option<AccountId>) -> Link {
        Link { scheme: Scheme::Tcp, endpoint: "127.0.0.1:4433".into(), pin: Pin::new([7; 32]), account }
    }

    fn link() -> GroupLink {
        let channel = ChannelId::new([8; 16]);
        GroupLink { service: service(None), channel, master_key: [9; 32], secret: [10; 32] }
    }

    #[test]
    fn links_round_trip() {
        let again = GroupLink::parse(&link().to_text()).ok().unwrap();
        assert!(again.service == service(None) && again.channel == link().channel);
        assert!(again.master_key == [9; 32] && again.secret == [10; 32]);
    }

    #[test]
    fn each_kind_of_link_is_taken_for_what_it_is() {
        let error = |text: &str| GroupLink::parse(text).err();
        let device = DeviceLink { service: service(None), channel: ChannelId::new([8; 16]), secret: [9; 32] };
        for other in [service(None).to_text(), service(Some(AccountId::new([1; 16]))).to_text()] {
            assert_eq!(error(&other), Some(LinkError::NoGroup));
        }
        assert_eq!(error(&device.to_text()), Some(LinkError::NoGroup));
        assert_eq!(Link::parse(&link().to_text()).err(), Some(LinkError::Group));
        assert_eq!(DeviceLink::parse(&link().to_text()).err(), Some(LinkError::Damaged));
        let text = link().to_text();
        assert_eq!(error(text.get(..text.len() - 4).unwrap()), Some(LinkError::Damaged));
        assert_eq!(error(&format!("{}AAAA", *text)), Some(LinkError::Damaged));
    }
}
