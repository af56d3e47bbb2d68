//! Tables, and how an older file is brought up to them.

use rusqlite::Connection;

use super::{DbError, Result};

/// Version of the schema that this release writes. Each release opens those before it.
pub(super) const VERSION: u32 = 6;

/// Steps from one version to the next, each with the tables of its time.
const STEPS: [&[&str]; VERSION as usize] = [
    &[V1],
    &[V2],
    &[V3_TOKENS, V3_PEOPLE],
    &[V4_CHANNELS],
    &[V5_GROUPS, V5_DIRECTORY],
    &[V6_LARGE, V6_ORDER, V6_SEALED, V6_LETTERS, V6_DAYS],
];

/// Brings the schema to [`VERSION`]; in the caller's transaction.
pub(super) fn bring_up(db: &Connection) -> Result<()> {
    let version: u32 = db.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    if version > VERSION {
        return Err(DbError::Newer);
    }
    for part in STEPS.iter().skip(version as usize).copied().flatten() {
        db.execute_batch(part)?;
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

/// Several devices, generations, and the ways back into a chat.
const V2: &str = "
ALTER TABLE me ADD COLUMN vault_key BLOB;             -- from the recovery words; none in homes of the first release
ALTER TABLE me ADD COLUMN vault_revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE me ADD COLUMN vault_hash BLOB;            -- of what was put last
ALTER TABLE me ADD COLUMN visit BLOB;                 -- what this home said to the service last time
ALTER TABLE me ADD COLUMN next_visit BLOB;            -- and what it is saying, until that has certainly arrived
ALTER TABLE me ADD COLUMN standing INTEGER NOT NULL DEFAULT 0; -- me::Standing
ALTER TABLE me ADD COLUMN card_day INTEGER NOT NULL DEFAULT 0; -- when our key package of last resort was made
ALTER TABLE me ADD COLUMN list_put INTEGER NOT NULL DEFAULT 1; -- whether the service has our device list

-- After a device was removed there are two of one week.
CREATE TABLE inbox_secrets(
  n INTEGER PRIMARY KEY,
  week INTEGER NOT NULL,
  secret BLOB NOT NULL UNIQUE,
  ours INTEGER NOT NULL DEFAULT 0      -- this device's alone, for an answer that it asked for; else the account's
) STRICT;
INSERT INTO inbox_secrets(week, secret) SELECT week, secret FROM inbox_keys ORDER BY week;
DROP TABLE inbox_keys;

ALTER TABLE chats ADD COLUMN part INTEGER NOT NULL DEFAULT 0;      -- channels that it lived in before this one
ALTER TABLE chats ADD COLUMN inviter BLOB;                         -- whose invitation the channel is
ALTER TABLE chats ADD COLUMN mls_group INTEGER NOT NULL DEFAULT 0; -- how often the MLS group was replaced
ALTER TABLE chats ADD COLUMN generation_day INTEGER NOT NULL DEFAULT 0; -- when the generation began
ALTER TABLE chats ADD COLUMN owes INTEGER NOT NULL DEFAULT 1;      -- whether a commit may be owed
ALTER TABLE chats ADD COLUMN fresh INTEGER NOT NULL DEFAULT 0;     -- is to go on in a fresh channel, of this part at least
ALTER TABLE chats ADD COLUMN restart INTEGER NOT NULL DEFAULT 0;   -- is to go on in an MLS group of a better suite
ALTER TABLE chats ADD COLUMN missed INTEGER NOT NULL DEFAULT 0;    -- messages that had expired before they were read here
ALTER TABLE chats ADD COLUMN asked_ms INTEGER NOT NULL DEFAULT 0;  -- when we last asked for the way back
ALTER TABLE chats ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;     -- and how often in vain
ALTER TABLE chats ADD COLUMN asked_by BLOB;                        -- the key package by which we ask
ALTER TABLE chats ADD COLUMN read_told INTEGER NOT NULL DEFAULT 0; -- our devices know that we have read up to this message
ALTER TABLE chats ADD COLUMN doubled INTEGER NOT NULL DEFAULT 0;   -- another home writes as this device in this epoch
UPDATE chats SET inviter = min(peer, (SELECT account FROM me)) WHERE channel IS NOT NULL;

-- Device lists as the log of a chat has them: by these its leaves are judged.
CREATE TABLE members(
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  account BLOB NOT NULL,
  device_list BLOB NOT NULL,
  PRIMARY KEY (chat, account)
) STRICT, WITHOUT ROWID;
INSERT INTO members(chat, account, device_list)
  SELECT chats.id, account, device_list FROM chats JOIN contacts ON contacts.account = chats.peer
  WHERE chats.channel IS NOT NULL AND device_list IS NOT NULL;
INSERT OR IGNORE INTO members(chat, account, device_list)
  SELECT chats.id, me.account, me.device_list FROM chats, me WHERE chats.channel IS NOT NULL;

ALTER TABLE messages ADD COLUMN part INTEGER NOT NULL DEFAULT 0;   -- the channel that `seq` or `letter` counts in

-- With a commit under way: what it begins, and the way in for whom it adds.
ALTER TABLE outbox ADD COLUMN installs BLOB;
ALTER TABLE outbox ADD COLUMN welcome BLOB;
ALTER TABLE outbox ADD COLUMN tree BLOB;

-- Key packages of last resort of our other devices: by these we add them to chats.
CREATE TABLE cards(
  device INTEGER PRIMARY KEY,
  key_package BLOB NOT NULL            -- SignedKeyPackage
) STRICT;

-- Devices that have lost their way in a chat and asked to be added again.
CREATE TABLE asks(
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  account BLOB NOT NULL,
  device INTEGER NOT NULL,
  key_package BLOB NOT NULL,           -- SignedKeyPackage
  seal_key BLOB NOT NULL,              -- X-Wing key for an answer by letter
  week INTEGER NOT NULL,
  answered INTEGER NOT NULL DEFAULT 0, -- the same again is no new wish
  PRIMARY KEY (chat, account, device)
) STRICT, WITHOUT ROWID;

-- Letters that are yet to be sealed: invitations into a running chat, and asks. To the other of the chat.
CREATE TABLE posts(
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  letter BLOB NOT NULL,                -- content.Letter
  seal_key BLOB,                       -- X-Wing key to seal it to; none: the account's inbox key
  week INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Ways into other channels, for chats whose own is to be read to its end first.
CREATE TABLE ways(
  chat INTEGER PRIMARY KEY REFERENCES chats(id) ON DELETE CASCADE,
  channel BLOB NOT NULL,
  inviter BLOB NOT NULL,
  invitation BLOB NOT NULL             -- content.Invitation
) STRICT;

-- History that one of our devices is yet to be told.
CREATE TABLE histories(
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  device INTEGER NOT NULL,
  after_n INTEGER NOT NULL,            -- messages up to this one were told
  PRIMARY KEY (chat, device)
) STRICT, WITHOUT ROWID;
";

/// Blind tokens, and what the service shows to all alike.
const V3_TOKENS: &str = "
ALTER TABLE me ADD COLUMN tokens_due_ms INTEGER NOT NULL DEFAULT 0;  -- when the next batch of tokens is asked for
ALTER TABLE me ADD COLUMN tokens_from_ms INTEGER NOT NULL DEFAULT 0; -- and not before this, however few are left
ALTER TABLE me ADD COLUMN marked INTEGER NOT NULL DEFAULT 0;   -- the service gave tokens by which it could tell us apart

-- Tokens that are not known to be spent.
CREATE TABLE tokens(
  n INTEGER PRIMARY KEY,
  purpose INTEGER NOT NULL,            -- objects.Purpose
  week INTEGER NOT NULL,
  token BLOB NOT NULL,                 -- objects.Token
  act BLOB,                            -- what it is to pay for: see `Paid::spent_on`
  sent INTEGER NOT NULL DEFAULT 0      -- it may have been seen, so it never pays for anything else
) STRICT;
CREATE INDEX tokens_act ON tokens(act) WHERE act IS NOT NULL;

-- The batch that was asked for, and did not come yet: sent again unchanged.
CREATE TABLE wishes(
  purpose INTEGER PRIMARY KEY,
  week INTEGER NOT NULL,
  wish BLOB NOT NULL                   -- as credentials keeps it
) STRICT;

-- Parameters that the service showed; the newest are those that hold.
CREATE TABLE parameters(
  revision INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,                  -- SHA-256 of the body
  signature BLOB NOT NULL,
  body BLOB NOT NULL                   -- circuit.Parameters
) STRICT;

ALTER TABLE chats ADD COLUMN parameters_told INTEGER NOT NULL DEFAULT 0; -- the newest revision that we have told in it
ALTER TABLE chats ADD COLUMN parameters_heard BLOB;            -- content.ParametersSeen: what the other was shown, as far as told
ALTER TABLE chats ADD COLUMN other_keys BLOB;                  -- two of these, of one revision and signed, that disagree
";

/// Profiles, receipts, and letters that may be revealed.
const V3_PEOPLE: &str = "
ALTER TABLE me ADD COLUMN receipts INTEGER NOT NULL DEFAULT 1; -- whether receipts are told and shown
ALTER TABLE me ADD COLUMN typing INTEGER NOT NULL DEFAULT 0;   -- whether it is told and shown that somebody writes

-- What we say of ourselves. One row, once there is a profile.
CREATE TABLE profile(
  one INTEGER PRIMARY KEY CHECK (one = 1),
  key BLOB NOT NULL,
  former_key BLOB,                     -- of what the service has, until it has what is sealed under `key`
  revision INTEGER NOT NULL,
  name TEXT NOT NULL,
  about TEXT NOT NULL,
  avatar BLOB NOT NULL,
  state INTEGER NOT NULL,              -- profiles::State
  put INTEGER NOT NULL DEFAULT 0,      -- revision by which the service counts what it has
  misses INTEGER NOT NULL DEFAULT 0    -- times that what it has could not be opened
) STRICT;

-- What others say of themselves.
CREATE TABLE profiles(
  account BLOB PRIMARY KEY,
  key BLOB NOT NULL,                   -- as its owner told it
  least INTEGER NOT NULL,              -- and with it: nothing older is believed
  revision INTEGER NOT NULL DEFAULT 0, -- of what is held here
  name TEXT NOT NULL DEFAULT '',
  about TEXT NOT NULL DEFAULT '',
  avatar BLOB NOT NULL DEFAULT x'',
  wanted INTEGER NOT NULL DEFAULT 1,   -- whether it is to be fetched
  due_ms INTEGER NOT NULL DEFAULT 0,   -- not before this; 0: that is yet to be drawn
  failures INTEGER NOT NULL DEFAULT 0  -- times in a row that the service gave none, or something else
) STRICT, WITHOUT ROWID;

ALTER TABLE chats ADD COLUMN profile_told INTEGER NOT NULL DEFAULT 0; -- revision of our profile that was told in it; -1: none, but is to be
ALTER TABLE chats ADD COLUMN note_due_ms INTEGER NOT NULL DEFAULT 0;  -- when what rides on messages goes alone; 0: not planned
-- Message ids. What we have told of the other's messages, and what he has told of ours.
ALTER TABLE chats ADD COLUMN delivered_told BLOB;
ALTER TABLE chats ADD COLUMN read_told_to BLOB;
ALTER TABLE chats ADD COLUMN delivered BLOB;
ALTER TABLE chats ADD COLUMN read BLOB;
CREATE INDEX messages_place ON messages(chat, part, letter IS NULL, coalesce(letter, seq));
CREATE INDEX messages_unseen ON messages(chat) WHERE shown <> 1;

-- Letters of strangers as they came, by which it can be shown what they wrote.
CREATE TABLE evidence(
  n INTEGER PRIMARY KEY,
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  day INTEGER NOT NULL,
  letter BLOB NOT NULL                 -- content.SealedContent
) STRICT;
";

/// Channels that are closed before they are left.
const V4_CHANNELS: &str = "
ALTER TABLE chats ADD COLUMN met INTEGER NOT NULL DEFAULT 1;   -- whether the other has come to the channel
ALTER TABLE chats ADD COLUMN tried_channel BLOB;               -- the last place to which a way in of no use has led,
ALTER TABLE chats ADD COLUMN tried_seq INTEGER NOT NULL DEFAULT 0; -- or at which we were added again
ALTER TABLE asks ADD COLUMN channel BLOB NOT NULL DEFAULT x''; -- the last place that it knows of
ALTER TABLE asks ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;

-- Where devices were added to the channel of a chat.
CREATE TABLE added(
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  account BLOB NOT NULL,
  device INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (chat, account, device)
) STRICT, WITHOUT ROWID;
";

/// Groups among the chats.
const V5_GROUPS: &str = "
-- Chats that are groups. `chats.peer` is then what the group is called by (see `rules::groups`), and `chats.channel` is
-- there as long as we have its keys.
CREATE TABLE groups(
  chat INTEGER PRIMARY KEY REFERENCES chats(id) ON DELETE CASCADE,
  channel BLOB NOT NULL UNIQUE,
  master_key BLOB NOT NULL,
  record BLOB,                         -- group.Record: where we stand; from outside, as it was last shown
  link_secret BLOB,                    -- of the link that this person has set, or came by
  inviter BLOB,                        -- who has added or invited us
  way BLOB,                            -- content.GroupWay, as long as it waits for our word
  epoch_revision INTEGER NOT NULL DEFAULT 0, -- of the record with which this epoch began
  entering INTEGER NOT NULL DEFAULT 0, -- the commit by which we come in is under way
  renewed_ms INTEGER NOT NULL DEFAULT 0, -- when our own leaf was renewed here; 0: not yet
  head_wrong INTEGER NOT NULL DEFAULT 0, -- the head slot is not what it should be
  head_seq INTEGER NOT NULL DEFAULT 0, -- the commit whose head slot is to be looked at; 0: none
  head_by BLOB,                        -- by whom that commit was made, and on which device
  head_device INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Whom the entries of a group's record encrypt; nobody, for one that is void.
CREATE TABLE pseudonyms(
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  entry BLOB NOT NULL,
  account BLOB,
  PRIMARY KEY (chat, entry)
) STRICT, WITHOUT ROWID;
CREATE INDEX pseudonyms_account ON pseudonyms(chat, account);

-- Hashes of a group's record, as far as something of this epoch may have been made by them.
CREATE TABLE revisions(
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  revision INTEGER NOT NULL,
  hash BLOB NOT NULL,
  PRIMARY KEY (chat, revision)
) STRICT, WITHOUT ROWID;

-- By which we show ourselves in groups.
CREATE TABLE credentials(
  day INTEGER PRIMARY KEY,
  credential BLOB NOT NULL
) STRICT;

ALTER TABLE posts ADD COLUMN recipient BLOB;   -- none: the other of the chat
ALTER TABLE letters ADD COLUMN recipient BLOB; -- likewise
ALTER TABLE outbox ADD COLUMN slot BLOB;       -- with a commit of a group: its head slot
ALTER TABLE outbox ADD COLUMN refused INTEGER; -- why a change was not made, until that was told

-- What is fetched of people before a change that adds them, or invites them, is made.
CREATE TABLE fetched(
  n INTEGER NOT NULL REFERENCES outbox(n) ON DELETE CASCADE,
  account BLOB NOT NULL,
  reply BLOB,                          -- visitor.FetchContactReply, once it is there
  PRIMARY KEY (n, account)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_account ON members(account);
";

/// Who of an address book is here, and under what we are listed.
const V5_DIRECTORY: &str = "
-- Identifiers of people, as they are looked up.
CREATE TABLE identifiers(
  identifier BLOB PRIMARY KEY,         -- its kind and its one spelling
  secret BLOB,                         -- what it is looked up by, once it was evaluated
  key BLOB,                            -- the directory key that this was evaluated under
  account BLOB,                        -- who was found under it
  as_of INTEGER                        -- by the changes up to which day; none: not asked for under this key
) STRICT, WITHOUT ROWID;

-- The address book: what people are called there.
CREATE TABLE address_book(
  n INTEGER PRIMARY KEY,
  contact TEXT NOT NULL,
  identifier BLOB NOT NULL REFERENCES identifiers(identifier),
  UNIQUE (contact, identifier)
) STRICT;

-- Identifiers that are being evaluated, and random bytes that hide how many they are: sent again unchanged.
CREATE TABLE evaluations(
  n INTEGER PRIMARY KEY,
  input BLOB NOT NULL,
  blind BLOB NOT NULL
) STRICT;

-- Parts of what the directory has for everybody, as long as its head names it.
CREATE TABLE downloads(
  hash BLOB NOT NULL,                  -- SHA-256 of the whole
  part INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (hash, part)
) STRICT, WITHOUT ROWID;

-- Identifiers under which we are listed, or want to be: the service forgets them.
CREATE TABLE listings(
  identifier BLOB PRIMARY KEY,
  state INTEGER NOT NULL,              -- listings::State
  day INTEGER NOT NULL DEFAULT 0       -- the same wish is granted from this day on
) STRICT, WITHOUT ROWID;

ALTER TABLE me ADD COLUMN lookups_from_ms INTEGER NOT NULL DEFAULT 0; -- no lookups are to be had before this
ALTER TABLE me ADD COLUMN listing_claimed INTEGER NOT NULL DEFAULT 0; -- somebody else wants an identifier of ours
";

/// Large groups.
const V6_LARGE: &str = "
-- What is too large for a log, and stands there as a reference (`wire::large`): ours until it is in the log, others' until it
-- was read.
CREATE TABLE large(
  chat INTEGER NOT NULL REFERENCES chats(id) ON DELETE CASCADE,
  reference BLOB NOT NULL,
  state INTEGER NOT NULL,              -- large::State
  bytes BLOB NOT NULL,                 -- empty until it was fetched
  UNIQUE (chat, reference)
) STRICT;
";

/// What is asked of a chat all the time takes no longer in a long one.
const V6_ORDER: &str = "
DROP INDEX messages_order;
CREATE INDEX messages_of ON messages(chat, sender, part, letter IS NULL, coalesce(letter, seq));
DROP INDEX messages_unseen;
CREATE INDEX messages_unseen ON messages(chat, part, letter IS NULL, coalesce(letter, seq)) WHERE shown <> 1;
";

/// Letters that came before the key that opens them.
const V6_SEALED: &str = "
CREATE TABLE sealed(
  n INTEGER PRIMARY KEY,
  week INTEGER NOT NULL,               -- in which it came
  sealed BLOB NOT NULL,
  tried INTEGER NOT NULL               -- inbox secrets up to this one do not open it
) STRICT;
";

/// By whom letters are believed.
const V6_LETTERS: &str = "
-- The newest device list that was known when our inbox was last read to its end.
ALTER TABLE contacts ADD COLUMN letters_by BLOB;
";

/// Clocks that are behind.
const V6_DAYS: &str = "
-- The service has taken something on this day, or later.
ALTER TABLE me ADD COLUMN known_day INTEGER NOT NULL DEFAULT 0;
";

#[cfg(test)]
mod tests {
    use super::*;

    /// Name and text of everything in a schema.
    fn objects(db: &Connection) -> Vec<(String, Option<String>)> {
        let mut statement = db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
        let objects = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        objects.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn every_version_is_brought_up_to_the_same() {
        let fresh = Connection::open_in_memory().unwrap();
        bring_up(&fresh).unwrap();
        for from in 1..=VERSION {
            let db = Connection::open_in_memory().unwrap();
            for part in STEPS.iter().take(from as usize).copied().flatten() {
                db.execute_batch(part).unwrap();
            }
            db.pragma_update(None, "user_version", from).unwrap();
            db.execute_batch(
                "INSERT INTO me(one, link, name, account, identity_seed, device, device_seed, device_list)
                 VALUES (1, '', '', x'01', x'', 1, x'', x'');
                 INSERT INTO chats(peer, state, channel) VALUES (x'02', 3, x'03');",
            )
            .unwrap();
            bring_up(&db).unwrap();
            assert_eq!(objects(&db), objects(&fresh), "from {from}");
            let kept: u32 = db.query_row("SELECT count(*) FROM chats, me", (), |row| row.get(0)).unwrap();
            assert_eq!(kept, 1);
        }
    }
}
