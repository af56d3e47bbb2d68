//! Lines about an account's devices.

use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};
use serde::Serialize;
use undertone_client as client;
use zeroize::Zeroizing;

use super::line::{Line, text};

/// What a new device is shown.
#[derive(Serialize)]
pub struct Link {
    #[serde(serialize_with = "text")]
    link: Zeroizing<String>,
}

/// What two people, or one, compare.
#[derive(Serialize)]
pub struct Code {
    code: String,
}

/// A new device that is one now.
#[derive(Serialize)]
pub struct Linked {
    linked: u32,
}

/// A device.
#[derive(Serialize)]
pub struct Device {
    device: u32,
    this: bool,
}

/// A device that is one no more.
#[derive(Serialize)]
pub struct Removed {
    removed: u32,
}

/// An account that is one no more.
#[derive(Serialize)]
pub struct Deleted {
    deleted: String,
}

impl Line {
    /// For `device link`.
    pub fn link(link: Zeroizing<String>) -> Self {
        Self::Link(Link { link })
    }

    /// For `device link`, on both devices.
    pub fn code(code: String) -> Self {
        Self::Code(Code { code })
    }

    /// For `device link`.
    pub fn linked(linked: u32) -> Self {
        Self::Linked(Linked { linked })
    }

    /// For `device remove`.
    pub fn removed(removed: u32) -> Self {
        Self::Removed(Removed { removed })
    }

    /// For `delete-account`.
    pub fn deleted(deleted: String) -> Self {
        Self::Deleted(Deleted { deleted })
    }
}

impl From<client::DeviceView> for Line {
    fn from(device: client::DeviceView) -> Self {
        Self::Device(Device { device: device.number, this: device.this })
    }
}

impl Link {
    pub(super) fn to_text(&self) -> String {
        let picture = picture(&self.link).map(|picture| format!("{picture}\n\n")).unwrap_or_default();
        format!(
            "{picture}On the new device, type\n\n    undertone device link '{}'\n\n\
             This link is good for one device and for ten minutes. Show it to nobody else.",
            *self.link
        )
    }
}

impl Code {
    pub(super) fn to_text(&self) -> String {
        format!("The code is  {}  and the other device has to show the same one.", self.code)
    }
}

impl Linked {
    pub(super) fn to_text(&self) -> String {
        format!(
            "linked: device {} has your account now. It gets your chats as soon as this or another device is in step",
            self.linked
        )
    }
}

impl Device {
    pub(super) fn to_text(&self) -> String {
        format!("device {}{}", self.device, if self.this { "  (this one)" } else { "" })
    }
}

impl Removed {
    pub(super) fn to_text(&self) -> String {
        format!("removed: device {} reads and writes nothing any more", self.removed)
    }
}

impl Deleted {
    pub(super) fn to_text(&self) -> String {
        format!("deleted: the service keeps nothing of account {} any more", self.deleted)
    }
}

/// A QR code (ISO/IEC 18004), two modules in a character; light ones are drawn, for terminals are mostly dark.
fn picture(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    Some(code.render::<Dense1x2>().build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_a_picture_for_people_and_a_text_for_programs() {
        let line = Line::link(Zeroizing::new(format!("undertone:chat.example:4433#{}", "A".repeat(108))));
        let shown = line.render(false);
        let picture: Vec<_> = shown.lines().take_while(|line| !line.is_empty()).collect();
        let width = picture[0].chars().count();
        // Two rows of modules in a line, and fit for a terminal of 80 columns and 40 lines.
        assert!(width <= 80 && picture.len() <= 40 && picture.len() == width.div_ceil(2), "{width} {}", picture.len());
        assert!(picture.iter().all(|line| line.chars().count() == width));
        assert!(shown.contains("'undertone:chat.example:4433#AAA"));
        assert!(line.render(true).starts_with("{\"link\":\"undertone:chat.example:4433#AAA"));
    }
}
