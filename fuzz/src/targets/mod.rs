//! The targets, by what they read.

mod chats;
mod circuits;
mod discovery;
mod groups;
mod homes;
mod letters;
mod objects;
mod service;
mod tokens;
mod wire;

use crate::Target;

/// All of them.
pub const TARGETS: &[Target] = &[
    wire::FRAMES,
    wire::MESSAGES,
    wire::LINKS,
    wire::PADDING,
    objects::DEVICE_LISTS,
    objects::INBOX_KEYS,
    objects::KEY_PACKAGES,
    objects::KEYS,
    letters::LETTERS,
    letters::SEALS,
    letters::VAULTS,
    letters::PROFILES,
    letters::HELLOS,
    chats::BODIES,
    chats::ENTRIES,
    chats::INVITATIONS,
    chats::HEADS,
    groups::CHANGES,
    groups::RECORDS,
    groups::ENTRIES,
    groups::ISSUED,
    groups::KEPT,
    groups::PRESENTATIONS,
    service::REQUESTS,
    tokens::TOKENS,
    tokens::BATCHES,
    tokens::WISHES,
    discovery::HEADERS,
    discovery::DELTAS,
    discovery::MEMBERS,
    discovery::QUERIES,
    discovery::ANSWERS,
    circuits::HANDSHAKES,
    homes::KEY_FILES,
];
