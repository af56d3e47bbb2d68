//! Tables, and how an older file is brought up to them.

use rusqlite::Connection;

use super::{DbError, Result};

/// Version of the schema that this release writes. Each release opens those before it.
pub(super) const VERSION: u32 = 1;

/// Steps from one version to the next, each with the tables of its time.
const STEPS: [&str; VERSION as usize] = [V1];

/// Brings the schema to [`VERSION`]; in the caller's transaction.
pub(super) fn bring_up(db: &Connection) -> Result<()> {
    let version: u32 = db.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    if version > VERSION {
        return Err(DbError::Newer);
    }
    for step in STEPS.iter().skip(version as usize) {
        db.execute_batch(step)?;
    }
    db.pragma_update(None, "user_version", VERSION)?;
    Ok(())
}

const V1: &str = "
-- Who we are. One row.
CREATE TABLE me(
  one INTEGER PRIMARY KEY CHECK (one = 1),
  link TEXT NOT NULL,                  -- of the service
  service_keys BLOB,                   -- its static keys, once fetched and checked against the link
  head_key BLOB,                       -- its Ed25519 key for chain heads, from its parameters
  name TEXT NOT NULL,
  account BLOB NOT NULL,
  identity_seed BLOB NOT NULL,
  device INTEGER NOT NULL,
  device_seed BLOB NOT NULL,
  device_list BLOB NOT NULL,
  registered INTEGER NOT NULL DEFAULT 0,
  invite TEXT NOT NULL DEFAULT '',
  inbox_cursor INTEGER NOT NULL DEFAULT 0,
  inbox_read_ms INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Secrets of our weekly inbox keys.
CREATE TABLE inbox_keys(
  week INTEGER PRIMARY KEY,
  secret BLOB NOT NULL
) STRICT;

-- MLS state, by the keys that e2ee gives.
CREATE TABLE mls(
  key BLOB PRIMARY KEY,
  value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- People we know of, with the newest of their device lists.
CREATE TABLE contacts(
  account BLOB PRIMARY KEY,
  name TEXT NOT NULL,
  device_list BLOB,                    -- verified
  inbox_key BLOB,                      -- X-Wing, verified
  inbox_week INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Chats. One with ourselves: note to self.
CREATE TABLE chats(
  id INTEGER PRIMARY KEY,
  peer BLOB NOT NULL UNIQUE,
  state INTEGER NOT NULL,              -- chats::State
  open_from_ms INTEGER NOT NULL DEFAULT 0, -- the channel is not touched before
  letters INTEGER NOT NULL DEFAULT 0,  -- messages that we have put into letters
  -- The channel, once there is one.
  channel BLOB UNIQUE,
  incarnation INTEGER NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 0,
  generation INTEGER NOT NULL DEFAULT 0,
  generation_secret BLOB,
  seq INTEGER NOT NULL DEFAULT 0,      -- cursor: entries up to this one are processed
  chain BLOB,                          -- after that entry
  seen_seq INTEGER NOT NULL DEFAULT 0, -- newest signed head that agrees with our chain
  seen_chain BLOB,
  seen_signature BLOB,
  -- Self-updates.
  peer_spoke INTEGER NOT NULL DEFAULT 0, -- whether the last message was the peer's
  updated_ms INTEGER NOT NULL DEFAULT 0,
  trouble INTEGER NOT NULL DEFAULT 0,  -- chats::Trouble
  evidence BLOB                        -- two heads that the service signed and that disagree
) STRICT;

-- Our chain, entry by entry, to hold against what others say they saw.
CREATE TABLE chain(
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  seq INTEGER NOT NULL,
  chain BLOB NOT NULL,
  PRIMARY KEY (chat, seq)
) STRICT, WITHOUT ROWID;

-- History, our own messages among it.
CREATE TABLE messages(
  n INTEGER PRIMARY KEY,               -- order of arrival here
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  id BLOB NOT NULL,
  sender BLOB NOT NULL,
  sent_at_ms INTEGER NOT NULL,
  content BLOB NOT NULL,               -- content.Content
  letter INTEGER,                      -- place among the sender's letters
  seq INTEGER,                         -- or place in the log
  letters INTEGER NOT NULL DEFAULT 0,  -- to be shown after so many of the sender's letters
  acked INTEGER NOT NULL,              -- held by the service
  shown INTEGER NOT NULL,
  UNIQUE (chat, id)
) STRICT;
CREATE INDEX messages_new ON messages(n) WHERE shown = 0;
CREATE INDEX messages_order ON messages(chat, seq);

-- Plaintext that is not in a log or a letter yet, in the order of sending; and commits under way.
CREATE TABLE outbox(
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  kind INTEGER NOT NULL,               -- channel.EntryKind
  content BLOB NOT NULL,               -- content.Content; empty for a commit
  -- The ciphertext under way, sent again unchanged until its fate is known.
  idempotency_id BLOB,
  body BLOB,
  body_hash BLOB,
  incarnation INTEGER,
  epoch INTEGER,
  expiry_day INTEGER
) STRICT;
CREATE INDEX outbox_chat ON outbox(chat, n);
CREATE INDEX outbox_hash ON outbox(chat, body_hash);

-- Sealed letters under way.
CREATE TABLE letters(
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  idempotency_id BLOB NOT NULL,
  sealed BLOB NOT NULL,
  expiry_day INTEGER NOT NULL,
  upto INTEGER NOT NULL                -- our messages with a smaller place in letters are acknowledged with it
) STRICT;

-- Empty channels made ahead, so that a new chat does not show by a new channel.
CREATE TABLE stock(
  channel BLOB PRIMARY KEY,
  generation_secret BLOB NOT NULL,
  created_day INTEGER NOT NULL,
  head BLOB                            -- channel.Head, once the service has it
) STRICT, WITHOUT ROWID;
";
